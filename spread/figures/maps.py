"""Maps of a report: the mean change by scenario, hatched where models do not agree, and how far they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.errors import BadStudy, did_you_mean
from spread.figures.frames import one_of
from spread.figures.projection import equal_earth, outline
from spread.figures.words import SEASONS, SYNTHETIC, WARNING_COLOUR, Unit, label, unit, voters
from spread.natural_earth import coastlines
from spread.report import Report
from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_WIDTH, _MAP_HEIGHT, _TOP, _BOTTOM = 9.6, 2.3, 1.0, 1.2  # [inch]
HATCHES = {"no_change_or_no_robust_signal": "////", "conflicting_signals": "xxxx", "low_model_agreement": "////"}
"""Marks of the classes of robustness that AR6 hatches: one way, or both ways."""

_GREY = "#444444"
_STEPS = 8  # colours on each side of zero


def change_maps(
    report: Report, period: str | None = None, season: str | None = None, model: str | None = None
) -> Figure:
    """Draw maps of the change and of its spread across models, a row a scenario.

    Parameters
    ----------
    report : Report
        With maps.
    period, season : str, optional
        Which of its periods and seasons; the first by default.
    model : str, optional
        ``source_id`` of the one whose own change is drawn, in place of the mean across models.

    Returns
    -------
    matplotlib.figure.Figure
        Left the mean across models, hatched after AR6; right the standard deviation across models.

    Raises
    ------
    BadStudy
        If the report has no maps, or no such period, season or model.
    """
    from matplotlib.figure import Figure

    period, season = period_of(report, period), one_of(report, "season", season)
    maps = maps_of(report).sel(period=period, season=season)
    if model is not None:
        maps = _of_one(maps, model, report)
    shown = unit(report)
    some = (maps["count"].max(["lat", "lon"]) > 0).values  # a level of warming may be crossed by nobody
    maps = maps.isel(experiment_id=some if some.any() else slice(1))
    scenarios = [str(e) for e in maps["experiment_id"].values]
    height = _TOP + _BOTTOM + len(scenarios) * (_MAP_HEIGHT + 0.25)
    figure = Figure(figsize=(_WIDTH, height), dpi=150)
    mean, sd = (shown.factor * maps[name].values.astype(np.float64) for name in ("mean", "sd"))
    scales = colour_levels(mean, True), colour_levels(sd, False)
    drawn: list[Any] = []
    for row, experiment in enumerate(scenarios):
        top = height - _TOP - row * (_MAP_HEIGHT + 0.25)
        at = maps.sel(experiment_id=experiment)
        count = int(np.nanmax(at["count"].values, initial=0))
        for column, (values, levels) in enumerate(zip((mean[row], sd[row]), scales, strict=True)):
            box = (0.15 + 4.75 * column, top - _MAP_HEIGHT, 4.55, _MAP_HEIGHT)
            axes = figure.add_axes((box[0] / _WIDTH, box[1] / height, box[2] / _WIDTH, box[3] / height))
            colours = _colours(report, column, levels)
            drawn.append(_draw(axes, at, values, levels, colours))
            if column == 0:
                if model is None:
                    _hatch(axes, at)
                who = voters(report, count) if model is None else model
                axes.set_title(f"{label(experiment)}, {who}", loc="left", fontsize=9)
    headline(figure, report, period, season, height)
    above = (judged(maps) if model is None else f"Change of {model}", "How far models differ")
    for column, (words, where) in enumerate(zip(_captions(report, shown, model), drawn[:2], strict=True)):
        bar = figure.add_axes(((0.5 + 4.75 * column) / _WIDTH, 0.78 / height, 3.85 / _WIDTH, 0.13 / height))
        figure.colorbar(where, cax=bar, orientation="horizontal", extend="both" if column == 0 else "max")
        bar.set_xlabel(words, fontsize=9)
        bar.tick_params(labelsize=8.5)
        figure.text(
            (0.15 + 4.75 * column) / _WIDTH, 1 - 0.68 / height, above[column], fontsize=10, va="top", color=_GREY
        )
    if model is None:
        _legend(figure, report, height)
    return figure


def _of_one(maps: xr.Dataset, model: str, report: Report) -> xr.Dataset:
    """The change of one model in place of the mean, where it has one."""
    known = [str(name) for name in maps["source_id"].values]
    if model not in known:
        raise BadStudy(f"maps of report {report.study.name!r}: no model {model!r}, {did_you_mean(model, known)}")
    own = maps["change"].sel(source_id=model).astype(np.float64).mean("member_id")
    return maps.assign(mean=own, count=maps["count"].where(own.notnull(), 0))


def judged(maps: xr.Dataset) -> str:
    """Heading of a mean change: what hatching says, and where there are too few models for it to say anything.

    Parameters
    ----------
    maps : xarray.Dataset
        With ``mean`` and ``robustness``.
    """
    there = maps["mean"].notnull()
    meanings = str(maps["robustness"].attrs["flag_meanings"]).split()
    value = maps["robustness"].attrs["flag_values"][meanings.index("too_few_models")]
    cells = int(there.sum())
    few = int(((maps["robustness"] == value) & there).sum())
    if few == 0:
        return "Mean change, hatched where it is not robust"
    if few == cells:
        return "Mean change; too few models or years to judge how robust it is"
    return (
        f"Mean change, hatched where it is not robust ({max(1, round(100 * few / cells))} % of cells: too few models)"
    )


def maps_of(report: Report) -> xr.Dataset:
    """Maps of a report; BadStudy if it has none."""
    if report.maps is None:
        raise BadStudy(f"report of study {report.study.name!r}: has no maps; ask for them with [maps] in the study")
    return report.maps


def period_of(report: Report, period: str | None) -> str:
    """Check the name of a period of the maps, or of a level of warming; the first by default."""
    known = [str(value) for value in maps_of(report)["period"].values]
    if period is not None and period not in known:
        raise BadStudy(f"maps of report {report.study.name!r}: no period {period!r}, {did_you_mean(period, known)}")
    return period or known[0]


def _captions(report: Report, shown: Unit, model: str | None = None) -> tuple[str, str]:
    return (
        f"{'mean ' if model is None else ''}change from {report.across.attrs['base_period']} [{shown.name}]",
        f"standard deviation across {'runs' if report.study.votes == 'all' else 'models'} [{shown.name}]",
    )


def colour_levels(values: Floats, both: bool) -> Floats:
    """Round levels that hold nearly all values.

    Parameters
    ----------
    values : numpy.ndarray
        What is drawn; NaN is left out.
    both : bool
        True for levels symmetric about zero, of a change; False for levels from zero, of a spread.

    Returns
    -------
    numpy.ndarray
        Edges of the colours.
    """
    finite = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(finite, 0.99)) if finite.size else 1.0
    step = (largest or 1.0) / _STEPS
    power = 10.0 ** np.floor(np.log10(step))
    step = power * min(
        nice for nice in (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0) if nice * power >= step * (1 - 1e-9)
    )
    return step * np.arange(-_STEPS if both else 0, _STEPS + 1)


def colour_maps(report: Report) -> tuple[str, str]:
    """Names of the Matplotlib colour maps of changes and of their spread: brown to green for water and carbon."""
    water = VARIABLES[report.study.variable_id].standard_name.startswith("precip")
    carbon = VARIABLES[report.study.variable_id].realm.startswith("land")
    return "BrBG" if water or carbon else "RdBu_r", "YlGnBu"


def _colours(report: Report, column: int, levels: Floats) -> tuple[Any, Any]:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    cmap = colormaps[colour_maps(report)[column]].with_extremes(bad="#d9d9d9")
    return cmap, BoundaryNorm(levels, cmap.N, extend="both" if column == 0 else "max")


def _draw(axes: Axes, at: xr.Dataset, values: Floats, levels: Floats, colours: tuple[Any, Any]) -> Any:
    edges, columns = _meridians(at)
    lat = np.concatenate([at["lat_bnds"].values[:, 0], at["lat_bnds"].values[-1:, 1]])
    middle = (edges[0] + edges[-1]) / 2.0
    x, y = equal_earth(*np.meshgrid(edges - middle, np.clip(lat, -90.0, 90.0)))
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(values[:, columns]), cmap=colours[0], norm=colours[1],
                           rasterized=True)  # fmt: skip
    for line in coastlines():
        away = (line[:, 0] - middle + 180.0) % 360.0 - 180.0
        broken = (
            np.abs(np.diff(away, prepend=away[0])) > 180.0
        )  # a line that leaves on one side, to return on the other
        cx, cy = equal_earth(np.where(broken, np.nan, away), line[:, 1])
        axes.plot(cx, cy, color="#333333", linewidth=0.45)
    axes.plot(*outline(), color="#666666", linewidth=0.8)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.margins(0.005)
    return mesh


def _meridians(at: xr.Dataset) -> tuple[Floats, NDArray[np.intp]]:
    """Edges of columns once round the Earth from the edge next to the date line, and the columns in that order."""
    west = (at["lon_bnds"].values[:, 0] + 180.0) % 360.0 - 180.0
    order = np.argsort(west)
    first = west[order[0]]
    width = at["lon_bnds"].values[order, 1] - at["lon_bnds"].values[order, 0]
    return first + np.concatenate([[0.0], np.cumsum(width)]), order


def _hatch(axes: Axes, at: xr.Dataset) -> None:
    """Hatch the cells of each class that AR6 hatches."""
    from matplotlib.collections import PolyCollection

    edges, columns = _meridians(at)
    middle = (edges[0] + edges[-1]) / 2.0
    meanings = dict(zip(str(at["robustness"].attrs["flag_meanings"]).split(), at["robustness"].attrs["flag_values"],
                        strict=True))  # fmt: skip
    classes = at["robustness"].values[:, columns]
    south, north = np.clip(at["lat_bnds"].values, -90.0, 90.0).T
    for meaning, hatch in HATCHES.items():
        rows, places = np.nonzero(classes == meanings.get(meaning, np.nan))
        corners = [equal_earth(edges[places + e] - middle, lat[rows]) for e, lat in
                   ((0, south), (1, south), (1, north), (0, north))]  # fmt: skip
        cells = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
        axes.add_collection(
            PolyCollection(list(cells), facecolor="none", edgecolor="#222222", hatch=hatch, linewidth=0.0)
        )


def headline(figure: Figure, report: Report, period: str, season: str, height: float, what: str = "change") -> None:
    """Write variable, period and season above a figure of some height [inch], and that data are synthetic."""
    variable = VARIABLES[report.study.variable_id]
    when = f"at {period} of global warming" if period.startswith("+") else f"by {period}"
    words = f"{variable.long_name}: {what} {when}, {SEASONS[season]}"
    figure.text(0.015, 1 - 0.12 / height, words, fontsize=12, fontweight="bold", va="top")
    if report.synthetic:
        figure.text(0.015, 1 - 0.38 / height, SYNTHETIC, fontsize=10, fontweight="bold", color=WARNING_COLOUR, va="top")


def _legend(figure: Figure, report: Report, height: float) -> None:
    assert report.maps is not None
    from matplotlib.patches import Patch

    names = {
        "no_change_or_no_robust_signal": "no change or no robust signal",
        "conflicting_signals": "models change, in conflicting directions",
        "low_model_agreement": "fewer than 80 % of models agree on the sign",
    }
    present = str(report.maps["robustness"].attrs["flag_meanings"]).split()
    handles = [
        Patch(facecolor="none", edgecolor="#222222", hatch=hatch, linewidth=0.5, label=names[meaning])
        for meaning, hatch in HATCHES.items()
        if meaning in present
    ]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=2, fontsize=8, frameon=False)
