"""Gregory plots: net radiation against warming after CO2 is quadrupled, with the line that gives ECS and forcing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from spread.errors import BadStudy, did_you_mean
from spread.figures.drawing import Backend, holoviews
from spread.figures.sheets import Sheet, in_print, is_synthetic, on_screen
from spread.figures.words import OTHER_COLOURS

if TYPE_CHECKING:
    import holoviews as hv


class GregoryFrames(NamedTuple):
    """What a Gregory plot draws: years, lines, and how many models there are to choose from."""

    years: pd.DataFrame
    lines: pd.DataFrame
    models: int


def gregory_frames(sensitivity: xr.Dataset, models: Sequence[str] | None = None) -> GregoryFrames:
    """Numbers of a Gregory plot.

    Parameters
    ----------
    sensitivity : xarray.Dataset
        As returned by :func:`spread.ensemble.gregory`, on ``source_id`` and perhaps ``member_id`` (then a model's first
        run with a fit is drawn).
    models : sequence of str, optional
        At most six; by default as many that have an ECS, evenly from the least to the most sensitive.

    Returns
    -------
    GregoryFrames
        ``years`` with ``model, year, warming, imbalance``; ``lines`` with ``model, intercept, slope, at_rest`` (warming
        at which the line meets zero), ``ecs, ecs_se, erf_2x, reason``, the most sensitive first.

    Raises
    ------
    BadStudy
        If there are other dimensions, a model is unknown or has no fit, or there are more than six or none.
    """
    dims = set(sensitivity["ecs"].dims)
    if not dims <= {"source_id", "member_id"} or "source_id" not in dims:
        raise BadStudy(f"Gregory plot: expected source_id and member_id, got {', '.join(sorted(map(str, dims)))}")
    runs: dict[str, xr.Dataset] = {}
    for source_id in map(str, sensitivity["source_id"].values):
        one = sensitivity.sel(source_id=source_id)
        if "member_id" in one.dims:
            fitted = np.flatnonzero(np.isfinite(one["slope"].values))
            believed = np.flatnonzero(np.isfinite(one["ecs"].values))
            one = one.isel(member_id=int((believed if believed.size else fitted)[0]) if fitted.size else 0)
        if np.isfinite(one["slope"]):
            runs[source_id] = one
    sensitive = sorted((name for name in runs if np.isfinite(runs[name]["ecs"])), key=lambda n: float(runs[n]["ecs"]))
    chosen = list(models) if models is not None else _evenly(sensitive, len(OTHER_COLOURS))
    unknown = [name for name in chosen if name not in runs]
    if unknown:
        raise BadStudy(f"Gregory plot: no fit of {', '.join(unknown)}; {did_you_mean(unknown[0], sorted(runs))}")
    if not 1 <= len(chosen) <= len(OTHER_COLOURS):
        raise BadStudy(f"Gregory plot: expected 1 to {len(OTHER_COLOURS)} models with a fit, got {len(chosen)}")
    years, lines = [], []
    for name in chosen:
        one = runs[name]
        columns = {"year": one["model_year"], "warming": one["warming"], "imbalance": one["imbalance"]}
        years.append(pd.DataFrame({key: value.values for key, value in columns.items()}).assign(model=name))
        line = {key: float(one[key]) for key in ("intercept", "slope", "ecs", "ecs_se", "erf_2x")}
        at_rest = -line["intercept"] / line["slope"] if line["slope"] else np.nan
        lines.append(line | {"model": name, "at_rest": at_rest, "reason": str(one["reason"].values)})
    table = pd.DataFrame(lines).sort_values("ecs", ascending=False, na_position="last", ignore_index=True)
    return GregoryFrames(pd.concat(years, ignore_index=True), table, len(sensitive))


def _evenly(ordered: list[str], most: int) -> list[str]:
    if len(ordered) <= most:
        return ordered
    return [ordered[at] for at in np.linspace(0, len(ordered) - 1, most).round().astype(int)]


def gregory_plot(
    sensitivity: xr.Dataset,
    models: Sequence[str] | None = None,
    backend: Backend = "bokeh",
    synthetic: bool | None = None,
) -> hv.Overlay:
    """Draw net radiation against warming, and the fits that give ECS and effective forcing.

    Parameters
    ----------
    sensitivity, models
        As in :func:`gregory_frames`.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.
    synthetic : bool, optional
        Whether the data are; where they do not say so themselves.

    Returns
    -------
    holoviews.Overlay
        A dot for each year, a line for each model (dashed where it is not believed), a circle where the line meets the
        axes: at the forcing, and at the warming in equilibrium.

    Raises
    ------
    BadStudy
        As in :func:`gregory_frames`; if nobody says whether the data are synthetic.
    """
    frames = gregory_frames(sensitivity, models)
    doublings = float(sensitivity.attrs["doublings"])
    times = "" if doublings == 1 else f"{doublings:g} × "
    shown = len(frames.lines)
    few = f"; {shown} of {frames.models} models, from the least to the most sensitive" if (
        models is None and shown < frames.models) else ""  # fmt: skip
    sheet = Sheet(
        f"Gregory plot: net radiation against warming after {2**doublings:g} × CO₂",
        f"dot: a year; circles: {times}ERF on the left, {times}ECS below; fit: {sensitivity.attrs['fit']}; control: "
        f"{sensitivity.attrs['control']}; ±: one standard error; λ in W m⁻² K⁻¹{few}",
        is_synthetic(sensitivity, synthetic),
        7.6,
        4.0,
    )
    xlim, ylim = _limits(frames)
    overlay = _lines(frames, xlim, ylim, backend).opts(
        backend=backend,
        xlim=xlim,
        ylim=ylim,
        xlabel="Warming above the control [K]",
        ylabel="Net radiation at the top of the atmosphere [W m⁻²]",
    )
    if backend == "bokeh":
        return on_screen(overlay, sheet, _legend_on_screen(frames))
    return in_print(overlay, sheet, "Net radiation at the top of the atmosphere [W m⁻²]", _legend_in_print(frames))


def _painted(frames: GregoryFrames) -> list[tuple[Any, str]]:
    return list(zip(frames.lines.itertuples(), OTHER_COLOURS, strict=False))


def _limits(frames: GregoryFrames) -> tuple[tuple[float, float], tuple[float, float]]:
    """Everything drawn, zero, and where believed lines meet the axes."""
    lines = frames.lines[frames.lines["reason"] == ""]
    right = np.nanmax([frames.years["warming"].max(), *lines["at_rest"], 0.0])
    left = min(frames.years["warming"].min(), 0.0)
    values = [*frames.years["imbalance"], *frames.lines["intercept"], 0.0]
    low, high = np.nanmin(values), np.nanmax(values)
    return (
        (float(left - 0.02 * (right - left)), float(right + 0.06 * (right - left))),
        (float(low - 0.05 * (high - low)), float(high + 0.05 * (high - low))),
    )


def _lines(frames: GregoryFrames, xlim: tuple[float, float], ylim: tuple[float, float], backend: Backend) -> hv.Overlay:
    hv = holoviews()
    width, size = ("line_width", "size") if backend == "bokeh" else ("linewidth", "s")
    dash = "line_dash" if backend == "bokeh" else "linestyle"
    zero: dict[str, Any] = {"backend": backend, "color": "#333333", width: 0.8}
    parts = [hv.HLine(0).opts(**zero), hv.VLine(0).opts(**zero)]
    for row, paint in _painted(frames):
        years = frames.years[frames.years["model"] == row.model]
        dots = hv.Points(years, ["warming", "imbalance"], ["model", "year"])
        on_dots: dict[str, Any] = {"tools": ["hover"], "hover_tooltips": [
            ("model", "@model"), ("year", "@year"), ("warming [K]", "@warming{0.00}"),
            ("net radiation", "@imbalance{0.00}")]} if backend == "bokeh" else {"edgecolors": "none"}  # fmt: skip
        if backend == "bokeh":
            on_dots["line_alpha"] = 0
        dots = dots.opts(backend=backend, color=paint, alpha=0.35, **{size: 5 if backend == "bokeh" else 11}, **on_dots)
        end = row.at_rest if not row.reason else xlim[1]
        line = hv.Curve([(0.0, row.intercept), (end, row.intercept + row.slope * end)])
        style = {dash: "dashed"} if row.reason else {}
        parts += [dots, line.opts(backend=backend, color=paint, **{width: 2.0}, **style)]
        if not row.reason:
            rings = hv.Points([(0.0, row.intercept), (row.at_rest, 0.0)])
            around = {"line_color": paint, "line_width": 2, "size": 9} if backend == "bokeh" else {
                "edgecolors": paint, "linewidth": 1.8, "s": 42}  # fmt: skip
            parts.append(rings.opts(backend=backend, color="white", **around))
    return hv.Overlay(parts)


def _said(row: Any) -> str:
    if row.reason:
        return f"{row.model}: no ECS, {row.reason.split(';')[0].replace('m-2', 'm⁻²')}"
    return (
        f"{row.model}: ECS {row.ecs:.2f} ± {row.ecs_se:.2f} K, ERF {row.erf_2x:.2f} W m⁻², λ {row.slope:.2f}".replace(
            " -", " −"
        )
    )


def _legend_in_print(frames: GregoryFrames) -> Any:
    def finish(axes: Any) -> None:
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=paint, linewidth=2, linestyle="--" if row.reason else "-", label=_said(row))
            for row, paint in _painted(frames)
        ]
        axes.legend(handles=handles, loc="upper right", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none")

    return finish


def _legend_on_screen(frames: GregoryFrames) -> Any:
    def finish(figure: Any) -> None:
        from bokeh.models.annotations import Legend, LegendItem
        from bokeh.models.glyphs import Line

        lines = [one for one in figure.renderers if isinstance(getattr(one, "glyph", None), Line)]
        pairs = zip(_painted(frames), lines, strict=True)
        items = [LegendItem(label=_said(row).split(", ERF")[0], renderers=[line]) for (row, _), line in pairs]
        legend = Legend(location="top_right", label_text_font_size="11px", border_line_alpha=0)
        legend.items = items
        figure.add_layout(legend)

    return finish
