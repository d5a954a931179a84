"""Zonal means of a report's maps: how change and its spread depend on latitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from spread import ensemble
from spread.figures.frames import one_of
from spread.figures.maps import headline, maps_of, period_of
from spread.figures.words import band, colour, label, unit, voters
from spread.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TICKS = (-90, -60, -30, -15, 0, 15, 30, 60, 90)


def zonal_spread(report: Report, period: str | None = None, season: str | None = None) -> xr.Dataset:
    """Statistics across models of the zonal mean change.

    Parameters
    ----------
    report : Report
        With maps.
    period, season : str, optional
        Which of its periods and seasons; the first by default.

    Returns
    -------
    xarray.Dataset
        As :func:`spread.ensemble.across` gives them, on ``experiment_id, lat``; a model's zonal mean is over the cells
        that have a value.

    Raises
    ------
    BadStudy
        If the report has no maps, or no such period or season.
    """
    maps = maps_of(report)
    at = {"period": period_of(report, period), "season": one_of(report, "season", season)}
    zonal = maps["change"].sel(at).astype(np.float64).mean("lon").compute()
    return ensemble.across(zonal, report.study.votes, report.study.quantiles, report.study.ddof)


def zonal_means(report: Report, period: str | None = None, season: str | None = None) -> Figure:
    """Draw the zonal mean change by scenario with the range across models.

    Parameters
    ----------
    report, period, season
        As in :func:`zonal_spread`.

    Returns
    -------
    matplotlib.figure.Figure
        Change against latitude, whose axis gives each latitude the length of its area.

    Raises
    ------
    BadStudy
        As in :func:`zonal_spread`.
    """
    from matplotlib.figure import Figure

    period, season = period_of(report, period), one_of(report, "season", season)
    found, shown = zonal_spread(report, period, season), unit(report)
    figure = Figure(figsize=(9.6, 4.6), dpi=150)
    axes = figure.add_axes((0.075, 0.2, 0.9, 0.6))
    sine = np.sin(np.radians(found["lat"].values))
    for experiment in map(str, found["experiment_id"].values):
        at = found.sel(experiment_id=experiment)
        count = int(at["count"].max())
        if not count:
            continue
        paint, low, high = colour(report, experiment), at["quantiles"][0], at["quantiles"][-1]
        if found.sizes["quantile"] > 1:
            axes.fill_between(sine, shown.factor * low, shown.factor * high, color=paint, alpha=0.18, linewidth=0)
        name = f"{label(experiment)} ({voters(report, count)})"
        axes.plot(sine, shown.factor * at["mean"], color=paint, linewidth=2.0, label=name)
    axes.axhline(0.0, color="#333333", linewidth=0.8)
    names = [f"{abs(t)}°{'S' if t < 0 else 'N' if t else ''}" for t in _TICKS]
    axes.set_xticks(np.sin(np.radians(_TICKS)), names)
    axes.set_xlim(-1.0, 1.0)
    axes.set_ylabel(f"Change from {report.across.attrs['base_period']} [{shown.name}]", fontsize=9.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    shaded = f", shaded: {band(report)}" if band(report) else ""
    axes.set_title(f"line: mean{shaded}; latitudes as wide as their area", loc="left", fontsize=8.5, color="#444444")
    figure.legend(loc="lower left", bbox_to_anchor=(0.055, 0.0), ncols=3, fontsize=8.5, frameon=False)
    headline(figure, report, period, season, 4.6, "zonal mean change")
    return figure
