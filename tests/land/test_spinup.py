"""Spun-up states: fixed points, those that long runs reach, with the gradients that long runs have."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds

from spread.land import LandModel, State, draw
from spread.land.run import advanced
from spread.land.spinup import TOLERANCE, residual, solved, spun_up

CELLS = 24


def world(cells=CELLS, soil=None):
    forcing, site = worlds.monthly(1, cells)
    model = draw(LandModel(), jax.random.key(0), cells)
    model = eqx.tree_at(lambda m: m.fire.resilience, model, jnp.full(cells, 0.9))
    if soil is not None:
        model = eqx.tree_at(lambda m: m.decomposition.soil, model, jnp.full(cells, soil))
        model = eqx.tree_at(lambda m: m.turnover.wood, model, jnp.full(cells, 1e-3))
    return model, draw(State(), jax.random.key(1), cells), forcing, site


@eqx.filter_jit
def explicit(model, state, forcing, site, cycles):
    return jax.lax.fori_loop(0, cycles, lambda _, x: advanced(model, x, forcing, site, (), 1)[0], state)


def stacked(state):
    return np.stack([np.asarray(x) for x in jax.tree.leaves(state)])


def test_a_spun_up_state_comes_back_and_is_where_a_long_run_ends():
    with jax.enable_x64(True):
        inputs = world(soil=1e-3)
        found = spun_up(*inputs)
        done = np.asarray(found.converged)
        again = explicit(inputs[0], found.state, *inputs[2:], 1)
        far = explicit(*inputs, 600)
        assert np.mean(done) > 0.9
        assert np.max(np.asarray(residual(found.state, again))[done]) <= TOLERANCE
        assert float(jnp.min(jnp.stack(jax.tree.leaves(found.state)))) >= 0
    settled = done & (np.asarray(far.foliar) > 1)
    assert settled.sum() > 5
    one, two = stacked(found.state)[:, settled], stacked(far)[:, settled]
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_gradient_is_that_of_a_long_run():
    def end(model, state, forcing, site, how):
        after = spun_up(model, state, forcing, site).state if how == "spun up" else None
        if after is None:
            body = jax.checkpoint(lambda x, _: (advanced(model, x, forcing, site, (), 1)[0], None))
            after = jax.lax.scan(body, state, None, length=600)[0]
        return jnp.log(after.soil) + jnp.log(after.wood) + jnp.log(after.foliar), after.foliar

    with jax.enable_x64(True):
        inputs = world(soil=1e-3)
        found = spun_up(*inputs)
        alive = found.converged & (found.state.foliar > 1) & (explicit(*inputs, 600).foliar > 1)

        def loss(model, how):
            return jnp.sum(jnp.where(alive, end(model, *inputs[1:], how)[0], 0))

        ours = eqx.filter_jit(eqx.filter_grad(loss))(inputs[0], "spun up")
        unrolled = eqx.filter_jit(eqx.filter_grad(loss))(inputs[0], "run")
        for one, two in zip(jax.tree.leaves(ours), jax.tree.leaves(unrolled), strict=True):
            one, two = np.asarray(one)[alive], np.asarray(two)[alive]
            np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5 * np.max(np.abs(two)))


def test_pools_that_nothing_changes_stay():
    with jax.enable_x64(True):
        inputs = world()
        found = spun_up(*inputs).state
        np.testing.assert_array_equal(found.deep, inputs[1].deep)
        np.testing.assert_array_equal(found.snow, inputs[1].snow)


def test_systems_of_all_cells_are_solved():
    rng = np.random.default_rng(0)
    matrix = np.eye(5)[:, :, None] - rng.uniform(0, 0.19, (5, 5, 7))
    right = rng.normal(size=(5, 7))
    with jax.enable_x64(True):
        solution, pivots = solved(jnp.asarray(matrix), jnp.asarray(right))
    assert np.all(np.asarray(pivots) > 0)
    expected = np.stack([np.linalg.solve(matrix[..., c], right[:, c]) for c in range(7)], axis=-1)
    np.testing.assert_allclose(solution, expected, rtol=1e-11)


@pytest.mark.slow
def test_it_is_far_cheaper_than_a_run():
    # A run comes within 1e-6 of a pool that turns over at 1e-6 per day in ln(1e6) turnover times
    with jax.enable_x64(True):
        inputs = world(512, soil=1e-6)
        spun_up(*inputs).state.soil.block_until_ready()
        started = time.process_time()
        found = jax.block_until_ready(spun_up(*inputs))
        spent = time.process_time() - started
        explicit(*inputs, 200).soil.block_until_ready()
        started = time.process_time()
        explicit(*inputs, 200).soil.block_until_ready()
        cycle = (time.process_time() - started) / 200
    run = np.log(1e6) / (1e-6 * 365.25) * cycle
    found = float(np.mean(np.asarray(found.converged)))
    print(f"spin-up {spent:.3f} s, run {run:.1f} s, {run / spent:.0f} times; {found:.3f} converged")
    assert found > 0.95
    assert run / spent > 80  # a thousand is the aim: the slowest cells of a batch hold up the others
