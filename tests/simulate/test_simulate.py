"""A forcing dataset becomes CF members: units, closure, chunking, draws, and derivatives against differences."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
import xarray as xr

from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.drivers import drivers
from spread.errors import BadModel, NotConforming, NotFound
from spread.land import Forcing, LandModel, Site, State, parameters_of
from spread.land.run import run
from spread.simulate import (
    FROM_KERNEL,
    Outcome,
    SpinUp,
    derivatives,
    draws,
    parameter_values,
    simulate,
    step_means,
    with_parameters,
    yearly_means,
)  # fmt: skip
from spread.vocabulary import VARIABLES

SECONDS = 86400.0


@pytest.fixture(scope="module")
def weather():
    return grid_forcing(2012, 2014)


@pytest.fixture(scope="module")
def simulated(weather):
    return simulate(weather, dtype="float64")


def test_it_is_the_kernel_in_other_units(weather, simulated):
    given, model, state = drivers(weather), LandModel(), State()  # before x64: with the parameters that simulate has
    with jax.enable_x64(True):
        columns = {n: np.asarray(given[n]) for n in ("tasmin", "tasmax", "rsds", "vpd", "pr", "burned")}
        along = {n: np.asarray(given[n])[:, None] for n in ("co2", "doy", "days")}
        forcing = Forcing(**columns, **along)
        site = Site.of(np.asarray(given["lat"]), np.asarray(given["elevation"]), forcing)
        start = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), state)
        _, fluxes = run(model, start, forcing, site)
    fluxes = {name: np.asarray(values) for name, values in fluxes.items()}
    land = simulated.stack(cell=("lat", "lon")).isel(cell=given["place"].values.astype(int))
    assert float(land["gpp"].max()) > 0
    np.testing.assert_allclose(land["gpp"].values * 1e3 * SECONDS, fluxes["gpp"], rtol=1e-12)
    np.testing.assert_allclose(land["evspsbl"].values * SECONDS, fluxes["evspsbl"], rtol=1e-12)
    np.testing.assert_allclose(land["mrso"].values[1:], (fluxes["mrso"][1:] + fluxes["mrso"][:-1]) / 2, rtol=1e-12)
    np.testing.assert_allclose(land["cSoil"].values[0], 1e-3 * (1e4 + fluxes["cSoil"][0]) / 2, rtol=1e-12)


def test_every_member_says_what_it_is(simulated):
    for name in FROM_KERNEL:
        attrs = simulated[name].attrs
        assert attrs["standard_name"] == VARIABLES[name].standard_name
        assert attrs["units"] == VARIABLES[name].units
        assert attrs["cell_methods"] == "area: mean where land time: mean"
    assert simulated.attrs["simulated"] == simulated.attrs["synthetic"] == "true"
    assert "photosynthesis=ACM1" in simulated.attrs["bricks"]
    other = simulate(site_forcing(50, 2014, 2014), with_parameters(LandModel(), {"decomposition.soil": 2e-5}))
    assert other.attrs["parameters_digest"] != simulated.attrs["parameters_digest"]


def test_budgets_close_and_sea_is_missing(weather, simulated):
    assert abs(simulated["carbon_closure"]).max() < 1e-12 * 30  # kg m-2 of 30
    assert abs(simulated["water_closure"]).max() < 1e-12 * 2000
    sea = weather["sftlf"].values == 0
    assert np.isnan(simulated["gpp"].values[:, sea]).all()
    assert np.isfinite(simulated["gpp"].values[:, ~sea]).all()


def test_chunks_and_workers_change_no_bit(weather):
    many = draws(LandModel(), 16)  # 269 cells x 16 draws: five blocks
    whole = simulate(weather, many, blocks_a_task=100)
    with ThreadPoolExecutor(2) as executor:
        parts = simulate(weather.chunk({"lat": 3}), many, blocks_a_task=1, executor=executor)
    xr.testing.assert_identical(whole, parts.compute())


@pytest.mark.slow
def test_dask_workers_change_no_bit(weather):
    from spread.cluster import connected

    many = draws(LandModel(), 16)
    with connected("local", "2") as executor:
        there = simulate(weather, many, blocks_a_task=1, executor=executor)
    xr.testing.assert_identical(there, simulate(weather, many))


def test_a_draw_is_a_run_with_its_parameters(weather):
    few = weather.isel(lat=slice(9, 12), lon=slice(0, 4))
    many = draws(LandModel(), 3, seed=4)
    one = {path: value[1] for path, value in parameter_values(many).items()}
    together, alone = simulate(few, many), simulate(few, with_parameters(LandModel(), one))
    assert together["gpp"].dims == ("time", "draw", "lat", "lon")
    np.testing.assert_allclose(together["gpp"].isel(draw=1), alone["gpp"], rtol=2e-5, atol=1e-13)


def test_draws_are_pairs_and_inside_the_prior():
    three, five = draws(LandModel(), 3, seed=1), draws(LandModel(), 5, seed=1)
    for path, known in parameters_of(LandModel()).items():
        values = parameter_values(five)[path]
        np.testing.assert_array_equal(parameter_values(three)[path], values[:3])
        assert ((values >= known.low * (1 - 1e-6)) & (values <= known.high * (1 + 1e-6))).all()
        shares = np.asarray(known.share(values))
        assert np.ptp(shares) <= 0.2 + 1e-5
        assert np.ptp(shares) > 0
    only = draws(LandModel(), 3, only=["leaf_mass"])
    assert [p for p, v in parameter_values(only).items() if np.ndim(v)] == ["leaf_mass"]
    with pytest.raises(BadModel, match="leaf_mas"):
        draws(LandModel(), 3, only=["leaf_mas"])


def test_a_reference_climate_moves_decomposition_and_weather_does_not_move_it(weather):
    few = drivers(weather.isel(lat=slice(9, 12)))
    warm = few.assign(tasmin=few["tasmin"] + 5, tasmax=few["tasmax"] + 5)
    first = {name: given["rh"].isel(time=0) for name, given in (
        ("frozen", simulate(warm, reference=few)), ("moved", simulate(warm)), ("plain", simulate(few)))}  # fmt: skip
    assert float((first["frozen"] / first["plain"]).mean()) == pytest.approx(np.exp(0.04 * 5), rel=0.01)
    assert float((first["moved"] / first["plain"]).mean()) == pytest.approx(1.0, abs=0.01)


def test_spin_up_is_running_before(weather):
    few = weather.isel(lat=slice(10, 11))
    spun = simulate(few, spin_up=SpinUp(years=3, cycles=2))
    assert not np.allclose(spun["cVeg"], simulate(few)["cVeg"], equal_nan=True)
    change = abs(spun["mrso"].isel(time=-1) - simulate(few, spin_up=SpinUp(3, 3))["mrso"].isel(time=-1))
    assert float(change.max()) < 5.0


def test_gaps_are_told(weather):
    broken = weather.copy(deep=True)
    broken["hurs"][5] = np.nan
    with pytest.raises(NotConforming, match="vpd: expected values in all steps"):
        simulate(broken)


def test_yearly_means_weigh_months_and_areas(weather, simulated):
    given = drivers(weather)
    made = yearly_means(simulated, given)["gpp"].sel(year=2013, draw=0)
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    area = weather["sftlf"].values * weather["areacella"].values
    by_hand = np.average(np.nan_to_num(simulated["gpp"].values[12:24]), axis=0, weights=days)
    assert float(made) == pytest.approx(np.average(by_hand, weights=area), rel=1e-10)
    assert float(Outcome("gpp", 2013, 2013).of(simulated, given)) == pytest.approx(float(made), rel=1e-12)


def test_daily_steps_become_months_and_years():
    daily = simulate(site_forcing(50, 2011, 2012), dtype="float64")
    monthly, yearly = step_means(daily, "mon"), step_means(daily, "yr")
    assert monthly.sizes["time"] == 24
    february = daily["gpp"].values[365 + 31 : 365 + 60].mean()
    assert float(monthly["gpp"][13]) == pytest.approx(february, rel=1e-12)
    assert float(yearly["gpp"][1]) == pytest.approx(daily["gpp"].values[365:].mean(), rel=1e-12)
    with pytest.raises(NotFound, match="not finer"):
        step_means(yearly, "mon")
    with pytest.raises(NotFound, match="no whole"):
        step_means(daily.isel(time=slice(0, 20)), "mon")


@pytest.mark.parametrize("variable_id", ["nbp", "mrso", "gpp"])
def test_derivatives_are_those_of_simulate(variable_id):
    """Central differences through the bridge itself, in float64."""
    few = grid_forcing(2013, 2014).isel(lat=slice(10, 12), lon=slice(0, 16))
    given, outcome, model = drivers(few), Outcome(variable_id, 2014, 2014), LandModel()
    paths = ["photosynthesis.efficiency", "decomposition.soil", "allocation.root", "soil_water.capacity", "leaf_mass"]
    slopes = derivatives(outcome, given, model, parameters=paths)
    assert slopes.attrs["outcome"] == pytest.approx(
        float(outcome.of(simulate(given, dtype="float64"), given)), rel=1e-12
    )
    scale = float(abs(slopes["derivative"] * slopes["value"]).max())
    for path in paths:
        value = float(parameter_values(model)[path])
        with jax.enable_x64(True):
            up, down = (
                float(
                    outcome.of(simulate(given, with_parameters(model, {path: value * (1 + h)}), dtype="float64"), given)
                )
                for h in (1e-5, -1e-5)
            )
        found = float(slopes["derivative"].sel(parameter=path))
        assert found * value == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8 * scale)


def test_the_prior_s_stretch_is_that_of_its_quantiles():
    slopes = derivatives(Outcome("gpp"), site_forcing(50, 2014, 2014), parameters=["leaf_mass"])
    known = parameters_of(LandModel())["leaf_mass"]
    stretch = 60.0 * np.log(known.high / known.low)
    assert float(slopes["over_prior"][0]) == pytest.approx(float(slopes["derivative"][0]) * stretch, rel=1e-5)


def test_derivatives_of_draws_are_refused():
    with pytest.raises(BadModel, match="got draws"):
        derivatives(Outcome("nbp"), site_forcing(50, 2014, 2014), draws(LandModel(), 2))
    with pytest.raises(NotFound, match="did you mean 'nbp'"):
        Outcome("nbpp")
