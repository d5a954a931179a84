"""What a whole run's monthly means show that no single month does: constant or copied fields, steps, stray months.

A check refuses only what lies far beyond anything that real runs do; each threshold says what those do. Between two
thresholds, one in the variable's unit and one in the run's own variability, both must be passed: the first alone would
refuse the first years after CO2 is quadrupled in some models, the second alone those of others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.calendars import label, spans
from spread.vocabulary import Season, Variable

Floats = NDArray[np.float64]
Months = NDArray[np.int64]

_SIGMAS = 10.0
"""Beyond how many robust standard deviations of a run's own changes one of them is not believed: in 165 real monthly
runs of 35 CMIP6 models (IPCC-WG1/Atlas, tas, 1850-2100, with Krakatoa and Pinatubo) the largest is 6.4; in 46,000 model
years of piControl, 1pctCO2 and abrupt-4xCO2 (chrisroadmap/ar6: tas, rsut, rlut) 5.6 but for the first two years after
quadrupling, at most 12.1 (MRI-ESM2-0 r13i1p1f1: 1.06 K, below the threshold in K)."""

_YEARS = 20
"""Years from which a run's own variability can be told; shorter pieces are not judged."""

_CELLS = 16
"""Cells from which equal means, lowest and highest values cannot be chance in unpacked data."""


def suspicious_series(
    months: Months, mean: Floats, variable: Variable, frequency: str, extremes: Floats | None = None, cells: int = 1
) -> list[str]:
    """List what is wrong with a run as a whole.

    Parameters
    ----------
    months : numpy.ndarray of int
        ``(time,)`` month numbers, rising.
    mean : numpy.ndarray
        ``(time,)`` means over the variable's whole domain; NaN where a month is incomplete.
    variable : Variable
        Its row of the variable table.
    frequency : str
        ``mon`` or ``yr``.
    extremes : numpy.ndarray, optional
        ``(time, 2)`` lowest and highest value of the field.
    cells : int
        Cells of the grid.

    Returns
    -------
    list of str
        One text a fault; empty where nothing is.
    """
    there = np.isfinite(mean)
    months, mean = months[there], mean[there]
    if not months.size:
        return []
    found = []
    if extremes is not None:
        extremes = extremes[there]
        found += _constant(months, extremes, cells) + _copied(months, mean, extremes, variable, cells)
    step = 1 if frequency == "mon" else 12
    for piece in np.split(np.arange(months.size), np.flatnonzero(np.diff(months) != step) + 1):
        if piece.size * step >= 12 * _YEARS:
            # a step looks like stray months where it begins
            said = _steps(months[piece], mean[piece], variable, 12 // step)
            found += said or (_strays(months[piece], mean[piece], variable) if frequency == "mon" else [])
    if frequency == "mon" and variable.season is not None:
        found += _seasons(months, mean, variable.season)
    return found


def some_of(months: NDArray[np.integer]) -> str:
    """Say months as spans, three at most and how many more."""
    when = spans(months)
    return ", ".join(when[:3]) + (f" and {len(when) - 3} more spans" if len(when) > 3 else "")


def _constant(months: Months, extremes: Floats, cells: int) -> list[str]:
    flat = (extremes[:, 0] == extremes[:, 1]) & (cells > 1)
    return [f"values: {extremes[flat][0, 0]:g} in every cell in {some_of(months[flat])}"] if flat.any() else []


def _copied(months: Months, mean: Floats, extremes: Floats, variable: Variable, cells: int) -> list[str]:
    """Months that are bit for bit another month: files overlap, or were copied."""
    if variable.recurs or cells < _CELLS:
        return []
    marks = np.column_stack([mean, extremes])
    marks, months = marks[extremes[:, 0] < extremes[:, 1]], months[extremes[:, 0] < extremes[:, 1]]
    _, first, which = np.unique(marks, axis=0, return_index=True, return_inverse=True)
    again = first[which.ravel()] != np.arange(months.size)
    if not again.any():
        return []
    origin = months[first[which.ravel()][again]]
    return [f"values: {some_of(months[again])} are bit for bit those of {some_of(origin)}"]


def _robust_deviation(values: Floats) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _beyond(change: Floats, least: float) -> NDArray[np.bool_]:
    """Changes that neither the variable nor the run knows."""
    away = np.abs(change - np.median(change))
    return (away > least) & (away > _SIGMAS * _robust_deviation(change))


def _strays(months: Months, mean: Floats, variable: Variable) -> list[str]:
    """Months unlike those beside them and unlike the same month a year before and after."""
    middle = mean[12:-12] - 0.5 * (mean[:-24] + mean[24:])
    change = middle[1:-1] - 0.5 * (middle[:-2] + middle[2:])
    stray = _beyond(change, 0.5 * variable.jump)
    if not stray.any():
        return []
    # a stray month is seen in its neighbours too, and in the years beside it, each time by half
    near = np.convolve(stray, np.ones(3), mode="full") > 0.0
    away = np.where(near, middle - np.median(middle), 0.0)
    worst = float(away[np.abs(away).argmax()])
    times = np.abs(change).max() / _robust_deviation(change)
    return [
        f"mean over the whole domain: {some_of(months[12:-12][np.abs(away) > 0.7 * abs(worst)])} off by {worst:.3g} "
        f"{variable.units} from the months and years beside, {times:.0f} times the usual"
    ]


def _steps(months: Months, mean: Floats, variable: Variable, year: int) -> list[str]:
    """Steps from one year to the next; a year before and a year after every month hold each season once."""
    total = np.concatenate([[0.0], np.cumsum(mean - mean.mean())])
    at = np.arange(year, mean.size - year + 1)
    change = (total[at + year] - 2.0 * total[at] + total[at - year]) / year
    beyond = _beyond(change, variable.jump)
    if not beyond.any():
        return []
    worst = int(np.where(beyond, np.abs(change), 0.0).argmax())
    usual = _robust_deviation(change)
    times = f"{abs(change[worst]) / usual:.0f} times the usual change" if usual > 0.0 else "otherwise it never changes"
    return [
        f"mean over the whole domain: steps by {change[worst]:.3g} {variable.units} "
        f"at {label(int(months[at[worst]]))}; {times} from year to year"
    ]


def _seasons(months: Months, mean: Floats, season: Season) -> list[str]:
    """Seasons that come at another time than they can, or shift within the run: months are named wrongly."""
    first = months[0] // 12
    laid = np.full((int(months[-1] // 12 - first + 1), 12), np.nan)
    laid.reshape(-1)[months - 12 * first] = mean
    whole = np.isfinite(laid).all(axis=1)
    years, laid = np.flatnonzero(whole) + first, laid[whole]
    if years.size < 3:
        return []
    turn = np.exp(2j * np.pi * (np.arange(12) + 0.5) / 12.0)
    cycle = (laid - laid.mean(axis=1, keepdims=True)) @ turn / 6.0
    if np.median(np.abs(cycle)) < season.amplitude:
        return []
    centre = float(np.angle(np.median(cycle.real) + 1j * np.median(cycle.imag)))
    month = 6.0 / np.pi * centre
    if not season.highest[0] <= month % 12.0 <= season.highest[1]:
        return [f"time: the mean is highest in month {month % 12.0 + 0.5:.1f} of the year, expected "
                f"{season.highest[0] + 0.5:g}..{season.highest[1] + 0.5:g}: {season.fault}"]  # fmt: skip
    late = 6.0 / np.pi * np.angle(cycle * np.exp(-1j * centre))
    if years.size < 20:
        return []
    decades = np.median(np.lib.stride_tricks.sliding_window_view(late, 10), axis=1)  # from each year on
    shift = decades[10:] - decades[:-10]
    beyond = np.flatnonzero(np.abs(shift) > season.shift)
    if not beyond.size:
        return []
    at = int(beyond[0])
    return [f"time: the seasons shift by {shift[at]:.1f} months around {years[at + 10]}: months are named wrongly"]
