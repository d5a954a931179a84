"""Parameters on the real line and back: every box there is, its edges, and the slope of the map."""

import bricks
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.land import LandModel, State, draw, from_real, parameter, parameters_of, to_real
from spread.land.parameters import Parameter

EVERY = [brick for options in bricks.SLOTS.values() for brick in options]
KNOWN = [
    pytest.param(known, id=f"{bricks.name(brick)}.{path}")
    for brick in EVERY
    for path, known in parameters_of(brick).items()
]


class One(eqx.Module):
    """A brick of one log-uniform, one uniform and one circular parameter."""

    scale: jax.Array = parameter(2.0, 1e-3, 1e4, units="1", source="test")
    level: jax.Array = parameter(0.0, -10.0, 30.0, units="1", prior="uniform", source="test")
    day: jax.Array = parameter(10.0, 0.0, 365.25, units="d", prior="circular", source="test")


def held(known, value):
    """A module of one parameter."""
    kind = type(
        "Held",
        (eqx.Module,),
        {
            "__annotations__": {"p": jax.Array},
            "__module__": __name__,
            "p": parameter(
                known.default, known.low, known.high, units=known.units, prior=known.prior, source=known.source
            ),
        },
    )
    return kind(value)


shares = st.floats(1e-3, 1 - 1e-3)


@settings(max_examples=200, deadline=None)
@given(scale=shares, level=shares, day=st.floats(0, 1, exclude_max=True))
def test_there_and_back_is_the_same(scale, level, day):
    with jax.enable_x64(True):
        known = parameters_of(One())
        values = [float(known[n].at(jnp.asarray(x))) for n, x in zip(known, (scale, level, day), strict=True)]
        module = One(*map(jnp.asarray, values))
        back = from_real(to_real(module))
        for name, value in zip(known, values, strict=True):
            span = abs(value) if name == "scale" else known[name].high - known[name].low
            assert abs(float(getattr(back, name)) - value) <= 1e-12 * span
        # ... and the other way around, where the logistic function can be turned back
        real = to_real(module)
        for name in ("scale", "level"):
            assert float(getattr(to_real(back), name)) == pytest.approx(
                float(getattr(real, name)), rel=1e-10, abs=1e-11
            )


@settings(max_examples=200, deadline=None)
@given(real=st.floats(-1e30, 1e30), wide=st.booleans())
def test_every_real_number_is_inside_of_the_box(real, wide):
    with jax.enable_x64(wide):
        known = parameters_of(One())
        boxed = from_real(One(*[jnp.asarray(real, float)] * 3))
        for name, box in known.items():
            value, rounding = float(getattr(boxed, name)), (1e-14 if wide else 1e-6)
            assert box.low - rounding * abs(box.low) <= value <= box.high + rounding * abs(box.high)


@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("known", KNOWN)
def test_no_edge_of_any_parameter_is_infinite(known, wide):
    with jax.enable_x64(wide):
        for value in (known.low, known.default, known.high):
            real = to_real(held(known, value))
            assert np.isfinite(float(real.p))
            assert float(from_real(real).p) == pytest.approx(value, rel=3e-6, abs=3e-6 * (known.high - known.low)) or (
                known.prior == "circular" and value == known.high
            )


@pytest.mark.parametrize("known", KNOWN)
def test_the_slope_is_that_of_the_logistic_function(known):
    """By hand: dp/dx of low + (high - low) s(x), of low (high/low)^s(x), and of the angle."""
    with jax.enable_x64(True):
        for real in (-4.0, 0.0, 2.5):
            slope = float(jax.grad(lambda x: from_real(held(known, x)).p)(jnp.asarray(real)))
            s = 1 / (1 + np.exp(-real))
            if known.prior == "circular":
                expected = (known.high - known.low) / (2 * np.pi)
            elif known.prior == "uniform":
                expected = (known.high - known.low) * s * (1 - s)
            else:
                ratio = known.high / known.low
                expected = known.low * ratio**s * np.log(ratio) * s * (1 - s)
            assert slope == pytest.approx(expected, rel=1e-12)


def test_a_quantile_is_that_of_the_prior():
    log, flat = (Parameter(2.0, 1.0, 100.0, "1", prior, "test") for prior in ("log-uniform", "uniform"))
    assert float(log.at(0.5)) == pytest.approx(10.0, rel=1e-6)
    assert float(log.share(10.0)) == pytest.approx(0.5, rel=1e-6)
    assert float(flat.at(0.25)) == pytest.approx(25.75, rel=1e-6)
    assert float(flat.share(25.75)) == pytest.approx(0.25, rel=1e-6)


def test_the_prior_of_the_real_line_is_the_standard_logistic():
    with jax.enable_x64(True):
        real = to_real(draw(One(), jax.random.key(0), 20_000))
        for name in ("scale", "level"):
            values = np.sort(np.asarray(getattr(real, name)))
            grid = (np.arange(values.size) + 0.5) / values.size
            assert np.max(np.abs(1 / (1 + np.exp(-values)) - grid)) < 0.012  # Kolmogorov: 1.63 / sqrt(n) at 1 %
        assert 0 <= float(real.day.min()) < 0.01
        assert 6.27 < float(real.day.max()) < 2 * np.pi


def test_angles_meet_at_the_end_of_the_year():
    with jax.enable_x64(True):
        for turns in (-3, 0, 5):
            day = from_real(One(0.0, 0.0, 2 * np.pi * (turns + 0.25))).day
            assert float(day) == pytest.approx(365.25 / 4, rel=1e-13)


def test_models_keep_what_is_no_parameter_and_are_not_modified():
    model = LandModel(water_stress=bricks.SLOTS["water_stress"][0])
    before = jax.tree.map(np.array, model)
    back = from_real(to_real(model))
    assert jax.tree.structure(back) == jax.tree.structure(model)
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(model), strict=True):
        np.testing.assert_array_equal(one, other)
    for path in parameters_of(State()):
        assert np.isfinite(float(getattr(to_real(State()), path)))
    for brick in bricks.SLOTS["water_stress"]:
        if not parameters_of(brick):
            assert to_real(brick) is brick


@pytest.mark.parametrize(
    ("numbers", "prior", "message"),
    [
        ((2.0, 3.0, 4.0), "uniform", "low <= default <= high"),
        ((1.0, 1.0, 1.0), "uniform", "low <= default <= high"),
        ((0.0, 0.0, 1.0), "log-uniform", "box above zero"),
        ((0.0, -1.0, 1.0), "log-uniform", "use 'uniform'"),
    ],
)
def test_a_box_that_is_none_is_refused(numbers, prior, message):
    with pytest.raises(ValueError, match=message):
        Parameter(*numbers, "1", prior, "test")
