"""Timelines of warming levels and Gregory plots draw the numbers they are given, and say what they are."""

import numpy as np
import pytest
import xarray as xr

from spread import figures
from spread.ensemble import across_warming_levels, gregory, warming_levels
from spread.errors import BadStudy


def levels(models=5, experiments=("ssp126", "ssp585"), rates=(0.012, 0.03), **attrs):
    """Crossings of invented ramps."""
    years = np.arange(1850, 2101)
    values = np.zeros((models, len(experiments), years.size))
    for model in range(models):
        for experiment in range(len(experiments)):
            rate = rates[experiment] * (0.7 + 0.15 * model)
            values[model, experiment] = np.maximum(0.0, rate * (years - 1960 - 3 * model))
    coords = {"source_id": [f"M{m}" for m in range(models)], "experiment_id": list(experiments), "year": years}
    return warming_levels(xr.DataArray(values, coords, ("source_id", "experiment_id", "year"), attrs=attrs))


def sensitivities(models=8, **attrs):
    """Regressions of invented runs; the last one has too little incoming radiation."""
    rng = np.random.default_rng(5)
    coords = {"source_id": [f"M{m}" for m in range(models)], "year": np.arange(1, 151)}
    feedback = -np.linspace(0.7, 1.5, models)[:, None]
    warming = -7.0 / feedback * (1 - np.exp(feedback * np.arange(0.5, 150) / 8))
    warming = warming + rng.normal(0, 0.05, warming.shape)
    dims = ("source_id", "year")
    tas = xr.DataArray(287.0 + warming, coords, dims, attrs=attrs)
    net = xr.DataArray(7.0 + feedback * warming + rng.normal(0, 0.2, warming.shape), coords, dims)
    rsdt = xr.full_like(tas, 340.2)
    rsdt[-1] = 238.0
    return gregory(tas, net, xr.full_like(tas, 287.0), xr.full_like(net, 0.0), rsdt=rsdt)


def elements(drawn, kind):
    return [element for element in drawn.traverse(lambda e: e) if type(element).__name__ == kind]


def printed(drawn):
    import holoviews as hv
    from matplotlib.text import Text

    figure = hv.render(drawn, backend="matplotlib")
    return " | ".join(text.get_text() for text in figure.findobj(Text)), figure


def on_screen(drawn):
    import holoviews as hv
    from bokeh.models import Title

    figure = hv.render(drawn, backend="bokeh")
    return " | ".join(title.text for title in figure.select({"type": Title})), figure


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_a_timeline_draws_the_years_and_quantiles_of_the_ensemble(backend):
    crossings = levels()
    drawn = figures.warming_level_timeline(crossings, backend, synthetic=False)
    statistics = across_warming_levels(crossings)
    dots = next(p for p in elements(drawn, "Points") if "model" in p.vdims)
    expected = crossings["central_year"].values
    np.testing.assert_array_equal(np.sort(dots.dimension_values("year")), np.sort(expected[np.isfinite(expected)]))
    middle = statistics["quantiles"].sel(quantile=0.5).values
    ticks = elements(drawn, "Segments")[0].dimension_values("centre")
    np.testing.assert_array_equal(np.sort(ticks), np.sort(middle[np.isfinite(middle)]))
    box = elements(drawn, "Rectangles")[0]
    for level, low, right in zip(*(box.dimension_values(d) for d in ("level", "low", "right")), strict=True):
        one = statistics.sel(level=level)["quantiles"]
        row = one.isel(experiment_id=int(np.flatnonzero(one.sel(quantile=0.05).values == low)[0]))
        high = float(row.sel(quantile=0.95))
        assert right == (2091.0 if np.isnan(high) else high)
    texts = set(elements(drawn, "Labels")[0].dimension_values("text"))
    shares = {
        (int(r), int(n))
        for r, n in zip(statistics["reached"].values.flat, statistics["count"].values.flat, strict=True)
    }
    assert texts == {f"all {n}" if r == n else f"{r} of {n}" for r, n in shares} | {"pass"}
    assert any(0 < r < n for r, n in shares)
    assert any(r == 0 for r, n in shares)


def test_a_timeline_of_runs_and_of_one_experiment():
    one = levels().sel(experiment_id="ssp585")
    two = xr.concat([one, one], xr.Variable("member_id", ["r1", "r2"]))
    frames = figures.timeline_frames(two, members="all")
    assert set(frames.rows["experiment_id"]) == {"ssp585"}
    assert set(frames.rows["count"]) == {10}
    assert "M0 r2" in set(frames.dots["model"])
    text, _ = printed(figures.warming_level_timeline(two, "matplotlib", members="all", synthetic=False))
    assert "When runs pass" in text
    first = figures.timeline_frames(one, year="first_year")
    assert first.end == 2081
    bare = one.drop_vars("experiment_id")
    assert set(figures.timeline_frames(bare).rows["experiment_id"]) == {""}
    assert elements(figures.warming_level_timeline(bare, synthetic=False), "Points")


@pytest.mark.parametrize("make", [
    lambda **said: figures.warming_level_timeline(levels(), **said),
    lambda **said: figures.gregory_plot(sensitivities(), **said),
])  # fmt: skip
def test_synthetic_data_say_so_and_silence_is_refused(make):
    assert figures.SYNTHETIC in printed(make(backend="matplotlib", synthetic=True))[0]
    assert figures.SYNTHETIC in on_screen(make(synthetic=True))[0]
    assert figures.SYNTHETIC not in printed(make(backend="matplotlib", synthetic=False))[0]
    assert figures.SYNTHETIC not in on_screen(make(synthetic=False))[0]
    with pytest.raises(BadStudy, match="whether they are synthetic"):
        make()


def test_data_that_say_they_are_synthetic_are_believed():
    for drawn in (figures.warming_level_timeline(levels(synthetic="true"), "matplotlib", synthetic=False),
                  figures.gregory_plot(sensitivities(synthetic="true"), backend="matplotlib")):  # fmt: skip
        assert figures.SYNTHETIC in printed(drawn)[0]


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_a_gregory_plot_draws_the_years_and_the_line_that_was_fitted(backend):
    found = sensitivities()
    drawn = figures.gregory_plot(found, ["M1", "M3"], backend, synthetic=False)
    dots = [p for p in elements(drawn, "Points") if "year" in p.vdims]
    assert [p.dimension_values("model")[0] for p in dots] == ["M1", "M3"]  # the most sensitive first
    lines = elements(drawn, "Curve")
    for model, points, line in zip(("M1", "M3"), dots, lines, strict=True):
        one = found.sel(source_id=model)
        np.testing.assert_array_equal(points.dimension_values("warming"), one["warming"])
        np.testing.assert_array_equal(points.dimension_values("imbalance"), one["imbalance"])
        x, y = line.dimension_values(0), line.dimension_values(1)
        np.testing.assert_allclose(x, [0.0, 2 * one["ecs"]])
        np.testing.assert_allclose(y, [2 * one["erf_2x"], 0.0], atol=1e-12)


def test_the_legend_says_ecs_and_why_there_is_none():
    found = sensitivities()
    drawn = figures.gregory_plot(found, ["M0", "M7"], "matplotlib", synthetic=False)
    text, figure = printed(drawn)
    assert f"M0: ECS {float(found['ecs'][0]):.2f} ± {float(found['ecs_se'][0]):.2f} K" in text
    assert "M7: no ECS, rsdt is 238.0 W m⁻²" in text
    assert "2 × ECS" in text
    assert [line.get_linestyle() for line in figure.axes[0].get_lines()].count("--") == 1
    from bokeh.models import Legend

    _, screen = on_screen(figures.gregory_plot(found, ["M0", "M7"], synthetic=False))
    assert [item.label.value.split(":")[0] for item in screen.select_one({"type": Legend}).items] == ["M0", "M7"]


def test_a_few_models_are_chosen_evenly_and_it_is_said():
    frames = figures.gregory_frames(sensitivities())
    assert frames.models == 7
    assert len(frames.lines) == 6
    assert {"M0", "M6"} <= set(frames.lines["model"])
    assert "M7" not in set(frames.lines["model"])
    assert "6 of 7 models" in printed(figures.gregory_plot(sensitivities(), backend="matplotlib", synthetic=False))[
        0
    ].replace("\n", " ")
    assert len(figures.gregory_frames(sensitivities(3)).lines) == 2
    members = sensitivities().expand_dims(member_id=["r1", "r2"]).copy(deep=True)
    members["ecs"][0, 0] = np.nan
    frames = figures.gregory_frames(members, ["M0"])
    assert np.isfinite(frames.lines["ecs"][0])


def test_what_cannot_be_drawn_is_refused():
    found, crossings = sensitivities(), levels()
    with pytest.raises(BadStudy, match="no fit of M99"):
        figures.gregory_plot(found, ["M99"], synthetic=False)
    with pytest.raises(BadStudy, match="1 to 6 models with a fit, got 7"):
        figures.gregory_plot(found, [f"M{m}" for m in range(7)], synthetic=False)
    with pytest.raises(BadStudy, match="1 to 6 models with a fit, got 0"):
        figures.gregory_plot(found.where(False), synthetic=False)
    with pytest.raises(BadStudy, match="expected source_id and member_id"):
        figures.gregory_plot(found.expand_dims(region=["global"]), synthetic=False)
    with pytest.raises(BadStudy, match=r"choose the others with \.sel"):
        figures.warming_level_timeline(crossings.expand_dims(region=["global"]), synthetic=False)
    with pytest.raises(BadStudy, match="three quantiles"):
        figures.warming_level_timeline(crossings, quantiles=(0.5,), synthetic=False)
    with pytest.raises(BadStudy, match="no run can be judged"):
        figures.warming_level_timeline(crossings.assign(computable=crossings["computable"] & False), synthetic=False)


def test_a_figure_of_levels_that_nobody_reaches_can_be_drawn():
    crossings = levels(2, rates=(0.001, 0.002))
    text, _ = printed(figures.warming_level_timeline(crossings, "matplotlib", synthetic=False))
    assert "0 of 2" in text
    assert on_screen(figures.warming_level_timeline(crossings, synthetic=False))[1] is not None
