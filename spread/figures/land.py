"""Figures of simulated land: fluxes, pools and what is left of the budgets; a counterfactual with its range.

Drawn for print, from yearly means on ``draw, year``; where parameters were drawn a band shows 5-95 % of the draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.figures.words import SYNTHETIC, WARNING_COLOUR, raised
from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito 2008: told apart by colour-blind readers too
PAINT = {
    "gpp": "#009E73", "ra": "#D55E00", "rh": "#E69F00", "nbp": "#000000", "cVeg": "#009E73", "cSoil": "#8B5A2B",
    "cLitter": "#E69F00", "evspsbl": "#0072B2", "mrro": "#56B4E9", "mrso": "#0072B2", "lai": "#009E73",
}  # fmt: skip
BASELINE, CHANGED = "#555555", "#0072B2"
_ULP = float(np.finfo(np.float32).eps)
_PANELS = (
    ("Carbon fluxes", ("gpp", "ra", "rh", "nbp")),
    ("Carbon pools", ("cSoil", "cVeg", "cLitter")),
    ("Water fluxes", ("evspsbl", "mrro")),
    ("Soil water", ("mrso",)),
    ("Leaf area", ("lai",)),
)
COMPARED = ("gpp", "nbp", "evspsbl", "cVeg")


def budget(yearly: xr.Dataset, title: str) -> Figure:
    """Fluxes, pools and closure of one simulation.

    Parameters
    ----------
    yearly : xarray.Dataset
        Yearly means on ``draw, year`` with the closures of both budgets.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
        Six panels.
    """
    figure, panels = _sheet(yearly, title, rows=2, columns=3)
    years = yearly["year"].values
    for axes, (subtitle, names) in zip(panels, _PANELS, strict=False):
        for name in names:
            factor, unit = _shown(name)
            _band(axes, years, yearly[name].values * factor, PAINT[name], name)
        _finish(axes, subtitle, unit, legend=len(names) > 1)
    axes = panels[5]
    total = float(sum(yearly[name].max() for name in ("cVeg", "cSoil", "cLitter")))
    for name, paint in (("carbon_closure", PAINT["cSoil"]), ("water_closure", PAINT["mrso"])):
        left = np.maximum(yearly[name].values.max(0), 1e-12)
        axes.semilogy(years, left, color=paint, label=name.split("_")[0])
    axes.axhline(_ULP * total, color=PAINT["cSoil"], linestyle=":", linewidth=1)
    axes.axhline(_ULP * float(yearly["mrso"].max()), color=PAINT["mrso"], linestyle=":", linewidth=1)
    axes.set_ylim(1e-9, 1e-1)
    _finish(axes, "Budgets: what is left over\ndotted: 1 ulp of the pools", "kg m⁻²", legend=True)
    return figure


def counterfactual(pair: xr.Dataset, title: str) -> Figure:
    """Both runs of a counterfactual above, their difference, draw by draw, below.

    Parameters
    ----------
    pair : xarray.Dataset
        Yearly means on ``run`` (``baseline``, ``changed``), ``draw``, ``year``, with the attribute ``change_label``.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
        A column for each of :data:`COMPARED`.
    """
    figure, panels = _sheet(pair, title, rows=2, columns=len(COMPARED))
    years = pair["year"].values
    for column, name in enumerate(COMPARED):
        factor, unit = _shown(name)
        values = {run: pair[name].sel(run=run).transpose("draw", "year").values * factor for run in pair["run"].values}
        above, below = panels[column], panels[column + len(COMPARED)]
        _band(above, years, values["baseline"], BASELINE, "baseline")
        _band(above, years, values["changed"], CHANGED, "changed")
        _finish(above, VARIABLES[name].long_name.split(",")[0], unit, legend=column == 0)
        below.axhline(0.0, color="#888888", linewidth=0.8)
        _band(below, years, values["changed"] - values["baseline"], CHANGED, "")
        _finish(below, "difference, same parameters in both", unit, legend=False)
    return figure


def effects(attribution: xr.Dataset, title: str) -> Figure:
    """Effects of factors and their interactions, which add up to the total.

    Parameters
    ----------
    attribution : xarray.Dataset
        ``effect`` on ``term, draw`` and ``total`` on ``draw``.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
        A bar for each term and the total, with the range over draws.
    """
    name = str(attribution.attrs["outcome"]).split(",")[0]
    factor, unit = _shown(name)
    values = np.concatenate([attribution["effect"].values, attribution["total"].values[None]]) * factor
    figure, (axes,) = _sheet(attribution, title, rows=1, columns=1, height=1.4 + 0.36 * len(values))
    names = [*attribution["term"].values.tolist(), "total"]
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), axis=1)
    paints = [CHANGED if " x " not in n else "#56B4E9" for n in names[:-1]] + [BASELINE]
    at = np.arange(len(names))[::-1]
    axes.barh(at, values.mean(1), color=paints, height=0.6)
    if values.shape[1] > 1:
        axes.hlines(at, low, high, color="black", linewidth=1.2)
        axes.plot(middle, at, "|", color="black", markersize=7)
    axes.axvline(0.0, color="#888888", linewidth=0.8)
    axes.set_yticks(at, [str(n).replace(" x ", " \u00d7 ") for n in names])
    _finish(axes, "bar: mean, line: 5-95 % of draws, tick: median" if values.shape[1] > 1 else "", "", False, "x")
    axes.set_xlabel(f"{VARIABLES[name].long_name} [{unit}]", fontsize=9)
    return figure


def write(figure: Figure, path: Path, title: str, synthetic: bool) -> None:
    """Write a figure as PNG and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        As the functions above give it.
    path : Path
        Of the file.
    title : str
        For its metadata.
    synthetic : bool
        Whether its metadata say so.
    """
    said = {"Title": title, "Software": "spread", "Source": SYNTHETIC if synthetic else "simulated by spread"}
    figure.savefig(path, dpi=150, facecolor="white", metadata=said)


def _sheet(ds: xr.Dataset, title: str, rows: int, columns: int, height: float = 0.0) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    tall = height or 1.0 + 2.6 * rows
    synthetic = str(ds.attrs.get("synthetic")) == "true"
    below = (0, 0, 1, 1 - (0.62 if synthetic else 0.38) / tall)
    size = (8.0 if columns == 1 else 3.4 * columns, tall)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(rect=below))
    figure.text(0.01, 1 - 0.08 / tall, title, fontsize=12, fontweight="bold", va="top")
    if synthetic:
        figure.text(0.01, 1 - 0.36 / tall, SYNTHETIC, fontsize=9.5, fontweight="bold", color=WARNING_COLOUR, va="top")
    return figure, list(np.ravel(figure.subplots(rows, columns)))


def _shown(name: str) -> tuple[float, str]:
    unit, factor = VARIABLES[name].change_display("absolute")
    return factor, "m² of leaf per m²" if name == "lai" else raised(unit)


def _band(axes: Any, years: NDArray[Any], values: NDArray[np.float64], paint: str, label: str) -> None:
    """The median over draws (``draw, year``), and 5-95 % of them."""
    if values.shape[0] > 1:
        low, high = np.quantile(values, (0.05, 0.95), axis=0)
        axes.fill_between(years, low, high, facecolor=(paint, 0.14), edgecolor=(paint, 0.6), linewidth=0.5)
    axes.plot(years, np.median(values, axis=0), color=paint, linewidth=1.8, label=label)


def _finish(axes: Any, subtitle: str, unit: str, legend: bool, grid: Literal["x", "y"] = "y") -> None:
    axes.set_title(subtitle, loc="left", fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_xaxis().get_scale() == "linear" and axes.get_ylabel():
        axes.xaxis.get_major_locator().set_params(integer=True)
    if legend:
        low, high = axes.get_ylim()
        if axes.get_yscale() == "linear":
            axes.set_ylim(low, high + 0.22 * (high - low))  # room for the legend
        axes.legend(fontsize=7.5, loc="upper right", ncols=2, framealpha=0.7, edgecolor="none")
