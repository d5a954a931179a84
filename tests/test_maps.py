"""Maps of change: the same changes as those of area means, equal to plain NumPy, out of one read of each chunk."""

import tracemalloc

import cftime
import numpy as np
import pytest
import xarray as xr
import zarr
from synthetic import field, nothing_computes, published, row

from spread import flow
from spread.cache import FolderCache
from spread.conform import conform, grid_of
from spread.errors import BadStudy
from spread.grids import regular
from spread.reduce import MapPlan, compute_or_fail, reduction
from spread.regrid import make_weights
from spread.report import Report
from spread.study import REGIONS, Study

GLOBAL = [REGIONS["global"]]


def study_of(catalog, **more) -> Study:
    asked = {"experiments": ["ssp126", "ssp585"], "seasons": ["annual", "DJF"], "incomplete_periods": "allow"}
    return Study.make(catalog=str(catalog), **asked | {"maps": {"grid": "10"}} | more)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return FolderCache(tmp_path_factory.mktemp("maps") / "cache")


@pytest.fixture(scope="module")
def report(small_archive, cache) -> Report:
    return flow.run(study_of(small_archive), cache=cache)


def area_mean(maps: xr.Dataset, name: str) -> xr.DataArray:
    south, north = np.sin(np.radians(maps["lat_bnds"].values)).T
    weights = xr.DataArray(north - south, dims="lat")
    return maps[name].astype(float).weighted(weights).mean(["lat", "lon"])


def test_the_global_mean_of_a_map_is_the_change_of_the_area_mean(report):
    """Conservation through binning, regridding and periods, for every run on a rectilinear grid."""
    means = area_mean(report.maps, "change").sel(period=report.change["period"].values).compute()
    change = report.change["change"].sel(region="global", drop=True)
    off = abs(means.transpose(*change.dims) - change.reset_coords(drop=True))
    assert off.notnull().sum() == change.notnull().sum() > 0
    assert float(off.max()) < 1e-6


def test_statistics_of_maps_are_those_of_the_maps(report):
    maps = report.maps.load()
    models = maps["change"].astype(float).mean("member_id")
    np.testing.assert_allclose(maps["mean"], models.mean("source_id"), rtol=1e-6)
    np.testing.assert_allclose(maps["sd"], models.std("source_id", ddof=1), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(maps["minimum"], models.min("source_id"), rtol=1e-6)
    np.testing.assert_allclose(maps["quantiles"].sel(quantile=0.5), models.median("source_id"), rtol=1e-6)
    assert (maps["count"].sel(period="2081-2100") == 5).all()


def test_maps_at_a_level_of_warming_are_of_each_runs_own_years(report):
    """The global mean of a map at +2 K is that of the twenty years in which the run's global mean crosses 2 K."""
    levels = report.answers["warming_levels"]
    means = area_mean(report.maps, "change").sel(period="+2 K", season="annual").compute()
    yearly = report.yearly["anomaly"].sel(region="global", season="annual")
    compared = 0
    for index in np.argwhere(levels["reached"].sel(level=2.0).values):
        at = dict(zip(("source_id", "experiment_id", "member_id"), index.tolist(), strict=True))
        first = int(levels["first_year"].sel(level=2.0).isel(at))
        by_hand = float(yearly.isel(at).sel(year=slice(first, first + 19)).mean())
        assert float(means.isel(at)) == pytest.approx(by_hand, abs=2e-3), "years are weighted by their days here"
        compared += 1
    assert compared >= 5
    never = ~levels["reached"].sel(level=2.0) & report.change["change"].notnull().any(["period", "season", "region"])
    assert never.any()
    assert means.where(never).isnull().all()
    assert float(report.maps["count"].sel(period="+2 K", season="annual", experiment_id="ssp585").max()) == float(
        levels["reached"].sel(level=2.0, experiment_id="ssp585").any("member_id").sum()
    )


def test_zonal_means_are_those_of_the_models_maps(report):
    from spread.figures import zonal_means, zonal_spread

    found = zonal_spread(report, "2081-2100", "DJF")
    models = report.maps["change"].sel(period="2081-2100", season="DJF").astype(float).mean("member_id")
    np.testing.assert_allclose(found["mean"], models.mean("lon").mean("source_id"), rtol=1e-12)
    (axes,) = zonal_means(report, "2081-2100", "DJF").axes
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines if len(line.get_ydata()) > 2}
    np.testing.assert_allclose(drawn["SSP5-8.5 (5 models)"], found["mean"].sel(experiment_id="ssp585"))


def test_a_figure_of_maps_draws_the_means(report):
    from spread.figures import change_maps

    figure = change_maps(report, "2081-2100", "DJF")
    mesh = next(c for c in figure.axes[0].collections if c.get_array() is not None)
    mean = report.maps["mean"].sel(period="2081-2100", season="DJF", experiment_id="ssp126").values
    west = (report.maps["lon"].values + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(np.ma.getdata(mesh.get_array()), mean[:, np.argsort(west)])
    with pytest.raises(BadStudy, match="no period '2081', did you mean"):
        change_maps(report, "2081")


def test_a_second_run_reads_no_chunk(small_archive, report, cache, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a chunk was read")

    monkeypatch.setattr("spread.reduce.Reduction.block", refuse)
    again = flow.run(study_of(small_archive), cache=cache)
    assert again.failures == report.failures
    xr.testing.assert_identical(again.maps.load(), report.maps.load())


def test_another_season_leaves_the_first_ones_bits(small_archive, report, tmp_path):
    other = flow.run(study_of(small_archive, seasons=["JJA", "annual"], regions=["arctic", "global"]),
                     cache=FolderCache(tmp_path / "cache"))  # fmt: skip
    for name in ("change", "base", "mean", "sd"):
        np.testing.assert_array_equal(other.maps[name].sel(season="annual"), report.maps[name].sel(season="annual"))


def test_without_a_cache_maps_are_the_same(small_archive, report):
    xr.testing.assert_identical(flow.run(study_of(small_archive)).maps.load(), report.maps.load())


def test_maps_that_the_cache_lost_are_missed_by_name(small_archive, report, tmp_path, monkeypatch):
    cache = FolderCache(tmp_path / "cache")
    get = FolderCache.get
    lost = []

    def forgetful(self, key):
        if not lost and self.has(key):
            lost.append(key)
            return None
        return get(self, key)

    monkeypatch.setattr("spread.maps.map_changes", _with(monkeypatch, forgetful))
    found = flow.run(study_of(small_archive), cache=cache)
    (failure,) = [f for f in found.failures if f.stage == "maps"]
    assert failure.transient
    assert "run the study again" in failure.reason


def _with(monkeypatch, get):
    from spread.maps import map_changes

    def changed(*args):
        monkeypatch.setattr(FolderCache, "get", get)
        return map_changes(*args)

    monkeypatch.setattr("spread.flow.map_changes", changed)
    return changed


def test_maps_are_saved_and_read_back_lazily(report, tmp_path):
    report.save(tmp_path / "report")
    loaded = Report.load(tmp_path / "report")
    assert loaded.maps["change"].chunks is not None
    xr.testing.assert_equal(loaded.maps.load(), report.maps.load())


def plain_years(store, season) -> dict[int, tuple[np.ndarray, float]]:
    """Mean field and days of each complete year of a store, by zarr and NumPy alone."""
    group = zarr.open_group(store, mode="r")
    attrs, bounds = dict(group["time"].attrs), group["time_bnds"][...]
    middle = cftime.num2date(bounds.mean(axis=1), attrs["units"], calendar=attrs["calendar"])
    days, values = np.diff(bounds, axis=1)[:, 0], group["tas"][...].astype(np.float64)
    wanted = {"annual": range(1, 13), "DJF": (12, 1, 2)}[season]
    years: dict[int, list[int]] = {}
    for step, date in enumerate(middle):
        if date.month in wanted:
            years.setdefault(date.year + (season == "DJF" and date.month == 12), []).append(step)
    return {y: (np.average(values[steps], axis=0, weights=days[steps]), days[steps].sum()) for y, steps in years.items()
            if len(steps) == len(wanted)}  # fmt: skip


@pytest.mark.parametrize("season", ["annual", "DJF"])
def test_a_map_equals_plain_numpy_on_the_models_own_grid(small_archive, report, season):
    """MIROC6's cells, remapped with dense weights made here from overlaps of parallels and meridians."""
    rows = {(m["source_id"], m["experiment_id"]): m for m in report.member_records()}
    past, future = (rows["MIROC6", e]["zstore"].removeprefix("file://") for e in ("historical", "ssp585"))

    def plain_mean(store, first, last):
        fields, days = zip(*[v for y, v in plain_years(store, season).items() if first <= y <= last], strict=True)
        return np.average(fields, axis=0, weights=days)

    base, late = plain_mean(past, 1850, 1900), plain_mean(future, 2081, 2100)
    group = zarr.open_group(past, mode="r")

    def overlap(bounds, target, measure):
        found = np.zeros((len(target), len(bounds)))
        for shift in (-360.0, 0.0, 360.0) if measure is None else (0.0,):
            low = np.maximum(target[:, None, 0], np.sort(bounds, axis=1)[None, :, 0] + shift)
            high = np.minimum(target[:, None, 1], np.sort(bounds, axis=1)[None, :, 1] + shift)
            of = measure or (lambda edge: edge)
            found += np.where(high > low, of(high) - of(low), 0.0)
        return found / found.sum(axis=1, keepdims=True)

    lat = overlap(group["lat_bnds"][...], report.maps["lat_bnds"].values, lambda edge: np.sin(np.radians(edge)))
    lon = overlap(group["lon_bnds"][...], report.maps["lon_bnds"].values, None)
    expected = lat @ (late - base) @ lon.T
    at = {"source_id": "MIROC6", "experiment_id": "ssp585", "season": season, "period": "2081-2100"}
    found = report.maps["change"].sel(at).max("member_id").values
    ulp = np.spacing(np.abs(expected).astype(np.float32))
    assert (np.abs(found - expected.astype(np.float32)) <= ulp).all()


def test_lazy_yearly_maps_are_those_that_are_kept(tmp_path):
    values = field(30, 6, 8)
    ds = conform(published(values, months=30, chunks=(7, 3, 8)), row())
    grid, target = grid_of(ds), regular("45")
    plan = MapPlan(("annual", "DJF"), make_weights(grid, target).matrix, target)
    planned = reduction(ds, grid, GLOBAL, plan)
    with nothing_computes():
        lazy, means = planned.yearly, planned.means
    assert lazy.dims == ("season", "year", "lat", "lon")
    cache = FolderCache(tmp_path)
    made = compute_or_fail(planned, cache)
    np.testing.assert_array_equal(made, means.compute())
    maps = planned.joined("annual", [sums for _, sums in made.attrs["maps"].read(cache, "annual")])
    np.testing.assert_array_equal(lazy.sel(season="annual", year=maps.years).values.reshape(len(maps.years), -1),
                                  maps.means(0.5))  # fmt: skip
    assert lazy.sel(season="annual").isnull().all(["lat", "lon"]).values.tolist() == [False, False, True]


@pytest.mark.slow
def test_maps_of_the_atlas_models_keep_their_global_means(atlas_archive, tmp_path):
    """Real numbers: 29 models, each on its own grid, brought to 2.5 degrees."""
    study = Study.make(catalog=str(atlas_archive), incomplete_periods="allow", maps={"grid": "2.5"})
    found = flow.run(study, cache=FolderCache(tmp_path))
    means = area_mean(found.maps, "change").sel(period=["2081-2100"]).compute()
    off = abs(
        means.transpose(*found.change["change"].dims[:-1]) - found.change["change"].sel(region="global", drop=True)
    )
    assert int(off.notnull().sum()) == 29 * 4
    assert float(off.max()) < 1e-5
    count = found.maps["count"].sel(period="2081-2100", season="annual")
    assert (count == 29).all()


def test_maps_need_a_place_to_be_kept():
    ds = conform(published(), row())
    grid, target = grid_of(ds), regular("45")
    planned = reduction(ds, grid, GLOBAL, MapPlan(("annual",), make_weights(grid, target).matrix, target))
    with pytest.raises(ValueError, match="cache"):
        compute_or_fail(planned)


@pytest.mark.parametrize("grid", ["7", "nonsense", "0"])
def test_a_grid_that_cannot_be_is_refused_with_the_study(grid):
    with pytest.raises(BadStudy, match="grid"):
        Study.make(maps={"grid": grid})


@pytest.mark.slow
def test_memory_for_maps_does_not_grow_with_the_number_of_models(atlas_archive, tmp_path, monkeypatch):
    from spread.maps import map_changes

    peaks = {}

    def watched(study, members, change, *more):
        tracemalloc.start()
        try:
            return map_changes(study, members, change, *more)
        finally:
            peaks[change.sizes["source_id"]] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    monkeypatch.setattr("spread.flow.map_changes", watched)
    cache = FolderCache(tmp_path)
    for models in (["CanESM5"], ["CanESM5", "MIROC6", "MRI-ESM2-0", "IPSL-CM6A-LR"], []):
        asked = {"experiments": ["ssp585"], "incomplete_periods": "allow", "maps": {"grid": "2.5"}, "models": models}
        flow.run(Study.make(catalog=str(atlas_archive), **asked), cache=cache)
    print("peak memory of maps by models [MB]:", {n: round(peak / 1e6) for n, peak in peaks.items()})
    assert list(peaks) == [1, 4, 34]
    assert peaks[34] < 1.1 * peaks[4]
