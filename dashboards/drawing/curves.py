"""Curves and maps of calculations that no report holds: on the page for Bokeh, on paper for Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from bokeh.core.properties import value as said_as
from bokeh.models import HoverTool, Legend, LegendItem
from bokeh.plotting import figure as bokeh_figure

from dashboards.drawing.screen import calm, paint
from spread.figures import SYNTHETIC
from spread.figures.maps import colour_levels
from spread.natural_earth import coastlines

PAINTS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#000000")
"""Okabe & Ito 2008: told apart by colour-blind readers too; the first is the emulator's."""


class Curve(NamedTuple):
    """A line, and a band where there is one.

    Parameters
    ----------
    name : str
        Of the line where one points at it, and in tables; curves of one entry share it in the legend.
    years, values : ndarray
        Of one length.
    colour : str
        Of both.
    dash : str
        ``solid`` or ``dashed``.
    width : float
        Of the line [pixel]; 0 for a band alone.
    low, high : ndarray, optional
        Of the band.
    entry : str, optional
        Of the legend where it is not the name; an empty one for a faint line that has none.
    """

    name: str
    years: Any
    values: Any
    colour: str
    dash: str = "solid"
    width: float = 2.0
    low: Any = None
    high: Any = None
    entry: str | None = None

    @property
    def label(self) -> str:
        """In the legend; empty where it has no entry."""
        return self.name if self.entry is None else self.entry


class Map(NamedTuple):
    """A map.

    Parameters
    ----------
    title : str
        Above it.
    data : DataArray
        ``(lat, lon)``.
    both : bool
        Whether values lie on both sides of zero.
    unit : str
        Of the colours.
    """

    title: str
    data: xr.DataArray
    both: bool
    unit: str


def on_page(curves: Sequence[Curve], theme: str, axis: str, unit: str, alt: str) -> Any:
    """Draw curves for the page.

    Parameters
    ----------
    curves : sequence of Curve
        Those below first.
    theme : str
        Of :data:`dashboards.drawing.screen.THEMES`.
    axis, unit : str
        Of the values.
    alt : str
        What is shown, in words.
    """
    drawn = bokeh_figure(
        frame_height=320, sizing_mode="stretch_width", tools="pan,box_zoom,wheel_zoom,reset", active_drag=None,
        toolbar_location="above", x_axis_label="", y_axis_label=f"{axis} [{unit}]",
    )  # fmt: skip
    entries: dict[str, list[Any]] = {}
    hovered = []
    for curve in curves:
        tint, glyphs = paint(curve.colour, theme), []
        if curve.low is not None:
            # copies: what is drawn for one visitor is never what is kept for all
            source = {"Year": np.array(curve.years), "low": np.array(curve.low), "high": np.array(curve.high)}
            glyphs.append(drawn.varea("Year", "low", "high", source=source, color=tint, fill_alpha=0.2))
        if curve.width:
            marks: dict[str, Any] = {"Year": np.array(curve.years), "value": np.array(curve.values),
                      "name": [curve.name] * len(curve.years)}  # fmt: skip
            line = drawn.line("Year", "value", source=marks, color=tint, line_width=curve.width,
                              line_dash=curve.dash, line_alpha=1.0 if curve.label else 0.3)  # fmt: skip
            glyphs.append(line)
            hovered += [line] if curve.name else []
        if curve.label:
            entries.setdefault(curve.label, []).extend(glyphs)
    items = [LegendItem(label=said_as(name), renderers=glyphs) for name, glyphs in entries.items()]
    drawn.add_layout(
        Legend(items=items, ncols=1 if max(map(len, entries)) > 24 else 2, click_policy="hide", location="left"),
        "below",
    )
    drawn.add_tools(HoverTool(renderers=hovered, line_policy="nearest", tooltips=[
        ("", "@name"), ("year", "@Year{0}"), (f"[{unit}]", "@value{0.00}")]))  # fmt: skip
    drawn.xgrid.visible = False
    drawn.height = 320 + 60 + 24 * len(items)
    return calm(drawn, theme, alt)


def on_paper(title: str, below: str, synthetic: bool, curves: Sequence[Curve], axis: str, maps: Sequence[Map]) -> Any:
    """Draw curves, and maps beneath, for print.

    Parameters
    ----------
    title, below : str
        Headline and what is to be known of it.
    synthetic : bool
        Whether it says so.
    curves : sequence of Curve
        As in :func:`on_page`.
    axis : str
        Of their values, with its unit.
    maps : sequence of Map
        None to three.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import textwrap

    from matplotlib.figure import Figure

    lines = textwrap.wrap(below, 150)
    head = 1.25 + 0.16 * max(0, len(lines) - 3)
    tall = 3.35 + head + (3.0 if maps else 0.0)
    sheet = Figure(figsize=(10.0, tall))
    grid = sheet.add_gridspec(2 if maps else 1, max(len(maps), 1), left=0.08, right=0.97, bottom=0.08,
                              top=1 - head / tall, hspace=0.3, height_ratios=[1.2, 1] if maps else [1])  # fmt: skip
    sheet.text(0.01, 1 - 0.1 / tall, title, fontsize=12, fontweight="bold", va="top")
    if synthetic:
        sheet.text(0.01, 1 - 0.36 / tall, SYNTHETIC, fontsize=9, fontweight="bold", color="#B00020", va="top")
    sheet.text(0.01, 1 - 0.58 / tall, "\n".join(lines), fontsize=8.5, color="#444444", va="top")
    axes = sheet.add_subplot(grid[0, :])
    said: set[str] = set()
    for curve in curves:
        if curve.low is not None:
            axes.fill_between(curve.years, curve.low, curve.high, color=curve.colour, alpha=0.2, linewidth=0)
        if curve.width:
            entry = curve.label
            label = entry if entry and entry not in said else "_"
            said.add(entry)
            axes.plot(curve.years, curve.values, color=curve.colour, linewidth=0.7 * curve.width,
                      linestyle=curve.dash, alpha=1.0 if entry else 0.3, label=label)  # fmt: skip
    axes.set_ylabel(axis, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, frameon=False)
    for number, one in enumerate(maps):
        _map_on_paper(sheet, sheet.add_subplot(grid[1, number]), one)
    return sheet


def _map_on_paper(sheet: Any, axes: Any, one: Map) -> None:
    from matplotlib.colors import BoundaryNorm

    values = one.data.transpose("lat", "lon").values.astype(np.float64)
    levels = colour_levels(values, one.both)
    drawn = axes.pcolormesh(one.data["lon"].values, one.data["lat"].values, values, shading="nearest", rasterized=True,
                            cmap="RdBu_r" if one.both else "viridis", norm=BoundaryNorm(levels, 256))  # fmt: skip
    for line in coastlines():
        moved = np.column_stack([line[:, 0] % 360.0, line[:, 1]])
        for part in np.split(moved, np.flatnonzero(np.abs(np.diff(moved[:, 0])) > 180) + 1):
            axes.plot(part[:, 0], part[:, 1], color="#222222", linewidth=0.4)
    axes.set(xlim=(0, 360), ylim=(-90, 90), xticks=[], yticks=[], aspect="equal")
    axes.set_title(one.title, loc="left", fontsize=9)
    bar = sheet.colorbar(drawn, ax=axes, orientation="horizontal", fraction=0.06, pad=0.05)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(one.unit, fontsize=8)


def table_of(curves: Sequence[Curve], value: str) -> Any:
    """A row a curve and year."""
    import pandas as pd

    parts = []
    for curve in curves:
        if not curve.name:
            continue
        part = pd.DataFrame({"curve": curve.name, "year": curve.years, value: curve.values})
        if curve.low is not None:
            part["low"], part["high"] = curve.low, curve.high
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
