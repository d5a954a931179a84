"""What a study answers beside its spread: made where it can be, and else said why not."""

import numpy as np
import pytest
import xarray as xr

from spread import ensemble, flow, page
from spread.report import Report
from spread.study import Study


@pytest.fixture(scope="module")
def observations(tmp_path_factory):
    """An invented series of warming, a third of a degree in thirty years."""
    path = tmp_path_factory.mktemp("observed") / "observed.csv"
    years = np.arange(1850, 2025)
    noise = 0.05 * np.random.default_rng(0).standard_normal(years.size)
    warming = np.maximum(0.0, 0.02 * (years - 1975)) + noise
    path.write_text("year,value\n" + "".join(f"{y},{w:.4f}\n" for y, w in zip(years, warming, strict=True)))
    return {"name": "invented", "file": str(path), "kind": "GMST", "conversion": "ar6", "trend_sd": 0.01}


@pytest.fixture(scope="module")
def study(small_archive) -> Study:
    return Study.make(
        catalog=str(small_archive), experiments=["ssp126", "ssp585"], regions=["global", "land"],
        incomplete_periods="allow", partition="HS09",
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(study) -> Report:
    return flow.run(study)


def asked(report: Report, **fields) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    study = Study.make(**report.study.model_dump() | fields)
    return ensemble.answers(study, report.yearly, report.change)


def test_partition_and_levels_are_answered_without_asking(report):
    assert set(report.answers) == {"partition", "warming_levels"}
    assert not report.silent
    shares = report.answers["partition"]["share"].sel(year=2090)
    np.testing.assert_allclose(shares.sum("source"), 100.0)
    assert report.answers["partition"].attrs["definition"] == "HS09"
    assert report.answers["partition"].attrs["synthetic"] == "true"


def test_levels_are_those_of_the_global_mean(report):
    found = report.answers["warming_levels"]
    yearly = report.yearly["anomaly"].sel(region="global", season="annual", experiment_id="ssp585")
    run = yearly.sel(source_id="UKESM1-0-LL").dropna("member_id", how="all").squeeze("member_id")
    mean = run.rolling(year=20).mean().values  # of the 20 years that end in each
    by_hand = int(run["year"].values[np.flatnonzero(mean > 2.0)[0]]) - 9
    at = {"source_id": "UKESM1-0-LL", "experiment_id": "ssp585", "member_id": run["member_id"].item(), "level": 2.0}
    assert int(found["central_year"].sel(at)) == by_hand


def test_a_constraint_needs_enough_models_and_says_so(report, observations):
    made, silent = asked(report, observations=observations, constraint={"method": "conditional"})
    assert "constraint" not in made
    assert "5 models have both a trend and a change, 10 are needed" in silent["constraint"]


def test_weights_move_the_statistics_and_keep_equal_ones(report, observations):
    made, silent = asked(report, observations=observations, weights={"sigma_d": 0.5, "sigma_s": 0.5})
    assert not silent
    weights = made["weights"]["weights"]
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights.max()) > 0.21
    values = report.change["change"].isel(period=0, season=0, region=0).sel(experiment_id="ssp585")
    models = values.mean("member_id")
    by_hand = float((models * weights.sum("member_id")).sum())
    found = made["weights"]["mean"].isel(period=0, season=0, region=0).sel(experiment_id="ssp585")
    assert float(found) == pytest.approx(by_hand)
    assert float(abs(found - report.across["mean"].isel(period=0, season=0, region=0)[-1])) > 1e-3


@pytest.mark.parametrize(
    ("fields", "name", "reason"),
    [
        ({"constraint": {}}, "constraint", "needs observations"),
        ({"weights": {}}, "weights", "needs observations"),
        ({"experiments": ["ssp585"]}, "partition", "needs several scenarios"),
        ({"base_period": (1995, 2014)}, "warming_levels", "count from 1850-1900"),
    ],
)
def test_what_cannot_be_answered_says_why(report, fields, name, reason):
    made, silent = asked(report, **fields)
    assert name not in made
    assert reason in silent[name]


def test_only_regions_without_the_globe_have_no_levels(small_archive):
    study = Study.make(catalog=str(small_archive), experiments=["ssp126", "ssp585"], regions=["land"],
                       incomplete_periods="allow", seasons=["JJA"])  # fmt: skip
    report = flow.run(study)
    assert "add 'global' to the regions" in report.silent["warming_levels"]
    assert "add 'annual' to the seasons" in report.silent["partition"]


def test_what_is_not_asked_is_neither_made_nor_missed(report):
    assert asked(report, partition="none", warming_levels=[]) == ({}, {})


def test_answers_are_saved_and_read_back(report, tmp_path):
    report.save(tmp_path / "report")
    loaded = Report.load(tmp_path / "report")
    assert set(loaded.answers) == set(report.answers)
    for name, found in report.answers.items():
        xr.testing.assert_equal(loaded.answers[name], found)
        assert loaded.answers[name].attrs["synthetic"] == "true"


def test_answers_are_tables_too(report, tmp_path):
    import pandas as pd

    folder = report.save(tmp_path / "report")
    shares = pd.read_csv(folder / "partition.csv").set_index(["region", "year", "source"])["share"]
    at = report.answers["partition"]["share"].sel(region="land", year=2050, source="model")
    assert shares["land", 2050, "model"] == pytest.approx(float(at))
    levels = pd.read_csv(folder / "warming_levels.csv")
    assert set(levels["level"]) <= {1.5, 2.0, 3.0, 4.0}
    assert (levels["votes"] == 5).all()
    assert not (folder / "weights.csv").exists()


def test_the_page_shows_answers_and_reasons(report, study, observations, tmp_path):
    made, silent = asked(report, observations=observations, constraint={})
    shown = Report(**{**report.__dict__, "answers": made, "silent": silent})
    text = page.write(shown, tmp_path).read_text(encoding="utf-8")
    assert "Where the uncertainty comes from" in text
    assert "10 are needed" in text
    assert "5 of 5 models" in text, "of the table of warming levels"
    for name in ("partition_global.png", "warming_levels.png"):
        assert f'src="figures/{name}"' in text
        assert (tmp_path / "figures" / name).stat().st_size > 10_000
