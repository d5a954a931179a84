"""Derivatives of a step and of a 20-year run: against central differences, and the adjoint against the tangent."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plain
import pytest
import worlds

from spread.land import LandModel, State, draw
from spread.land.integrator import carbon_step
from spread.land.phenology import seasonal_rate
from spread.land.run import run
from spread.land.state import CARBON


def summed(*trees):
    """One number a cell from everything, in which no pool drowns the others."""
    return sum(jnp.arcsinh(x) for x in jax.tree.leaves(trees))


def of_step(inputs):
    return summed(*inputs[0].step(*inputs[1:]))


def of_run(inputs):
    after, fluxes = run(*inputs, outputs=("gpp", "nbp", "evspsbl", "mrro", "lai"), block=15)
    return summed(after, {name: jnp.mean(x, axis=0) for name, x in fluxes.items()})


def some_direction(inputs, key):
    """A random share of each value; of its distance from a pole of the equations where it has one."""
    leaves, structure = jax.tree.flatten(inputs)
    keys = jax.random.split(key, len(leaves))
    shares = [jax.random.uniform(k, jnp.shape(x), minval=-1.0) for x, k in zip(leaves, keys, strict=True)]
    direction = structure.unflatten([x * share for x, share in zip(leaves, shares, strict=True)])

    def poles(tree):
        return tree[0].phenology.leaf_life, tree[0].phenology.labile_life, tree[3].lat

    leaf, labile, lat = poles(inputs)
    near = ((leaf - 1) / leaf, (labile - 1) / labile, 1 - jnp.abs(lat) / 90)
    return eqx.tree_at(poles, direction, [v * share for v, share in zip(poles(direction), near, strict=True)])


def moved(inputs, direction, by):
    return jax.tree.map(lambda x, v: x + by * v, inputs, direction)


def errors(function, inputs, direction, step):
    """Relative errors of the derivative of each cell, and which cells a difference says nothing of.

    Those that have a kink within it, and those that are steeper than it can see: leaves that grow back from almost
    nothing, where the slope times the step is more than the values themselves.
    """
    value, slope = jax.jit(lambda x, v: jax.jvp(function, (x,), (v,)))(inputs, direction)
    there = jax.jit(function)
    value, slope = np.asarray(value), np.asarray(slope)
    scale = np.maximum(np.abs(slope), 1e-3 * np.abs(value))

    def beside(by):
        return (np.asarray(there(moved(inputs, direction, d))) for d in (by, -by))

    above, below = beside(step)
    # How far the one-sided slopes are apart: half as far in half the step along a curve, not so at a kink
    nearer, nearer_below = beside(step / 2)
    bend = np.abs(above + below - 2 * value) / step
    half = np.abs(nearer + nearer_below - 2 * value) / (step / 2)
    larger = np.maximum(bend, half)
    kinked = (np.abs(bend - 2 * half) > 0.2 * larger) & (larger > 1e-6 * scale)
    # Richardson's combination of both steps: what is left of a curve is of fourth order
    difference = (4 * (nearer - nearer_below) / step - (above - below) / (2 * step)) / 3
    steep = np.abs(slope) * step > 1.0 + np.abs(value)
    return np.abs(difference - slope) / scale, kinked | steep


def dot(one, other):
    return sum(float(jnp.sum(a * b)) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def gap(function, inputs, direction):
    """How far the adjoint is from the transpose of the tangent, relative."""
    _, forward = jax.jit(lambda x, v: jax.jvp(function, (x,), (v,)))(inputs, direction)
    weights = jax.random.normal(jax.random.key(5), forward.shape)
    back = jax.jit(lambda x: jax.vjp(function, x)[1](weights)[0])(inputs)
    sizes = sum(
        float(jnp.sum(jnp.abs(a * b))) for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(direction), strict=True)
    )
    return abs(dot(back, direction) - float(jnp.sum(forward * weights))) / sizes


def test_a_step():
    with jax.enable_x64(True):
        inputs = worlds.anything(2, 2000)
        direction = some_direction(inputs, jax.random.key(3))
        wrong, kinked = errors(of_step, inputs, direction, 1e-5)
        transposed = gap(of_step, inputs, direction)
    assert np.mean(kinked) < 0.01
    assert np.max(wrong[~kinked]) <= 1e-6
    assert transposed <= 1e-12


@pytest.mark.slow
def test_twenty_years():
    with jax.enable_x64(True):
        forcing, site = worlds.monthly(20, 1000)
        one, two, three, four = jax.random.split(jax.random.key(4), 4)
        model = worlds.on_edges(draw(LandModel(), one, 1000), two)
        inputs = (model, worlds.on_edges(draw(State(), three, 1000), four), forcing, site)
        direction = some_direction(inputs, jax.random.key(6))
        fixed = (direction[0], direction[1], jax.tree.map(jnp.zeros_like, forcing), direction[3])
        wrong, kinked = errors(of_run, inputs, fixed, 3e-6)  # some leaves grow from almost nothing: a smaller step
        transposed = gap(of_run, inputs, direction)
    assert np.mean(kinked) < 0.02
    assert np.max(wrong[~kinked]) <= 1e-6
    assert transposed <= 1e-12


def test_blocks_change_neither_values_nor_gradients():
    forcing, site = worlds.monthly(3, 8)
    model, state = draw(LandModel(), jax.random.key(0), 8), draw(State(), jax.random.key(1), 8)

    def loss(parameters, block):
        return jnp.mean(run(parameters, state, forcing, site, ("nbp",), block)[1]["nbp"] ** 2)

    found = {block: eqx.filter_value_and_grad(loss)(model, block) for block in (1, 5, 36)}
    for block in (5, 36):
        assert float(found[block][0]) == pytest.approx(float(found[1][0]), rel=1e-6)
        for one, other in zip(jax.tree.leaves(found[1][1]), jax.tree.leaves(found[block][1]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * float(jnp.max(jnp.abs(one)) + 1e-30))


def test_carbon_is_conserved_by_the_derivative_where_nothing_is_lost():
    def end(rate):
        rates = {("litter", "rh"): rate, ("litter", "soil"): jnp.zeros(())}
        after, leaving = carbon_step(dict.fromkeys(CARBON, jnp.asarray(100.0)), {}, rates, jnp.asarray(30.0))
        return after["litter"], leaving["rh"]

    litter, gone = jax.jacobian(end)(jnp.zeros(()))
    assert float(litter) == -3000.0
    assert float(gone) == pytest.approx(100.0, rel=1e-6)


def steep_cell():
    """The cell of those of twenty years whose slope is by far the largest, and its direction."""
    forcing, site = worlds.monthly(20, 1000)
    one, two, three, four = jax.random.split(jax.random.key(4), 4)
    model = worlds.on_edges(draw(LandModel(), one, 1000), two)
    inputs = (model, worlds.on_edges(draw(State(), three, 1000), four), forcing, site)
    direction = some_direction(inputs, jax.random.key(6))
    direction = eqx.tree_at(lambda d: d[2], direction, jax.tree.map(jnp.zeros_like, forcing))

    def alone(tree):
        return jax.tree.map(lambda x: x[..., 372:373] if jnp.ndim(x) and x.shape[-1] == 1000 else x, tree)

    return alone(inputs), alone(direction)


def leaves_over_time(inputs):
    model, state, forcing, site = inputs

    def step(carried, weather):
        after, _ = model.step(carried, weather, site)
        return after, jnp.stack([after.foliar[0], after.water[0]])

    return jax.lax.scan(step, state, forcing)[1]


def test_the_steepest_cell_is_chaotic_and_its_derivative_true():
    """Leaves that all fall in a year, a bucket of 9 mm that a month empties: neighbours part as the derivative says."""
    with jax.enable_x64(True):
        inputs, direction = steep_cell()
        assert float(inputs[0].water_stress.field_capacity[0]) < 10
        values, slopes = jax.jit(lambda x, v: jax.jvp(leaves_over_time, (x,), (v,)))(inputs, direction)
        near = jax.jit(leaves_over_time)(moved(inputs, direction, 1e-12))
        apart, slopes, values = np.asarray(near - values) / 1e-12, np.asarray(slopes), np.asarray(values)
        size = np.linalg.norm(slopes, axis=1)
        # A difference sees it between rounding at the one end and the size of the pools at the other
        seen = (size > 1e3) & (size < 1e8)
        assert np.sum(seen[:120]) > 40
        wrong = np.linalg.norm(apart - slopes, axis=1)[seen] / size[seen]
        assert np.median(wrong) < 1e-2
        assert size[-12:].max() > 1e15
        # Longer-lived leaves do not follow the water of a month, and a deeper bucket does not empty in one
        longer = eqx.tree_at(lambda i: i[0].phenology.leaf_life, inputs, jnp.full(1, 1.5))
        deeper = eqx.tree_at(lambda i: i[0].water_stress.field_capacity, inputs, jnp.full(1, 500.0))
        for calm in (longer, deeper):
            _, slopes = jax.jit(lambda x, v: jax.jvp(leaves_over_time, (x,), (v,)))(calm, direction)
            assert np.abs(np.asarray(slopes)[-12:]).max() < 1e4


@pytest.mark.parametrize("life", [1.001, 1.0011, 1.01, 1.5, 8.0])
@pytest.mark.parametrize("period", [30.4375, 60.0, 150.0])
def test_the_rate_of_leaves_is_not_steep_where_they_live_a_year(life, period):
    """Against the complex step of the published form, exact to rounding; slope for a share of ``life - 1``."""
    with jax.enable_x64(True):
        doy = np.linspace(0.0, 365.0, 147)
        slope = jax.vmap(jax.grad(seasonal_rate), (None, None, None, 0))(*map(jnp.asarray, (life, 280.0, period, doy)))
        rate = np.asarray(seasonal_rate(*map(jnp.asarray, (life, 280.0, period, doy))))
    exact = plain.rate_of_year(life + 1e-30j, 280.0, period, doy).imag / 1e-30
    np.testing.assert_allclose(slope, exact, rtol=1e-9, atol=1e-12 * np.max(np.abs(exact)))
    assert np.max(np.abs(slope) * (life - 1) / rate) < 2
