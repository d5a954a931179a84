"""Figures of an emulator: a map that it drew beside the model's, spectra, reliability, and the table of all methods."""

from __future__ import annotations

from calendar import month_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.figures.words import SYNTHETIC, WARNING_COLOUR
from spread.natural_earth import coastlines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spread.emulator import Samples
    from spread.emulator.scorecard import Scorecard

# Okabe & Ito 2008; the emulator stands out, truth is black
TRUTH, EMULATOR, OTHERS = "#000000", "#D55E00", ("#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#999999")
EMULATED = "Emulated: drawn by a statistical model, no climate model was run."

HALF_A_MONTH = 1 / 24
LEAST_POWER = 0.2
"""Over that of the model, at the foot of the figure of spectra; methods that are nowhere above it have no line."""

Floats = NDArray[np.floating]


def sample_maps(emulated: xr.Dataset, title: str) -> Figure:
    """Global means of the emulated years, a map that was drawn, and mean and spread of the last ten years.

    Parameters
    ----------
    emulated : xarray.Dataset
        As :func:`spread.simulate.emulating.emulate` gives it.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
    """
    flags = str(emulated.attrs["emulator_flags"])
    figure, panels = _sheet(title, str(emulated.attrs["synthetic"]) == "true", 2, 2, f"{EMULATED} {_flagged(flags)}")
    year = _years(emulated)
    area = _areas(emulated["lat"].values, emulated.sizes["lon"])
    tas = emulated["tas"].values
    whole = np.unique(year)
    means = np.tensordot(tas, area, axes=2)
    yearly = np.stack([means[:, year == y].mean(axis=1) for y in whole], axis=1)
    axes = panels[0]
    if len(whole) > 1:
        axes.fill_between(whole, yearly.min(axis=0), yearly.max(axis=0), color=EMULATOR, alpha=0.2, linewidth=0)
        axes.plot(whole, yearly.mean(axis=0), color=EMULATOR, linewidth=1.8)
    else:
        axes.plot(np.arange(tas.shape[1]), means.mean(axis=0), color=EMULATOR, linewidth=1.4)
    _calm(axes, f"global mean, {len(tas)} members: mean and range", "K")
    last = year > whole[-1] - 10
    lat, lon = emulated["lat"].values, emulated["lon"].values
    when = f"{max(whole[0], whole[-1] - 9)}-{whole[-1]}"
    mean = tas[:, last].mean(axis=(0, 1))
    _map(figure, panels[1], lat, lon, tas[0, -1] - mean, "first member, last step, less the mean of " + when, "K", True)
    _map(figure, panels[2], lat, lon, mean, f"mean of {when}", "K", False)
    own = tas[:, last] - _of_season(tas[:, last], np.arange(tas.shape[1])[last], emulated)
    _map(figure, panels[3], lat, lon, own.std(axis=(0, 1)), f"standard deviation within a season, {when}", "K", False)
    return figure


def of_evaluation(card: Scorecard, drawn: Floats, truth: Samples, synthetic: bool) -> dict[str, Figure]:
    """The figures of an evaluation.

    Parameters
    ----------
    card : Scorecard
        Of one run.
    drawn : ndarray
        The emulator's maps, ``(member, time, lat, lon)`` [K].
    truth : Samples
        The run.
    synthetic : bool
        Whether it is made.

    Returns
    -------
    dict of str to Figure
        ``maps``, ``spectra``, ``reliability`` and ``scores``.
    """
    return {
        "maps": beside_truth(card, drawn, truth, synthetic), "spectra": spectra(card, synthetic),
        "reliability": reliability(card, drawn, truth, synthetic), "scores": score_table(card, synthetic),
    }  # fmt: skip


def beside_truth(card: Scorecard, drawn: Floats, truth: Samples, synthetic: bool) -> Figure:
    """One emulated map, one of the model, their difference, and that of their climates."""
    title = f"Emulated and modelled temperature: {card.run}"
    figure, panels = _sheet(title, synthetic, 2, 2, EMULATED)
    middle = len(truth) // 2
    monthly, day = truth.frequency == "mon", truth.day[middle]
    when = f"{month_name[int(day * 12) + 1]} {truth.year[middle]}" + ("" if monthly else f", day {int(day * 365) + 1}")
    # of its season: the cycle of the year is larger than what the maps are to show
    season = truth.tas[np.abs((truth.day - day + 0.5) % 1 - 0.5) < HALF_A_MONTH].mean(axis=0)
    both = [drawn[0, middle] - season, truth.tas[middle] - season]
    scale = float(np.quantile(np.abs(both), 0.99))
    _map(figure, panels[0], truth.lat, truth.lon, both[0], f"emulated, {when}", "K", True, scale)
    _map(figure, panels[1], truth.lat, truth.lon, both[1], f"modelled, {when}", "K", True, scale)
    _map(figure, panels[2], truth.lat, truth.lon, both[0] - both[1],
         f"emulated less modelled, {when}", "K", True)  # fmt: skip
    _map(figure, panels[3], truth.lat, truth.lon, drawn.mean(axis=(0, 1)) - truth.tas.mean(axis=0),
         f"emulated less modelled, mean of {truth.year.min()}-{truth.year.max()}", "K", True)  # fmt: skip
    said = "upper maps: less the run's own mean of " + (month_name[int(day * 12) + 1] if monthly else "that season")
    figure.text(0.99, 0.005, said, ha="right", fontsize=8, color="#444444")
    return figure


def spectra(card: Scorecard, synthetic: bool) -> Figure:
    """Power of each method over that of the model, by zonal wavenumber."""
    figure, (axes,) = _sheet(f"Zonal spectra: {card.run}", synthetic, 1, 1, EMULATED)
    others = iter(OTHERS)
    for row in card.rows:
        ratio = np.asarray(row.scores["spectrum"].value) if "spectrum" in row.scores else np.zeros(0)
        if not np.nan_to_num(ratio).max(initial=0.0) > LEAST_POWER or row.kind == "oracle":
            continue
        candidate = row.kind == "candidate"
        paint = EMULATOR if candidate else next(others, OTHERS[-1])
        axes.plot(np.arange(ratio.size), ratio, color=paint, linewidth=2.4 if candidate else 1.2, label=row.name,
                  zorder=3 if candidate else 2)  # fmt: skip
    axes.axhspan(0.9, 1.1, color="#000000", alpha=0.08, linewidth=0, label="within 10 %")
    axes.axhline(1.0, color=TRUTH, linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylim(LEAST_POWER, 8)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_yticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axes.minorticks_off()
    axes.set_xlabel("zonal wavenumber", fontsize=9)
    _calm(axes, "power over that of the model", "")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def reliability(card: Scorecard, drawn: Floats, truth: Samples, synthetic: bool) -> Figure:
    """Where the model falls among the emulated maps: a flat histogram if they are alike."""
    figure, panels = _sheet(f"Reliability: {card.run}", synthetic, 1, 2, EMULATED)
    members = len(drawn)
    below = np.sum(drawn < truth.tas[None], axis=0)
    share = np.array([np.sum((below == rank).mean(axis=0) * truth.area) for rank in range(members + 1)])
    panels[0].bar(np.arange(members + 1), share * (members + 1), width=0.9, color=EMULATOR)
    panels[0].axhline(1.0, color=TRUTH, linewidth=0.8)
    panels[0].set_xlabel(f"emulated maps below the model, of {members}", fontsize=9)
    _calm(panels[0], "frequency over the expected one", "")
    levels = np.linspace(0.05, 0.95, 19)
    months = np.floor(truth.day * 12).astype(int) % 12
    q_drawn, q_truth = [], []
    for month in np.unique(months):
        mine = months == month
        q_drawn.append(np.quantile(drawn[:, mine], levels, axis=(0, 1)))
        q_truth.append(np.quantile(truth.tas[mine], levels, axis=0))
    middle = levels.size // 2
    emulated, modelled = (np.mean(q, axis=0) for q in (q_drawn, q_truth))
    weight = truth.area / truth.area.sum()
    departures = [np.sum((q - modelled[middle]) * weight, axis=(1, 2)) for q in (emulated, modelled)]
    panels[1].plot(departures[1], departures[0], "o-", color=EMULATOR, markersize=4, linewidth=1.2)
    panels[1].axline((0, 0), slope=1.0, color=TRUTH, linewidth=0.8)
    panels[1].set_xlabel("of the model [K]", fontsize=9)
    _calm(panels[1], "quantiles 5-95 % about the model's median, area mean", "emulated [K]")
    return figure


def score_table(card: Scorecard, synthetic: bool) -> Figure:
    """Fair CRPS, spread over skill and error of the 99th percentile of all methods, with Monte-Carlo errors."""
    shown = {
        "crps": "fair CRPS [K]",
        "ssr": "spread over skill",
        "q99": "error of q99 [K]",
        "global_sd": "global-mean sd, ratio",
    }
    title = f"Scores: {card.kind}, {card.run}, {card.years[0]}-{card.years[1]}"
    figure, panels = _sheet(title, synthetic, 1, len(shown), EMULATED)
    rows = [row for row in card.rows if row.kind != "floor"]
    at = np.arange(len(rows))[::-1]
    for number, (axes, (name, label)) in enumerate(zip(panels, shown.items(), strict=True)):
        for place, row in zip(at, rows, strict=True):
            given = row.scores.get(name)
            if given is None or not np.isfinite(float(given.value)):
                continue
            paint = EMULATOR if row.kind == "candidate" else "#777777"
            error = float(given.member_error)
            axes.errorbar(float(given.value), place, xerr=error if np.isfinite(error) else None, fmt="o", color=paint)
        if name in ("ssr", "global_sd"):
            axes.axvspan(0.95, 1.05, color="#000000", alpha=0.08, linewidth=0)
        axes.set_yticks(at, [row.name for row in rows] if number == 0 else [""] * len(rows))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        _calm(axes, label, "", "x")
    missed = ", ".join(gate.name for gate in card.gates if not gate.held)
    said = f"gates missed: {missed}" if missed else "all gates are held"
    figure.text(0.01, 0.005, said, fontsize=8, color="#444444")
    return figure


def write(figure: Figure, path: Path, title: str, synthetic: bool) -> None:
    """Write a figure as PNG.

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
    said = {"Title": title, "Software": "spread", "Source": SYNTHETIC if synthetic else "emulated by spread"}
    figure.savefig(path, dpi=150, facecolor="white", metadata=said)


def _sheet(title: str, synthetic: bool, rows: int, columns: int, below: str) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width = {1: 8.0, 2: 10.0}.get(columns, 13.0)
    tall = 1.2 + (2.9 if columns > 1 else 3.6) * rows
    figure = Figure(figsize=(width, tall), layout=ConstrainedLayoutEngine(rect=(0, 0.22 / tall, 1, 1 - 1.0 / tall)))
    figure.text(0.01, 1 - 0.08 / tall, title, fontsize=12, fontweight="bold", va="top")
    figure.text(0.01, 1 - 0.34 / tall, below.strip(), fontsize=8.5, color="#444444", va="top")
    if synthetic:
        figure.text(0.01, 1 - 0.54 / tall, SYNTHETIC, fontsize=9, fontweight="bold", color=WARNING_COLOUR, va="top")
    return figure, list(np.ravel(figure.subplots(rows, columns)))


def _flagged(flags: str) -> str:
    return f"Flagged: {flags.split(';')[0].split(':')[0]}." if flags else ""


def _map(
    figure: Any, axes: Any, lat: Floats, lon: Floats, values: Floats, label: str, unit: str, both: bool,
    scale: float | None = None,
) -> None:  # fmt: skip
    edges_lon = np.append(lon - (lon[1] - lon[0]) / 2, lon[-1] + (lon[1] - lon[0]) / 2)
    middles = (lat[1:] + lat[:-1]) / 2
    edges_lat = np.concatenate([[2 * lat[0] - middles[0]], middles, [2 * lat[-1] - middles[-1]]]).clip(-90, 90)
    if both:
        top = scale or float(np.quantile(np.abs(values), 0.99)) or 1.0
        how = {"cmap": "RdBu_r", "vmin": -top, "vmax": top}
    else:
        how = {"cmap": "viridis"}
    drawn = axes.pcolormesh(edges_lon, edges_lat, values, rasterized=True, **how)
    for line in coastlines():
        for part in _unbroken(line):
            axes.plot(part[:, 0], part[:, 1], color="#222222", linewidth=0.5)
    axes.set_xlim(edges_lon[0], edges_lon[-1])
    axes.set_ylim(-90, 90)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(label, loc="left", fontsize=9)
    bar = figure.colorbar(
        drawn, ax=axes, orientation="horizontal", fraction=0.05, pad=0.03, extend="both" if both else "neither"
    )
    bar.ax.tick_params(labelsize=8)
    bar.set_label(unit, fontsize=8)


def _unbroken(line: Floats) -> list[Floats]:
    """A coastline in pieces that do not leave the map at its edge, longitudes 0 to 360."""
    moved = np.column_stack([line[:, 0] % 360, line[:, 1]])
    return np.split(moved, np.flatnonzero(np.abs(np.diff(moved[:, 0])) > 180) + 1)


def _calm(axes: Any, label: str, unit: str, grid: str = "y") -> None:
    axes.set_title(label, loc="left", fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _areas(lat: Floats, columns: int) -> Floats:
    middles = (lat[1:] + lat[:-1]) / 2
    edges = np.deg2rad(np.concatenate([[-90.0], middles, [90.0]]))
    rows = np.abs(np.diff(np.sin(edges)))
    return np.repeat((rows / rows.sum() / columns)[:, None], columns, axis=1)


def _years(emulated: xr.Dataset) -> NDArray[np.int64]:
    import cftime

    time = emulated["time"]
    dates = cftime.num2date(time.values, time.attrs["units"], time.attrs["calendar"])
    return np.array([date.year for date in dates])


def _of_season(tas: Floats, steps: NDArray[np.integer], emulated: xr.Dataset) -> Floats:
    """Mean of each step's month over members and years."""
    import cftime

    time = emulated["time"]
    dates = cftime.num2date(time.values[steps], time.attrs["units"], time.attrs["calendar"])
    month = np.array([date.month for date in dates])
    means = {m: tas[:, month == m].mean(axis=(0, 1)) for m in np.unique(month)}
    return np.stack([means[m] for m in month])
