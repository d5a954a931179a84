"""Figures of a report: plumes of anomalies, and the spread of a period beside the ranges assessed by AR6.

Every number drawn comes from the report. The same frames feed both backends: bokeh for looking closely, matplotlib for
print. hvPlot, HoloViews and their backends are imported where they draw, so that importing this module stays cheap.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable
from html import escape
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from spread.ensemble import across, assessed_ranges, period_name
from spread.errors import BadStudy, did_you_mean
from spread.report import Report
from spread.vocabulary import HISTORICAL, SCENARIO_LABELS, VARIABLES

if TYPE_CHECKING:
    import holoviews as hv
    from matplotlib.figure import Figure

Backend = Literal["bokeh", "matplotlib"]

COLOURS = {
    "ssp119": "#00adcf", "ssp126": "#173c66", "ssp245": "#f79420", "ssp370": "#e71d25", "ssp585": "#951b1e",
    "ssp434": "#63bde4", "ssp460": "#e88831", "ssp534-over": "#9a6dc9", HISTORICAL: "#5a5a5a",
}  # fmt: skip
"""Colours of the scenarios in AR6 WGI (IPCC visual style guide, 2018)."""

_OTHER_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008
_ASSESSED_COLOUR = "#8c8c8c"
_WARNING_COLOUR = "#b00020"
SYNTHETIC = "SYNTHETIC DATA - not model output"

SEASONS = {
    "annual": "annual mean", "DJF": "December-February", "MAM": "March-May", "JJA": "June-August",
    "SON": "September-November",
}  # fmt: skip
"""Seasons in words."""

MAXIMUM_FIGURES = 12
MAXIMUM_INTERACTIVE = 3

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Unit(NamedTuple):
    """How changes are shown: the unit's name, and the factor from the report's own unit."""

    name: str
    factor: float


class Frames(NamedTuple):
    """What a figure draws: statistics and single models, each value already in the unit shown."""

    bands: pd.DataFrame
    lines: pd.DataFrame
    centre: str


def unit(report: Report) -> Unit:
    """Unit in which a report's changes are shown to people.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    Unit
        ``K`` or ``%`` as they are, a flux of water in ``mm d⁻¹``, tiny numbers with a power of ten. An offset plays no
        part in a change.
    """
    shown, factor = VARIABLES[report.study.variable_id].change_display(report.study.anomaly_kind)
    name = re.sub(r"(?<=[A-Za-z])-?\d+", _raised, shown)
    largest = factor * np.nanmax(np.abs(report.change["change"].values), initial=0.0)
    if largest and not 0.01 <= largest < 1e5:
        power = 3 * math.floor(math.log10(largest) / 3)
        return Unit(f"10{_raised(str(power))} {name}", factor * 10.0**-power)
    return Unit(name, factor)


def _raised(digits: str | re.Match[str]) -> str:
    return str(digits if isinstance(digits, str) else digits[0]).translate(_SUPERSCRIPTS)


def label(experiment_id: str) -> str:
    """Name of an experiment as figures write it, ``SSP1-2.6``."""
    return SCENARIO_LABELS.get(experiment_id, experiment_id)


def voters(report: Report, number: int) -> str:
    """Count those who have a vote: ``1 model``, ``29 models``, ``87 runs``."""
    noun = "run" if report.study.votes == "all" else "model"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def in_words(name: str) -> str:
    """Name of a region as figures write it, ``northern hemisphere``."""
    return name.replace("_", " ")


def colour(report: Report, experiment_id: str) -> str:
    """Colour of an experiment, the same in every figure of a report."""
    if experiment_id in COLOURS:
        return COLOURS[experiment_id]
    others = [e for e in report.study.experiments if e not in COLOURS]
    return _OTHER_COLOURS[others.index(experiment_id) % len(_OTHER_COLOURS)]


def plume_frames(report: Report, region: str | None = None, season: str | None = None) -> Frames:
    """Numbers of a plume: the years before the scenarios once, then every scenario.

    Parameters
    ----------
    report : Report
        The report.
    region, season : str, optional
        Which of its regions and seasons; the first by default.

    Returns
    -------
    Frames
        ``bands`` with ``experiment_id, Year, low, centre, high, count``; ``lines`` with ``experiment_id, model, Year,
        value``. A scenario starts at the last historical year, where both have the same value.

    Raises
    ------
    BadStudy
        If the report has no such region or season.
    """
    where = {"region": _one_of(report, "region", region), "season": _one_of(report, "season", season)}
    anomaly, plume = report.yearly["anomaly"].sel(where), report.plume.sel(where)
    year, starts = plume["year"].values, _scenarios_start(report)
    parts = [(e, anomaly.sel(experiment_id=e), plume.sel(experiment_id=e)) for e in _experiments(report)]
    if starts is not None:
        parts = [(e, a.sel(year=year >= starts - 1), p.sel(year=year >= starts - 1)) for e, a, p in parts]
        past = _first_finite(anomaly.sel(year=year < starts))
        statistics = across(past, report.study.votes, report.study.quantiles, report.study.ddof)
        parts.insert(0, (HISTORICAL, past, statistics))
    factor = unit(report).factor
    bands = pd.concat([_band(p, "year", factor).assign(experiment_id=e) for e, _, p in parts], ignore_index=True)
    lines = pd.concat([_votes(report, a * factor).assign(experiment_id=e) for e, a, _ in parts], ignore_index=True)
    names = {"year": "Year"}
    return Frames(bands.rename(columns=names), lines.rename(columns=names), _centre(plume))


def bar_frames(
    report: Report, region: str | None = None, season: str | None = None, period: str | None = None
) -> Frames:
    """Numbers of the bars of a period.

    Parameters
    ----------
    report, region, season
        As in :func:`plume_frames`.
    period : str, optional
        Which of its periods, such as ``2081-2100``; the first by default.

    Returns
    -------
    Frames
        ``bands`` with ``experiment_id, low, centre, high, count`` and, where AR6 assessed a range, ``assessed_low,
        assessed_best, assessed_high``; ``lines`` with ``experiment_id, model, value``.

    Raises
    ------
    BadStudy
        If the report has no such region, season or period.
    """
    where = {"region": _one_of(report, "region", region), "season": _one_of(report, "season", season),
             "period": _one_of(report, "period", period)}  # fmt: skip
    change, statistics, factor = report.change["change"].sel(where), report.across.sel(where), unit(report).factor
    bands = _band(statistics, "experiment_id", factor)
    lines = [_votes(report, change.sel(experiment_id=e) * factor).assign(experiment_id=e) for e in _experiments(report)]
    fits = where == {"region": "global", "season": "annual", "period": "2081-2100"}
    ranges = assessed_ranges(report.study) if fits else {}
    for name in ("low", "best", "high"):
        bands[f"assessed_{name}"] = [getattr(ranges.get(e), name, np.nan) for e in bands["experiment_id"]]
    return Frames(bands, pd.concat(lines, ignore_index=True), _centre(statistics))


def _one_of(report: Report, dim: str, name: str | None) -> str:
    known = [str(value) for value in report.across[dim].values]
    if name is None:
        return known[0]
    if name not in known:
        raise BadStudy(f"figure of report {report.study.name!r}: no {dim} {name!r}, {did_you_mean(str(name), known)}")
    return name


def _experiments(report: Report) -> list[str]:
    there = set(map(str, report.across["experiment_id"].values))
    return [e for e in report.study.experiments if e in there]


def _scenarios_start(report: Report) -> int | None:
    """First year of most scenario runs; None where nothing precedes them."""
    if "joined_at" not in report.yearly.coords:
        return None
    months = report.yearly["joined_at"].values[report.yearly["present"].values & report.yearly["has_historical"].values]
    return Counter((months // 12).tolist()).most_common(1)[0][0] if months.size else None


def _first_finite(anomaly: xr.DataArray) -> xr.DataArray:
    """The historical part of each run, from the first scenario that holds it: a model may lack some scenarios."""
    moved = anomaly.transpose("experiment_id", ...)
    first = np.isfinite(moved.values).argmax(axis=0)
    return moved.isel(experiment_id=0, drop=True).copy(data=np.take_along_axis(moved.values, first[None], axis=0)[0])


def _centre(statistics: xr.Dataset) -> str:
    return "median" if 0.5 in statistics["quantile"].values else "mean"


def _band(statistics: xr.Dataset, dim: str, factor: float) -> pd.DataFrame:
    """Outer quantiles and the middle along one dimension; no band where fewer than two have a vote."""
    quantiles = statistics["quantiles"].transpose("quantile", dim)
    outer = [quantiles.min("quantile"), quantiles.max("quantile")] if quantiles.sizes["quantile"] > 1 else []
    centre = quantiles.sel(quantile=0.5) if _centre(statistics) == "median" else statistics["mean"]
    several = statistics["count"].values > 1
    low, high = (np.where(several, q.values, np.nan) for q in outer) if outer else (np.full(several.shape, np.nan),) * 2
    columns = {"low": low * factor, "centre": centre.values * factor, "high": high * factor}
    return pd.DataFrame({dim: statistics[dim].values, **columns, "count": statistics["count"].values})


def _votes(report: Report, data: xr.DataArray) -> pd.DataFrame:
    """One row for each model (or run) that has a vote, and year."""
    data = data.reset_coords(drop=True).rename("value")
    if report.study.votes == "all":
        table = data.to_dataframe().reset_index()
        table["model"] = table["source_id"] + " " + table["member_id"]
        table = table.drop(columns=["source_id", "member_id"])
    else:
        table = data.mean("member_id").to_dataframe().reset_index().rename(columns={"source_id": "model"})
    there = table.groupby("model")["value"].transform("count") > 0
    return table[there].reset_index(drop=True)


def call(region: str, season: str, folder: str = ".") -> str:
    """Code that remakes a figure.

    Parameters
    ----------
    region, season : str
        As given to :func:`plume`.
    folder : str
        Where the report lies.

    Returns
    -------
    str
        One line of Python, after ``import spread.figures``.
    """
    return f"spread.figures.plume(spread.Report.load({folder!r}), region={region!r}, season={season!r})"


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
    hv = _holoviews()
    frames, ends = plume_frames(report, region, season), bar_frames(report, region, season, period)
    words = _Words(report, _one_of(report, "region", region), _one_of(report, "season", season),
                   _one_of(report, "period", period), ends)  # fmt: skip
    limits = _limits(report, frames, ends)
    left, right = _plume_overlay(report, frames, backend), _bar_overlay(report, ends, backend)
    if backend == "bokeh":
        left = left.opts(
            ylim=limits, frame_width=620, legend_position="bottom", legend_cols=3, **_bokeh(words, "plume")
        )
        right = right.opts(ylim=limits, frame_width=_bar_width(ends), **_bokeh(words, "bars"))
        return hv.Layout([left, right]).cols(2)
    left = left.opts(backend=backend, ylim=limits, show_legend=False, hooks=[_print_plume(words, frames)])
    right = right.opts(backend=backend, ylim=limits, show_legend=False, hooks=[_print_bars(words, beside=True)])
    layout = hv.Layout([left, right]).cols(2)
    return layout.opts(backend=backend, fig_inches=(9.6, 5.2), sublabel_format="", shared_axes=True)


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
    words = _Words(report, _one_of(report, "region", region), _one_of(report, "season", season),
                   _one_of(report, "period", period), ends)  # fmt: skip
    limits = _limits(report, ends)
    overlay = _bar_overlay(report, ends, backend)
    if backend == "bokeh":
        return overlay.opts(ylim=limits, frame_width=max(420, _bar_width(ends)), **_bokeh(words, "alone"))
    return overlay.opts(
        backend=backend, ylim=limits, show_legend=False, fig_inches=(6.4, 5.2), hooks=[_print_bars(words, beside=False)]
    )


def _holoviews() -> Any:
    """HoloViews with both backends; whichever was current stays so."""
    import holoviews
    import hvplot.pandas
    import holoviews.plotting.mpl

    return holoviews


class _Words(NamedTuple):
    """What a figure says around its data."""

    report: Report
    region: str
    season: str
    period: str
    ends: Frames

    @property
    def title(self) -> str:
        variable = VARIABLES[self.report.study.variable_id]
        return f"{variable.long_name}: {in_words(self.region)}, {SEASONS[self.season]}"

    @property
    def band(self) -> str:
        low, high = min(self.report.study.quantiles), max(self.report.study.quantiles)
        return f"{100 * low:g}-{100 * high:g} %"

    @property
    def subtitle(self) -> str:
        who = "run" if self.report.study.votes == "all" else "model"
        return f"thick: {self.ends.centre}, shaded: {self.band} of {who}s, thin: each {who}"

    @property
    def axis(self) -> str:
        return f"Change from {self.report.across.attrs['base_period']} [{unit(self.report).name}]"

    @property
    def explained(self) -> str:
        makers = "demo models" if self.report.synthetic else "CMIP6 models"
        assessed = "; grey: assessed, AR6" if self.ends.bands["assessed_best"].notna().any() else ""
        return f"colour: {makers}{assessed}"


def _limits(report: Report, *frames: Frames) -> tuple[float, float]:
    """Lowest and highest value drawn, and a little more."""
    drawn = [frame.lines["value"].to_numpy() for frame in frames]
    drawn += [
        f.bands.drop(columns=["experiment_id", "count", "Year"], errors="ignore").to_numpy().ravel() for f in frames
    ]
    drawn.append(np.array([0.0, *_observed(report)["value"]]) if len(frames) > 1 else np.zeros(1))
    low, high = np.nanmin(np.concatenate(drawn)), np.nanmax(np.concatenate(drawn))
    margin = 0.04 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _observed(report: Report) -> pd.DataFrame:
    found = report.observations or {"year": [], "anomaly": []}
    return pd.DataFrame(
        {"Year": found["year"], "value": np.asarray(found["anomaly"], dtype=float) * unit(report).factor}
    )


def _pieces(band: pd.DataFrame) -> list[pd.DataFrame]:
    """Stretches of years that have a band: an area cannot be drawn across a gap."""
    there = band["low"].notna()
    return [piece for _, piece in band[there].groupby((~there).cumsum()[there]) if len(piece) > 1]


def _plume_overlay(report: Report, frames: Frames, backend: Backend) -> hv.Overlay:
    hv = _holoviews()
    screen = backend == "bokeh"
    areas, threads, middles = [], [], []
    for experiment, band in frames.bands.groupby("experiment_id", sort=False):
        paint, count = colour(report, experiment), int(band["count"].max())
        name = f"{label(experiment)} ({voters(report, count)})"
        band = band.assign(scenario=label(experiment))
        fill = {"color": paint, "line_alpha": 0} if screen else {"facecolor": paint, "edgecolor": "none"}
        areas += [
            piece.hvplot.area("Year", "low", "high", label=name, hover=False).opts(backend=backend, alpha=0.2, **fill)
            for piece in _pieces(band)
        ]
        runs = frames.lines[frames.lines["experiment_id"] == experiment]
        paths = [
            {
                "Year": run["Year"].to_numpy(),
                "value": run["value"].to_numpy(),
                "model": model,
                "scenario": label(experiment),
            }
            for model, run in runs.groupby("model")
        ]
        thread = hv.Contours(paths, ["Year", "value"], ["model", "scenario"], label=name if screen else "")
        style = {
            "line_width": 0.8,
            "alpha": 0.3,
            "tools": [_thread_hover(report)],
            "hover_line_alpha": 1.0,
            "hover_line_width": 2.0,
        }
        threads.append(
            thread.opts(backend=backend, color=paint, **(style if screen else {"linewidth": 0.35, "alpha": 0.22}))
        )
        middle = band.dropna(subset="centre").hvplot.line("Year", "centre", label=name, hover=False)
        middles.append(middle.opts(backend=backend, color=paint, **{"line_width" if screen else "linewidth": 2.2}))
    zero = hv.HLine(0).opts(backend=backend, color="#333333", **{"line_width" if screen else "linewidth": 0.8})
    observed = _observed(report)
    if len(observed):
        curve = hv.Curve(observed, "Year", "value", label=report.observations["name"])
        middles.append(curve.opts(backend=backend, color="black", **{"line_width" if screen else "linewidth": 1.4}))
    return hv.Overlay([zero, *areas, *threads, *middles]).opts(backend=backend, xlabel="Year")


def _thread_hover(report: Report) -> Any:
    from bokeh.models import HoverTool

    rows = [
        ("model", "@model"),
        ("scenario", "@scenario"),
        ("year", "$snap_x{0}"),
        (f"change [{unit(report).name}]", "$snap_y{0.00}"),
    ]
    return HoverTool(tooltips=rows, line_policy="nearest")


def _bar_overlay(report: Report, ends: Frames, backend: Backend) -> hv.Overlay:
    hv = _holoviews()
    bands = ends.bands.assign(
        scenario=[label(e) for e in ends.bands["experiment_id"]],
        paint=[colour(report, e) for e in ends.bands["experiment_id"]],
        x=np.arange(len(ends.bands), dtype=float),
    )
    assessed = bands[bands["assessed_best"].notna()].assign(paint=_ASSESSED_COLOUR)
    left, right, dot = (-0.36, -0.14, 0.0) if len(assessed) else (-0.26, -0.02, 0.14)
    width = "line_width" if backend == "bokeh" else "linewidth"
    models = bands.assign(left=bands["x"] + left, right=bands["x"] + right)
    others = assessed.assign(left=assessed["x"] + 0.14, right=assessed["x"] + 0.36)
    others[["low", "high", "centre"]] = others[["assessed_low", "assessed_high", "assessed_best"]]
    both = pd.concat([models, others])
    box = hv.Rectangles(both.dropna(subset="low"), ["left", "low", "right", "high"], ["scenario", "paint"])
    tick = hv.Segments(both.dropna(subset="centre"), ["left", "centre", "right", "centre"], ["scenario", "paint"])
    place = dict(zip(bands["experiment_id"], bands["x"], strict=True))
    dots = ends.lines.sort_values(["experiment_id", "value"]).reset_index(drop=True)
    rank = dots.groupby("experiment_id").cumcount()
    # neighbours in value stand side by side, so that dots rarely cover each other
    dots["x"] = dots["experiment_id"].map(place) + dot + 0.06 * (rank % 3 - 1)
    dots["scenario"], dots["paint"] = (
        dots["experiment_id"].map(label),
        [colour(report, e) for e in dots["experiment_id"]],
    )
    point = hv.Points(dots, ["x", "value"], ["model", "scenario", "paint"])
    paint = hv.dim("paint")
    screen = backend == "bokeh"
    box = box.opts(backend=backend, color=paint, alpha=0.35, **{width: 0})
    tick = tick.opts(backend=backend, color=paint, **{width: 3})
    rows = [("model", "@model"), ("scenario", "@scenario"), (f"change [{unit(report).name}]", "@value{0.00}")]
    style = (
        {"size": 6, "line_color": "white", "tools": ["hover"], "hover_tooltips": rows}
        if screen
        else {"s": 9, "edgecolors": "white"}
    )
    point = point.opts(backend=backend, color=paint, alpha=0.9, **style, **{width: 0.4})
    zero = hv.HLine(0).opts(backend=backend, color="#333333", **{width: 0.8})
    rotation = 25 if len(bands) > 4 or bands["scenario"].str.len().max() > 10 else 0
    ticks = list(zip(bands["x"], bands["scenario"], strict=True))
    return hv.Overlay([zero, box, tick, point]).opts(
        backend=backend, xticks=ticks, xlabel="", xlim=(-0.6, len(bands) - 0.4), xrotation=rotation
    )


def _bar_width(ends: Frames) -> int:
    return max(260, 80 * len(ends.bands))


def _bokeh(words: _Words, part: str) -> dict[str, Any]:
    """Options of a bokeh overlay: titles above, a calm grid, the unit on the axis."""
    from bokeh.models import Title

    texts = {"plume": [words.title, words.subtitle], "bars": [words.period, words.explained],
             "alone": [f"{words.title}, {words.period}", words.explained]}[part]  # fmt: skip

    def finish(plot: Any, element: Any) -> None:
        figure = plot.state
        if words.report.synthetic:
            text = SYNTHETIC if part != "bars" else "SYNTHETIC DATA"
            figure.add_layout(Title(text=text, text_color=_WARNING_COLOUR, text_font_size="12px"), "above")
        figure.add_layout(
            Title(text=texts[1], text_font_style="normal", text_color="#555555", text_font_size="12px"), "above"
        )
        figure.add_layout(Title(text=texts[0], text_font_size="15px"), "above")

    return {
        "title": "", "ylabel": "" if part == "bars" else words.axis, "frame_height": 400, "show_grid": True,
        "gridstyle": {"xgrid_line_alpha": 0}, "hooks": [finish], "show_legend": part == "plume",
        "fontsize": {"labels": "13px", "ticks": "12px", "legend": "12px"},
    }  # fmt: skip


def _print_plume(words: _Words, frames: Frames) -> Callable[[Any, Any], None]:
    """Finish the left half of a printed figure, and what belongs to both: the title and the legend below."""

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        _calm(axes, (0.07, 0.215, 0.56, 0.6), words.axis)
        axes.set_title(words.subtitle, loc="left", fontsize=9, color="#444444")
        _headline(axes.figure, words.title, words.report.synthetic)
        handles, names = _legend(words.report, frames)
        axes.figure.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0.06, 0.0), ncols=4, fontsize=9, frameon=False
        )

    return finish


def _print_bars(words: _Words, beside: bool) -> Callable[[Any, Any], None]:
    """Finish the bars of a printed figure, beside a plume or alone."""

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        box = (0.675, 0.215, 0.315, 0.6) if beside else (0.12, 0.15, 0.86, 0.66)
        _calm(axes, box, "" if beside else words.axis)
        axes.set_title(f"{words.period} ({words.explained})", loc="left", fontsize=9, color="#444444")
        if not beside:
            _headline(axes.figure, words.title, words.report.synthetic)

    return finish


def _headline(figure: Figure, title: str, synthetic: bool) -> None:
    lines = textwrap.wrap(title, round(figure.get_figwidth() * 8.5))
    figure.text(0.015, 0.975, "\n".join(lines), fontsize=12, fontweight="bold", va="top")
    if synthetic:
        place = (
            {"x": 0.985, "ha": "right", "y": 0.02, "va": "bottom"}
            if len(lines) > 1
            else {"x": 0.015, "y": 0.915, "va": "top"}
        )
        figure.text(s=SYNTHETIC, fontsize=10, fontweight="bold", color=_WARNING_COLOUR, **place)


def _legend(report: Report, frames: Frames) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    counts = frames.bands.groupby("experiment_id", sort=False)["count"].max()
    paints = [colour(report, e) for e in counts.index]
    handles: list[Any] = [
        (Patch(color=p, alpha=0.2, linewidth=0), Line2D([], [], color=p, linewidth=2.2)) for p in paints
    ]
    names = [f"{label(e)} ({voters(report, n)})" for e, n in counts.items()]
    if report.observations:
        handles.append(Line2D([], [], color="black", linewidth=1.4))
        names.append(report.observations["name"])
    return handles, names


def _calm(axes: Any, box: tuple[float, float, float, float], ylabel: str) -> None:
    """Place axes and take from them what does not help to read."""
    axes.set_aspect("auto")
    axes.set_box_aspect(None)
    axes.set_position(box)
    axes.set_ylabel(ylabel, fontsize=9.5)
    axes.set_xlabel(axes.get_xlabel(), fontsize=9.5)
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(report: Report, folder: str | Path) -> list[dict[str, str]]:
    """Write the figures of a report: a PNG each, and pages to look closely for the first few.

    Parameters
    ----------
    report : Report
        The report.
    folder : str or Path
        Where; made if it is not there.

    Returns
    -------
    list of dict
        ``region``, ``season``, ``title``, ``png``, ``html`` (empty where there is none) and ``call``, at most
        :data:`MAXIMUM_FIGURES` of them; files are named relative to the folder.
    """
    hv = _holoviews()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    seasons = sorted(report.study.seasons, key=lambda season: season != "annual")
    records: list[dict[str, str]] = []
    for season, region in islice(product(seasons, [r.name for r in report.study.regions]), MAXIMUM_FIGURES):
        stem = f"plume_{re.sub(r'[^A-Za-z0-9_-]+', '-', region)}_{season}"
        stem += f"-{len(records)}" if any(r["png"] == f"{stem}.png" for r in records) else ""
        layout = plume(report, region, season, "matplotlib")
        title = f"{VARIABLES[report.study.variable_id].long_name}: {in_words(region)}, {SEASONS[season]}"
        figure = hv.render(layout, backend="matplotlib")
        described = {"Title": title, "Description": SYNTHETIC if report.synthetic else "", "Software": "spread"}
        figure.savefig(folder / f"{stem}.png", dpi=150, facecolor="white", metadata=described)
        html = ""
        if len(records) < MAXIMUM_INTERACTIVE:
            html = f"{stem}.html"
            _write_interactive(hv.render(plume(report, region, season), backend="bokeh"), title, folder / html)
        records.append({"region": region, "season": season, "title": title, "png": f"{stem}.png", "html": html,
                        "call": call(region, season)})  # fmt: skip
    return records


_INTERACTIVE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><script src="{bokeh}"></script></head>
<body style="margin:1rem;background:#fff">{div}{script}</body></html>
"""


def _write_interactive(model: Any, title: str, path: Path) -> None:
    """Write a page that needs no network: BokehJS lies beside it, once for all of them."""
    import bokeh
    from bokeh.embed import components
    from bokeh.resources import Resources

    library = path.parent / f"bokeh-{bokeh.__version__}.min.js"
    if not library.exists():
        library.write_text("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw), encoding="utf-8")
    script, div = components(model)
    text = _INTERACTIVE.format(title=escape(title), bokeh=library.name, div=div, script=script)
    path.write_text(text, encoding="utf-8")
