"""Water stress: the same as the papers' formulae, between 0 and 1, and never lower with more water."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plain_uptake
import pytest

from spread.land import State, draw, parameters_of
from spread.land.water_stress import (
    LinearStress,
    MonotoneNeuralStress,
    NeuralStress,
    NoStress,
    PotentialStress,
    QuadraticStress,
)

CELLS = 512
PLAIN = {
    NoStress: plain_uptake.no_stress,
    LinearStress: plain_uptake.linear_stress,
    QuadraticStress: plain_uptake.quadratic_stress,
    PotentialStress: plain_uptake.potential_stress,
    NeuralStress: plain_uptake.neural_stress,
    MonotoneNeuralStress: plain_uptake.monotone_neural_stress,
}
NEURAL = {NeuralStress, MonotoneNeuralStress}
every_scheme = pytest.mark.parametrize("scheme", PLAIN, ids=lambda scheme: scheme.__name__)
either_width = pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])


def made(scheme):
    return scheme(jax.random.key(5)) if scheme in NEURAL else scheme()


def soaked(key, cells):
    """Water of the whole prior, and none or far too much in every fourth cell."""
    water = jnp.exp(jax.random.uniform(key, (cells,), minval=jnp.log(0.1), maxval=jnp.log(1e4)))
    return water.at[::4].set(0.0).at[1::4].set(1e6)


@eqx.filter_jit
def stress_of(brick, water):
    """Stress, its derivative by water, and the gradient of its sum by the parameters."""

    def stress(taken, amount):
        return brick_call(taken, amount) + 0 * amount

    value, slope = jax.jvp(lambda amount: stress(brick, amount), (water,), (jnp.ones_like(water),))
    return value, slope, eqx.filter_grad(lambda taken: jnp.sum(stress(taken, water)))(brick)


def brick_call(brick, water):
    return brick(eqx.tree_at(lambda s: s.water, State(), water), None, None)


@every_scheme
def test_it_is_what_the_papers_say(scheme):
    with jax.enable_x64(True):
        brick, water = draw(made(scheme), jax.random.key(1), CELLS), soaked(jax.random.key(2), CELLS)
        value, _, _ = stress_of(brick, water)
    if scheme in NEURAL:
        known = [plain_uptake.layers(brick.network)] * CELLS
    else:
        given = {name: np.broadcast_to(values, (CELLS,)) for name, values in vars(brick).items()}
        known = [{name: values[cell] for name, values in given.items()} for cell in range(CELLS)]
    expected = [PLAIN[scheme](p, float(amount)) for p, amount in zip(known, water, strict=True)]
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


@every_scheme
@either_width
def test_any_draw_and_any_water(scheme, wide):
    with jax.enable_x64(wide):
        brick, water = draw(made(scheme), jax.random.key(3), 8 * CELLS), soaked(jax.random.key(4), 8 * CELLS)
        value, slope, gradient = stress_of(brick, water)
        assert bool(jnp.all((value >= 0) & (value <= 1)))
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((slope, gradient)))
        if scheme is not NeuralStress:
            assert float(jnp.min(slope)) >= 0
        assert (float(jnp.max(jnp.abs(slope))) > 0) == (scheme is not NoStress)


@pytest.mark.parametrize("scheme", [LinearStress, PotentialStress])
def test_dry_soil_closes_and_wet_soil_opens(scheme):
    brick = draw(made(scheme), jax.random.key(3), CELLS)
    dry, _, _ = stress_of(brick, jnp.zeros(CELLS))
    wet, _, _ = stress_of(brick, jnp.full(CELLS, 1e6))
    assert float(jnp.max(dry)) < 1e-6
    assert float(jnp.min(wet)) > 0.97  # steepness 4.1, suction of saturated soil: 1 / (1 + exp(-4.1 (1 - 0.0117)))


@every_scheme
def test_gradient_is_that_of_central_differences(scheme):
    with jax.enable_x64(True):
        brick = draw(made(scheme), jax.random.key(6), CELLS)
        water = jnp.exp(jax.random.uniform(jax.random.key(7), (CELLS,), minval=3.0, maxval=8.0))
        along = jax.tree.map(lambda x: x * jax.random.normal(jax.random.key(8), x.shape), (brick, water))
        _, slope = derivative((brick, water), along)

        def moved(size):
            return stress_of(*jax.tree.map(lambda x, v: x + size * v, (brick, water), along))[0]

        coarse, fine = ((moved(h) - moved(-h)) / (2 * h) for h in (2e-5, 1e-5))
        error = np.abs((4 * fine - coarse) / 3 - slope) / (np.abs(slope) + 1e-2)
    assert np.max(error) <= 1e-6


@eqx.filter_jit
def derivative(inputs, along):
    return jax.jvp(lambda given: brick_call(*given) + 0 * given[1], (inputs,), (along,))


@every_scheme
def test_float32_is_float64(scheme):
    narrow = draw(made(scheme), jax.random.key(9), CELLS), soaked(jax.random.key(10), CELLS)
    single, _, _ = stress_of(*narrow)
    with jax.enable_x64(True):
        double, _, _ = stress_of(*jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), narrow))
    np.testing.assert_allclose(single, double, atol=1e-4 if scheme is PotentialStress else 2e-6)


def test_soil_moisture_factor_of_pyrealm():
    functions = pytest.importorskip("pyrealm.pmodel.functions")
    moisture, alpha = np.meshgrid(np.linspace(0.01, 1.0, 25), np.linspace(0.1, 1.0, 5))
    peer = functions.calc_soilmstress_stocker(moisture, alpha)
    with jax.enable_x64(True):
        brick = QuadraticStress(jnp.asarray(200.0), jnp.asarray(0.6), jnp.asarray(0.733 * alpha.ravel()))
        value, _, _ = stress_of(brick, jnp.asarray(200.0 * moisture.ravel()))
    np.testing.assert_allclose(value, peer.ravel(), rtol=1e-12)


def test_more_water_never_closes_the_monotone_network():
    brick = MonotoneNeuralStress(jax.random.key(11))
    wild = jax.tree.map(lambda x: 20 * jax.random.normal(jax.random.key(12), x.shape), brick)
    value, _, _ = stress_of(wild, jnp.linspace(0.0, 3000.0, CELLS))
    assert float(jnp.min(jnp.diff(value))) >= 0


def test_a_network_learns_a_curve():
    """The stress of a straight line between 150 and 450 mm, within 0.05."""
    optax = pytest.importorskip("optax")
    water = jnp.linspace(0.0, 1000.0, 101)
    truth = jnp.clip((water - 150) / 300, 0, 1)
    brick = MonotoneNeuralStress(jax.random.key(13))
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, 3000))

    def loss(taken):
        return jnp.mean((brick_call(taken, water) - truth) ** 2)

    @jax.jit
    def improved(start):
        def step(carry, _):
            taken, memory = carry
            change, memory = optimizer.update(jax.grad(loss)(taken), memory)
            return (optax.apply_updates(taken, change), memory), None

        return jax.lax.scan(step, (start, optimizer.init(start)), length=3000)[0][0]

    learned, _, _ = stress_of(improved(brick), water)
    assert float(jnp.max(jnp.abs(learned - truth))) < 0.05


@every_scheme
def test_every_parameter_has_a_source(scheme):
    assert all(len(p.source) > 10 and p.units for p in parameters_of(made(scheme)).values())
