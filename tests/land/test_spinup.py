"""Spun-up states: fixed points, those that long runs reach, with the gradients that long runs have."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds

from spread.land import LandModel, State, draw
from spread.land.decomposition import Q10Decomposition
from spread.land.linear import eliminated
from spread.land.phenology import KnorrPhenology
from spread.land.run import advanced, prepared, run
from spread.land.snow import DegreeDay
from spread.land.soil_water import TwoLayers
from spread.land.spinup import TOLERANCE, residual, spun_up

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
        solution, pivots = eliminated(jnp.asarray(matrix), jnp.asarray(right))
    assert np.all(np.asarray(pivots) > 0)
    expected = np.stack([np.linalg.solve(matrix[..., c], right[:, c]) for c in range(7)], axis=-1)
    np.testing.assert_allclose(solution, expected, rtol=1e-11)


def test_cells_without_an_axis_and_those_of_a_batch_are_found_alike():
    with jax.enable_x64(True):
        model, state, forcing, site = world()
        together = spun_up(model, state, forcing, site).state
        one = jax.tree.map(lambda leaf: leaf[..., 3] if leaf.ndim and leaf.shape[-1] == CELLS else leaf,
                           (model, state, forcing, site))  # fmt: skip
        alone = spun_up(*one).state
    assert jnp.ndim(alone.soil) == 0
    np.testing.assert_allclose(stacked(alone), stacked(together)[:, 3], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("snow", [False, True])
def test_more_bricks_are_spun_up(snow):
    """Phenology with memory, snow, two layers of water: what does not follow is more than leaves and water."""
    forcing, site = worlds.monthly(1, CELLS)
    bricks = {"snow": DegreeDay()} if snow else {}
    model = LandModel(phenology=KnorrPhenology(), soil_water=TwoLayers(), decomposition=Q10Decomposition(), **bricks)
    with jax.enable_x64(True):
        found = spun_up(model, jax.tree.map(jnp.float64, State()), forcing, site)
        prep = prepared(model, found.state, forcing, site)
        again = explicit(*prep, 1)
        done = np.asarray(found.converged)
        assert np.mean(done) > (0.8 if snow else 0.9)  # snow of polar winters never melts
        assert np.max(np.asarray(residual(found.state, again))[done]) <= 2 * TOLERANCE


def test_a_cell_that_has_no_fixed_point_is_told():
    """All year below freezing: snow grows for ever."""
    forcing, site = worlds.monthly(1, 3)
    cold = forcing.tasmin.at[:, 1].set(-40.0), forcing.tasmax.at[:, 1].set(-30.0)
    forcing = eqx.tree_at(lambda f: (f.tasmin, f.tasmax), forcing, cold)
    with jax.enable_x64(True):
        found = spun_up(LandModel(snow=DegreeDay()), jax.tree.map(jnp.float64, State()), forcing, site)
        assert list(np.asarray(found.converged)) == [True, False, True]
        assert float(found.residual[1]) > TOLERANCE
        assert np.isfinite(stacked(found.state)).all()
        assert float(found.state.soil[1]) < 1.0  # nothing grows: soil is where it would end


def test_carbon_that_only_decays_is_found_in_closed_form():
    """No leaves, so nothing comes in: every carbon pool ends empty, however slow."""
    forcing, site = worlds.monthly(1, 4)
    model = eqx.tree_at(lambda m: m.decomposition.soil, LandModel(), jnp.float32(1e-6))
    with jax.enable_x64(True):
        state = eqx.tree_at(lambda s: (s.labile, s.foliar), jax.tree.map(jnp.float64, State()), (0.0, 0.0))
        found = spun_up(model, state, forcing, site)
        assert np.asarray(found.converged).all()
        assert float(jnp.max(found.state.soil + found.state.wood + found.state.litter)) < 1e-9


def test_all_that_is_built_is_respired():
    """Nothing burns: over a cycle heterotrophic respiration is net primary production."""
    forcing, site = worlds.monthly(1, CELLS)
    forcing = eqx.tree_at(lambda f: f.burned, forcing, 0 * forcing.burned)
    with jax.enable_x64(True):
        model = jax.tree.map(jnp.float64, LandModel())
        found = spun_up(model, jax.tree.map(jnp.float64, State()), forcing, site)
        _, fluxes = run(*prepared(model, found.state, forcing, site), outputs=("rh", "cSoil", "npp"))
        alive = np.asarray(found.converged & (found.state.foliar > 1))
    assert alive.sum() > 5
    days = np.asarray(forcing.days, np.float64)[:, None]
    total = {name: np.sum(days * np.asarray(field), 0)[alive] for name, field in fluxes.items()}
    np.testing.assert_allclose(total["rh"], total["npp"], rtol=1e-6)  # nothing else leaves


@pytest.mark.slow
def test_the_gradient_forward_is_the_one_backward():
    with jax.enable_x64(True):
        model, state, forcing, site = world(6)
        end = lambda m: jnp.sum(jnp.log1p(spun_up(m, state, forcing, site).state.soil))  # noqa: E731
        back = eqx.filter_grad(end)(model)
        ahead = eqx.filter_jvp(end, (model,), (model,))[1]
        total = sum(
            float(jnp.sum(one * two)) for one, two in zip(jax.tree.leaves(back), jax.tree.leaves(model), strict=True)
        )
    assert float(ahead) == pytest.approx(total, rel=1e-9)


@pytest.mark.slow
def test_it_is_a_thousand_times_cheaper_than_a_run():
    """k_som = 1e-6 / day without fire, which would turn soil over faster: `benchmarks.land --spin-up` counts cycles."""
    from benchmarks.spin_up import spin_up_figures

    found = spin_up_figures("defaults", cells=512, counted=False)
    print(found)
    assert found["converged"] > 0.99
    assert found["ratio"] > 500  # half of the aim, for machines that do something else beside
