"""Climate sensitivity in a report, against plain zarr and NumPy, and what is said where it cannot be had."""

import json

import numpy as np
import pandas as pd
import pytest
import zarr

from spread import flow, page, plan
from spread.demo import make_archive
from spread.report import Report
from spread.study import Study

MODELS = ["CanESM5", "CNRM-CM6-1", "MIROC6", "CAMS-CSM1-0"]
IDEALISED = ("abrupt-4xCO2", "1pctCO2", "piControl")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return make_archive(
        tmp_path_factory.mktemp("idealised") / "archive",
        models=MODELS,
        experiments=["historical", "ssp585", *IDEALISED],
        variables=["tas", "rsdt", "rsut", "rlut"],
    )


def study(collection, **fields):
    return Study.make(
        catalog=str(collection), experiments=["ssp585"], incomplete_periods="allow", sensitivity={}, **fields
    )


@pytest.fixture(scope="module")
def report(collection):
    return flow.run(study(collection))


def yearly(collection, source_id, experiment_id, variable_id):
    """Annual means of the one cell, each month by its days; 365-day calendar only."""
    (store,) = collection.parent.glob(f"CMIP6/*/*/{source_id}/{experiment_id}/*/Amon/{variable_id}/*/*")
    group = zarr.open_group(store, mode="r")
    days = np.diff(group["time_bnds"][...], axis=1)[:, 0].reshape(-1, 12)
    values = group[variable_id][...].astype(np.float64).reshape(-1, 12)
    return (values * days).sum(axis=1) / days.sum(axis=1)


def test_numbers_are_those_of_plain_numpy(collection, report):
    def net(experiment):
        down, up, out = (yearly(collection, "CanESM5", experiment, name) for name in ("rsdt", "rsut", "rlut"))
        return down - up - out

    base = yearly(collection, "CanESM5", "piControl", "tas").mean()
    warming = yearly(collection, "CanESM5", "abrupt-4xCO2", "tas")[:150] - base
    slope, intercept = np.polyfit(warming, net("abrupt-4xCO2")[:150] - net("piControl").mean(), 1)
    found = report.answers["sensitivity"].sel(source_id="CanESM5", member_id="r1i1p1f1")
    assert float(found["ecs"]) == pytest.approx(-intercept / slope / 2, rel=1e-6)
    assert float(found["erf_2x"]) == pytest.approx(intercept / 2, rel=1e-6)
    assert float(found["feedback"]) == pytest.approx(slope, rel=1e-6)
    ramp = yearly(collection, "CanESM5", "1pctCO2", "tas")[60:80] - base
    assert float(found["tcr"]) == pytest.approx(ramp.mean(), rel=1e-6)


def test_every_number_can_be_followed_to_its_stores(collection, report):
    found = report.answers["sensitivity"]
    expected = {f"{m}.{e}" for m in MODELS[:3] for e in IDEALISED}
    names = list(map(str, found["input_name"].values))
    assert {".".join(name.split(".")[:2]) for name in names} == expected
    assert len(names) == 4 * len(expected)
    assert all(zarr.open_group(store, mode="r") for store in found["input_zstore"].values)
    assert set(names) <= {entry.split("@")[0] for entry in report.provenance["datasets"]}


def test_a_model_without_idealised_runs_is_not_spoken_of_and_has_its_vote(report):
    assert "CAMS-CSM1-0" not in report.answers["sensitivity"]["source_id"].values
    assert "CAMS-CSM1-0" in report.change["source_id"].values


def test_it_is_kept_written_and_shown(report, tmp_path):
    report.save(tmp_path / "report", lambda folder: page.write(report, folder))
    again = Report.load(tmp_path / "report").answers["sensitivity"]
    np.testing.assert_array_equal(again["ecs"], report.answers["sensitivity"]["ecs"])
    table = pd.read_csv(tmp_path / "report" / "sensitivity.csv")
    assert list(table["source_id"]) == sorted(MODELS[:3])
    assert table["ecs"].notna().all()
    html = (tmp_path / "report" / "index.html").read_text()
    assert "How sensitive the models are" in html
    assert '<th class="n">ECS [K]</th>' in html
    assert "<th>Run</th>" in html
    assert (tmp_path / "report" / "figures" / "gregory.png").stat().st_size > 10_000
    assert "sensitivity" in json.loads((tmp_path / "report" / "summary.json").read_text())["answers"]


def test_the_years_of_the_fit_are_the_studys(collection, report):
    late = flow.run(study(collection, models=["MIROC6"]).model_copy(update={"sensitivity": _late()}))
    found, whole = (r.answers["sensitivity"].sel(source_id="MIROC6").isel(member_id=0) for r in (late, report))
    assert int(found["years"]) == 130
    assert float(found["ecs"]) != pytest.approx(float(whole["ecs"]), rel=1e-6)


def _late():
    return Study.make(sensitivity={"fit": "late"}).sensitivity


def test_a_check_lists_the_idealised_runs_and_reads_none(collection, nothing_computes):
    found = plan.check(study(collection, models=["CanESM5"]))
    names = [record["name"] for record in found.datasets]
    assert [n for n in names if "abrupt-4xCO2" in n] == [
        f"CanESM5.abrupt-4xCO2.r1i1p1f1.{v}" for v in ("tas", "rsdt", "rsut", "rlut")
    ]
    assert not found.failures


def test_a_bad_store_costs_its_model_the_sensitivity_with_a_reason(collection, tmp_path):
    import shutil

    copy = tmp_path / "archive"
    shutil.copytree(collection.parent, copy)
    table = next(copy.glob("*.csv*"))
    rows = pd.read_csv(table)
    rows["zstore"] = rows["zstore"].str.replace(str(collection.parent), str(copy))
    rows.to_csv(table, index=False)
    (store,) = copy.glob("CMIP6/*/*/CanESM5/abrupt-4xCO2/*/Amon/rlut/*/*")
    chunks = [p for p in store.glob("rlut/*") if p.name[0].isdigit()]
    chunks[-1].unlink()
    made = flow.run(study(copy / collection.name))
    found = made.answers["sensitivity"].sel(source_id="CanESM5", member_id="r1i1p1f1")
    assert np.isnan(found["ecs"])
    assert str(found["reason"].values)
    assert np.isfinite(found["tcr"])
    assert any(f.dataset == "CanESM5.abrupt-4xCO2.r1i1p1f1.rlut" for f in made.failures)
    assert np.isfinite(made.answers["sensitivity"]["ecs"].sel(source_id="MIROC6")).any()


def test_a_catalog_without_such_runs_says_so(small_archive):
    asked = study(small_archive, models=["CanESM5"])
    made = flow.run(asked)
    assert "the catalog has no tas of abrupt-4xCO2 or 1pctCO2" in made.silent["sensitivity"]
    assert any(f.dataset == "sensitivity" for f in plan.check(asked).failures)
