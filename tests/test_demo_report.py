"""The embedded default, end to end: planted faults end as they should, the numbers are those it was fitted to."""

import json
from pathlib import Path

import numpy as np
import pytest

import spread.demo
from spread import flow
from spread.demo import FAULTS, make_archive
from spread.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archive(demo_home):
    return make_archive(workers=2)


@pytest.fixture(scope="module")
def report(archive):
    return flow.run(Study.make(catalog=str(archive), members="all", incomplete_periods="allow"))


def faults(expected, variable_id="tas"):
    return [f for f in FAULTS if f.expected == expected and f.variable_id == variable_id]


def record(report, fault):
    ids = (fault.source_id, fault.experiment_id, fault.member_id)
    found = [m for m in report.member_records() if (m["source_id"], m["experiment_id"], m["member_id"]) == ids]
    return found[0] if found else None


def test_cured_faults_are_used_and_their_cure_is_in_the_report(report):
    kinds = {f.kind for f in faults("cured")}
    assert kinds >= {"names", "swapped_lat_bounds", "cut_lon_bounds", "repeated_months", "short_time_bounds"}
    for fault in faults("cured"):
        member = record(report, fault)
        assert member is not None, fault
        assert member["fixes"], fault
        assert member["used"] in (True, None), fault


def test_rejected_faults_are_out_with_a_reason(report):
    assert faults("rejected")
    for fault in faults("rejected"):
        name = f"{fault.source_id}."
        reasons = [f.reason for f in report.failures if f.dataset.startswith(name) or f.dataset == fault.source_id]
        assert reasons, fault
        used = report.change["change"].sel(source_id=fault.source_id) if record(report, fault) else None
        assert used is None or not np.isfinite(used).any(), fault


def test_a_lost_chunk_is_named(report):
    assert any("chunk 1.0.0 is not in the store" in f.reason for f in report.failures)


def test_implausible_months_are_named(report):
    reasons = " ".join(f.reason for f in report.failures)
    assert "2000-01, 2007-01" in reasons
    assert "look like degrees Celsius" in reasons


def test_marked_faults_are_used_and_marked(report):
    for fault in faults("marked"):
        member = record(report, fault)
        assert member is not None, fault
        if fault.experiment_id == "historical":
            assert member["missing_periods"] == "1901-01..1949-12"
        else:
            assert member["used"], fault
            assert member["complete"] is False, fault


def test_harmless_faults_change_nothing(report):
    for fault in faults("harmless"):
        member = record(report, fault)
        assert member is not None, fault
        assert member["used"] in (True, None), fault


def test_precipitation_a_thousand_times_too_small_is_rejected(archive):
    study = Study.make(catalog=str(archive), variable_id="pr", models=["BCC-CSM2-MR", "MIROC6"], experiments=["ssp585"])
    report = flow.run(study)
    assert report.summary()[0]["models"] == 1
    assert any("1000 times too small" in f.reason for f in report.failures)


def test_warming_is_that_of_the_models_it_was_fitted_to(report):
    """The stored table holds the real warming of each model; the archive's first member has it within 0.1 K."""
    table = json.loads((Path(spread.demo.__file__).parent / "energy_balance.json").read_text())["models"]
    change = report.change["change"].isel(period=0, season=0, region=0)
    compared = 0
    for source in change["source_id"].values:
        for experiment in change["experiment_id"].values:
            real = table[str(source)]["real_warming"].get(str(experiment))
            ours = change.sel(source_id=source, experiment_id=experiment).dropna("member_id")
            if real is not None and ours.size:
                assert float(ours.isel(member_id=0)) == pytest.approx(real, abs=0.1), (source, experiment)
                compared += 1
    assert compared >= 13 * 4


def test_land_carbon_of_the_demo(archive):
    study = Study.make(catalog=str(archive), variable_id="cVeg", table_id="Eyr", experiments=["ssp126", "ssp585"])
    report = flow.run(study)
    assert report.summary()[0]["models"] == 4
    assert all(r["mean"] > 0 for r in report.summary())
