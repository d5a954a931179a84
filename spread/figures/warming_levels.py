"""When models pass global warming levels: a row for each level and scenario, a dot for each model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from spread.ensemble import across_warming_levels, passing_years
from spread.errors import BadStudy
from spread.figures.drawing import Backend, holoviews
from spread.figures.sheets import Sheet, in_print, is_synthetic, on_screen
from spread.figures.words import COLOURS, OTHER_COLOURS, label

if TYPE_CHECKING:
    import holoviews as hv

_SAID = {
    "central_year": "central year of the first {window} years whose mean is above the level",
    "first_year": "first of the first {window} years whose mean is above the level",
    "last_year": "last of the first {window} years whose mean is above the level",
}
_ROW = 0.27  # height of a row [inch]


class TimelineFrames(NamedTuple):
    """What a timeline draws: a row for each level and scenario, a dot for each vote, and where the runs end."""

    rows: pd.DataFrame
    dots: pd.DataFrame
    end: float


def timeline_frames(
    crossings: xr.Dataset,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    members: Literal["median", "all"] = "median",
    year: str = "central_year",
) -> TimelineFrames:
    """Numbers of a timeline of warming levels.

    Parameters
    ----------
    crossings : xarray.Dataset
        As returned by :func:`spread.ensemble.warming_levels`, on ``source_id`` and perhaps ``experiment_id`` and
        ``member_id``.
    quantiles : sequence of float
        Lowest, middle and highest.
    members, year
        As in :func:`spread.ensemble.passing_years`.

    Returns
    -------
    TimelineFrames
        ``rows`` with ``level, experiment_id, low, centre, high, low_after, centre_after, high_after, count, reached``;
        ``dots`` with ``level, experiment_id, model, year``.

    Raises
    ------
    BadStudy
        If there are other dimensions than these, or not three quantiles.
    """
    known = {"source_id", "experiment_id", "member_id", "level"}
    if len(quantiles) != 3 or set(crossings["reached"].dims) - known:
        raise BadStudy(
            f"timeline: expected three quantiles and the dimensions {', '.join(sorted(known))}, got {list(quantiles)} "
            f"and {', '.join(map(str, crossings['reached'].dims))}; choose the others with .sel"
        )
    if "experiment_id" not in crossings.dims:
        name = str(crossings["experiment_id"].values) if "experiment_id" in crossings.coords else ""
        crossings = crossings.drop_vars("experiment_id", errors="ignore").expand_dims(experiment_id=[name])
    statistics = across_warming_levels(crossings, quantiles, members, year)
    passing = passing_years(crossings, members, year)
    rows = []
    for level in crossings["level"].values:
        for experiment in crossings["experiment_id"].values:
            one = statistics.sel(level=level, experiment_id=experiment)
            row = {"level": float(level), "experiment_id": str(experiment)}
            for name, value, after in zip(("low", "centre", "high"), one["quantiles"].values,
                                          one["after_end"].values, strict=True):  # fmt: skip
                row |= {name: float(value), f"{name}_after": bool(after)}
            rows.append(row | {"count": int(one["count"]), "reached": int(one["reached"])})
    table = passing.rename("year").reset_coords(drop=True).to_dataframe().reset_index()
    table["model"] = table["source_id"]
    if "member_id" in table:
        table["model"] += " " + table["member_id"]
    dots = table[np.isfinite(table["year"])][["level", "experiment_id", "model", "year"]]
    ends = passing["until"].values[np.isfinite(passing["until"].values)]
    usual = float(np.median(ends)) if ends.size else 2100.0
    return TimelineFrames(pd.DataFrame(rows), dots.reset_index(drop=True), float(np.max([usual, *dots["year"]])))


def warming_level_timeline(
    crossings: xr.Dataset,
    backend: Backend = "bokeh",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    members: Literal["median", "all"] = "median",
    year: str = "central_year",
    synthetic: bool | None = None,
) -> hv.Overlay:
    """Draw when each model passes each warming level, by scenario, and how many never do.

    Parameters
    ----------
    crossings, quantiles, members, year
        As in :func:`timeline_frames`.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.
    synthetic : bool, optional
        Whether the data are; where they do not say so themselves.

    Returns
    -------
    holoviews.Overlay
        A bar from the lowest to the highest quantile, open to the right where that lies after the end, a tick at the
        middle one, a dot for each model (or run), and how many pass.

    Raises
    ------
    BadStudy
        As in :func:`timeline_frames`; if nobody says whether the data are synthetic; if there is nothing to draw.
    """
    frames = timeline_frames(crossings, quantiles, members, year)
    if not frames.rows["count"].any():
        raise BadStudy("timeline: no run can be judged; see the reasons in 'reason'")
    who = "run" if members == "all" else "model"
    rows, labels = _placed(frames.rows)
    first = np.nanmin([*frames.dots["year"], *rows["low"], frames.end - 20])
    begin = float(np.floor((first - 4) / 10) * 10)
    room = 0.19 * (frames.end - begin)
    passes = _SAID[year].format(window=crossings.attrs["window"])
    sheet = _sheet(rows, who, passes, quantiles, is_synthetic(crossings, synthetic))
    overlay = _timeline(rows, frames, labels, (begin, frames.end, room), backend, who)
    ticks = [(float(y), name) for y, name in zip(rows["y"], rows["scenario"], strict=True)]
    overlay = overlay.opts(
        backend=backend,
        yticks=ticks,
        ylabel="",
        xlabel=year.replace("_", " ").capitalize(),
        xlim=(begin, frames.end + room),
        ylim=(float(rows["y"].min()) - 0.7, float(rows["y"].max()) + 1.5),
    )
    step = 20 if frames.end - begin <= 160 else 50
    decades = np.append(np.arange(begin, frames.end - 0.4 * step, step), frames.end)
    if backend == "bokeh":
        return on_screen(overlay, sheet, lambda figure: _calm_on_screen(figure, decades))
    return in_print(overlay, sheet, "", lambda axes: _calm_in_print(axes, decades))


def _sheet(rows: pd.DataFrame, who: str, passes: str, quantiles: Sequence[float], synthetic: bool) -> Sheet:
    """Title and size; a row is as high in any timeline."""
    bar = f"{100 * quantiles[0]:g}-{100 * quantiles[2]:g}\N{NO-BREAK SPACE}% of all {who}s"
    said = (
        f"{passes}; dot: each {who}, tick: {_quantile(quantiles[1])}, bar: {bar}; where they lie after the runs end, "
        f"the bar is open and there is no tick"
    )
    height = _ROW * (rows["y"].max() - rows["y"].min() + 2.2)
    return Sheet(f"When {who}s pass global warming levels", said, synthetic, 7.6, height, left=1.35, bottom=0.5)


def _quantile(q: float) -> str:
    return "median" if q == 0.5 else f"{100 * q:g} %"


def _placed(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows from the top down, a free one above each level for its name."""
    y, heads, place = [], [], 0.0
    for level, group in rows.groupby("level", sort=False):
        heads.append((place, f"{level:g} K"))
        y += [place - 0.9 - at for at in range(len(group))]
        place = y[-1] - 1.3
    experiments = list(dict.fromkeys(rows["experiment_id"]))
    others = [e for e in experiments if e not in COLOURS]
    paint = {e: COLOURS.get(e) or OTHER_COLOURS[others.index(e) % len(OTHER_COLOURS)] for e in experiments}
    rows = rows.assign(y=y, paint=rows["experiment_id"].map(paint), scenario=rows["experiment_id"].map(label))
    return rows, pd.DataFrame(heads, columns=["y", "text"])


def _timeline(
    rows: pd.DataFrame,
    frames: TimelineFrames,
    heads: pd.DataFrame,
    extent: tuple[float, float, float],
    backend: Backend,
    who: str,
) -> hv.Overlay:
    hv = holoviews()
    begin, end, room = extent
    edge, paint = "line_width" if backend == "bokeh" else "linewidth", hv.dim("paint")
    said = ["scenario", "level", "reached", "count", "paint", "text"]
    rows = rows.assign(text=[_share(row, who) for row in rows.itertuples()])
    bars = rows[rows["low"].notna()].assign(
        right=lambda t: t["high"].where(~t["high_after"], end),
        bottom=lambda t: t["y"] - 0.3,
        top=lambda t: t["y"] + 0.3,
    )
    box = hv.Rectangles(bars, ["low", "bottom", "right", "top"], [*said, "centre"])
    ticks = rows[rows["centre"].notna()].assign(bottom=lambda t: t["y"] - 0.38, top=lambda t: t["y"] + 0.38)
    tick = hv.Segments(ticks.assign(again=ticks["centre"]), ["centre", "bottom", "again", "top"], said)
    open_ = bars[bars["high_after"]].assign(x=end + 0.012 * (end - begin))
    arrow = hv.Points(open_, ["x", "y"], ["paint"])
    dots = frames.dots.merge(rows[["level", "experiment_id", "y", "paint", "scenario"]], on=["level", "experiment_id"])
    dots = dots.sort_values(["y", "year", "model"], ignore_index=True)
    aside = dots.groupby("y").cumcount() % 3 - 1  # neighbours in time stand above each other
    point = hv.Points(
        dots.assign(place=dots["y"] + 0.16 * aside), ["year", "place"], ["model", "scenario", "level", "paint"]
    )
    head = {"x": end + 0.22 * room, "y": heads["y"].max(), "text": "pass"}
    note = pd.concat([rows[["y", "text"]].assign(x=head["x"]), pd.DataFrame([head])])
    size = {"text_font_size": "11px"} if backend == "bokeh" else {"size": 8}
    right = {"text_align": "left", "text_baseline": "middle"} if backend == "bokeh" else {
        "horizontalalignment": "left", "verticalalignment": "center"}  # fmt: skip
    bold = (
        {"text_font_style": "bold", "text_font_size": "12px"} if backend == "bokeh" else {"weight": "bold", "size": 9}
    )
    on_box, on_point = {}, {"s": 12, "edgecolors": "white"}
    on_arrow = {"marker": ">", "s": 26, "edgecolors": "none"}
    if backend == "bokeh":
        rows_ = [("", "@scenario, @level K"), ("median", "@centre{0.0}"), ("", "@text")]
        on_box = {"tools": ["hover"], "hover_tooltips": rows_}
        lines = [("model", "@model"), ("scenario", "@scenario, @level K"), ("passes", "@year{0}")]
        on_point = {"size": 6, "line_color": "white", "tools": ["hover"], "hover_tooltips": lines}
        on_arrow = {"marker": "triangle", "angle": -90, "size": 8, "line_alpha": 0}
    parts = [
        hv.VLine(end).opts(backend=backend, color="#999999", **{edge: 0.8}),
        box.opts(backend=backend, color=paint, alpha=0.3, **on_box, **{edge: 0}),
        arrow.opts(backend=backend, color=paint, **on_arrow),
        tick.opts(backend=backend, color=paint, **{edge: 2.5}),
        point.opts(backend=backend, color=paint, alpha=0.9, **on_point, **{edge: 0.4}),
        hv.Labels(note, ["x", "y"], "text").opts(backend=backend, **_text("#444444", backend), **size, **right),
        hv.Labels(heads.assign(x=begin + 0.01 * (end - begin)), ["x", "y"], "text").opts(
            backend=backend, **_text("black", backend), **bold, **right
        ),
    ]
    return hv.Overlay(parts)


def _text(paint: str, backend: Backend) -> dict[str, Any]:
    return {"text_color": paint} if backend == "bokeh" else {"color": paint}


def _share(row: Any, who: str) -> str:
    if row.count == 0:
        return f"no {who} to judge"
    return f"all {row.count}" if row.reached == row.count else f"{row.reached} of {row.count}"


def _calm_on_screen(figure: Any, decades: np.ndarray) -> None:
    """Years only as far as the runs go; no lines between rows."""
    from bokeh.models import FixedTicker

    figure.xaxis.ticker = FixedTicker(ticks=[float(year) for year in decades])
    figure.xgrid.ticker = FixedTicker(ticks=[float(year) for year in decades])
    figure.ygrid.visible = False
    figure.yaxis.major_tick_line_color = None


def _calm_in_print(axes: Any, decades: np.ndarray) -> None:
    axes.set_xticks(decades)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
