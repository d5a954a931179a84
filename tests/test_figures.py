"""Figures draw the report's own numbers, say what they are, and are made where a report has little to draw."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from synthetic import member

from spread import ensemble, figures
from spread.errors import BadStudy
from spread.report import Report
from spread.study import Study

LONG = {"base_period": (1850, 1900), "periods": ((2081, 2100),)}
SHORT = {"base_period": (2000, 2004), "periods": ((2020, 2024),)}


def runs(study, models, years, regions, member_ids=("r1i1p1f1",), **attrs):
    """Monthly runs of a warming that differs by model, scenario and region; historical runs end where others begin."""
    first, start, last = years
    for m, model in enumerate(models):
        for e, experiment in enumerate(study.all_experiments):
            past = experiment == study.historical
            begin, end = (first, start) if past else (start if study.historical else first, last + 1)
            number = 12 * begin + np.arange(12 * (end - begin))
            trend = (number / 12 - first) / (last - first)
            noise = np.random.default_rng([m, e]).normal(0, 0.2, (number.size, len(regions)))
            values = 280 + (1 + 0.2 * m + e * (trend[:, None] > 0.5)) * trend[:, None] + noise + np.arange(len(regions))
            for member_id in member_ids:
                run = member(model, experiment, member_id, numbers=number, values=values, regions=regions, **attrs)
                yield run.rename(study.variable_id)


def make(models="ABCDE", years=(2000, 2010, 2024), change_runs=list, failures=(), observations=None, **fields):
    """A report of invented runs; ``change_runs`` may spoil them."""
    attrs = {k: fields.pop(k) for k in ("synthetic", "units", "member_ids") if k in fields}
    study = Study.make(**(SHORT | {"experiments": ("ssp126", "ssp585")} | fields))
    regions = tuple(region.name for region in study.regions)
    monthly, yearly, change, found = ensemble.compare(
        change_runs(list(runs(study, models, years, regions, **attrs))), study
    )
    anomalies = ensemble.anomalies(
        yearly, study.base_period, study.anomaly_kind, study.required_years, used=change["change"]
    )
    base = {"base_period": anomalies.attrs["base_period"]}
    statistics = [
        ensemble.across(data, study.votes, study.quantiles, study.ddof).assign_attrs(base)
        for data in (change["change"], anomalies["anomaly"])
    ]
    made = {"created": "2026-01-02T03:04:05+00:00", "spread": "0.1.0", "libraries": {"numpy": "2.2"}}
    return Report(study, monthly, anomalies, change, *statistics, (*failures, *found), made, observations or {})


@pytest.fixture(scope="module")
def small():
    return make()


@pytest.fixture(scope="module")
def century():
    return make(years=(1850, 2015, 2100), regions=["global", "land"], **LONG)


def printed(drawn):
    """The texts of a matplotlib figure, and the figure."""
    import holoviews as hv
    from matplotlib.text import Text

    figure = hv.render(drawn, backend="matplotlib")
    return " | ".join(text.get_text() for text in figure.findobj(Text)), figure


def elements(drawn, kind):
    return [element for element in drawn.traverse(lambda e: e) if type(element).__name__ == kind]


def test_importing_is_cheap():
    heavy = "'holoviews', 'hvplot', 'bokeh', 'matplotlib', 'panel'"
    code = f"import sys, spread.figures, spread.page; print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drawing_loads_no_hvplot():
    """Its import makes a notebook load scripts from the internet, and say in red that it could not."""
    code = "import sys; from spread.figures import drawing; drawing.holoviews(); print('hvplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_the_middle_and_the_band_are_those_of_the_report(small, backend):
    overlay = figures.plume(small, backend=backend)[0]
    drawn = {str(curve.label): curve for curve in elements(overlay, "Curve") if "centre" in curve.vdims}
    assert list(drawn) == ["Historical (5 models)", "SSP1-2.6 (5 models)", "SSP5-8.5 (5 models)"]
    for experiment, name in (("ssp126", "SSP1-2.6 (5 models)"), ("ssp585", "SSP5-8.5 (5 models)")):
        expected = small.plume["quantiles"].sel(
            experiment_id=experiment, season="annual", region="global", quantile=0.5
        )
        years = drawn[name].dimension_values("Year")
        np.testing.assert_array_equal(years, np.arange(2009, 2025))
        np.testing.assert_array_equal(drawn[name].dimension_values("centre"), expected.sel(year=years).values)
        area = next(area for area in elements(overlay, "Area") if area.label == name)
        for column, quantile in (("low", 0.05), ("high", 0.95)):
            at = small.plume["quantiles"].sel(
                experiment_id=experiment, season="annual", region="global", quantile=quantile, year=years
            )
            np.testing.assert_array_equal(area.dimension_values(column), at.values)


def test_the_past_is_drawn_once(small):
    frames = figures.plume_frames(small)
    past = frames.bands[frames.bands["experiment_id"] == "historical"]
    np.testing.assert_array_equal(past["Year"], np.arange(2000, 2010))
    for experiment in ("ssp126", "ssp585"):
        report = small.plume.sel(experiment_id=experiment, season="annual", region="global", year=slice(2000, 2009))
        np.testing.assert_array_equal(past["centre"], report["quantiles"].sel(quantile=0.5))
    lines = frames.lines[frames.lines["Year"] < 2009]
    assert not lines.duplicated(["model", "Year"]).any()


def test_each_model_is_named_on_hover(small):
    import holoviews as hv
    from bokeh.models import HoverTool

    layout = hv.render(figures.plume(small), backend="bokeh")
    tools = [tool for tool in layout.select({"type": HoverTool}) if any("model" in row[1] for row in tool.tooltips)]
    assert {kind for tool in tools for kind in (r.glyph.__class__.__name__ for r in tool.renderers)} == {
        "Line",
        "Scatter",
    }
    named = {name for tool in tools for r in tool.renderers for name in r.data_source.data["model"] if name}
    assert named == set("ABCDE")


def test_each_scenario_is_in_the_legend_with_its_lines_however_many_there_are():
    import holoviews as hv
    from bokeh.models import Legend

    many = ["ssp119", "ssp126", "ssp245", "ssp370", "ssp434", "ssp460", "ssp534-over", "ssp585"]
    layout = hv.render(figures.plume(make(experiments=many)), backend="bokeh")
    items = layout.select_one({"type": Legend}).items
    assert [i.label.value for i in items] == [f"{figures.label(e)} (5 models)" for e in ("historical", *many)]
    assert all([r.glyph.__class__.__name__ for r in i.renderers] == ["Patch", "Line", "Line"] for i in items)


def test_thin_lines_are_the_runs_of_the_report(small):
    lines = figures.plume_frames(small).lines
    run = lines[(lines["model"] == "C") & (lines["experiment_id"] == "ssp585")].set_index("Year")["value"]
    expected = small.yearly["anomaly"].sel(source_id="C", experiment_id="ssp585", season="annual", region="global")
    np.testing.assert_allclose(run, expected.isel(member_id=0).sel(year=run.index), rtol=0, atol=1e-12)


def test_assessed_ranges_stand_only_where_they_apply(century):
    ends = figures.bar_frames(century)
    assert ends.bands.set_index("experiment_id").loc[
        "ssp585", ["assessed_low", "assessed_best", "assessed_high"]
    ].tolist() == [3.3, 4.4, 5.7]
    text, _ = printed(figures.plume(century, backend="matplotlib"))
    assert "grey: assessed, AR6" in text
    assert "CMIP6 models" in text
    elsewhere = figures.bar_frames(century, region="land")
    assert elsewhere.bands["assessed_best"].isna().all()
    text, _ = printed(figures.plume(century, region="land", backend="matplotlib"))
    assert "AR6" not in text


def test_bars_are_the_quantiles_of_the_report(century):
    ends = figures.bar_frames(century, region="land")
    expected = century.across["quantiles"].sel(region="land", season="annual", period="2081-2100")
    for column, quantile in (("low", 0.05), ("centre", 0.5), ("high", 0.95)):
        np.testing.assert_array_equal(ends.bands[column], expected.sel(quantile=quantile))
    assert len(ends.lines) == 10


def test_synthetic_data_say_so_everywhere():
    import holoviews as hv
    from bokeh.models import Title

    report = make(synthetic="true")
    for draw in (figures.plume, figures.bars):
        text, _ = printed(draw(report, backend="matplotlib"))
        assert figures.SYNTHETIC in text
        assert "CMIP6" not in text
        titles = [t.text for t in hv.render(draw(report), backend="bokeh").select({"type": Title})]
        assert figures.SYNTHETIC in titles


def test_real_data_are_not_called_synthetic(small):
    assert "SYNTHETIC" not in printed(figures.plume(small, backend="matplotlib"))[0]


def test_percent_is_on_the_axis_and_in_the_numbers():
    report = make(variable_id="pr", units="kg m-2 s-1")
    assert figures.unit(report) == figures.Unit("%", 1.0)
    assert "Change from 2000-2004 [%]" in printed(figures.plume(report, backend="matplotlib"))[0]


def test_a_water_flux_is_shown_a_day_and_tiny_numbers_with_a_power():
    report = make(
        variable_id="pr",
        units="kg m-2 s-1",
        anomaly="absolute",
        change_runs=lambda members: [1e-5 * m for m in members],
    )
    assert figures.unit(report).name == "mm d⁻¹"
    np.testing.assert_allclose(
        figures.bar_frames(report).bands["centre"], 86400 * report.across["quantiles"].sel(quantile=0.5).values.ravel()
    )
    tiny = make(variable_id="cVeg", units="kg m-2", change_runs=lambda members: [1e-5 * (m - 280) for m in members])
    assert figures.unit(tiny).name == "10⁻⁶ kg m⁻²"
    assert 0.01 < figures.bar_frames(tiny).lines["value"].abs().max() < 1000


def test_one_model_has_no_band():
    report = make(models="A")
    layout = figures.plume(report)
    assert not elements(layout, "Area")
    assert all(len(box) == 0 for box in elements(layout, "Rectangles"))
    assert "SSP1-2.6 (1 model)" in printed(figures.plume(report, backend="matplotlib"))[0]


def test_without_a_past_every_scenario_is_drawn_whole():
    report = make(historical=None, experiments=["abrupt-4xCO2"])
    frames = figures.plume_frames(report)
    assert set(frames.bands["experiment_id"]) == {"abrupt-4xCO2"}
    assert (frames.bands["Year"].min(), frames.bands["Year"].max()) == (2000, 2024)
    assert "Abrupt 4xCO2 (5 models)" in printed(figures.plume(report, backend="matplotlib"))[0]


def test_every_run_has_a_line_where_every_run_has_a_vote():
    report = make(members="all", member_ids=("r1i1p1f1", "r2i1p1f1"))
    lines = figures.plume_frames(report).lines
    assert set(lines["model"]) == {f"{m} r{r}i1p1f1" for m in "ABCDE" for r in (1, 2)}
    assert "SSP1-2.6 (10 runs)" in printed(figures.plume(report, backend="matplotlib"))[0]


def test_years_of_a_few_models_have_no_middle():
    def one_runs_on(members):
        return [m if m.attrs["source_id"] == "A" else m[m["month_number"].values // 12 <= 2021] for m in members]

    report = make(change_runs=one_runs_on, periods=((2016, 2020),))
    frames = figures.plume_frames(report)
    assert report.plume["year"].max() == 2024
    assert frames.bands["Year"].max() == 2021
    asked = make(
        change_runs=one_runs_on, periods=((2016, 2020), (2020, 2024)), incomplete_periods="allow", minimum_years=0.2
    )
    bands = figures.plume_frames(asked).bands
    assert bands["Year"].max() == 2024
    assert bands.loc[bands["Year"] > 2021, ["low", "centre", "high"]].isna().all(axis=None)


def test_a_year_without_numbers_breaks_the_band():
    def lose_2015(members):
        return [m[m["month_number"].values // 12 != 2015] for m in members]

    report = make(change_runs=lose_2015)
    areas = [a for a in elements(figures.plume(report), "Area") if a.label.startswith("SSP5")]
    assert [(a.range("Year")) for a in areas] == [(2009, 2014), (2016, 2024)]
    printed(figures.plume(report, backend="matplotlib"))


def test_observations_are_drawn_in_black():
    report = make(observations={"name": "Thermometers", "year": [2000, 2001, 2002], "anomaly": [0.0, 0.1, 0.3]})
    curve = next(c for c in elements(figures.plume(report), "Curve") if c.label == "Thermometers")
    assert curve.opts.get("style").kwargs["color"] == "black"
    np.testing.assert_array_equal(curve.dimension_values("value"), [0.0, 0.1, 0.3])
    assert "Thermometers" in printed(figures.plume(report, backend="matplotlib"))[0]


def test_a_median_that_was_not_asked_for_is_the_mean():
    report = make(quantiles=[0.1, 0.9])
    frames = figures.plume_frames(report)
    assert frames.centre == "mean"
    text, _ = printed(figures.plume(report, backend="matplotlib"))
    assert "thick: mean, shaded: 10-90 % of models" in text


@pytest.mark.parametrize(("what", "message"), [
    ({"region": "globl"}, r"no region 'globl', did you mean 'global'\?"),
    ({"season": "JJA"}, "no season 'JJA', known: annual"),
    ({"period": "2000-2001"}, "no period '2000-2001'"),
])  # fmt: skip
def test_what_is_not_in_the_report_is_refused(small, what, message):
    for draw in (figures.plume, figures.bars):
        with pytest.raises(BadStudy, match=message):
            draw(small, **what)


@pytest.mark.parametrize("name", ["a_region_with_a_name_that_is_far_longer_than_any_title_that_fits_on_one_line_of_it"])
def test_nothing_printed_is_cut_or_covers_something(name):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    box = {"name": name, "lat": [0, 10], "lon": [0, 20]}
    report = make(
        regions=[box], seasons=["SON"], synthetic="true", experiments=["ssp119", "ssp126", "ssp245", "ssp370", "ssp585"]
    )
    _, figure = printed(figures.plume(report, backend="matplotlib"))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    assert tuple(figure.get_size_inches()) > (9.5, 5.0)
    level = [*figure.texts, *figure.legends, *(axes.xaxis.label for axes in figure.axes)]
    level += [axes._left_title for axes in figure.axes] + [axes.yaxis.label for axes in figure.axes]
    level = [artist.get_window_extent(renderer) for artist in level]
    turned = [text.get_window_extent(renderer) for axes in figure.axes for text in axes.get_xticklabels()]
    for box in level + turned:
        assert box.width < 2 or (box.x0 >= 0 and box.y0 >= 0), box
        assert box.x1 <= figure.bbox.x1, box
        assert box.y1 <= figure.bbox.y1, box
    crossing = [(a, b) for n, a in enumerate(level) for b in level[:n] if a.width > 1 < b.width and a.overlaps(b)]
    assert not crossing
    legend = figure.legends[0].get_window_extent(renderer)
    assert not any(legend.overlaps(a.get_window_extent(renderer)) for a in figure.axes)


def test_saved_files_are_there_and_need_no_network(tmp_path, monkeypatch):
    from PIL import Image

    from spread.figures import files

    monkeypatch.setattr(files, "MAXIMUM_INTERACTIVE", 1)
    report = make(regions=[{"name": name, "lat": [0, 10], "lon": [0, 20]} for name in ("a b", "a+b")])
    records = figures.save(report, tmp_path / "figures")
    assert [(r["region"], r["season"]) for r in records] == [("a b", "annual"), ("a+b", "annual")]
    assert len({r["png"] for r in records}) == 2
    assert [bool(r["html"]) for r in records] == [True, False]
    with Image.open(tmp_path / "figures" / records[0]["png"]) as image:
        assert image.width == 1440
        assert image.text["Title"] == "Near-surface air temperature: a b, annual mean"
    text = (tmp_path / "figures" / records[0]["html"]).read_text()
    library = text.split('<script src="')[1].split('"')[0]
    assert (tmp_path / "figures" / library).stat().st_size > 1e6
    assert "cdn" not in text.lower()
    assert text.count("<script src=") == 1


def test_at_most_twelve_figures_annual_first(monkeypatch, small, tmp_path):
    from spread.figures import files

    drawn = []
    monkeypatch.setattr(files, "_write_printed", lambda report, region, season, *rest: drawn.append((region, season)))
    monkeypatch.setattr(files, "_write_interactive", lambda *rest: None)
    names = ["global", "land", "ocean", "tropics", "arctic", "northern_hemisphere", "southern_hemisphere"]
    study = Study.make(**SHORT, regions=names, seasons=["JJA", "annual"])
    records = figures.save(Report(study, *[small.members] * 5, ()), tmp_path)
    assert len(records) == len(drawn) == 12
    assert drawn[:7] == [(n, "annual") for n in names]
    assert records[0]["call"] == "spread.figures.plume(spread.Report.load('.'), region='global', season='annual')"


def test_the_call_remakes_the_figure(small, tmp_path):
    import spread
    import spread.figures

    small.save(tmp_path / "report")
    layout = eval(figures.call("global", "annual", str(tmp_path / "report")), {"spread": spread})
    assert len(elements(layout, "Overlay")) == 2


def test_models_that_lack_a_scenario_are_in_the_past():
    def lack(members):
        return [m for m in members if (m.attrs["source_id"], m.attrs["experiment_id"]) != ("A", "ssp126")]

    bands = figures.plume_frames(make(change_runs=lack, require_all_experiments=False)).bands
    counts = bands.groupby("experiment_id")["count"].max()
    assert counts.to_dict() == {"historical": 5, "ssp126": 4, "ssp585": 5}


def test_frames_are_plain_tables(small):
    assert all(isinstance(table, pd.DataFrame) for table in figures.plume_frames(small)[:2])
    assert isinstance(small.plume, xr.Dataset)
