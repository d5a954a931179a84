import zlib
from itertools import pairwise

import numpy as np
import pytest

from spread.demo.archive import RECIPE
from spread.demo.climate import climate, rain, temperature
from spread.demo.daily import daily_stores, daily_temperature, with_monthly_means
from spread.demo.energy_balance import warming
from spread.demo.grid import model_grid
from spread.demo.idealised import global_means
from spread.demo.land_carbon import carbon_run, grow
from spread.demo.models import MODELS, Store
from spread.demo.rounding import rounded
from spread.demo.store import dataset, time_axis
from spread.demo.weather import el_nino_index, generator, harmonics, red_noise


@pytest.mark.parametrize("name", MODELS)
def test_grids_cover_the_sphere_and_patterns_have_area_mean_one(name):
    grid, maps = model_grid(name), climate(name)
    assert grid.area.sum() == pytest.approx(4 * np.pi * 6.371e6**2, rel=1e-12)
    assert grid.weights @ maps.pattern == pytest.approx(1.0, abs=1e-12)
    assert grid.weights @ grid.land.ravel() == pytest.approx(0.29, abs=0.01)
    assert maps.rain.min() > 0
    assert maps.season[:, np.abs(grid.centres[0]) > 30].std() > 1


def test_vertices_surround_their_centre():
    grid = model_grid("AWI-CM-1-1-MR")
    assert grid.curvilinear

    def vectors(lat, lon):
        lat, lon = np.deg2rad(lat), np.deg2rad(lon)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

    middle = vectors(grid.lat_bounds, grid.lon_bounds).mean(-2)
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    assert np.rad2deg(np.arccos((middle * vectors(grid.lat, grid.lon)).sum(-1))).max() < 2.5


def test_land_and_the_arctic_warm_more():
    for name in MODELS:
        lat, land, pattern = model_grid(name).centres[0], model_grid(name).land.ravel(), climate(name).pattern
        low = np.abs(lat) < 50
        contrast = pattern[low & (land > 0.9)].mean() / pattern[low & (land < 0.1)].mean()
        assert 1.2 < contrast < 1.8, name
        assert 1.7 < pattern[lat > 72].mean() < 3.2, name
        assert pattern[(lat < -50) & (lat > -65)].mean() < 0.8, name


def test_season_has_the_right_sign():
    lat, land = model_grid("MRI-ESM2-0").centres[0], model_grid("MRI-ESM2-0").land.ravel()
    season = climate("MRI-ESM2-0").season
    north, south = (lat > 35) & (lat < 70), (lat < -35) & (lat > -70)
    assert (season[6] > season[0])[north].all()
    assert (season[6] < season[0])[south].all()
    swing = np.ptp(season, axis=0)
    assert swing[north & (land > 0.9)].mean() > 2 * swing[north & (land < 0.1)].mean()


def test_temperature_is_the_energy_balance_in_the_mean():
    maps = climate("CanESM5")
    field = temperature("CanESM5", "ssp585", "r1i1p1f1", 2015, 2100)
    annual = (field @ maps.weights).reshape(-1, 12).mean(1)
    signal = warming("CanESM5", "ssp585", 2015, 2100).reshape(-1, 12).mean(1) + maps.weights @ maps.mean
    assert 0.04 < (annual - signal).std() < 0.13
    assert abs((annual - signal)[-20:].mean()) < 0.06
    assert 190 < field.min() < field.max() < 325


def test_long_means_of_the_index_are_quiet():
    index = el_nino_index(generator("test"), 12 * 20 * 300)
    assert index.std() == pytest.approx(1.0, abs=0.03)
    assert 0.1 * index.reshape(-1, 240).mean(1).std() < 0.03


def test_red_noise():
    series = red_noise(generator("noise"), 20_000, 3, 0.7)
    assert series.std(0) == pytest.approx(1.0, abs=0.05)
    assert [np.corrcoef(column[1:], column[:-1])[0, 1] for column in series.T] == pytest.approx([0.7] * 3, abs=0.03)


def test_harmonics_are_orthonormal():
    nodes, weights = np.polynomial.legendre.leggauss(16)
    lat, lon = np.meshgrid(np.rad2deg(np.arcsin(nodes)), np.arange(32) * 11.25, indexing="ij")
    modes, degrees = harmonics(lat.ravel(), lon.ravel(), 9)
    share = np.repeat(weights / 64, 32)
    assert len(modes) == 99 == len(degrees)
    np.testing.assert_allclose((modes * share) @ modes.T, np.eye(99), atol=1e-12)


def test_the_recipe_number_stands_for_these_numbers():
    checksum = 0
    for run, table, variable in (("historical", "Amon", "tas"), ("ssp126", "Amon", "pr"), ("ssp126", "Eyr", "nbp")):
        field = dataset(Store("MIROC-ES2L", run, "r1i1p1f2", table, variable))[variable]
        checksum = zlib.crc32(field.values.tobytes(), checksum)
    assert (RECIPE, checksum) == ("1", 274851333), "the archive changed: raise RECIPE, then pin its checksum here"


def test_seeds_do_not_depend_on_the_process():
    assert generator("CanESM5", "historical", "r1i1p1f1", "tas").integers(1 << 31) == 1898940253


def test_members_differ_and_share_the_climate():
    one, two = (temperature("MIROC6", "historical", f"r{n}i1p1f1", 1850, 2014) for n in (1, 2))
    assert np.abs(one - two).mean() > 0.3
    assert np.abs((one - two).mean(0)).max() < 0.5


def test_rain():
    maps = climate("MPI-ESM1-2-LR")
    past, future = (
        rain("MPI-ESM1-2-LR", "historical", "r1i1p1f1", 1850, 2014),
        rain("MPI-ESM1-2-LR", "ssp585", "r1i1p1f1", 2015, 2100),
    )
    assert min(past.min(), future.min()) >= 0
    base, warmer = (past @ maps.weights)[:612].mean(), (future @ maps.weights)[-240:].mean()
    assert 2.5 < base * 86400 < 3.2
    assert 1.0 < 100 * (warmer / base - 1) / warming("MPI-ESM1-2-LR", "ssp585", 2081, 2100).mean() < 3.0
    local = future[-240:].mean(0) / past[:612].mean(0)
    assert local.min() < 1 < local.max()


def test_land_box_conserves_mass_and_stays_positive():
    rng = np.random.default_rng(3)
    years, cells = 80, 50
    run = grow(
        rng.uniform(0, 3, (years, cells)),
        rng.uniform(0.001, 2, (years, cells)),
        rng.uniform(0.01, 5, cells),
        rng.uniform(0, 0.5, years),
    )
    total = run.vegetation + run.soil
    np.testing.assert_allclose(run.nbp, np.diff(total, axis=0), atol=1e-10)
    assert run.vegetation.min() >= 0
    assert run.soil.min() >= 0


def test_land_carbon_is_of_the_right_size():
    run, grid = carbon_run("CanESM5", "ssp585", "r1i1p1f1"), model_grid("CanESM5")
    area = (grid.land * grid.area).ravel() / 1e12
    assert len(run["gpp"]) == 86
    assert 90 < np.nansum(run["gpp"][0] * area) < 160
    assert 300 < np.nansum(run["cVeg"][0] * area) < 900
    assert -4 < np.nansum(run["nbp"][0] * area) < 8
    assert np.nanmin(run["cVeg"]) > 0
    assert np.isnan(run["cVeg"][:, grid.land.ravel() == 0]).all()


def test_idealised_runs_follow_the_gregory_line():
    run = global_means("CanESM5", "abrupt-4xCO2", "r1i1p1f1")
    annual = {key: value.reshape(-1, 12).mean(1) for key, value in run.items()}
    slope, intercept = np.polyfit(annual["tas"] - 286.72, annual["rsdt"] - annual["rsut"] - annual["rlut"], 1)
    assert 6 < intercept < 9
    assert 4.3 < -intercept / slope / 2 < 6.3
    rest = global_means("CESM2", "piControl", "r1i1p1f1")
    assert abs((rest["rsdt"] - rest["rsut"] - rest["rlut"]).mean()) < 0.5
    assert np.polyfit(np.arange(2400) / 1200, rest["tas"], 1)[0] == pytest.approx(0, abs=0.1)


def test_rounding_is_to_nearest_and_keeps_nan():
    values = np.array([288.123, 255.9, np.nan, 0.0, -3.3e-5, 1e20])
    near = rounded(values, 12)
    assert np.isnan(near[2])
    assert np.nanmax(np.abs(near[:2] - values[:2])) <= 2**-5 + 1e-6
    np.testing.assert_allclose(near[[4, 5]], values[[4, 5]], rtol=2**-13)
    assert (near[:2].view(np.uint32) & 0x7FF == 0).all()


def test_daily_is_the_monthly_run_with_weather():
    store = Store("UKESM1-0-LL", "ssp585", "r1i1p1f2", "day", "tas")
    assert store in daily_stores()
    daily = daily_temperature(store)
    assert daily.shape == (20 * 360, 18 * 24)
    monthly = temperature("UKESM1-0-LL", "ssp585", "r1i1p1f2", 2015, 2100)[66 * 12 :]
    np.testing.assert_allclose(daily.reshape(240, 30, -1).mean(1), monthly, atol=1e-9)
    odd = (daily.reshape(20, 360, -1) - daily.reshape(20, 360, -1).mean(0)).reshape(7200, -1)
    lag = (odd[1:] * odd[:-1]).mean(0) / odd.var(0)
    assert 0.6 < np.median(lag) < 0.92
    near = np.corrcoef(odd[:, 200], odd[:, 201])[0, 1]
    assert near > 0.5


def test_monthly_means_in_a_real_calendar():
    _, bounds, _ = time_axis(1995, 1998, "standard", 1995)
    edges = np.concatenate([bounds[:, 0], bounds[-1:, 1]]).astype(int)
    wanted = np.random.default_rng(0).normal(280, 5, (48, 2))
    got = with_monthly_means(np.random.default_rng(1).normal(0, 3, (edges[-1], 2)), wanted, edges)
    assert edges[-1] == 1461
    np.testing.assert_allclose([got[a:b].mean(0) for a, b in pairwise(edges)], wanted, atol=1e-9)
