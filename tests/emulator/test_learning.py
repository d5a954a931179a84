"""From stores to samples: maps against plain sums over cells, times against the calendar, and what is left out."""

import shutil
from dataclasses import replace
from pathlib import Path

import cftime
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from emulator_worlds import RECIPE
from synthetic import areas, edges, published, records, regular, write_collection

from spread import learning
from spread.coupled import cummins, forced_response, forced_warming, scenario_forcing
from spread.emulator import prepare
from spread.emulator.forced import warming_at
from spread.errors import BadModel, NotComparable
from spread.study import Study

ROWS, COLUMNS = 12, 24  # 15 degrees; two by two of them are a cell of 30 degrees
YEARS = {"historical": (1995, 2014), "ssp126": (2015, 2034), "ssp585": (2015, 2034)}
RESPONSE = forced_response(cummins("CanESM5"))


def values(source_id, experiment_id):
    """Synthetic monthly fields that differ in every cell and month, of a model and an experiment."""
    first, last = YEARS[experiment_id]
    months = 12 * (last - first + 1)
    random = np.random.default_rng([len(source_id), *experiment_id.encode()])
    lat = np.deg2rad(regular(ROWS, COLUMNS)[0])[:, None]
    cycle = -10 * np.cos(2 * np.pi * (np.arange(months) + 0.5) / 12)[:, None, None] * np.sin(lat)
    warming = 0.02 * (np.arange(months) // 12)[:, None, None]
    noise = random.standard_normal((months, ROWS, COLUMNS))
    return (285 - 30 * np.sin(lat) ** 2 + cycle + warming + noise).astype(np.float32)


def monthly(source_id, experiment_id, **changed):
    first, last = YEARS[experiment_id]
    ds = published(values(source_id, experiment_id), start=(first, 1), months=12 * (last - first + 1), rows=ROWS,
                   columns=COLUMNS, **changed)  # fmt: skip
    return ds.assign_attrs(comment="synthetic data of a test")


def daily(calendar, start, days):
    """As a centre publishes it: two years of daily means."""
    ds = published(np.zeros((1, ROWS, COLUMNS), np.float32), months=1, rows=ROWS, columns=COLUMNS, calendar=calendar)
    at = np.arange(days + 1, dtype=float)
    field = (280 + np.arange(days)[:, None, None] / 100 + np.zeros((1, ROWS, COLUMNS))).astype(np.float32)
    units = {"units": f"days since {start}-01-01", "calendar": calendar, "bounds": "time_bnds"}
    ds = ds.drop_vars(["tas", "time_bnds", "time"])
    ds["tas"] = (("time", "lat", "lon"), da.from_array(field, chunks=(365, ROWS, COLUMNS)),
                 {"units": "K", "cell_methods": "area: time: mean"})  # fmt: skip
    ds["time_bnds"] = (("time", "bnds"), edges(at))
    return ds.assign_coords(time=("time", at[:-1] + 0.5, units)).assign_attrs(frequency="day", version="20200101")


def archive(folder, stores, table_id="Amon"):
    """A collection of stores, ``{(source_id, experiment_id, member_id): dataset}``."""
    rows = []
    for (source_id, experiment_id, member_id), ds in stores.items():
        path = folder / f"{source_id}.{experiment_id}.{member_id}"
        ds.to_zarr(path, zarr_format=2)
        rows.append({"source_id": source_id, "experiment_id": experiment_id, "member_id": member_id,
                     "table_id": table_id, "zstore": str(path), "version": "20200101"})  # fmt: skip
    return write_collection(folder, records(*rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("monthly")
    archive(made, {
        (model, experiment, "r1i1p1f1"): monthly(model, experiment, south_first=model == "ALPHA")
        for model in ("ALPHA", "BETAS") for experiment in YEARS
    })  # fmt: skip
    return made


def study(folder, **asked):
    return Study(**{"catalog": str(Path(folder) / "collection.json"), "experiments": ("ssp126", "ssp585")} | asked)


@pytest.fixture(scope="module")
def read(folder):
    return learning.read_runs(study(folder), "30")


def coarse(field):
    """Area-weighted means of two by two cells, in plain NumPy."""
    _, _, lat_bounds, lon_bounds = regular(ROWS, COLUMNS)
    area = areas(lat_bounds, lon_bounds)

    def blocks(each):
        return each.reshape(*each.shape[:-2], ROWS // 2, 2, COLUMNS // 2, 2).sum(axis=(-3, -1))

    return blocks(field.astype(np.float64) * area) / blocks(area)


def test_maps_are_the_area_weighted_means_of_their_cells(read):
    runs, grid, failures = read
    assert failures == []
    assert [run.name for run in runs] == [f"{model}.{experiment}.r1i1p1f1" for model in ("ALPHA", "BETAS")
                                          for experiment in YEARS]  # fmt: skip
    assert grid.shape == (6, 12)
    for run in runs:
        if run.source_id == "BETAS":  # from north to south in its store
            exact = coarse(values(run.source_id, run.experiment_id)[:, ::-1])
        else:
            exact = coarse(values(run.source_id, run.experiment_id))
        assert run.tas.dtype == np.float32
        np.testing.assert_allclose(run.tas, exact, atol=1e-4)
        assert run.version == "20200101"
        assert run.synthetic


def test_times_of_months(read):
    run = next(run for run in read[0] if run.experiment_id == "ssp126")
    np.testing.assert_array_equal(run.year, np.repeat(np.arange(2015, 2035), 12))
    np.testing.assert_array_equal(run.step, 12 * 2015 + np.arange(240))
    np.testing.assert_allclose(run.day, np.tile((np.arange(12) + 0.5) / 12, 20))
    assert run.frequency == "mon"


def test_annual_means_are_those_of_the_globe(read):
    runs, grid, _ = read
    area = learning.shares(grid)
    assert area.sum() == pytest.approx(1)
    _, _, lat_bounds, lon_bounds = regular(ROWS, COLUMNS)
    fine = areas(lat_bounds, lon_bounds)
    whole = np.average(values("ALPHA", "ssp585").reshape(20, 12, -1).astype(float), axis=2, weights=fine.ravel())
    years, means = runs[2].annual_means(area)
    np.testing.assert_array_equal(years, np.arange(2015, 2035))
    np.testing.assert_allclose(means, whole.mean(axis=1), atol=1e-4)
    short = replace(runs[2], tas=runs[2].tas[3:], year=runs[2].year[3:])
    np.testing.assert_array_equal(short.annual_means(area)[0], np.arange(2016, 2035))


def test_samples_are_the_runs_one_after_the_other(read):
    runs, grid, _ = read
    made = learning.samples_of(runs, grid, {"ALPHA": RESPONSE, "BETAS": RESPONSE})
    assert made.models == ("ALPHA", "BETAS")
    assert made.scenarios == ("historical", "ssp126", "ssp585")
    np.testing.assert_array_equal(made.tas, np.concatenate([run.tas for run in runs]))
    np.testing.assert_array_equal(made.run, np.repeat(np.arange(6), 240))
    np.testing.assert_array_equal(made.model, np.repeat([0, 1], 720))
    np.testing.assert_array_equal(made.scenario, np.tile(np.repeat([0, 1, 2], 240), 2))
    exact = warming_at(RESPONSE, "ssp585", runs[2].year, runs[2].day)
    np.testing.assert_array_equal(made.warming[480:720], exact)
    np.testing.assert_allclose(made.lat, np.arange(-75, 90, 30))
    assert made.follows().sum() == len(made) - 6
    other = learning.samples_of(runs[2:3], grid, {"ALPHA": RESPONSE}, ("X", "ALPHA"), ("ssp585", "ssp126"))
    assert set(other.model) == {1}
    assert set(other.scenario) == {0}


def test_some_years_and_some_models(folder):
    told = []
    runs, _, _ = learning.read_runs(study(folder, models=("BETAS",), experiments=("ssp585",)), 30.0,
                                    {"historical": (2000, 2009)}, lambda *heard: told.append(heard))  # fmt: skip
    assert [run.experiment_id for run in runs] == ["historical", "ssp585"]
    np.testing.assert_array_equal(np.unique(runs[0].year), np.arange(2000, 2010))
    assert len(runs[1].year) == 240
    full = coarse(values("BETAS", "historical")[:, ::-1])
    np.testing.assert_allclose(runs[0].tas, full[60:180], atol=1e-4)
    assert [heard for heard in told if heard[0] == "reading"] == [("reading", 1, 2), ("reading", 2, 2)]
    part = runs[0].during(2003, 2004)
    np.testing.assert_array_equal(part.step, 12 * 2003 + np.arange(24))
    np.testing.assert_array_equal(part.tas, runs[0].tas[36:60])


@pytest.mark.parametrize(
    ("calendar", "days", "lengths"),
    [("360_day", 720, (360, 360)), ("noleap", 730, (365, 365)), ("standard", 731, (366, 365))],
)
def test_days_are_counted_in_the_calendar_of_the_model(tmp_path, calendar, days, lengths):
    path = archive(tmp_path, {("ALPHA", "ssp585", "r1i1p1f1"): daily(calendar, 2016, days)}, "day")
    asked = Study(catalog=path, experiments=("ssp585",), table_id="day", historical=None)
    (run,), grid, failures = learning.read_runs(asked, "30")
    assert failures == []
    assert run.frequency == "day"
    exact = np.concatenate([(np.arange(length) + 0.5) / length for length in lengths])
    np.testing.assert_allclose(run.day, exact, atol=1e-12)
    np.testing.assert_array_equal(run.year, np.repeat([2016, 2017], lengths))
    np.testing.assert_array_equal(np.diff(run.step), 1)
    np.testing.assert_allclose(run.tas[:, 0, 0], 280 + np.arange(days) / 100, atol=1e-4)
    years, means = run.annual_means(learning.shares(grid))
    np.testing.assert_array_equal(years, [2016, 2017])
    np.testing.assert_allclose(means[0], 280 + (lengths[0] - 1) / 200, atol=1e-4)
    made = learning.samples_of([run], grid, {"ALPHA": RESPONSE})
    assert made.frequency == "day"
    date = cftime.datetime(2016, 7, 1, calendar=calendar)
    at = int(date.dayofyr) - 1
    assert made.day[at] == pytest.approx((at + 0.5) / lengths[0])


def test_steps_of_days_are_those_of_a_fixed_date(tmp_path):
    """Two runs of one calendar that start in other years count from one day, so that noise can be paired."""
    stores = {("ALPHA", "ssp126", "r1i1p1f1"): daily("noleap", 2016, 730),
              ("ALPHA", "ssp585", "r1i1p1f1"): daily("noleap", 2017, 730)}  # fmt: skip
    path = archive(tmp_path, stores, "day")
    asked = Study(catalog=path, experiments=("ssp126", "ssp585"), table_id="day", historical=None)
    first, second = learning.read_runs(asked, "30")[0]
    assert second.step[0] - first.step[0] == 365


def test_maps_that_do_not_fit_into_memory_are_refused_before_they_are_read(folder, monkeypatch):
    monkeypatch.setattr(learning, "memory_available", lambda: 1_000_000)
    monkeypatch.setattr(learning, "_maps", lambda *_: pytest.fail("a map was read"))
    with pytest.raises(NotComparable, match=r"emulator: 1440 maps of \(6, 12\) need about 0.0 GB .*: take a coarser"):
        learning.read_runs(study(folder), "30")


def test_another_variable_is_refused(folder):
    with pytest.raises(NotComparable, match="emulator: expected a study of 'tas', got 'pr'"):
        learning.read_runs(study(folder, variable_id="pr"), "30")


@pytest.fixture
def copied(folder, tmp_path):
    """The archive in a place of its own, to be damaged."""
    root = tmp_path / "archive"
    shutil.copytree(folder, root)
    table = pd.read_csv(root / "collection.csv")
    table["zstore"] = [str(root / Path(each).name) for each in table["zstore"]]
    table.to_csv(root / "collection.csv", index=False)
    described = (root / "collection.json").read_text().replace(str(folder), str(root))
    (root / "collection.json").write_text(described)
    return root


def test_a_store_that_cannot_be_read_is_left_out_and_the_others_go_on(copied, read):
    (copied / "BETAS.ssp126.r1i1p1f1" / "tas" / "7.0.0").unlink()
    runs, _, failures = learning.read_runs(study(copied), "30")
    assert [failure.dataset for failure in failures] == ["BETAS.ssp126.r1i1p1f1.tas"]
    assert failures[0].unreadable
    assert "7.0.0" in failures[0].reason
    assert "\n" not in failures[0].reason
    assert failures[0].facets["source_id"] == "BETAS"
    assert [run.name for run in runs] == [run.name for run in read[0] if run.name != "BETAS.ssp126.r1i1p1f1"]
    np.testing.assert_array_equal(runs[0].tas, read[0][0].tas)


def test_a_store_that_does_not_open_is_left_out(copied):
    shutil.rmtree(copied / "ALPHA.ssp585.r1i1p1f1" / "tas")
    runs, _, failures = learning.read_runs(study(copied), "30")
    assert [failure.dataset for failure in failures] == ["ALPHA.ssp585.r1i1p1f1.tas"]
    assert len(runs) == 5


def test_where_no_run_can_be_read_the_reasons_are_told(copied):
    for store in copied.glob("*.r1i1p1f1"):
        (store / "tas" / "0.0.0").unlink()
    with pytest.raises(NotComparable, match=r"emulator: no run could be read: ALPHA\.historical.*0\.0\.0.*; ALPHA"):
        learning.read_runs(study(copied), "30")


def test_absent_values_are_refused_with_run_and_date(copied):
    ds = monthly("ALPHA", "ssp585")
    ds["tas"] = ds["tas"].where(~((np.arange(240) == 41)[:, None, None] & (np.arange(COLUMNS) > 20)))
    ds["tas"].attrs = monthly("ALPHA", "ssp585")["tas"].attrs
    shutil.rmtree(copied / "ALPHA.ssp585.r1i1p1f1")
    ds.to_zarr(copied / "ALPHA.ssp585.r1i1p1f1", zarr_format=2)
    runs, grid, failures = learning.read_runs(study(copied), "30")
    assert failures == []
    with pytest.raises(
        BadModel, match=r"1 maps have absent values, the first of ALPHA\.ssp585\.r1i1p1f1 in 2018, 0\.458"
    ):
        learning.samples_of(runs, grid, {"ALPHA": RESPONSE, "BETAS": RESPONSE})


def test_runs_of_several_frequencies_or_without_a_response_are_refused(read):
    runs, grid, _ = read
    mixed = [runs[0], replace(runs[3], frequency="day")]
    with pytest.raises(NotComparable, match=r"one frequency.*got \['day', 'mon'\] and none for BETAS"):
        learning.samples_of(mixed, grid, {"ALPHA": RESPONSE})


def forced_run(source_id, experiment_id, response, seed, years):
    """A synthetic run whose global mean is a known forced warming and weather."""
    first, last = years
    forcing = scenario_forcing(experiment_id, np.arange(1850, last + 1))
    warming = forced_warming(response, forcing)[first - 1850 :]
    random, count = np.random.default_rng(seed), last - first + 1
    tas = 287 + np.repeat(warming, 12)[:, None, None] + 0.1 * random.standard_normal((12 * count, 2, 4))
    step = 12 * first + np.arange(12 * count)
    return learning.RunMaps(source_id, experiment_id, f"r{seed}i1p1f1", "v", tas.astype(np.float32), step // 12, step,
                            (step % 12 + 0.5) / 12, "mon", True)  # fmt: skip


AREA = np.full((2, 4), 1 / 8)


def test_a_fit_of_warming_sees_its_training_runs_only(monkeypatch):
    seen = []

    def spy(runs, span, known):
        seen.append(([run.experiment_id for run in runs], [run.years for run in runs], span, known))
        return "fitted"

    monkeypatch.setattr(learning, "fit", spy)
    training = [forced_run("CanESM5", "historical", RESPONSE, 1, (1950, 2014)),
                forced_run("MADE-UP", "ssp126", RESPONSE, 3, (2020, 2040)),
                forced_run("CanESM5", "ssp126", RESPONSE, 2, (2015, 2050))]  # fmt: skip
    training[2] = training[2].during(2015, 2030)
    assert learning.fit_warming(training, AREA) == {"CanESM5": "fitted", "MADE-UP": "fitted"}
    assert [each[0] for each in seen] == [["historical", "ssp126"], ["ssp126"]]
    np.testing.assert_array_equal(seen[0][1][1], np.arange(2015, 2031))
    assert [each[2] for each in seen] == [(1950, 2030), (2020, 2040)]
    assert [each[3] for each in seen] == ["CanESM5", None]


def test_held_out_runs_do_not_change_a_fit_and_it_finds_the_warming():
    training = [forced_run("CanESM5", "historical", RESPONSE, 1, (1850, 2014)),
                forced_run("CanESM5", "ssp585", RESPONSE, 2, (2015, 2100))]  # fmt: skip
    found = learning.fit_warming(training, AREA)["CanESM5"]
    assert found.train == (1850, 2100)
    year, day = np.arange(2020, 2100), np.full(80, 0.5)
    exact, made = (warming_at(each, "ssp585", year, day) for each in (RESPONSE, found.response))
    np.testing.assert_allclose(made, exact, atol=0.1)
    exact, made = (warming_at(each, "ssp245", year, day) for each in (RESPONSE, found.response))
    np.testing.assert_allclose(made, exact, atol=0.15)  # a scenario that was held out


def test_a_model_without_a_whole_year_is_refused():
    run = forced_run("MADE-UP", "historical", RESPONSE, 1, (1990, 1990))
    short = replace(run, tas=run.tas[:9], year=run.year[:9])
    with pytest.raises(NotComparable, match="MADE-UP has no whole year to fit its warming to; give more years"):
        learning.fit_warming([short], AREA)


def test_runs_of_stores_can_be_learned_from(read):
    """The whole way from stores: what is prepared is of all runs and marked synthetic."""
    runs, grid, _ = read
    samples = learning.samples_of(runs, grid, {"ALPHA": RESPONSE, "BETAS": RESPONSE})
    made = prepare(
        samples, RECIPE, synthetic=any(run.synthetic for run in runs), versions=[run.version for run in runs]
    )
    assert made.facts.runs == tuple(run.name for run in runs)
    assert made.facts.versions == ("20200101",) * 6
    assert made.facts.synthetic
    assert made.data[0].shape == (1440, 12)


def test_a_part_of_the_demo_archive_by_plain_xarray(tmp_path):
    """Grid of a real model, its names and bounds: global means are those of its own cells."""
    from spread.demo import make_archive

    path = make_archive(tmp_path / "demo", workers=1, models=["CanESM5"], experiments=["historical", "ssp126"],
                        variables=["tas", "areacella", "sftlf"])  # fmt: skip
    asked = Study(catalog=str(path), experiments=("ssp126",), models=("CanESM5",))
    runs, grid, failures = learning.read_runs(asked, "10", {"historical": (1990, 1999), "ssp126": (2030, 2039)})
    assert failures == []
    assert all(run.synthetic for run in runs)
    table = pd.read_csv(path.with_suffix(".csv"))
    for run in runs:
        chosen = table[(table["experiment_id"] == run.experiment_id) & (table["member_id"] == run.member_id)
                       & (table["variable_id"] == "tas")]  # fmt: skip
        with xr.open_zarr(chosen["zstore"].iloc[0]) as ds:
            first = int(run.year[0])
            tas = ds["tas"].sel(time=slice(f"{first}-01", f"{first + 9}-12"))
            means = tas.weighted(np.cos(np.deg2rad(ds["lat"]))).mean(["lat", "lon"]).values
        area = learning.shares(grid)
        np.testing.assert_allclose(np.tensordot(run.tas.astype(float), area, axes=2), means, atol=0.05)
