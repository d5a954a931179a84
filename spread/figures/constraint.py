"""Ranges of future change by scenario: of the models, constrained by observed warming, and as assessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from spread.ensemble.assessed import AssessedRange
from spread.errors import BadStudy
from spread.figures.drawing import Backend, holoviews
from spread.figures.headings import Heading, dressed
from spread.figures.words import ASSESSED_COLOUR, COLOURS, label

if TYPE_CHECKING:
    import holoviews as hv

_LOOK = {"raw": 0.35, "constrained": 0.9, "assessed": 0.8}  # how opaque a bar is
_THREE = {"raw": -0.27, "constrained": 0.0, "assessed": 0.27}
_TWO = {"raw": -0.14, "constrained": 0.14}
_HALF = 0.12
_OTHER_COLOUR = "#0072b2"  # Okabe and Ito (2008)


def range_frame(constraint: xr.Dataset, assessed: Mapping[str, AssessedRange] | None = None) -> pd.DataFrame:
    """Numbers of the figure: a row a bar.

    Parameters
    ----------
    constraint : xarray.Dataset
        As returned by :func:`spread.ensemble.constrain`, with at least two quantiles; on ``experiment_id`` or of one
        experiment, and of one period.
    assessed : mapping of str to AssessedRange, optional
        Assessed ranges by experiment, against the same base period.

    Returns
    -------
    pandas.DataFrame
        ``experiment_id``, ``estimate`` (raw, constrained, assessed), ``low, centre, high`` (the outer quantiles and the
        median, or the mean where the median was not asked for), ``count``, ``correlation`` and ``refused``.

    Raises
    ------
    BadStudy
        If there are other dimensions, or fewer than two quantiles.
    """
    data = constraint.squeeze([d for d in constraint.dims if d not in _KEPT and constraint.sizes[d] == 1], drop=True)
    more = [str(d) for d in data.dims if d not in _KEPT]
    if more or data.sizes["quantile"] < 2:
        what = f"select one {' and '.join(more)}" if more else "ask for at least two quantiles"
        raise BadStudy(f"figure of a constraint: expected experiment_id and two quantiles or more; {what}")
    data = data if "experiment_id" in data.dims else data.expand_dims("experiment_id")
    levels = data["quantile"].values
    rows = []
    for experiment in map(str, data["experiment_id"].values if "experiment_id" in data.coords else [""]):
        one = data.sel(experiment_id=experiment) if experiment else data.isel(experiment_id=0)
        facts = {"count": int(one["count"]), "correlation": float(one["correlation"]), "refused": one["refused"].item()}
        for estimate in ("raw", "constrained"):
            at = one.sel(estimate=estimate)
            centre = at["quantiles"].sel(quantile=0.5) if 0.5 in levels else at["mean"]
            low, high = (float(at["quantiles"].sel(quantile=q)) for q in (levels.min(), levels.max()))
            ends = {"low": low, "centre": float(centre), "high": high}
            rows.append({"experiment_id": experiment, "estimate": estimate} | ends | facts)
        if assessed and experiment in assessed:
            known = assessed[experiment]
            ends = {"low": known.low, "centre": known.best, "high": known.high}
            rows.append({"experiment_id": experiment, "estimate": "assessed"} | ends | facts)
    return pd.DataFrame(rows)


_KEPT = ("experiment_id", "estimate", "quantile")


def constrained_ranges(
    constraint: xr.Dataset, assessed: Mapping[str, AssessedRange] | None = None, backend: Backend = "bokeh"
) -> hv.Overlay:
    """Draw the raw, the constrained and the assessed range of each scenario side by side.

    Parameters
    ----------
    constraint : xarray.Dataset
        As returned by :func:`spread.ensemble.constrain`.
    assessed : mapping of str to AssessedRange, optional
        Assessed ranges by experiment, against the same base period.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.

    Returns
    -------
    holoviews.Overlay
        Bars between the outer quantiles with a tick in the middle; a scenario that could not be constrained says so.

    Raises
    ------
    BadStudy
        As :func:`range_frame`.
    """
    hv = holoviews()
    frame = range_frame(constraint, assessed)
    experiments = list(dict.fromkeys(frame["experiment_id"]))
    place = _THREE if "assessed" in set(frame["estimate"]) else _TWO
    frame = frame.assign(
        x=[experiments.index(e) + place[s] for e, s in zip(frame["experiment_id"], frame["estimate"], strict=True)],
        scenario=[label(e) for e in frame["experiment_id"]],
        paint=[ASSESSED_COLOUR if s == "assessed" else COLOURS.get(e, _OTHER_COLOUR)
               for e, s in zip(frame["experiment_id"], frame["estimate"], strict=True)],
        opaque=frame["estimate"].map(_LOOK),
    )  # fmt: skip
    frame = frame.assign(left=frame["x"] - _HALF, right=frame["x"] + _HALF, bar=frame["low"])
    drawn = frame.dropna(subset="low")
    width = "line_width" if backend == "bokeh" else "linewidth"
    said = ["scenario", "estimate", "paint", "opaque", "centre", "count", "correlation", "bar"]
    hover: dict[str, Any] = {}
    if backend == "bokeh":
        rows = [("", "@scenario, @estimate"), ("middle", "@centre{0.00}"), ("bar", "@low{0.00} to @high{0.00}"),
                ("models", "@count"), ("correlation", "@correlation{0.00}")]  # fmt: skip
        hover = {"tools": ["hover"], "hover_tooltips": rows}
    box = hv.Rectangles(drawn, ["left", "low", "right", "high"], said)
    tick = hv.Segments(drawn.assign(again=drawn["centre"]), ["left", "centre", "right", "again"], [])
    parts = [
        hv.HLine(0).opts(backend=backend, color="#333333", **{width: 0.8}),
        box.opts(backend=backend, color=hv.dim("paint"), alpha=hv.dim("opaque"), **{width: 0}, **hover),
        tick.opts(backend=backend, color="black", **{width: 2}),
    ]
    refused = frame[(frame["estimate"] == "constrained") & frame["low"].isna()]
    if len(refused):
        raw = frame[frame["estimate"] == "raw"].set_index("experiment_id")["centre"]
        notes = pd.DataFrame({"x": refused["x"], "y": refused["experiment_id"].map(raw), "text": "not constrained"})
        size = {"text_font_size": "11px", "angle": 90} if backend == "bokeh" else {"size": 8, "rotation": 90}
        look = {"text_color": "#555555"} if backend == "bokeh" else {"color": "#555555"}
        parts.append(hv.Labels(notes, ["x", "y"], "text").opts(backend=backend, **size, **look))
    low, high = float(np.nanmin([0.0, frame["low"].min()])), float(np.nanmax([0.0, frame["high"].max()]))
    margin = 0.04 * (high - low) or 1.0
    overlay = hv.Overlay(parts).opts(
        backend=backend, xlim=(-0.55, len(experiments) - 0.45), ylim=(low - margin, high + margin),
        xticks=list(enumerate(map(label, experiments))),
    )  # fmt: skip
    return dressed(overlay, _heading(constraint, frame), backend, (max(3.2, 1.35 * len(experiments)), 3.2))


def _heading(constraint: xr.Dataset, frame: pd.DataFrame) -> Heading:
    attrs = constraint.attrs
    levels = constraint["quantile"].values
    years, base = attrs.get("trend_years", ""), attrs.get("base_period", "")
    trend = f"{attrs['observed_trend']:.2f} {attrs['trend_units']}".strip()
    said = f"Bars: {100 * levels.min():g}-{100 * levels.max():g} %. Pale: {_span(frame['count'], 'd')} models; dark: "
    said += f"constrained by the observed trend{f' {years}' if years else ''} ({trend})"
    said += f", correlation {_span(frame['correlation'], '.2f')}"
    said += "; grey: assessed, AR6" if "assessed" in set(frame["estimate"]) else ""
    change = f"Change from {base}" if base else "Change"
    period = str(constraint["period"].item()) if "period" in constraint.coords else ""
    return Heading(
        f"Future change{f' by {period}' if period else ''}: raw, constrained"
        + (", assessed" if "assessed" in said else ""),
        said + ".",
        "",
        f"{change} [{attrs['units']}]",
        str(attrs.get("synthetic", "false")) == "true",
    )


def _span(values: pd.Series, form: str) -> str:
    least, most = format(values.min(), form), format(values.max(), form)
    return least if least == most else f"{least} to {most}"
