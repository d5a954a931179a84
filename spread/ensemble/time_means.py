"""Means over time: years, seasons and periods, every month weighted by its length in the run's own calendar.

A year or season that lacks a month has no mean. A period's mean is taken over its complete years, so that a missing
month never tilts it towards a season; how many years it had is returned beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from spread.calendars import SEASONS, days_in_month
from spread.ensemble.members import ABSENT, RUN, month_numbers


def yearly_means(ens: xr.Dataset, seasons: Sequence[str] = ("annual",)) -> xr.Dataset:
    """Month-length-weighted means of each year and season.

    Parameters
    ----------
    ens : xarray.Dataset
        Monthly (or yearly, which passes through as ``annual``) ensemble on ``source_id, experiment_id, member_id, time,
        region``; computed if lazy.
    seasons : sequence of str
        ``annual``, ``DJF``, ``MAM``, ``JJA``, ``SON``; December counts to the following year's DJF.

    Returns
    -------
    xarray.Dataset
        The variable, and ``days`` (the length of what was averaged), on ``source_id, experiment_id, member_id, season,
        year, region``; NaN where a month is missing.

    Raises
    ------
    ValueError
        If a season is asked of yearly data.
    """
    variable_id = ens.attrs["variable_id"]
    values = np.asarray(ens[variable_id].values)
    numbers = month_numbers(ens)
    if ens.attrs["frequency"] == "yr":
        if tuple(seasons) != ("annual",):
            raise ValueError(f"seasons: yearly data have only 'annual', got {list(seasons)}")
        years = numbers // 12
        days = np.where(np.isfinite(values).any(axis=-1), 365.0, 0.0)
        means, days = values[:, :, :, None], days[:, :, :, None]
    else:
        years = np.arange(numbers[0] // 12, numbers[-1] // 12 + 1)
        means = np.full((*values.shape[:3], len(seasons), years.size, values.shape[4]), np.nan)
        days = np.zeros(means.shape[:-1])
        for index in np.argwhere(ens["present"].values):
            run = tuple(index)
            lengths = _lengths(ens, run, numbers)
            for position, season in enumerate(seasons):
                at = (*run, position)
                means[at], days[at] = _season_means(values[run], lengths, numbers, years, season)
    coords = {name: ens.coords[name] for name in ens.coords if "time" not in ens.coords[name].dims}
    dims = (*RUN, "season", "year")
    return xr.Dataset(
        {variable_id: ((*dims, "region"), means, ens[variable_id].attrs), "days": (dims, days, {"units": "days"})},
        coords=coords | {"season": list(seasons), "year": years},
        attrs=ens.attrs,
    )


def _lengths(ens: xr.Dataset, run: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """Days of each month in a run's calendar, and in its historical run's before they join."""
    lengths = days_in_month(numbers, str(ens["calendar"].values[run]))
    if "joined_at" in ens.coords:
        calendar = str(ens["historical_calendar"].values[run])
        if calendar != ABSENT:
            lengths = np.where(numbers < ens["joined_at"].values[run], days_in_month(numbers, calendar), lengths)
    return lengths


def _season_means(
    values: np.ndarray, lengths: np.ndarray, numbers: np.ndarray, years: np.ndarray, season: str
) -> tuple[np.ndarray, np.ndarray]:
    """Means ``(year, region)`` and days ``(year,)`` of one run, ``values (time, region)``."""
    months = np.array(SEASONS[season])
    # December of DJF is that of the year before
    wanted = 12 * years[:, None] + (months - 1)[None, :] - np.where((season == "DJF") & (months == 12), 12, 0)
    position = wanted - numbers[0]
    inside = (position >= 0) & (position < numbers.size)
    position = np.clip(position, 0, numbers.size - 1)
    weight = np.where(inside, lengths[position], 0.0)
    taken = np.where(inside[..., None], values[position], np.nan)
    means = np.einsum("ymr,ym->yr", taken, weight) / np.maximum(weight.sum(axis=1), 1.0)[:, None]
    days = np.where(np.isfinite(means).any(axis=1), weight.sum(axis=1), 0.0)
    return means, days


def period_means(yearly: xr.Dataset, periods: Sequence[tuple[int, int]]) -> xr.Dataset:
    """Means over spans of years, over the years that are complete.

    Parameters
    ----------
    yearly : xarray.Dataset
        As returned by :func:`yearly_means`.
    periods : sequence of (int, int)
        First and last year of each.

    Returns
    -------
    xarray.Dataset
        The variable on ``source_id, experiment_id, member_id, period, season, region``; ``years`` (how many complete
        years it has) and ``years_expected`` (without the winter in which a run begins, for it cannot have the December
        before).
    """
    variable_id = yearly.attrs["variable_id"]
    made, counts = [], []
    for first, last in periods:
        part = yearly.sel(year=slice(first, last))
        there = np.isfinite(part[variable_id].values)
        weight = part["days"].values[..., None] * there
        total = weight.sum(axis=4)
        sums = np.where(there, part[variable_id].values, 0.0) * weight
        with np.errstate(invalid="ignore", divide="ignore"):
            made.append(np.where(total > 0, sums.sum(axis=4) / total, np.nan))
        counts.append(there.sum(axis=4))
    seasons = [str(season) for season in yearly["season"].values]
    names = [period_name(period) for period in periods]
    dims = (*RUN, "period", "season", "region")
    coords = {name: yearly.coords[name] for name in yearly.coords if "year" not in yearly.coords[name].dims}
    return xr.Dataset(
        {
            variable_id: (dims, np.stack(made, axis=3), yearly[variable_id].attrs),
            "years": (dims, np.stack(counts, axis=3), {"long_name": "complete years"}),
            "years_expected": (
                (*RUN, "period", "season"),
                np.stack([np.stack([_expected(yearly, p, s) for s in seasons], -1) for p in periods], -2),
            ),
        },
        coords=coords | {"period": names},
        attrs=yearly.attrs,
    )


def _expected(yearly: xr.Dataset, period: tuple[int, int], season: str) -> np.ndarray:
    """Years that each run can have of a period."""
    first, last = period
    begins = yearly["first_month"].values // 12
    void = (season == "DJF") & (begins >= first) & (begins <= last) & yearly["present"].values
    return last - first + 1 - void.astype(np.int64)


def period_name(period: tuple[int, int]) -> str:
    """Write a period as ``2081-2100``."""
    return f"{period[0]}-{period[1]}"
