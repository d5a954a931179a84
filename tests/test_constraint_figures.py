"""Figures of weights and of constrained ranges draw the numbers of their datasets, and say what they are."""

import numpy as np
import pytest
import xarray as xr

from spread import figures
from spread.ensemble import Predictor, by_member, climwip, constrain, democracy
from spread.ensemble.assessed import AssessedRange
from spread.errors import BadStudy

BACKENDS = ["bokeh", "matplotlib"]
ASSESSED = {"ssp126": AssessedRange(1.0, 0.5, 1.5), "ssp585": AssessedRange(3.5, 2.5, 4.8)}


def invented(number=12, experiments=("ssp126", "ssp245", "ssp585"), unrelated=(), synthetic="true"):
    rng = np.random.default_rng(3)
    x = rng.normal(0.25, 0.05, number)
    labels = {"source_id": [f"MODEL-{k}" for k in range(number)]}
    trend = xr.DataArray(x, labels, "source_id", attrs={"units": "K per decade", "years": "1981-2017"})
    parts = [
        rng.normal(2, 0.5, number) if e in unrelated else (k + 1) * 4 * x + rng.normal(0, 0.1, number)
        for k, e in enumerate(experiments)
    ]
    attrs = {"units": "K", "synthetic": synthetic, "base_period": "1995-2014"}
    change = xr.DataArray(
        parts, {"experiment_id": list(experiments)} | labels, ("experiment_id", "source_id"), attrs=attrs
    )
    return trend, change


def constraint(**values):
    return constrain(*invented(**values), Predictor(0.2, 0.01, 0.02))


def weights(number=12, **values):
    trend, change = invented(number, **values)
    lacking = change.isel(experiment_id=0, drop=True).where(change["source_id"] != "MODEL-3")
    return climwip({"change": lacking, "trend": trend}, {"trend": trend[0].copy(data=0.2)}, 0.8, 0.5)


def elements(drawn, kind):
    return [element for element in drawn.traverse(lambda e: e) if type(element).__name__ == kind]


def printed(drawn):
    import holoviews as hv
    from matplotlib.text import Text

    figure = hv.render(drawn, backend="matplotlib")
    return " | ".join(text.get_text() for text in figure.findobj(Text)), figure


def shown(drawn):
    import holoviews as hv
    from bokeh.models import Title

    figure = hv.render(drawn, backend="bokeh")
    return " | ".join(title.text for title in figure.select({"type": Title})), figure


@pytest.mark.parametrize("backend", BACKENDS)
def test_bars_are_the_weights_in_equal_votes_and_the_largest_is_on_top(backend):
    w = weights()
    overlay = figures.model_weights(w, backend)
    box = elements(overlay, "Rectangles")[0]
    drawn = dict(zip(box.dimension_values("model"), box.dimension_values("right"), strict=True))
    for model in w["source_id"].values:
        assert drawn[model] == pytest.approx(11 * float(w.sel(source_id=model)))
    middles = 0.5 * (box.dimension_values("bottom") + box.dimension_values("top"))
    assert (np.diff(box.dimension_values("right")[np.argsort(middles)]) >= 0).all()
    points = {points.label: points for points in elements(overlay, "Points")}
    assert list(points) == ["performance alone", "independence alone"]
    for name in ("performance", "independence"):
        x = points[f"{name} alone"].dimension_values("x")
        np.testing.assert_allclose(np.sort(x), np.sort(11 * w[name].values[w[name].values > 0]))
        assert x.size == 11


def test_a_model_that_could_not_be_judged_is_named_so_and_is_not_counted():
    text, _ = printed(figures.model_weights(weights(), "matplotlib"))
    assert "Weights of 11 models" in text
    assert "MODEL-3 (no diagnostic)" in text


@pytest.mark.parametrize("scheme", [democracy, by_member])
def test_equal_votes_have_bars_only(scheme):
    trend, _ = invented(5)
    overlay = figures.model_weights(scheme(trend.expand_dims(member_id=["r1", "r2"])), "matplotlib")
    assert elements(overlay, "Points") == []
    np.testing.assert_allclose(elements(overlay, "Rectangles")[0].dimension_values("right"), 1.0)
    text, figure = printed(overlay)
    assert "Effective number of models: 5.0" in text
    assert figure.legends == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_ranges_are_the_quantiles_of_the_constraint(backend):
    found = constraint()
    overlay = figures.constrained_ranges(found, ASSESSED, backend)
    box = elements(overlay, "Rectangles")[0]
    columns = [box.dimension_values(name) for name in ("scenario", "estimate", "low", "high", "centre")]
    drawn = {(scenario, estimate): tuple(ends) for scenario, estimate, *ends in zip(*columns, strict=True)}
    for experiment in found["experiment_id"].values:
        for estimate in ("raw", "constrained"):
            at = found["quantiles"].sel(experiment_id=experiment, estimate=estimate)
            expected = [float(at.sel(quantile=q)) for q in (0.05, 0.95, 0.5)]
            np.testing.assert_allclose(drawn[figures.label(experiment), estimate], expected)
    assert drawn["SSP5-8.5", "assessed"] == (2.5, 4.8, 3.5)
    assert ("SSP2-4.5", "assessed") not in drawn
    assert len(drawn) == 8


def test_bars_of_a_scenario_stand_side_by_side():
    for assessed in (None, ASSESSED):
        box = elements(figures.constrained_ranges(constraint(), assessed, "matplotlib"), "Rectangles")[0]
        left, right = np.sort(box.dimension_values("left")), np.sort(box.dimension_values("right"))
        assert (left[1:] > right[:-1]).all()


def test_a_scenario_that_is_not_constrained_says_so():
    found = constraint(unrelated=("ssp245",))
    for backend in BACKENDS:
        overlay = figures.constrained_ranges(found, None, backend)
        assert elements(overlay, "Labels")[0].dimension_values("text").tolist() == ["not constrained"]
        assert len(elements(overlay, "Rectangles")[0]) == 5
    assert "not constrained" not in printed(figures.constrained_ranges(constraint(), None, "matplotlib"))[0]


def test_a_mean_stands_where_no_median_was_asked():
    found = constrain(*invented(), Predictor(0.2, 0.01, 0.02), quantiles=(0.17, 0.83))
    frame = figures.range_frame(found)
    np.testing.assert_allclose(frame["centre"], found["mean"].transpose("experiment_id", "estimate").values.ravel())
    assert "Bars: 17-83 %" in printed(figures.constrained_ranges(found, None, "matplotlib"))[0]


@pytest.mark.parametrize("said", [printed, shown])
def test_figures_say_what_they_are_and_that_data_are_synthetic(said):
    backend = "matplotlib" if said is printed else "bokeh"
    ranges = said(figures.constrained_ranges(constraint(), ASSESSED, backend))[0].replace("\n", " ")
    assert figures.SYNTHETIC in ranges
    assert "12 models" in ranges
    assert "trend 1981-2017 (0.20 K per decade)" in ranges
    assert "grey: assessed" in ranges
    assert figures.SYNTHETIC in said(figures.model_weights(weights(), backend))[0]
    assert figures.SYNTHETIC not in said(figures.constrained_ranges(constraint(synthetic="false"), None, backend))[0]
    text = said(figures.model_weights(weights(), backend))[0].replace("\n", " ")
    assert "σ_D = 0.8, σ_S = 0.5" in text
    assert "by performance and independence" in text


def test_the_unit_and_the_base_are_on_the_axis():
    _, figure = printed(figures.constrained_ranges(constraint(), None, "matplotlib"))
    assert figure.axes[0].get_ylabel() == "Change from 1995-2014 [K]"
    _, figure = shown(figures.constrained_ranges(constraint(), None))
    assert figure.yaxis.axis_label == "Change from 1995-2014 [K]"


def test_a_model_and_a_range_are_told_on_hover():
    from bokeh.models import HoverTool

    for overlay, word in (
        (figures.model_weights(weights()), "model"),
        (figures.constrained_ranges(constraint()), "bar"),
    ):
        _, figure = shown(overlay)
        assert any(word in row[0] for tool in figure.select({"type": HoverTool}) for row in tool.tooltips)


@pytest.mark.parametrize("count", [3, 60])
def test_nothing_printed_is_cut_or_covers_something(count):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    many = ("ssp119", "ssp126", "ssp245", "ssp370", "ssp434", "ssp460", "ssp585")
    drawn = [
        figures.model_weights(weights(max(count, 4)), "matplotlib"),
        figures.constrained_ranges(constraint(experiments=many if count > 3 else ("ssp585",)), ASSESSED, "matplotlib"),
    ]
    for overlay in drawn:
        _, figure = printed(overlay)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        axes = figure.axes[0]
        low, high = axes.get_ylim()  # matplotlib keeps labels beyond the limits, and does not draw them
        ticks = [*axes.get_xticklabels(), *(t for t in axes.get_yticklabels() if low <= t.get_position()[1] <= high)]
        level = [*figure.texts, *figure.legends, *(t for t in (axes.xaxis.label, axes.yaxis.label) if t.get_text())]
        boxes = [artist.get_window_extent(renderer) for artist in level]
        for box in boxes + [tick.get_window_extent(renderer) for tick in ticks]:
            assert box.width < 2 or (box.x0 >= 0 and box.y0 >= 0), box
            assert box.x1 <= figure.bbox.x1 + 1, box
            assert box.y1 <= figure.bbox.y1, box
        assert not [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]
        assert not any(box.overlaps(axes.get_window_extent(renderer)) for box in boxes)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figures.model_weights(xr.DataArray([1.0], dims="region")), "expected source_id"),
        (lambda: figures.weight_frame(weights().expand_dims(period=["x"])), "got period, source_id"),
        (lambda: figures.range_frame(constraint().expand_dims(period=["a", "b"])), "select one period"),
        (lambda: figures.range_frame(constraint().isel(quantile=[0])), "ask for at least two quantiles"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, said):
    with pytest.raises(BadStudy, match=said):
        make()


def test_one_experiment_without_a_label_is_drawn():
    trend, change = invented()
    found = constrain(trend, change.isel(experiment_id=0, drop=True), Predictor(0.2, 0.01, 0.02))
    assert figures.range_frame(found)["estimate"].tolist() == ["raw", "constrained"]
    printed(figures.constrained_ranges(found, None, "matplotlib"))
    assert len(figures.range_frame(constraint().expand_dims(period=["2081-2100"]))) == 6
