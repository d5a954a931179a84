"""Global warming levels: the twenty years around which each run has warmed by 1.5, 2, 3 or 4 K.

A run that does not get there has a meaning, and one that cannot be judged has none: they are told apart, and the first
counts in quantiles across models as a year after the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from spread import stats
from spread.errors import BadStudy

LEVELS = (1.5, 2.0, 3.0, 4.0)
"""Warming above 1850-1900 [K] that AR6 reports (WGI, Table 4.5 and Cross-Chapter Box 11.1)."""

WINDOW = 20
"""Years of the running mean (AR6 WGI, Cross-Chapter Box 11.1)."""

_BASE = 0.01
"""How far the mean over the base period may be from zero [K]. In 35 historical runs (IPCC-WG1/Atlas, tas) years
weighted by their days and all alike differ by less than 0.0001 K, 1861-1900 and 1850-1900 by more than 0.01 K in 19."""

_ABSENT = -9999  # how a year that is not there is stored
_YEARS = ("first_year", "central_year", "last_year")
_AFTER_END = 1e6  # a year that stands for all that come after the end of a run


def warming_levels(
    anomaly: xr.DataArray,
    levels: Sequence[float] = LEVELS,
    window: int = WINDOW,
    base_period: tuple[int, int] | None = (1850, 1900),
    gaps: Literal["refuse", "allow"] = "refuse",
) -> xr.Dataset:
    """When each run passes each level.

    Parameters
    ----------
    anomaly : xarray.DataArray
        Yearly global-mean anomaly [K] against the base period, on ``year`` and any other dimensions; NaN where there is
        nothing.
    levels : sequence of float
        Warming [K].
    window : int
        Years of the running mean.
    base_period : (int, int) or None
        First and last year; a run that lacks one of them, or whose mean over them is not zero, cannot be judged. None
        where the anomaly has its zero from elsewhere, as where an observed warming was added.
    gaps : str
        ``refuse`` a run with missing years between its first and last, or ``allow`` them: then no window that lacks a
        year counts, and a level that is first seen to be passed right after such windows cannot be dated. One that is
        never seen to be passed counts as not reached.

    Returns
    -------
    xarray.Dataset
        On the other dimensions and ``level``: ``first_year, central_year, last_year`` of the window (NaN where there is
        none; whole numbers in a store), ``reached``, ``computable`` (reached or not is known), ``until``, the last
        central year that the run has, and ``reason``, why it is not computable, empty where there is no run.

    Raises
    ------
    BadStudy
        If the anomaly is not one in K, has no years or not every year once, or levels or window mean nothing.

    Notes
    -----
    The central year is the first whose centred mean exceeds the level; with 20 years the mean over central - 10 to
    central + 9. The rule of AR6 WGI, Cross-Chapter Box 11.1, as in Hauser et al., cmip_warming_levels.
    """
    _check(anomaly, levels, window)
    data = anomaly.transpose(..., "year")
    year = np.asarray(data["year"].values)
    value = np.asarray(data.values, dtype=np.float64).reshape(-1, year.size)
    means, centre = _running_means(value, year, window)
    reasons = [_unusable(run, year, base_period, gaps) for run in value]
    judgeable = np.isfinite(means).any(axis=1)
    for at in np.flatnonzero(np.isfinite(value).any(axis=1) & ~judgeable):
        reasons[at] = reasons[at] or f"has no {window} years in a row"
    usable = np.array([not reason for reason in reasons], dtype=bool) & judgeable
    shape = (value.shape[0], len(levels))
    central, computable = np.full(shape, np.nan), np.zeros(shape, bool)
    why = np.tile(np.array(reasons, dtype=object)[:, None], (1, len(levels)))
    for run, place in np.ndindex(shape):
        if not usable[run]:
            continue
        judged = np.isfinite(means[run])
        above = judged & (np.nan_to_num(means[run], nan=-np.inf) > levels[place])
        first = int(above.argmax())
        if not above.any():
            computable[run, place] = True
        elif first == 0 or not judged[first - 1]:
            why[run, place] = f"is above {levels[place]:g} K in the first {window} years that it has" + (
                f" after a gap, from {centre[first] - window // 2}" if judged[:first].any() else ""
            )
        else:
            computable[run, place], central[run, place] = True, centre[first]
    judged = np.isfinite(means)
    until = np.where(usable, np.where(judged, centre, -np.inf).max(axis=1, initial=-np.inf), np.nan)
    return _dated(data, levels, window, base_period, central, computable, until, why)


def _check(anomaly: xr.DataArray, levels: Sequence[float], window: int) -> None:
    breaches = []
    if "year" not in anomaly.dims or "year" not in anomaly.coords:
        breaches.append(f"anomaly: expected a dimension 'year' with its years, got {tuple(map(str, anomaly.dims))}")
    elif not (np.diff(anomaly["year"].values) == 1).all():
        breaches.append("anomaly: expected every year once and in order; absent years are NaN, not left out")
    if anomaly.attrs.get("units", "K") not in ("K", "degC"):  # a difference in degC is one in K
        breaches.append(f"anomaly: expected one in K, got {anomaly.attrs['units']!r}")
    if "level" in anomaly.dims:
        breaches.append("anomaly: has a dimension 'level' of its own")
    if not len(levels) or not np.isfinite(levels).all() or len(set(levels)) != len(levels):
        breaches.append(f"levels: expected finite numbers, each once, got {list(levels)}")
    if window < 1:
        breaches.append(f"window: expected one year or more, got {window}")
    if breaches:
        raise BadStudy("warming_levels: " + "; ".join(breaches))


def _running_means(value: np.ndarray, year: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Means ``(run, window)`` over whole windows, NaN where a year is missing, and their central years."""
    if year.size < window:
        return np.empty((value.shape[0], 0)), year[:0]
    means = np.lib.stride_tricks.sliding_window_view(value, window, axis=1).mean(axis=-1)
    return means, year[: means.shape[1]] + window // 2


def _unusable(run: np.ndarray, year: np.ndarray, base_period: tuple[int, int] | None, gaps: str) -> str:
    """Why a run cannot be judged; empty where it can, or where there is none."""
    there = np.flatnonzero(np.isfinite(run))
    if not there.size:
        return ""
    if base_period is not None:
        inside = (year >= base_period[0]) & (year <= base_period[1])
        known, wanted = int(np.isfinite(run[inside]).sum()), base_period[1] - base_period[0] + 1
        begins = f"begins in {year[there[0]]}, and " if year[there[0]] > base_period[0] else ""
        if known < wanted:
            return f"{begins}has {known} of the {wanted} years of the base period {base_period[0]}-{base_period[1]}"
        mean = float(run[inside].mean())
        if abs(mean) > _BASE:
            return f"its mean over the base period {base_period[0]}-{base_period[1]} is {mean:.3g} K, expected zero"
    absent = np.flatnonzero(~np.isfinite(run[there[0] : there[-1]])) + there[0]
    if absent.size and gaps == "refuse":
        return f"lacks {absent.size} of its years, the first {year[absent[0]]}; gaps='allow' judges the rest"
    return ""


def _dated(
    data: xr.DataArray,
    levels: Sequence[float],
    window: int,
    base_period: tuple[int, int] | None,
    central: np.ndarray,
    computable: np.ndarray,
    until: np.ndarray,
    why: np.ndarray,
) -> xr.Dataset:
    dims, shape = (*data.dims[:-1], "level"), (*data.shape[:-1], len(levels))
    begins = central - window // 2
    years = dict(zip(_YEARS, (begins, central, begins + window - 1), strict=True))
    coords = {d: data[d].values for d in data.dims[:-1] if d in data.coords}
    out = xr.Dataset(
        {
            **{name: (dims, value.reshape(shape)) for name, value in years.items()},
            "reached": (dims, np.isfinite(central).reshape(shape)),
            "computable": (dims, computable.reshape(shape)),
            "reason": (dims, why.astype(str).reshape(shape)),
            "until": (dims[:-1], until.reshape(shape[:-1]), {"long_name": "last central year that can be judged"}),
        },
        coords=coords | {"level": ("level", np.asarray(levels, dtype=np.float64), {"units": "K"})},
        attrs={
            "window": window,
            "base_period": "" if base_period is None else f"{base_period[0]}-{base_period[1]}",
            "rule": f"first {window}-year centred mean above the level",
            **{key: data.attrs[key] for key in ("synthetic",) if key in data.attrs},
        },
    )
    for name in (*_YEARS, "until"):
        out[name].encoding = {"dtype": "int32", "_FillValue": _ABSENT}
    return out


def passing_years(
    crossings: xr.Dataset, members: Literal["median", "all"] = "median", year: str = "central_year"
) -> xr.DataArray:
    """One year for each vote: when it passes each level, infinity where it does not.

    Parameters
    ----------
    crossings : xarray.Dataset
        As returned by :func:`warming_levels`.
    members : str
        ``median`` of a model's members, so that each model has one vote (infinity where that lies after the end);
        ``all``: every run has one.
    year : str
        ``first_year``, ``central_year`` or ``last_year`` of the window.

    Returns
    -------
    xarray.DataArray
        On the dimensions of the crossings, without ``member_id`` for ``median``; NaN where it is not computable. Its
        coordinate ``until`` is the last such year that a vote could have, the least among a model's members.

    Raises
    ------
    BadStudy
        If votes or year are of no such kind.
    """
    if members not in ("median", "all") or year not in _YEARS:
        raise BadStudy(f"passing_years: no votes {members!r}, or no year {year!r}; known: {', '.join(_YEARS)}")
    window = int(crossings.attrs["window"])
    offset = dict(zip(_YEARS, (-(window // 2), 0, window - window // 2 - 1), strict=True))[year]
    value = crossings[year].fillna(_AFTER_END).where(crossings["computable"])
    until = crossings["until"] + offset
    if members == "median" and "member_id" in value.dims:
        moved = value.transpose("member_id", ...)
        until = until.min("member_id")
        value = moved.isel(member_id=0, drop=True).copy(data=stats.quantile(moved.values, 0.5)[0])
    end = float(until.max()) if until.notnull().any() else -np.inf
    return value.where(~(value > end), np.inf).where(value.notnull()).assign_coords(until=until).rename(year)


def across_warming_levels(
    crossings: xr.Dataset,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    members: Literal["median", "all"] = "median",
    year: str = "central_year",
) -> xr.Dataset:
    """Statistics across models of when they pass each level; one that does not passes it after the end.

    Parameters
    ----------
    crossings : xarray.Dataset
        As returned by :func:`warming_levels`, with ``source_id`` and perhaps ``member_id``.
    quantiles : sequence of float
        Quantiles, 0..1.
    members, year
        As in :func:`passing_years`.

    Returns
    -------
    xarray.Dataset
        On ``level`` and every other dimension: ``quantiles`` (NaN where they lie after the end), ``after_end`` (True
        there), ``count`` of votes, ``reached``, how many of them pass, and ``known_until``, the earliest end of a vote
        that does not: a quantile beyond it is not known.

    Raises
    ------
    BadStudy
        If votes or year are of no such kind.

    Notes
    -----
    Quantiles of type 7 over all votes, those that do not pass last in order (a right-censored sample). Leaving them
    out instead makes a scenario look the faster the fewer of its runs get there.
    """
    passing = passing_years(crossings, members, year)
    votes = [dim for dim in ("source_id", "member_id") if dim in passing.dims]
    passing = passing.transpose(*votes, ...)
    rest = passing.dims[len(votes) :]
    ends = passing["until"].broadcast_like(passing).transpose(*passing.dims)
    value, end = (a.values.reshape(-1, *passing.shape[len(votes) :]) for a in (passing, ends))
    never = np.isposinf(value)
    known_until = np.where(never, end, np.inf).min(axis=0, initial=np.inf)
    found = stats.quantile(np.where(never, _AFTER_END, value), quantiles)
    after = found > known_until
    coords = {name: crossings.coords[name] for name in rest if name in crossings.coords}
    return xr.Dataset(
        {
            "quantiles": (("quantile", *rest), np.where(after, np.nan, found)),
            "after_end": (("quantile", *rest), after),
            "count": (rest, (~np.isnan(value)).sum(axis=0)),
            "reached": (rest, np.isfinite(value).sum(axis=0)),
            "known_until": (rest, np.where(np.isfinite(known_until), known_until, np.nan)),
        },
        coords=coords | {"quantile": list(quantiles)},
        attrs=crossings.attrs | {"year": year, "votes": "every run" if members == "all" else "every model"},
    )


def at_warming_level(data: xr.DataArray | xr.Dataset, crossings: xr.Dataset) -> xr.DataArray | xr.Dataset:
    """Mean over each run's own years at each level.

    Parameters
    ----------
    data : xarray.DataArray or xarray.Dataset
        Yearly values of any kind, on ``year``, run dimensions and others (regions, seasons, cells); lazy or in memory.
    crossings : xarray.Dataset
        As returned by :func:`warming_levels` for the global mean.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        With ``level`` in place of ``year``; NaN where the level is not reached or a year of the window is missing. Of a
        dataset, the variables that have years.
    """
    if isinstance(data, xr.Dataset):
        yearly = {name: at_warming_level(one, crossings) for name, one in data.data_vars.items() if "year" in one.dims}
        return xr.Dataset(yearly, attrs=data.attrs)
    first, last = crossings["first_year"], crossings["last_year"]
    own = {dim: data[dim] for dim in first.dims if dim in data.dims and dim != "level"}
    first, last = first.reindex(own), last.reindex(own)
    inside = ((data["year"] >= first) & (data["year"] <= last)).astype(np.float64)
    there = data.notnull()
    number = xr.dot(there.astype(np.float64), inside, dim="year")
    total = xr.dot(data.where(there, 0.0), inside, dim="year")
    window = int(crossings.attrs["window"])
    mean = (total / window).where(number == window)
    order = [*(dim for dim in data.dims if dim != "year"), *(dim for dim in mean.dims if dim not in data.dims)]
    return mean.transpose(*order).rename(data.name).assign_attrs(data.attrs)
