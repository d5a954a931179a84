"""Overlays and layouts: what stands where, in which colour, and what appears on hover."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spread.figures import printing
from spread.figures.frames import Frames, bar_frames, limits, observed, one_of, plume_frames, simulated
from spread.figures.words import (
    ASSESSED_COLOUR,
    SYNTHETIC,
    WARNING_COLOUR,
    Words,
    colour,
    label,
    simulated_style,
    unit,
    voters,
)
from spread.report import Report

if TYPE_CHECKING:
    import holoviews as hv

Backend = Literal["bokeh", "matplotlib"]

# a click on a scenario takes its lines and its band away; above the limit HoloViews would drop some of them
_LEGEND: dict[str, Any] = {
    "legend_position": "bottom", "legend_cols": 2, "legend_opts": {"click_policy": "hide"}, "legend_limit": 1000,
}  # fmt: skip


def plume(
    report: Report,
    region: str | None = None,
    season: str | None = None,
    backend: Backend = "bokeh",
    period: str | None = None,
) -> hv.Layout:
    """Draw yearly anomalies by scenario, and beside them on the same axis the spread of a period.

    Parameters
    ----------
    report : Report
        The report.
    region, season, period : str, optional
        Which of its regions, seasons and periods; the first by default.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.

    Returns
    -------
    holoviews.Layout
        Two overlays side by side.

    Raises
    ------
    BadStudy
        If the report has no such region, season or period.
    """
    hv = holoviews()
    frames, ends = plume_frames(report, region, season), bar_frames(report, region, season, period)
    words = _words(report, region, season, period, ends)
    runs = simulated(report, region, season)
    ylim = limits(frames, ends, observed(report), *(table for _, table in runs))
    left = _plume_overlay(report, frames, backend, runs).opts(backend=backend, ylim=ylim)
    right = _bar_overlay(report, ends, backend).opts(backend=backend, ylim=ylim)
    if backend == "bokeh":
        left = left.opts(frame_width=460, **_LEGEND, **_on_screen(words, "plume"))
        return hv.Layout([left, right.opts(frame_width=_width(ends), **_on_screen(words, "bars"))]).cols(2)
    size = printing.paper(words, frames, len(runs))
    left = left.opts(
        backend=backend, show_legend=False, hooks=[printing.plume(words, frames, [name for name, _ in runs])]
    )
    right = right.opts(backend=backend, show_legend=False, hooks=[printing.bars(words, size, beside=True)])
    layout = hv.Layout([left, right]).cols(2)
    return layout.opts(backend=backend, fig_inches=(size.width, size.height), sublabel_format="")


def bars(
    report: Report,
    region: str | None = None,
    season: str | None = None,
    backend: Backend = "bokeh",
    period: str | None = None,
) -> hv.Overlay:
    """Draw the spread of a period by scenario, each model as a dot, beside the ranges that AR6 assessed.

    Parameters
    ----------
    report, region, season, backend, period
        As in :func:`plume`.

    Returns
    -------
    holoviews.Overlay
        The right half of :func:`plume`, alone.

    Raises
    ------
    BadStudy
        If the report has no such region, season or period.
    """
    ends = bar_frames(report, region, season, period)
    words = _words(report, region, season, period, ends)
    overlay = _bar_overlay(report, ends, backend).opts(backend=backend, ylim=limits(ends))
    if backend == "bokeh":
        return overlay.opts(frame_width=max(520, _width(ends)), **_on_screen(words, "alone"))
    size = printing.paper(words)
    hooks = [printing.bars(words, size, beside=False)]
    return overlay.opts(backend=backend, show_legend=False, fig_inches=(size.width, size.height), hooks=hooks)


def holoviews() -> Any:
    """HoloViews, with both backends at hand; imported here because it takes seconds.

    Not hvPlot: its import loads scripts from the internet into a notebook, whatever the notebook asked for.
    """
    import holoviews
    import holoviews.plotting.bokeh
    import holoviews.plotting.mpl

    return holoviews


def _words(report: Report, region: str | None, season: str | None, period: str | None, ends: Frames) -> Words:
    return Words(
        report,
        one_of(report, "region", region),
        one_of(report, "season", season),
        one_of(report, "period", period),
        ends.centre,
        bool(ends.bands["assessed_best"].notna().any()),
    )


def _line(backend: Backend, width: float, paint: str) -> dict[str, Any]:
    return {"backend": backend, "color": paint, "line_width" if backend == "bokeh" else "linewidth": width}


def _plume_overlay(
    report: Report, frames: Frames, backend: Backend, land: Sequence[tuple[str, pd.DataFrame]] = ()
) -> hv.Overlay:
    """Bands below, models above them, the middle on top: what is read first covers the rest."""
    hv = holoviews()
    areas, threads, middles = [], [], []
    for experiment, band in frames.bands.groupby("experiment_id", sort=False):
        paint, scenario = colour(report, str(experiment)), label(str(experiment))
        name = f"{scenario} ({voters(report, int(band['count'].max()))})"
        areas += [_area(hv.Area(piece, "Year", ["low", "high"], label=name), paint, backend) for piece in _pieces(band)]
        runs = _broken(frames.lines[frames.lines["experiment_id"] == experiment]).assign(scenario=scenario)
        thread = hv.Curve(runs, "Year", ["value", "model", "scenario"], label=name)
        threads.append(_thread(thread, paint, report, backend))
        middle = band.assign(scenario=scenario).dropna(subset="centre")
        curve = hv.Curve(middle, "Year", ["centre", "low", "high", "count", "scenario"], label=name)
        middles.append(_middle(curve, paint, report, frames.centre, backend))
    series = observed(report)
    if len(series):
        curve = hv.Curve(series, "Year", "value", label=report.observations["name"])
        middles.append(curve.opts(**_line(backend, 1.5, "black")))
    for number, (name, table) in enumerate(land):
        middles += _simulated(name, table, number, backend)
    zero = hv.HLine(0).opts(**_line(backend, 0.8, "#333333"))
    years = pd.concat([frames.lines["Year"], series["Year"]])
    xlim = (float(years.min()) - 3, float(years.max()) + 3)
    return hv.Overlay([zero, *areas, *threads, *middles]).opts(backend=backend, xlabel="Year", xlim=xlim)


def _simulated(name: str, table: pd.DataFrame, number: int, backend: Backend) -> list[Any]:
    """A simulated run above everything else: its own line, and thin ones where 5 and 95 % of its draws are."""
    hv = holoviews()
    paint, style = simulated_style(number)
    dash = {
        "line_dash" if backend == "bokeh" else "linestyle": style.replace("dashdot", "dotdash")
        if backend == "bokeh"
        else style
    }
    curves = [
        hv.Curve(table[["Year", "value"]], "Year", "value", label=name).opts(**_line(backend, 2.0, paint), **dash)
    ]
    for column in ("low", "high"):
        if table[column].notna().any():
            edge = hv.Curve(table[["Year", column]].rename(columns={column: "value"}), "Year", "value", label=name)
            curves.append(edge.opts(**_line(backend, 0.7, paint), alpha=0.7))
    return curves


def _pieces(band: pd.DataFrame) -> list[pd.DataFrame]:
    """Stretches of years that have a band: an area cannot be drawn across a gap."""
    there = band["low"].notna()
    return [piece for _, piece in band[there].groupby((~there).cumsum()[there]) if len(piece) > 1]


def _broken(lines: pd.DataFrame) -> pd.DataFrame:
    """All models as one line with gaps between them: hundreds of elements would take seconds to draw."""
    parts = [run.sort_values("Year") for _, run in lines.groupby("model")]
    gap = pd.DataFrame({"value": [np.nan], "model": [""], "Year": [np.nan]})
    pieces = [piece for part in parts for piece in (part[["Year", "value", "model"]], gap)]
    return pd.concat(pieces[:-1], ignore_index=True)


def _area(area: Any, paint: str, backend: Backend) -> Any:
    # the matplotlib backend colours an area from its cycle unless all of these are given
    printed = {"color": paint, "facecolor": paint, "edgecolor": "none", "linewidth": 0}
    style = {"color": paint, "line_alpha": 0} if backend == "bokeh" else printed
    return area.opts(backend=backend, alpha=0.22, **style)


def _thread(thread: Any, paint: str, report: Report, backend: Backend) -> Any:
    if backend == "matplotlib":
        return thread.opts(**_line(backend, 0.35, paint), alpha=0.3)
    rows = [("model", "@model"), ("scenario", "@scenario"), ("year", "@Year{0}"), _shown(report, "@value")]
    return thread.opts(**_line(backend, 0.9, paint), alpha=0.35, tools=["hover"], hover_tooltips=rows)


def _middle(curve: Any, paint: str, report: Report, centre: str, backend: Backend) -> Any:
    if backend == "matplotlib":
        return curve.opts(**_line(backend, 2.2, paint))
    rows = [("scenario", "@scenario"), ("year", "@Year{0}"), (f"{centre} [{unit(report).name}]", "@centre{0.00}"),
            ("shaded", "@low{0.00} to @high{0.00}"), ("with a number", "@count")]  # fmt: skip
    return curve.opts(**_line(backend, 2.8, paint), tools=["hover"], hover_tooltips=rows)


def _shown(report: Report, column: str) -> tuple[str, str]:
    return f"change [{unit(report).name}]", column + "{0.00}"


def _bar_overlay(report: Report, ends: Frames, backend: Backend) -> hv.Overlay:
    """A bar with a tick for each scenario, its models as dots beside it, then what AR6 assessed."""
    hv = holoviews()
    experiments = list(ends.bands["experiment_id"])
    bands = ends.bands.assign(
        scenario=list(map(label, experiments)),
        paint=[colour(report, e) for e in experiments],
        x=np.arange(len(experiments), dtype=float),
        says=[f"{ends.centre} of {voters(report, count)}" for count in ends.bands["count"]],
    )
    assessed = bands[bands["assessed_best"].notna()].assign(paint=ASSESSED_COLOUR, says="assessed by AR6")
    assessed = assessed.assign(
        **{n: assessed[f"assessed_{o}"] for n, o in (("low", "low"), ("high", "high"), ("centre", "best"))}
    )
    left, right, dot = (-0.36, -0.14, 0.0) if len(assessed) else (-0.26, -0.02, 0.14)
    both = pd.concat(
        [
            bands.assign(left=bands["x"] + left, right=bands["x"] + right),
            assessed.assign(left=assessed["x"] + 0.14, right=assessed["x"] + 0.36),
        ]
    )
    says = ["scenario", "paint", "says"]
    box = hv.Rectangles(both.dropna(subset="low"), ["left", "low", "right", "high"], [*says, "centre"])
    tick = hv.Segments(both.dropna(subset="centre"), ["left", "centre", "right", "centre"], says)
    point = hv.Points(_dots(report, ends, dot), ["x", "value"], ["model", "scenario", "paint"])
    width, paint = "line_width" if backend == "bokeh" else "linewidth", hv.dim("paint")
    on_box, on_point = {}, {"s": 9, "edgecolors": "white"}
    if backend == "bokeh":
        rows = [("", "@scenario, @says"), _shown(report, "@centre"), ("bar", "@low{0.00} to @high{0.00}")]
        on_box = {"tools": ["hover"], "hover_tooltips": rows}
        rows = [("model", "@model"), ("scenario", "@scenario"), _shown(report, "@value")]
        on_point = {"size": 6, "line_color": "white", "tools": ["hover"], "hover_tooltips": rows}
    parts = [
        hv.HLine(0).opts(**_line(backend, 0.8, "#333333")),
        box.opts(backend=backend, color=paint, alpha=0.35, **on_box, **{width: 0}),
        tick.opts(backend=backend, color=paint, **{width: 3}),
        point.opts(backend=backend, color=paint, alpha=0.9, **on_point, **{width: 0.4}),
    ]
    turned = len(bands) > 4 or bands["scenario"].str.len().max() > 10
    ticks = list(zip(bands["x"], bands["scenario"], strict=True))
    middle, half = (len(bands) - 1) / 2, max(len(bands), 3) / 2 + 0.1
    return hv.Overlay(parts).opts(
        backend=backend, xticks=ticks, xlabel="", xlim=(middle - half, middle + half), xrotation=25 if turned else 0
    )


def _dots(report: Report, ends: Frames, offset: float) -> pd.DataFrame:
    dots = ends.lines.sort_values(["experiment_id", "value"]).reset_index(drop=True)
    place = {experiment: x for x, experiment in enumerate(ends.bands["experiment_id"])}
    # neighbours in value stand side by side, so that dots rarely cover each other
    aside = dots.groupby("experiment_id").cumcount() % 3 - 1
    return dots.assign(
        x=dots["experiment_id"].map(place) + offset + 0.06 * aside,
        scenario=dots["experiment_id"].map(label),
        paint=[colour(report, e) for e in dots["experiment_id"]],
    )


def _width(ends: Frames) -> int:
    return max(260, 66 * len(ends.bands))  # with the plume within a cell of JupyterLab on a small screen


def _on_screen(words: Words, part: str) -> dict[str, Any]:
    """Options of a bokeh overlay: titles above, a calm grid, the unit on the axis."""
    from bokeh.models.annotations import Title

    first, second = {
        "plume": (words.title, words.subtitle),
        "bars": (words.period, words.explained),
        "alone": (f"{words.title}, {words.period}", words.explained),
    }[part]

    def finish(plot: Any, element: Any) -> None:
        figure = plot.state
        lines = [Title(text=second, text_font_style="normal", text_color="#555555", text_font_size="12px")]
        if words.report.synthetic:
            text = SYNTHETIC.split(" - ")[0] if part == "bars" else SYNTHETIC
            lines.insert(0, Title(text=text, text_color=WARNING_COLOUR, text_font_size="13px"))
        headline = "\n".join(textwrap.wrap(first, 34 if part == "bars" else 74))
        for line in (*lines, Title(text=headline, text_font_size="15px")):
            figure.add_layout(line, "above")

    hooks: list[Callable[[Any, Any], None]] = [finish]
    return {
        "title": "", "ylabel": "" if part == "bars" else words.axis, "frame_height": 400, "show_grid": True,
        "gridstyle": {"xgrid_line_alpha": 0}, "hooks": hooks, "show_legend": part == "plume",
        "fontsize": {"labels": "13px", "ticks": "12px", "legend": "12px"},
    }  # fmt: skip
