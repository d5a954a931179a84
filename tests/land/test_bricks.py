"""Each brick against plain NumPy, its gradient against central differences, and finite at all edges."""

from types import SimpleNamespace

import bricks
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plain_bricks as plain
import pytest
import worlds

from spread.land import Forcing, Site, State, draw, parameters_of
from spread.land.decomposition import Bell, ExponentialDecomposition, Q10Decomposition, Ramp
from spread.land.evapotranspiration import PenmanMonteith, PriestleyTaylor, UnderlyingWUE
from spread.land.fire import BurnedArea
from spread.land.integrator import merged
from spread.land.phenology import DALECPhenology, KnorrPhenology
from spread.land.photosynthesis import Assimilation
from spread.land.snow import DegreeDay
from spread.land.soil_water import OneLayer, TwoLayers

CELLS = 200
DEMANDS = {
    UnderlyingWUE: plain.underlying_wue,
    PriestleyTaylor: plain.priestley_taylor,
    PenmanMonteith: plain.penman_monteith,
}
RATES = {
    "knorr": (KnorrPhenology(), plain.knorr), "dalec": (DALECPhenology(), plain.dalec),
    "exponential": (ExponentialDecomposition(), plain.exponential),
    "bell": (Q10Decomposition(moisture=Bell()), plain.q10), "ramp": (Q10Decomposition(moisture=Ramp()), plain.q10),
}  # fmt: skip
OURS = [
    UnderlyingWUE(), PriestleyTaylor(), PenmanMonteith(), DALECPhenology(), KnorrPhenology(),
    ExponentialDecomposition(), Q10Decomposition(moisture=Bell()), Q10Decomposition(moisture=Ramp()), BurnedArea(),
    DegreeDay(), OneLayer(), TwoLayers(),
]  # fmt: skip


def world(brick, cells=CELLS, hostile=False):
    """Brick, state, leaf area, assimilation, stress, weather and place; hostile ones sit on the edges."""
    keys = jax.random.split(jax.random.key(4), 6)
    brick, state = draw(brick, keys[0], cells), draw(State(), keys[1], cells)
    forcing, site = worlds.any_weather(keys[2], cells), worlds.any_place(keys[3], cells)
    leaf_area, stress = jax.random.uniform(keys[4], (2, cells)) * jnp.array([[8.0], [1.0]])
    if hostile:
        rng = np.random.default_rng(0)

        def pick(*values):
            return jnp.asarray(rng.choice(np.array(values), cells), jnp.result_type(1.0))

        brick = bricks.on_edges(brick, rng, cells)
        cold = pick(-95.0, -45.0, 0.0, 30.0)
        forcing = Forcing(
            tasmin=cold, tasmax=cold + pick(-2.0, 0.0, 30.0), rsds=pick(0.0, 1e-6, 45.0), vpd=pick(0.0, 1e-8, 120.0),
            pr=pick(0.0, 1e-8, 500.0), co2=pick(0.0, 180.0, 1e4), burned=pick(0.0, 1.0),
            doy=pick(0.0, 172.0, 355.0, 366.0), days=pick(0.02, 1.0, 31.0),
        )  # fmt: skip
        site = Site(pick(-90.0, -66.6, 0.0, 90.0), pick(-400.0, 0.0, 8800.0), pick(-60.0, 35.0), pick(0.0, 1e-6, 30.0))
        state = State(**{field: pick(0.0, 1e-30, 1e-6, 1e5) for field in vars(state) if field != "memory"})
        leaf_area, stress = pick(0.0, 1e-30, 1e-6, 20.0), pick(0.0, 1.0)
    conductance = 0.05 * stress * leaf_area
    return brick, state, leaf_area, Assimilation(3.0 * leaf_area * stress, conductance), stress, forcing, site


def answers(brick, state, leaf_area, shown, stress, forcing, site):
    """Everything that a brick of any kind says, as one list of arrays."""
    if hasattr(brick, "drainage"):
        said = [brick.runoff(state.water, state, forcing, site), brick.drainage(state.water, forcing)]
        said += [brick.percolation(state.water, forcing), brick.baseflow(state.deep, forcing)]
    elif hasattr(brick, "needs_conductance"):
        said = [brick(shown, leaf_area, stress, forcing, site)]
    elif hasattr(brick, "memory"):
        said = brick(state, leaf_area, forcing, site)
    else:
        said = brick(state, forcing, site)
    return jax.tree.leaves(said)


def in_numpy(tree):
    """The same as plain namespaces of NumPy arrays."""
    if isinstance(tree, eqx.Module):
        return SimpleNamespace(**{key: in_numpy(value) for key, value in vars(tree).items()})
    return {key: np.asarray(value) for key, value in tree.items()} if isinstance(tree, dict) else np.asarray(tree)


@pytest.mark.parametrize("kind", DEMANDS, ids=lambda kind: kind.__name__)
def test_demand_is_that_of_plain_numpy(kind):
    with jax.enable_x64(True):
        brick, _, leaf_area, shown, stress, forcing, site = world(kind())
        ours = brick(shown, leaf_area, stress, forcing, site)
        theirs = DEMANDS[kind](*map(in_numpy, (brick, shown, leaf_area, stress, forcing, site)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert np.all(ours >= 0)


@pytest.mark.parametrize("which", RATES)
def test_rates_are_those_of_plain_numpy(which):
    with jax.enable_x64(True):
        brick, state, leaf_area, _, _, forcing, site = world(RATES[which][0])
        if which == "knorr":
            memory = {"warmth": jnp.linspace(-9.0, 9.0, CELLS), "drought": jnp.linspace(0.0, 0.9, CELLS)}
            state = State(**vars(state) | {"memory": memory})
        leaves = (leaf_area,) if which in ("knorr", "dalec") else ()
        ours = brick(state, *leaves, forcing, site)
        ours = ours[0] if leaves else ours
        theirs = RATES[which][1](*map(in_numpy, (brick, state, *leaves, forcing, site)))
    assert ours.keys() == theirs.keys()
    for edge, rate in ours.items():
        np.testing.assert_allclose(rate, theirs[edge], rtol=1e-10, atol=1e-14)
        assert np.all(rate >= 0)


def test_snow_is_that_of_plain_numpy():
    with jax.enable_x64(True):
        brick, state, _, _, _, forcing, site = world(DegreeDay())
        frozen, rates = brick(state, forcing, site)
        snowy, share = plain.degree_day(*map(in_numpy, (brick, state, forcing, site)))
        melted = -jnp.expm1(-rates["snow", "water"] * forcing.days)
    np.testing.assert_allclose(frozen, snowy, rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(melted, share, rtol=1e-10, atol=1e-12)


def test_fire_takes_exactly_its_share_where_nothing_else_does():
    with jax.enable_x64(True):
        brick, state, _, _, _, forcing, site = world(BurnedArea())
        rates = brick(state, forcing, site)
        burnt, dead = plain.fire(*map(in_numpy, (brick, state, forcing, site)))
        for pool, burns in burnt.items():
            losses = {to: rate for (source, to), rate in rates.items() if source == pool}
            total = merged(*({("x", "y"): rate} for rate in losses.values()))["x", "y"]
            lost = -np.expm1(-total * forcing.days)
            dies = dead.get(pool, 0.0)
            np.testing.assert_allclose(lost, np.minimum(burns + dies, 1 - 1e-6), rtol=1e-10, atol=1e-15)
            # Shares go as burning to dying: the split is exact, whatever else competes
            np.testing.assert_allclose(losses["fFire"] * (burns + dies), total * burns, rtol=1e-10, atol=1e-15)


def test_layers_drain_by_the_exact_solution():
    with jax.enable_x64(True):
        brick, state, _, _, _, forcing, _ = world(TwoLayers())
        for water, capacity, share in (
            (state.water, brick.capacity, brick.drainage(state.water, forcing)),
            (state.deep, brick.deep_capacity, brick.baseflow(state.deep, forcing)),
        ):
            left = plain.drained(np.asarray(water), np.asarray(capacity), np.asarray(forcing.days))
            np.testing.assert_allclose(water * (1 - share), left, rtol=1e-9)
        # Two half steps are one whole step, as only an exact solution has it
        half = eqx.tree_at(lambda f: f.days, forcing, forcing.days / 2)
        once = state.water * (1 - brick.drainage(state.water, half))
        twice = once * (1 - brick.drainage(once, half))
        np.testing.assert_allclose(twice, state.water * (1 - brick.drainage(state.water, forcing)), rtol=1e-9)


@eqx.filter_jit
def total(real, fixed, given, directions):
    """One number from all that a brick says, as a function of its parameters, and its derivative in a direction."""

    def value(array):
        said = answers(eqx.combine(array, fixed), *given)
        # Cell by cell: a cell on a corner of a minimum does not hide in a sum
        return sum(jnp.sin(3.0 * jnp.broadcast_to(x, (CELLS,))) for x in said)

    _, along = jax.jvp(value, (real,), (directions,))
    backward = jax.grad(lambda array: jnp.sum(value(array)))(real)
    return (
        value(real),
        along,
        sum(jnp.sum(g * d) for g, d in zip(*map(jax.tree.leaves, (backward, directions)), strict=True)),
    )


@pytest.mark.parametrize("brick", OURS, ids=bricks.name)
def test_gradients_are_central_differences(brick):
    with jax.enable_x64(True):
        brick, *given = world(brick)
        array, fixed = eqx.partition(brick, eqx.is_inexact_array)
        rng = np.random.default_rng(5)
        # A direction in units of the parameters themselves
        directions = jax.tree.map(lambda x: x * jnp.asarray(rng.uniform(-1, 1, np.shape(x))), array)
        _, along, backward = total(array, fixed, given, directions)
        ahead = {}
        for k in (-2, -1, 1, 2):
            moved = jax.tree.map(lambda x, d, k=k: x + k * 1e-4 * d, array, directions)
            ahead[k] = total(moved, fixed, given, directions)[0]
        differences = (8 * (ahead[1] - ahead[-1]) - (ahead[2] - ahead[-2])) / (12 * 1e-4)
        error = np.abs(along - differences) / (1e-3 + np.abs(differences))
        # Corners (a threshold, a minimum, a horizon) lie within the step of few draws
        assert np.quantile(error, 0.97) < 1e-6
        np.testing.assert_allclose(backward, jnp.sum(along), rtol=1e-10, atol=1e-12)


@eqx.filter_jit
def said_and_gradient(everything):
    said, back = eqx.filter_vjp(lambda *args: answers(*args), *everything)
    return said, back([jnp.ones_like(x) for x in said])


@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("brick", OURS, ids=bricks.name)
def test_values_and_gradients_are_finite_everywhere(brick, wide):
    with jax.enable_x64(wide):
        for hostile in (False, True):
            said, gradient = said_and_gradient(world(brick, 2000, hostile))
            assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((said, gradient)))
            # What is remembered may be negative; it comes last
            rates = said[:2] if isinstance(brick, KnorrPhenology) else said
            assert all(bool(jnp.all(x >= 0)) for x in rates)


@pytest.mark.parametrize("brick", [b for slot in bricks.SLOTS.values() for b in slot], ids=bricks.name)
def test_every_parameter_says_what_it_is(brick):
    for path, known in parameters_of(brick).items():
        assert known.units, path
        assert len(known.source) > 5, path
