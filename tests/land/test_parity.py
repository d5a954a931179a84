"""The land model against the same equations in plain NumPy, and against what they must do at their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import plain
import pytest
import worlds

from spread.land import LandModel, State, draw
from spread.land.daylight import day_length
from spread.land.photosynthesis import ACM1
from spread.land.run import run

CELLS, YEARS = 64, 10


def named(m):
    """Parameters by the names of the plain model."""
    a, d, f, e, h = m.allocation, m.decomposition, m.fire, m.evapotranspiration, m.phenology
    return jax.tree.map(np.asarray, {
        "leaf_mass": m.leaf_mass, "ce": m.photosynthesis.efficiency, "wilting": m.water_stress.wilting,
        "field_capacity": m.water_stress.field_capacity, "wue": e.efficiency, "evaporation": e.evaporation,
        "closure": e.closure,
        "theta": d.temperature, "moisture": d.moisture, "k_litter": d.litter, "k_soil": d.soil,
        "k_humus": d.humification,
        "k_root": m.turnover.root, "k_wood": m.turnover.wood, "cf_fol": f.foliar, "cf_live": f.live, "cf_soil": f.soil,
        "resilience": f.resilience, "f_auto": a.respiration, "f_fol": a.foliar, "f_lab": a.labile, "f_root": a.root,
        "capacity": m.soil_water.capacity, "leaf_life": h.leaf_life, "labile_life": h.labile_life,
        "fall_day": h.fall_day, "unfold_day": h.unfold_day, "fall_period": h.fall_period,
        "unfold_period": h.unfold_period,
    })  # fmt: skip


def test_ten_years_are_those_of_plain_numpy():
    with jax.enable_x64(True):
        forcing, site = worlds.monthly(YEARS, CELLS)
        model, state = draw(LandModel(), jax.random.key(0), CELLS), draw(State(), jax.random.key(1), CELLS)
        after, ours = run(model, state, forcing, site)
        weather = {name: np.asarray(value) for name, value in vars(forcing).items()}
        pools = {name: value for name, value in vars(state).items() if name not in ("memory", "snow", "deep")}
        theirs = plain.trajectory(named(model), pools, weather, *(np.asarray(x) for x in (site.lat, site.tas, site.pr)))
        for name in pools:
            np.testing.assert_allclose(getattr(after, name), theirs[name][-1], rtol=1e-9)
        for name in ("gpp", "ra", "npp", "rh", "fFire", "lai", "evspsbl", "mrro"):
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-12, err_msg=name)
        for name in ("nep", "nbp"):
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-9)
        vegetation = sum(theirs[name] for name in ("labile", "foliar", "root", "wood"))
        np.testing.assert_allclose(ours["cVeg"], vegetation, rtol=1e-9)
        np.testing.assert_allclose(ours["cSoil"], theirs["soil"], rtol=1e-9)
        np.testing.assert_allclose(ours["cLitter"], theirs["litter"], rtol=1e-9)
        np.testing.assert_array_equal(ours["snw"], np.broadcast_to(state.snow, (12 * YEARS, CELLS)))
        np.testing.assert_allclose(ours["mrso"], theirs["water"] + np.asarray(state.deep), rtol=1e-9)


def test_single_precision_stays_near_double():
    forcing, site = worlds.monthly(YEARS, CELLS)
    model, state = draw(LandModel(), jax.random.key(0), CELLS), draw(State(), jax.random.key(1), CELLS)
    single, _ = run(model, state, forcing, site, ())
    assert single.soil.dtype == jnp.float32
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), (model, state, forcing, site))
        double, _ = run(*wide, ())
        for name in ("labile", "foliar", "root", "wood", "litter", "soil", "water"):
            one, two = np.asarray(getattr(single, name), float), np.asarray(getattr(double, name))
            np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("field", ["leaf_area", "stress", "rsds"])
def test_nothing_is_assimilated_without_leaves_water_or_light(field):
    forcing, site = worlds.monthly(1, 3)
    month = jax.tree.map(lambda x: x[6], forcing)
    given = {"leaf_area": jnp.ones(3), "stress": jnp.ones(3), "rsds": month.rsds, field: jnp.zeros(3)}
    month = jax.tree.map(lambda x: x, month)
    object.__setattr__(month, "rsds", given["rsds"])
    assert np.all(ACM1()(given["leaf_area"], given["stress"], month, site).gpp == 0)


def test_carbon_dioxide_fertilises():
    forcing, site = worlds.monthly(1, 50)
    month = jax.tree.map(lambda x: x[6], forcing)
    low = ACM1()(jnp.full(50, 2.0), 1.0, month, site).gpp
    object.__setattr__(month, "co2", jnp.asarray(560.0))
    assert np.all(ACM1()(jnp.full(50, 2.0), 1.0, month, site).gpp > low)


def test_day_length():
    # Equinox everywhere 12 h; 60 N at the June solstice by the sunrise equation with declination 23.4; the poles
    assert float(day_length(jnp.array(0.0), jnp.array(100.0))) == pytest.approx(12.0, abs=1e-5)
    by_hand = 24 / np.pi * np.arccos(-np.tan(np.deg2rad(60)) * np.tan(np.deg2rad(23.4)))
    assert float(day_length(jnp.array(60.0), jnp.array(172.5))) == pytest.approx(by_hand, rel=1e-6)
    assert float(day_length(jnp.array(90.0), jnp.array(172.0))) == 24.0
    assert float(day_length(jnp.array(-90.0), jnp.array(172.0))) == 0.0
