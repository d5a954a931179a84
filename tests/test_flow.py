"""The whole flow, on real numbers and on synthetic archives, against oracles that share no code with it."""

import cftime
import numpy as np
import pytest
import xarray as xr
import zarr

import spread
from spread import cores, flow
from spread.errors import NotComparable, NotConforming, NotFound
from spread.plan import check
from spread.study import Study

PUBLISHED = {"ssp126": (1.96, 0.55), "ssp245": (2.90, 0.66), "ssp370": (3.92, 0.82), "ssp585": (4.73, 1.04)}
LATE_MODELS = {"CAMS-CSM1-0", "IITM-ESM"}


def oracle_monthly(path):
    """(year, month, days, global mean) of a store, by zarr and NumPy alone, in float64."""
    group = zarr.open_group(path, mode="r")
    attrs = dict(group["time"].attrs)
    bounds = group["time_bnds"][...]
    middle = cftime.num2date(bounds.mean(axis=1), attrs["units"], calendar=attrs["calendar"])
    south, north = np.deg2rad(group["lat_bnds"][...]).T
    west, east = group["lon_bnds"][...].T
    weights = (np.sin(north) - np.sin(south))[:, None] * (east - west)[None, :]
    weights /= weights.sum()
    means = (group["tas"][...].astype(np.float64) * weights).sum(axis=(1, 2))
    return (
        np.array([d.year for d in middle]),
        np.array([d.month for d in middle]),
        np.diff(bounds, axis=1)[:, 0],
        means,
    )


def oracle_period(series, first, last):
    """Mean over the complete years of a period, each month by its length."""
    year, month, days, value = series
    total = weight = 0.0
    for y in range(first, last + 1):
        inside = year == y
        if sorted(month[inside]) == list(range(1, 13)):
            total += (value[inside] * days[inside]).sum()
            weight += days[inside].sum()
    return total / weight


@pytest.fixture(scope="module")
def atlas_report(atlas_archive):
    return flow.run(Study.make(name="atlas", catalog=str(atlas_archive), incomplete_periods="allow"))


@pytest.mark.slow
def test_atlas_spread_is_the_published_one(atlas_report):
    found = {r["experiment_id"]: r for r in atlas_report.summary()}
    for experiment, (mean, sd) in PUBLISHED.items():
        assert found[experiment]["models"] == 29
        assert found[experiment]["mean"] == pytest.approx(mean, abs=0.02)
        assert found[experiment]["sd"] == pytest.approx(sd, abs=0.02)


@pytest.mark.slow
def test_atlas_agrees_with_a_plain_numpy_oracle_for_every_model(atlas_report):
    change = atlas_report.change["change"].isel(period=0, season=0, region=0)
    compared = 0
    rows = {(m["source_id"], m["experiment_id"]): m["zstore"] for m in atlas_report.member_records()}
    for (source, experiment), store in rows.items():
        if experiment == "historical":
            continue
        base = oracle_period(oracle_monthly(rows[source, "historical"].removeprefix("file://")), 1850, 1900)
        late = oracle_period(oracle_monthly(store.removeprefix("file://")), 2081, 2100)
        ours = change.sel(source_id=source, experiment_id=experiment).max().item()
        assert ours == pytest.approx(late - base, abs=1e-6), (source, experiment)
        compared += 1
    assert compared == 29 * 4


@pytest.mark.slow
def test_atlas_gaps_are_reported_and_shift_no_index(atlas_report):
    members = atlas_report.member_records()
    historical = [m for m in members if m["experiment_id"] == "historical"]
    gaps = [m for m in historical if m["missing_periods"]]
    short = [m for m in historical if zarr.open_group(m["zstore"].removeprefix("file://"))["time"].size < 165 * 12]
    assert {m["source_id"] for m in gaps} == {m["source_id"] for m in short}
    assert len(gaps) == 10  # of the fifteen in the Atlas, those that have all five experiments
    assert {m["missing_periods"] for m in gaps} == {"1901-01..1949-12"}
    source = gaps[0]["source_id"]
    anomaly = atlas_report.yearly["anomaly"].sel(source_id=source).max("member_id").isel(season=0, region=0)
    assert anomaly.sel(year=slice(1901, 1949)).isnull().all()
    assert anomaly.sel(year=slice(1850, 1900)).notnull().all()
    assert anomaly.sel(year=slice(1950, 2098)).notnull().all()


@pytest.mark.slow
def test_atlas_incomplete_periods_are_marked(atlas_report):
    complete = atlas_report.change["complete"].isel(period=0, season=0, region=0)
    there = atlas_report.change["change"].isel(period=0, season=0, region=0).notnull()
    marked = set(complete["source_id"].values[(there & ~complete).any(["experiment_id", "member_id"]).values])
    assert marked == LATE_MODELS
    years = atlas_report.change["years"].isel(period=0, season=0, region=0)
    assert int(years.sel(source_id="CAMS-CSM1-0", experiment_id="ssp585").max()) == 19


@pytest.mark.slow
def test_atlas_models_that_lack_a_scenario_are_left_out_with_a_reason(atlas_report):
    reasons = {f.dataset: f.reason for f in atlas_report.failures}
    assert len(reasons) == 6
    assert "ssp370" in reasons["HadGEM3-GC31-LL"]


@pytest.mark.slow
def test_refusing_incomplete_periods_leaves_the_late_models_out(atlas_archive):
    study = Study.make(catalog=str(atlas_archive), experiments=["ssp585"], models=["CAMS-CSM1-0", "CanESM5"])
    report = flow.run(study)
    assert report.summary()[0]["models"] == 1
    assert any("2081-2100 has 19 of 20 years" in f.reason for f in report.failures)


@pytest.fixture(scope="module")
def ipsl_catalog(shared_data, tmp_path_factory):
    """The real gridded fields of IPSL-CM6A-LR as Zarr stores and a collection."""
    import json

    import pandas as pd

    root = tmp_path_factory.mktemp("ipsl")
    rows = []
    for file in sorted((shared_data / "mesmer_ipsl").glob("tas_mon_*.nc")):
        _, _, source, experiment, member, _ = file.stem.split("_")
        ds = xr.open_dataset(file, decode_times=False)[["tas"]]
        ds.attrs |= {"source_id": source, "frequency": "mon", "table_id": "Amon"}
        for name in ds.variables:
            ds[name].encoding = {}
        store = root / experiment / member
        ds.to_zarr(store, zarr_format=2, consolidated=True, encoding={"tas": {"chunks": (480, 20, 20)}})
        activity = "CMIP" if experiment == "historical" else "ScenarioMIP"
        rows.append([activity, "IPSL", source, experiment, member, "Amon", "tas", "gn", f"{store}/", "", 20180803])
    columns = "activity_id,institution_id,source_id,experiment_id,member_id,table_id,variable_id,grid_label,zstore"
    pd.DataFrame(rows, columns=[*columns.split(","), "dcpp_init_year", "version"]).to_csv(root / "c.csv", index=False)
    collection = {
        "esmcat_version": "0.1.0", "id": "ipsl", "description": "real fields", "catalog_file": "c.csv",
        "attributes": [{"column_name": c} for c in columns.split(",")[:-1]],
        "assets": {"column_name": "zstore", "format": "zarr"},
    }  # fmt: skip
    (root / "c.json").write_text(json.dumps(collection))
    return root / "c.json"


def test_real_gridded_warming_of_ipsl(ipsl_catalog):
    study = Study.make(catalog=str(ipsl_catalog), experiments=["ssp585"], members=["r1i1p1f1"])
    change = flow.run(study).change["change"]
    assert change.item() == pytest.approx(6.03, abs=0.03)


def test_real_gridded_seasons_agree_with_numpy(ipsl_catalog):
    """DJF of 2081-2100 by hand: December of the year before, lengths of the file's own calendar."""
    study = Study.make(
        catalog=str(ipsl_catalog), experiments=["ssp585"], members=["r1i1p1f1"], seasons=["DJF", "JJA"],
        base_period=[1851, 1900], historical="historical",
    )  # fmt: skip
    report = flow.run(study)
    monthly = report.members["tas"].sel(member_id="r1i1p1f1", region="global").isel(source_id=0)
    series = monthly.sel(experiment_id="ssp585").values
    months = monthly["time"].values.astype("datetime64[M]").astype(int)
    year, month = months // 12 + 1970, months % 12 + 1
    calendar = report.members["calendar"].sel(experiment_id="ssp585", member_id="r1i1p1f1").item()
    numerator = denominator = 0.0
    for y in range(2081, 2101):
        for of, m in ((y - 1, 12), (y, 1), (y, 2)):
            nxt = cftime.datetime(of + (m == 12), m % 12 + 1, 1, calendar=calendar)
            days = (nxt - cftime.datetime(of, m, 1, calendar=calendar)).days
            numerator += days * series[(year == of) & (month == m)][0]
            denominator += days
    assert report.change["change"].sel(season="DJF").item() == pytest.approx(
        numerator / denominator - report.change["base"].sel(season="DJF").item(), abs=1e-9
    )


def test_small_archive_end_to_end(small_archive):
    study = Study.make(
        catalog=str(small_archive), experiments=["ssp126", "ssp585"], regions=["global", "land", "ocean"],
        incomplete_periods="allow",
    )  # fmt: skip
    report = flow.run(study)
    found = {(r["experiment_id"], r["region"]): r for r in report.summary()}
    assert found["ssp585", "global"]["models"] == 5
    assert report.synthetic
    assert found["ssp585", "global"]["mean"] > found["ssp126", "global"]["mean"] + 1.0
    assert found["ssp585", "land"]["mean"] > found["ssp585", "ocean"]["mean"]
    assert "SYNTHETIC" in report.table()


def test_same_study_twice_gives_the_same_bits_however_it_is_run(small_archive):
    from concurrent.futures import ThreadPoolExecutor

    study = Study.make(catalog=str(small_archive), experiments=["ssp585"], incomplete_periods="allow")
    first = flow.run(study)
    with ThreadPoolExecutor(1) as one:
        second = flow.run(study, executor=one)
    xr.testing.assert_identical(first.members, second.members)
    xr.testing.assert_identical(first.across, second.across)


def test_one_line_from_catalog_to_lazy_ensemble_and_to_spread(small_archive, nothing_computes):
    ens = spread.open_ensemble(str(small_archive), regions="land", models=["CanESM5", "MIROC6"], experiments="ssp585")
    assert ens["tas"].dims == ("source_id", "experiment_id", "member_id", "time", "region")
    assert ens["tas"].chunks is not None
    import dask

    with dask.config.set(scheduler="threads"):
        found = spread.model_spread(ens, period=(2081, 2100), base=(1850, 1900))
    assert found["count"].item() == 2
    assert found["mean"].item() > 2.0


def test_every_vote_counts_as_stated(small_archive):
    options = dict(catalog=str(small_archive), experiments=["ssp585"], models=["CanESM5", "MIROC6"])
    every = flow.run(Study.make(**options, members="all")).summary()[0]
    by_model = flow.run(Study.make(**options, members="mean"))
    assert every["models"] > by_model.summary()[0]["models"] == 2
    change = by_model.change["change"].isel(period=0, season=0, region=0, experiment_id=0)
    assert by_model.summary()[0]["mean"] == pytest.approx(float(change.mean("member_id").mean()))


def test_a_period_outside_the_data_is_refused(small_archive):
    with pytest.raises(NotComparable, match="2181-2200 has 0 of 20 years"):
        flow.run(
            Study.make(catalog=str(small_archive), models=["MIROC6"], experiments=["ssp585"], periods=[[2181, 2200]])
        )


def test_a_missing_base_period_is_refused(small_archive):
    with pytest.raises(NotComparable, match="base period 1800-1840 has 0 of 41 years"):
        flow.run(
            Study.make(catalog=str(small_archive), models=["MIROC6"], experiments=["ssp585"], base_period=[1800, 1840])
        )


def test_an_unknown_model_is_refused_with_a_hint(small_archive):
    with pytest.raises(NotFound, match="did you mean 'MIROC6'"):
        flow.run(Study.make(catalog=str(small_archive), models=["MIROC-6"], experiments=["ssp585"]))


def test_a_region_that_no_grid_can_show_is_refused_with_the_reason(small_archive):
    box = {"name": "mid ocean", "lat": [-60, -59], "lon": [190, 191], "surface": "land"}
    with pytest.raises(NotComparable, match="'mid ocean' holds no land cell"):
        flow.run(Study.make(catalog=str(small_archive), experiments=["ssp585"], regions=[box]))


def test_a_region_that_one_grid_cannot_show_stops_nobody_else(small_archive, monkeypatch):
    from spread import datasets

    reduction = datasets.reduce.reduction

    def one_refuses(ds, grid, *asked):
        if ds.attrs["source_id"] == "MIROC6":
            raise NotConforming("MIROC6", ["region 'x' holds no cell of this grid"])
        return reduction(ds, grid, *asked)

    monkeypatch.setattr(datasets.reduce, "reduction", one_refuses)
    report = flow.run(Study.make(catalog=str(small_archive), experiments=["ssp585"], models=["MIROC6", "CanESM5"]))
    assert report.summary()[0]["models"] == 1
    assert any("holds no cell" in f.reason for f in report.failures)


def test_chunks_that_do_not_fit_into_memory_are_refused_before_they_are_read(small_archive, monkeypatch):
    study = Study.make(catalog=str(small_archive), experiments=["ssp585"], models=["CanESM5"])
    plan = check(study)
    largest = max(d["largest_chunk"] for d in plan.datasets)
    assert plan.peak_memory == cores.memory_for(largest) >= 2 * largest
    assert plan.as_dict()["peak_memory"] == plan.peak_memory
    monkeypatch.setattr("spread.cores.memory_available", lambda: plan.peak_memory - 1)
    monkeypatch.setattr("spread.reduce.compute_or_fail", None)  # nothing is read
    with pytest.raises(NotComparable, match=r"need .* GB of memory, .* GB are free"):
        flow.run(study)
    with pytest.raises(NotComparable, match=r"GB are free"):
        check(study)
