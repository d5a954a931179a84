"""One step: mass is conserved and no pool falls below zero, for any draw of the prior box and any rates."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.errors import BadModel
from spread.land import LandModel, draw
from spread.land.evapotranspiration import AbstractEvapotranspiration
from spread.land.guarded import arccos, lost_share, smooth_minimum
from spread.land.integrator import EXITS, carbon_step, evaporate
from spread.land.soil_water import OneLayer, TwoLayers
from spread.land.state import CARBON
from spread.land.turnover import ConstantTurnover

WATER = ("snow", "water", "deep")
ULP = 2.0**-23  # of float32


def total(state, names):
    return functools.reduce(jnp.add, [getattr(state, name) for name in names])


@eqx.filter_jit
def closure(model, state, forcing, site):
    """Residuals of carbon and water over the pools with what came in, the smallest pool, whether all is finite."""
    after, fluxes = model.step(state, forcing, site)
    days = forcing.days
    carbon = total(after, CARBON) - total(state, CARBON) - fluxes.nbp * days
    water = total(after, WATER) - total(state, WATER) - (forcing.pr - fluxes.evspsbl - fluxes.mrro) * days
    carbon = carbon / (total(state, CARBON) + fluxes.gpp * days)
    water = water / (total(state, WATER) + forcing.pr * days)
    least = jnp.min(jnp.stack([getattr(after, name) for name in CARBON + WATER]))
    least_flux = jnp.min(jnp.stack([fluxes.gpp, fluxes.ra, fluxes.rh, fluxes.fFire, fluxes.evspsbl, fluxes.mrro]))
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves((after, fluxes))]))
    return jnp.max(jnp.abs(carbon)), jnp.max(jnp.abs(water)), jnp.minimum(least, least_flux), finite


@eqx.filter_jit
def steepest(model, state, forcing, site):
    """Largest derivative of the sum of all outputs and pools by anything; NaN or infinite if one of them is."""

    def everything(inputs):
        after, fluxes = inputs[0].step(*inputs[1:])
        return sum(jnp.sum(x) for x in jax.tree.leaves((after, fluxes)))

    gradient = eqx.filter_grad(everything)((model, state, forcing, site))
    return jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(gradient)]))


@pytest.mark.parametrize("cells", [2048, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("wide", "bar"), [(False, 4 * ULP), (True, 1e-12)], ids=["float32", "float64"])
def test_any_draw_conserves_and_stays_positive(cells, wide, bar):
    with jax.enable_x64(wide):
        drawn = worlds.anything(1, cells)
        carbon, water, least, finite = (np.asarray(x) for x in closure(*drawn))
        slope = float(steepest(*drawn))
    assert carbon <= bar
    assert water <= bar
    assert least >= 0
    assert finite
    assert np.isfinite(slope)


rates_of_an_edge = st.one_of(st.just(0.0), st.sampled_from([1e-7, 0.1, 1.0, 1e20]), st.floats(0, 1e3))
contents = st.one_of(st.just(0.0), st.floats(1e-3, 1e6))
edges = st.tuples(st.sampled_from(CARBON), st.sampled_from(CARBON + EXITS)).filter(lambda e: e[0] != e[1])


@settings(max_examples=150, deadline=None)
@given(
    pools=st.lists(contents, min_size=6, max_size=6),
    rates=st.dictionaries(edges, rates_of_an_edge, max_size=12),
    gain=st.sampled_from([0.0, 5.0]),
    days=st.sampled_from([1 / 48, 1.0, 30.5, 365.25]),
)
def test_any_rates_on_any_edges_conserve(pools, rates, gain, days):
    with jax.enable_x64(True):
        before = {name: jnp.asarray(value) for name, value in zip(CARBON, pools, strict=True)}
        rates = {edge: jnp.asarray(rate) for edge, rate in rates.items()}
        after, leaving = carbon_step(before, {"wood": jnp.asarray(gain)}, rates, jnp.asarray(days))
    came = sum(pools) + gain * days
    assert min(float(x) for x in after.values()) >= 0
    assert min(float(x) for x in leaving.values()) >= 0
    gone = sum(float(x) for x in leaving.values()) * days
    assert sum(float(x) for x in after.values()) + gone == pytest.approx(came, rel=1e-13, abs=1e-300)
    for pool, content in zip(CARBON, pools, strict=True):  # without what arrives: an exponential decay
        losses = [float(r) for (source, _), r in rates.items() if source == pool]
        if not any(target == pool for _, target in rates) and pool != "wood":
            assert float(after[pool]) == pytest.approx(
                content * np.exp(-sum(losses) * days), rel=1e-12, abs=1e-15 * content
            )


def test_competing_losses_are_shared_by_their_rates():
    with jax.enable_x64(True):
        pools = dict.fromkeys(CARBON, jnp.asarray(100.0))
        rates = {("litter", "rh"): jnp.asarray(0.03), ("litter", "soil"): jnp.asarray(0.01)}
        after, leaving = carbon_step(pools, {}, rates, jnp.asarray(10.0))
    lost = 100 * (1 - np.exp(-0.4))
    assert float(leaving["rh"]) * 10 == pytest.approx(0.75 * lost, rel=1e-14)
    assert float(after["soil"]) == pytest.approx(100 + 0.25 * lost, rel=1e-14)


def test_edges_that_lead_nowhere_are_refused_all_at_once():
    with pytest.raises(
        BadModel, match=r"'lifter' of edge lifter -> rh is no pool: did you mean 'litter'.*'ra' is no|'rx'"
    ):
        carbon_step(dict.fromkeys(CARBON, jnp.ones(())), {}, {("lifter", "rh"): 1.0, ("soil", "rx"): 1.0}, 1.0)


def test_the_air_gets_what_it_asks_for_where_there_is_plenty_and_never_more_than_there_is():
    with jax.enable_x64(True):
        water = jnp.asarray([0.0, 0.0, 100.0, 100.0, 1e-30, 50.0])
        demand = jnp.asarray([0.0, 5.0, 0.01, 1e30, 1.0, 50.0])
        left, gone = evaporate(water, demand)
    assert np.all(np.asarray(left) >= 0)
    assert np.all(np.asarray(gone) <= np.asarray(demand))
    np.testing.assert_allclose(left + gone, water, rtol=1e-15)
    assert float(gone[2]) == pytest.approx(0.01, rel=1e-4)
    assert float(gone[3]) == pytest.approx(100.0, rel=2e-4)


def test_guarded_functions_are_those_of_the_library():
    small = jnp.geomspace(1e-8, 80.0, 4001, dtype=jnp.float32)
    np.testing.assert_allclose(lost_share(small), -np.expm1(-np.asarray(small, float)), rtol=4e-7)
    inside = jnp.linspace(-0.999, 0.999, 4001, dtype=jnp.float32)
    np.testing.assert_allclose(arccos(inside), np.arccos(np.asarray(inside, float)), atol=5e-7)
    slopes = jax.vmap(jax.grad(arccos))(inside)
    np.testing.assert_allclose(slopes, -1 / np.sqrt(1 - np.asarray(inside, float) ** 2), rtol=1e-5)
    assert np.isfinite(jax.grad(smooth_minimum)(0.0, 0.0))
    assert np.isfinite(jax.grad(smooth_minimum)(1.0, 0.0))


class Conducting(AbstractEvapotranspiration):
    needs_conductance = True

    def __call__(self, assimilation, leaf_area, stress, forcing, site):
        return assimilation.conductance


def test_bricks_that_cannot_go_together_are_refused():
    with pytest.raises(BadModel, match="Conducting needs a stomatal conductance and ACM1 gives none"):
        LandModel(evapotranspiration=Conducting())


class Breathing(ConstantTurnover):
    def __call__(self, state, forcing, site):
        return super().__call__(state, forcing, site) | {("labile", "ra"): jnp.asarray(1e-3)}


def test_a_pool_may_breathe_beside_what_is_respired_of_production():
    with jax.enable_x64(True):
        given = worlds.anything(5, 50, LandModel(turnover=Breathing()))
        carbon, water, _, _ = closure(*given)
        assert max(float(carbon), float(water)) <= 1e-12
        fluxes = given[0].step(*given[1:])[1]
        assert np.all(fluxes.ra > given[0].allocation.respiration * fluxes.gpp)


class Paved(OneLayer):
    def runoff(self, liquid, state, forcing, site):
        return jnp.asarray(0.25)


def test_what_runs_off_enters_no_soil():
    with jax.enable_x64(True):
        model, state, forcing, site = worlds.anything(7, 50)
        paved = eqx.tree_at(lambda m: m.soil_water, model, Paved(model.soil_water.capacity))
        dry = eqx.tree_at(lambda f: f.pr, forcing, 0.75 * forcing.pr)
        after, fluxes = paved.step(state, forcing, site)
        other, others = model.step(state, dry, site)
        np.testing.assert_allclose(after.water, other.water, rtol=1e-12)
        np.testing.assert_allclose(fluxes.mrro, others.mrro + 0.25 * forcing.pr, rtol=1e-10, atol=1e-12)
        assert float(closure(paved, state, forcing, site)[1]) <= 1e-12


def test_each_flux_of_water_is_where_it_belongs():
    """Two layers in one step by hand, from what the air takes on."""
    with jax.enable_x64(True):
        _, state, forcing, site = worlds.anything(6, 50)
        soil = draw(TwoLayers(), jax.random.key(2), 50)
        after, fluxes = draw(LandModel(soil_water=soil), jax.random.key(1), 50).step(state, forcing, site)
        soil = draw(LandModel(soil_water=soil), jax.random.key(1), 50).soil_water
        days = forcing.days
        kept = state.water + (forcing.pr - fluxes.evspsbl) * days
        water = kept / (1 + kept * days / (30 * soil.capacity))
        below = state.deep + soil.descending * (kept - water)
        deep = below / (1 + below * days / (30 * soil.deep_capacity))
        shed = (1 - soil.descending) * (kept - water) + below - deep
        np.testing.assert_allclose(after.water, water, rtol=1e-10)
        np.testing.assert_allclose(after.deep, deep, rtol=1e-10)
        np.testing.assert_allclose(fluxes.mrro * days, shed, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(fluxes.mrso, water + deep, rtol=1e-10)
