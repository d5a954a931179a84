"""Definitions are switched on reduced members: the same numbers as a new run of the study, and as plain NumPy."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import spread
from dashboards.definitions import redefined
from dashboards.results import Results, Shelf, Stale
from dashboards.state import State
from spread import Report
from spread.errors import NotFound, SpreadError


@pytest.fixture(scope="module")
def report(small_report):
    return Report.load(small_report)


@pytest.fixture(scope="module")
def results(small_report):
    return Results("small", small_report)


@pytest.fixture
def copy(small_report, tmp_path):
    return Path(shutil.copytree(small_report, tmp_path / "copy-report"))


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    xr.testing.assert_allclose(a.drop_attrs(), b.drop_attrs(), rtol=1e-12, atol=1e-12)


def test_nothing_changes_where_nothing_is_changed(report):
    again = redefined(report, report.study.base_period, "runs", yearly=None)
    assert again.across is report.across
    assert again.study == report.study


@pytest.mark.parametrize(("base", "votes", "members"), [
    ((1995, 2014), "runs", "all"), ((1961, 1990), "models", "mean"), ((1850, 1900), "models", "mean"),
])  # fmt: skip
def test_a_definition_gives_what_a_new_run_gives(report, small_study, base, votes, members):
    study = small_study.model_copy(
        update={"base_period": base, "members": members, "maps": None, "constraint": None, "weights": None}
    )
    fresh, switched = spread.run(study), redefined(report, base, votes)
    same(switched.across, fresh.across)
    same(switched.plume, fresh.plume)
    same(switched.change[["change"]], fresh.change[["change"]])
    np.testing.assert_allclose(switched.observations["anomaly"], fresh.observations["anomaly"], atol=1e-9)
    same(switched.answers["partition"], fresh.answers["partition"])
    assert ("warming_levels" in switched.answers) == (base == (1850, 1900)) == ("warming_levels" in fresh.answers)
    assert switched.across.attrs["base_period"] == fresh.across.attrs["base_period"]


def test_answers_that_a_definition_does_not_touch_are_kept_others_say_why(report):
    one = xr.Dataset({"ecs": ("source_id", [3.0])}, {"source_id": ["CanESM5"]})
    full = replace(report, answers=report.answers | {"sensitivity": one, "simulated": one})
    switched = redefined(full, (1995, 2014), "models")
    assert switched.answers["sensitivity"] is one
    assert "simulated" not in switched.answers
    assert "were made against 1850-1900" in switched.silent["simulated"]
    votes = redefined(full, None, "models")
    assert votes.answers["simulated"] is one
    silent = replace(report, silent={"sensitivity": "no such runs"})
    assert redefined(silent, (1995, 2014)).silent["sensitivity"] == "no such runs"


def test_a_change_is_that_of_plain_numpy(report):
    """Months of the reduced members, weighted by their lengths in a calendar of 365 days, without the library."""
    members = report.members
    run = {"source_id": "CanESM5", "member_id": "r1i1p1f1", "region": "arctic"}
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    series = {e: members["tas"].sel(run | {"experiment_id": e}).values for e in ("historical", "ssp585")}
    year = np.array([int(str(t)[:4]) for t in members["time"].values])

    def mean(experiment, first, last):
        months = series[experiment][(year >= first) & (year <= last)].reshape(-1, 12)
        return float((months * days).sum(axis=1).mean() / days.sum())

    expected = mean("ssp585", 2081, 2100) - mean("historical", 1981, 2010)
    change = redefined(report, (1981, 2010)).change["change"]
    found = change.sel(run | {"experiment_id": "ssp585", "period": "2081-2100", "season": "annual"})
    assert float(found) == pytest.approx(expected, abs=1e-9)


def test_weighted_statistics_follow_the_weights(report):
    weights = report.answers["weights"]["weights"]
    switched = redefined(report, votes="weighted")
    change = switched.change["change"].mean("member_id")
    w = weights.sum("member_id") if "member_id" in weights.dims else weights.reset_coords(drop=True)
    expected = (change * w).sum("source_id") / w.sum()
    np.testing.assert_allclose(switched.across["mean"].values, expected.transpose(*switched.across["mean"].dims).values)
    assert "weighted" in switched.plume.attrs["votes"]


def test_a_constraint_is_of_its_base_period(report):
    other = redefined(report, (1995, 2014))
    assert "constraint" not in other.answers
    assert "made against 1850-1900" in other.silent["constraint"]
    assert "constraint" in redefined(report, votes="models").answers


def test_a_report_is_not_changed_by_definitions(report):
    before = report.change["change"].copy(deep=True)
    redefined(report, (1995, 2014), "models")
    xr.testing.assert_identical(report.change["change"], before)


def test_a_definition_without_a_model_says_why(report):
    with pytest.raises(SpreadError, match="no model has a number"):
        redefined(report, (2150, 2180))


def test_no_chunk_is_read_for_a_definition(results, nothing_computes):
    state = State.first(results.offers(["small"], ["spread"]))
    for base in ((1850, 1900), (1971, 2000)):
        assert np.isfinite(results.definition(base, "models", False).across["mean"]).all()
    assert results.shown(state).across["mean"].size


def test_a_map_is_the_one_of_the_report(small_report):
    results = Results("small", small_report)
    found = results.map_at("2081-2100", "annual", "ssp585", "CanESM5")
    place = {"period": "2081-2100", "season": "annual", "experiment_id": "ssp585"}
    maps = results.report.maps.sel(place)
    np.testing.assert_array_equal(found["sd"].values, maps["sd"].values)
    np.testing.assert_allclose(found["mean"], maps["change"].sel(source_id="CanESM5").mean("member_id"), rtol=1e-6)


def test_a_deleted_report_says_so(copy):
    shelf = Shelf([copy])
    results = shelf.take(shelf.labels[0])
    shutil.rmtree(copy)
    with pytest.raises(Stale, match="no longer there"):
        results.check()
    with pytest.raises(Stale, match="no longer there"):
        shelf.take(shelf.labels[0])


def test_a_report_written_anew_says_so_and_is_opened_anew(copy):
    shelf = Shelf([copy])
    results = shelf.take(shelf.labels[0])
    results.report.save(copy)
    with pytest.raises(Stale, match="written anew"):
        results.check()
    shelf.take(shelf.labels[0]).check()


def test_a_report_that_broke_says_so(copy):
    shelf = Shelf([copy])
    (copy / "report.zarr" / "zarr.json").write_text("{", encoding="utf-8")
    with pytest.raises(Stale, match="cannot be read"):
        shelf.take(shelf.labels[0])


def test_what_is_not_listed_is_not_opened(small_report, tmp_path):
    shelf = Shelf([small_report])
    for label in ("", "..", str(small_report), "/etc/passwd", "tas · other"):
        with pytest.raises(NotFound):
            shelf.take(label)
    with pytest.raises(NotFound, match="not found"):
        Shelf([tmp_path / "nothing"])
    with pytest.raises(NotFound, match="no report is given"):
        Shelf([])


def test_two_reports_of_one_name_have_two_labels(small_report, copy):
    assert Shelf([small_report, copy, copy]).labels == ("tas · small", "tas · small (2)", "tas · small (3)")
