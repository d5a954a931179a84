"""Bricks together: every pair of them conserves mass, stays positive and has finite gradients."""

import itertools

import bricks
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds
from every_model import CELLS, holds

from spread.errors import BadModel
from spread.land import Forcing, LandModel, Site, State, draw
from spread.land.allocation import DALECAllocation
from spread.land.decomposition import ExponentialDecomposition, Q10Decomposition
from spread.land.evapotranspiration import REFERENCE_CO2, AbstractEvapotranspiration, PenmanMonteith, PriestleyTaylor
from spread.land.fire import BurnedArea, NoFire
from spread.land.phenology import DALECPhenology, KnorrPhenology, seasonal_rate
from spread.land.photosynthesis import Assimilation, PModel
from spread.land.run import run
from spread.land.snow import DegreeDay
from spread.land.surface_energy import air_pressure, extraterrestrial_radiation, net_radiation

MODELS = bricks.covering()


def test_every_pair_of_bricks_is_in_some_model():
    held = set()
    for model in MODELS:
        names = [(slot, bricks.name(getattr(model, slot))) for slot in bricks.SLOTS]
        held |= set(itertools.combinations(names, 2))
    missing = []
    for one, two in itertools.combinations(bricks.SLOTS, 2):
        for a, b in itertools.product(bricks.SLOTS[one], bricks.SLOTS[two]):
            pair = ((one, bricks.name(a)), (two, bricks.name(b)))
            if pair not in held:
                missing.append(pair)
    refused = [pair for pair in missing if {pair[0][0], pair[1][0]} == {"photosynthesis", "evapotranspiration"}]
    assert missing == refused
    assert all("PenmanMonteith" in (pair[0][1], pair[1][1]) for pair in refused)
    assert [bricks.described(m) for m in bricks.covering()] == [bricks.described(m) for m in MODELS]


@pytest.mark.parametrize("model", bricks.marked(MODELS))
def test_a_model_of_any_pair_conserves_and_differentiates(model):
    holds(model)


@pytest.mark.exhaustive
@pytest.mark.timeout(0)
def test_every_model_conserves_and_differentiates():
    for model in bricks.product():
        holds(model)


def test_a_brick_in_the_wrong_place_is_refused():
    with pytest.raises(
        BadModel, match="fire needs a Fire brick, not a NoneType; snow needs a Snow brick, not a NoFire"
    ):
        LandModel(snow=NoFire(), fire=None)
    with pytest.raises(BadModel, match="the class DegreeDay: call it"):
        LandModel(snow=DegreeDay)


def test_penman_monteith_needs_a_conductance():
    with pytest.raises(BadModel, match="PenmanMonteith needs a stomatal conductance and ACM1 gives none"):
        LandModel(evapotranspiration=PenmanMonteith())
    with pytest.raises(BadModel, match="assimilation with a conductance"):
        PenmanMonteith()(Assimilation(jnp.ones(())), None, None, None, None)


PAIRS = [
    (one, two)
    for one in bricks.SLOTS["photosynthesis"]
    for two in bricks.SLOTS["evapotranspiration"]
    if bricks.allowed({"photosynthesis": one, "evapotranspiration": two})
]


def with_co2(forcing, co2):
    return eqx.tree_at(lambda f: f.co2, forcing, jnp.full_like(forcing.co2, co2))


@eqx.filter_jit
def evaporation(model, state, forcing, site, levels):
    return jax.lax.map(lambda co2: model.step(state, with_co2(forcing, co2), site)[1].evspsbl, levels)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(map(bricks.name, pair)))
def test_carbon_dioxide_alone_never_raises_evapotranspiration(pair):
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(8), 4)
        model = draw(LandModel(photosynthesis=pair[0], evapotranspiration=pair[1]), keys[0], CELLS)
        state, forcing = draw(State(), keys[1], CELLS), worlds.any_weather(keys[2], CELLS)
        levels = jnp.array([180.0, 280.0, 380.0, 560.0, 800.0, 1200.0])
        series = evaporation(model, state, forcing, worlds.any_place(keys[3], CELLS), levels)
        assert np.all(np.diff(series, axis=0) <= 1e-12 * series[:-1])


@pytest.mark.slow
def test_over_years_more_leaves_may_raise_it():
    with jax.enable_x64(True):
        forcing, site = worlds.monthly(10, CELLS)
        model = draw(LandModel(photosynthesis=PModel(), evapotranspiration=PriestleyTaylor()), jax.random.key(8), CELLS)
        state = draw(State(), jax.random.key(9), CELLS)
        low, high = (
            np.asarray(run(model, state, with_co2(forcing, co2), site, ("evspsbl",))[1]["evspsbl"])
            for co2 in (380.0, 560.0)
        )
    assert np.all(high[0] <= low[0] * (1 + 1e-12))  # before there are more leaves
    change = high[-12:].mean(axis=0) / low[-12:].mean(axis=0) - 1
    assert np.mean(change > 1e-3) == pytest.approx(0.35, abs=0.03)
    assert abs(np.median(change)) < 1e-2


def test_the_published_form_would_raise_it():
    class AsPublished(AbstractEvapotranspiration):
        assimilation_co2 = None

        def __call__(self, assimilation, leaf_area, stress, forcing, site):
            return assimilation.gpp * jnp.sqrt(forcing.vpd) / 8.0

    forcing, site = worlds.monthly(1, 20)
    month = jax.tree.map(lambda x: x[6], forcing)
    model = LandModel(evapotranspiration=AsPublished())
    low, high = (model.step(State(), with_co2(month, co2), site)[1].evspsbl for co2 in (REFERENCE_CO2, 560.0))
    assert np.all(high > low)


@pytest.mark.parametrize("brick", [ExponentialDecomposition(), Q10Decomposition()], ids=bricks.name)
def test_ten_kelvin_are_q10(brick):
    with jax.enable_x64(True):
        brick = draw(brick, jax.random.key(0), 50)
        forcing, site = worlds.any_weather(jax.random.key(1), 50), worlds.any_place(jax.random.key(2), 50)
        warmer = eqx.tree_at(lambda f: (f.tasmin, f.tasmax), forcing, (forcing.tasmin + 10, forcing.tasmax + 10))
        cool, warm = (brick(State(), f, site)["soil", "rh"] for f in (forcing, warmer))
        q10 = jnp.exp(10 * brick.temperature) if isinstance(brick, ExponentialDecomposition) else brick.q10
        np.testing.assert_allclose(warm / cool, q10, rtol=1e-11)


def test_where_all_burns_a_millionth_is_left():
    forcing, site = worlds.any_weather(jax.random.key(1), 50), worlds.any_place(jax.random.key(2), 50)
    forcing = eqx.tree_at(lambda f: f.burned, forcing, jnp.ones(50))
    rate = BurnedArea(foliar=1.0)(State(), forcing, site)["foliar", "fFire"]
    np.testing.assert_allclose(jnp.exp(-rate * forcing.days), 1e-6, rtol=0.1)  # 1 - 1e-6 in float32


def test_without_rain_in_the_reference_climate_moisture_has_no_effect():
    forcing, site = worlds.any_weather(jax.random.key(1), 50), worlds.any_place(jax.random.key(2), 50)
    never = eqx.tree_at(lambda s: s.pr, site, jnp.zeros(50))
    same = eqx.tree_at(lambda s: s.pr, site, jnp.ones(50))
    as_ever = eqx.tree_at(lambda f: f.pr, forcing, jnp.ones(50))
    brick = ExponentialDecomposition()
    np.testing.assert_array_equal(
        brick(State(), forcing, never)["soil", "rh"], brick(State(), as_ever, same)["soil", "rh"]
    )


def test_transit_times_at_steady_state_are_one_over_the_rate():
    with jax.enable_x64(True):
        forcing, site = worlds.monthly(1, 8)
        july = jax.tree.map(lambda x: x[6], forcing)
        site = Site(site.lat, site.elevation, july.tas, july.pr)  # every factor is 1
        steady = jax.tree.map(lambda x: jnp.broadcast_to(x, (6000, *x.shape)), july)
        bricks_ = ExponentialDecomposition(litter=8e-3, soil=1e-3, humification=8e-3)
        after, fluxes = run(LandModel(fire=NoFire(), decomposition=bricks_), State(), steady, site, ("gpp", "rh"))
        alive, days = np.asarray(fluxes["gpp"][-1]) > 0.1, float(july.days)
        assert alive.sum() > 2
        from_litter = after.litter * -np.expm1(-16e-3 * days) / days / 2
        outflow = np.asarray(fluxes["rh"][-1] - from_litter)[alive]
        # Within a step the pool decays on, so that its mean transit time is 1/k less what a step averages away
        np.testing.assert_allclose(np.asarray(after.soil)[alive] / outflow, days / -np.expm1(-1e-3 * days), rtol=1e-6)
        np.testing.assert_allclose(np.asarray(after.soil)[alive] / outflow, 1 / 1e-3, rtol=0.02)


def test_loss_of_leaves_is_largest_on_its_day_and_takes_a_life_span():
    """The offset is a fit: the flux from a pool that decays at the rate peaks on the day that was asked for.

    The published curve takes more than a life span where the period is long, for a sine is wider than its tangent: 1 %
    at 30 days, 4 % at 60, 16 % at 150.
    """
    with jax.enable_x64(True):
        days = np.linspace(-182.0, 183.25, 36525)
        for life in (1.001, 1.01, 1.1, 1.5, 2.0, 4.0, 8.0):
            for period in (30.4375, 60.0):
                rate = np.asarray(
                    seasonal_rate(jnp.asarray(life), jnp.asarray(0.0), jnp.asarray(period), jnp.asarray(days))
                )
                gone = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(days))])
                assert gone[-1] == pytest.approx(np.log(life / (life - 1)), rel=0.05)
                assert abs(days[np.argmax(rate * np.exp(-gone))]) < 0.05 * period


@pytest.mark.parametrize("life", [0.0, 0.5, 1.0, 1.00005])
def test_a_life_span_of_a_year_or_less_stays_finite(life):
    rate, slope = jax.value_and_grad(seasonal_rate)(*map(jnp.asarray, (life, 280.0, 60.0, 280.0)))
    assert np.isfinite(rate)
    assert np.isfinite(slope)


def test_leaves_follow_warmth_and_day_length():
    with jax.enable_x64(True):
        forcing, site = worlds.monthly(20, 50)
        model = LandModel(
            phenology=KnorrPhenology(onset_temperature=10.0), allocation=DALECAllocation(foliar=0.2, labile=0.3),
            fire=NoFire(), snow=DegreeDay(), leaf_mass=30.0,
        )  # fmt: skip
        after, fluxes = run(model, State(), forcing, site, ("lai", "snw"))
        lai = np.asarray(fluxes["lai"])[-12:]
        north = np.asarray(site.lat) > 45
        warm = (np.asarray(forcing.tas)[-12:].max(axis=0) > 14) & (lai.max(axis=0) > 0.1)
        assert np.sum(north & warm) > 5
        assert np.all(np.isin(np.argmax(lai[:, north & warm], axis=0), [5, 6, 7, 8]))
        assert np.all(np.argmax(np.asarray(fluxes["snw"])[-12:, north], axis=0) % 11 < 4)
        assert np.all(after.memory["drought"] <= 1)


def test_dalec_keeps_the_memory_it_finds():
    memory = {"warmth": jnp.ones(3)}
    forcing, site = worlds.monthly(1, 3)
    month = jax.tree.map(lambda x: x[0], forcing)
    assert DALECPhenology()(State(memory=memory), jnp.ones(3), month, site)[1] is memory


def test_net_radiation_is_that_of_fao_56():
    """Worked example 18: Uccle, 50.8 N, 100 m, 6 July: Ra 41.09, Rn 13.28 (albedo 0.23), gamma 0.0666 kPa K-1."""
    with jax.enable_x64(True):
        number = jnp.asarray
        site = Site(number(50.8), number(100.0), number(10.0), number(2.0))
        vpd = 10 * (1.997 - 1.409)
        weather = [number(x) for x in (12.3, 21.5, 22.07, vpd, 0.0, 380.0, 0.0, 187.0, 1.0)]
        assert float(extraterrestrial_radiation(site.lat, number(187.0))) == pytest.approx(41.09, rel=1e-3)
        assert float(net_radiation(number(0.23), Forcing(*weather), site)) == pytest.approx(13.28, rel=2e-3)
        assert float(air_pressure(site.elevation)) == pytest.approx(1001.0, rel=1e-3)
