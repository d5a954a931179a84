"""Words, files and Python of a view speak of the numbers that it shows: their period, base, votes, unit and model."""

from io import BytesIO

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

from dashboards.definitions import redefined
from dashboards.results import Shelf
from dashboards.serving import taking
from dashboards.session import Session
from spread.figures import findings
from spread.figures.maps import change_maps, judged
from spread.report import Report


@pytest.fixture(scope="module")
def report(small_report):
    return Report.load(small_report)


@pytest.fixture
def session(small_report):
    return Session(Shelf([small_report]), "light", {}, [])


def shown(session, **choices):
    session.choose(**choices)
    assert session.status.object == "", session.status.object
    return session.view()


def model_means(report, period=0):
    """Change of each model [K], global and annual, a row a scenario."""
    change = report.change["change"].sel(region="global", season="annual").isel(period=period)
    return change.mean("member_id").transpose("experiment_id", "source_id")


@pytest.mark.parametrize("base", [(1850, 1900), (1995, 2014)])
def test_weighted_and_unweighted_means_are_of_one_definition(report, base):
    found = redefined(report, base, "models")
    answer = found.answers["weights"]
    weights = answer["weights"]
    weights = (weights.sum("member_id") if "member_id" in weights.dims else weights).sel(
        source_id=found.change["source_id"]
    )
    each = model_means(found)
    there = each.notnull() & (weights > 0)
    weighted = (each * weights).where(there).sum("source_id") / weights.where(there).sum("source_id")
    got = answer["mean"].sel(region="global", season="annual").isel(period=0)
    np.testing.assert_allclose(got.values, weighted.values, rtol=1e-6)
    said = findings.weights(found)
    for name, once, by_weight in zip(
        each["experiment_id"].values, each.mean("source_id").values, weighted.values, strict=True
    ):
        assert f"{once:.2f} K each model once, {by_weight:.2f} K weighted" in said, (name, said)
    assert f"against {base[0]}-{base[1]}" in said
    assert ("were made with 1850-1900 as base" in said) == (base != (1850, 1900))


def test_under_weighted_votes_the_first_number_is_unweighted(report):
    found = redefined(report, votes="weighted")
    low = model_means(found).mean("source_id").sel(experiment_id="ssp585")
    said = findings.weights(found)
    assert f"SSP5-8.5 {float(low):.2f} K each model once" in said
    assert float(found.answers["weights"]["mean"].sel(experiment_id="ssp585", region="global", season="annual").isel(
        period=0)) != pytest.approx(float(low), abs=5e-3)  # fmt: skip


@pytest.mark.parametrize("period", ["2041-2060", "2081-2100"])
def test_a_constraint_names_its_period_and_the_python_draws_the_same(
    session, report, small_report, period, monkeypatch
):
    view = shown(session, view="why", answer="constraint", period=period)
    assert "period" in view.needs(session.state)
    assert f"Change by {period} against 1850-1900" in view.head.object
    quantiles = report.answers["constraint"]["quantiles"].sel(period=period, experiment_id="ssp585")
    low, high = (float(quantiles.sel(estimate="constrained").isel(quantile=q)) for q in (0, -1))
    assert f"{low:.1f} to {high:.1f} K constrained" in view.head.object
    monkeypatch.chdir(small_report.parent)
    *lines, last = view.call().split("\n")
    names = {}
    exec("\n".join(lines), names)
    drawn, expected = eval(last, names), view.picture()
    assert drawn.Rectangles.I.data["low"].tolist() == expected.Rectangles.I.data["low"].tolist()
    assert ("assessed" in drawn.Rectangles.I.data["estimate"].tolist()) == (period == "2081-2100")


def test_a_constrained_range_is_of_models(session, report):
    view = shown(session, view="spread", range="constrained", votes="runs", region="global", season="annual")
    runs = int(report.across["count"].max())
    models = int(report.answers["constraint"]["count"].max())
    assert runs > models
    assert view.head.object.count(f"{models} models") == 1 + len(report.across["experiment_id"])  # and on each card
    assert f"{runs} runs" not in view.head.object
    assert "The constrained range (5-95 %) is widest under" in view.head.object
    assert "They disagree most" not in view.head.object
    assert f"{runs} runs" in shown(session, range="raw").head.object


@pytest.mark.parametrize("answer", ["partition", "warming_levels", "constraint"])
def test_who_has_no_weight_is_said(session, answer):
    assert "equal votes" not in shown(session, view="why", answer=answer, votes="models").head.object
    assert "equal votes" in shown(session, votes="weighted").head.object


def test_numbers_of_files_have_units(session):
    view = shown(session, view="spread", votes="weighted")
    with xr.open_dataset(BytesIO(taking.content(view, "nc")), engine="scipy", decode_times=False) as data:
        units = {name: data[name].attrs.get("units") for name in data.data_vars}
    assert set(units) >= {"anomaly", "period_mean", "yearly_quantiles", "yearly_count", "period_effective_number"}
    assert {name for name, unit in units.items() if unit == "1"} == {
        "yearly_count", "period_count", "yearly_effective_number", "period_effective_number"
    }  # fmt: skip
    assert set(units.values()) == {"K", "1"}


def test_a_map_of_one_model_is_that_model_on_paper_too(session, report, small_report, monkeypatch):
    view = shown(session, view="maps", moment="2081-2100", scenario="ssp585", model="CanESM5")
    title = " ".join(axes.get_title(loc="left") for axes in view.picture().axes)
    assert "CanESM5" in title
    assert "models" not in title
    monkeypatch.chdir(small_report.parent)
    *lines, last = view.call().split("\n")
    names = {}
    exec("\n".join(lines), names)
    figure = eval(last, names)
    drawn = [axes.collections[0].get_array().compressed() for axes in figure.axes if axes.get_title(loc="left")]
    own = report.maps["change"].sel(period="2081-2100", season="annual", source_id="CanESM5").mean("member_id")
    np.testing.assert_allclose(
        sorted(drawn[-1]), np.sort(own.sel(experiment_id=own["experiment_id"].values[-1]).values.ravel()), rtol=1e-5
    )
    with pytest.raises(Exception, match="no model 'CanESM6', did you mean 'CanESM5'"):
        change_maps(report, model="CanESM6")


def test_the_csv_of_maps_has_the_unit_of_the_page(session):
    view = shown(session, view="maps", moment="2081-2100", scenario="ssp585")
    table, maps = view.table(), view._shown()
    assert set(table["units"]) == {"K"}
    np.testing.assert_allclose(table["mean"].to_numpy(), maps["mean"].to_dataframe()["mean"].to_numpy())


def test_cells_that_cannot_be_judged_are_not_called_robust(report):
    maps = report.maps.sel(period="2081-2100", season="annual", experiment_id="ssp585").load()
    assert judged(maps) == "Mean change, hatched where it is not robust"
    none = maps.assign(robustness=xr.zeros_like(maps["robustness"]).assign_attrs(maps["robustness"].attrs))
    assert judged(none) == "Mean change; too few models or years to judge how robust it is"
    some = none["robustness"].where(maps["lat"] < 0, maps["robustness"]).assign_attrs(maps["robustness"].attrs)
    assert judged(maps.assign(robustness=some)).endswith("(50 % of cells: too few models)")
