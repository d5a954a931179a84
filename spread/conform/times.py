"""Time: decoded in the dataset's own calendar, and every step given its month number.

A step belongs to the month in which its bounds have their middle; where the bounds do not span a month, to the month of
its stamp. Days are numbered too.

Repeated or unordered steps are not touched here: the contract refuses them unless a quirk cures them first.
Refused here is an axis whose months do not keep pace with its days: its calendar is not the one it names.
"""

from __future__ import annotations

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.calendars import ALIASES, canonical_calendar, days_in_month, label, month_number

FREQUENCIES = {
    "mon": "mon",
    "monC": "mon",
    "Amon": "mon",
    "Lmon": "mon",
    "yr": "yr",
    "Eyr": "yr",
    "Lyr": "yr",
    "day": "day",
}
"""Frequencies and tables that are understood (GFDL-CM4 writes ``monC``: ES-DOC errata b6302400)."""

LENGTHS = {"day": (0.99, 1.01), "mon": (27.0, 32.0), "yr": (359.0, 367.0)}
"""Days that the bounds of a step may span, by frequency."""


def frequency_of(ds: xr.Dataset) -> str:
    """``day``, ``mon`` or ``yr``, from the attributes frequency or table_id.

    Raises
    ------
    ValueError
        For anything else.
    """
    given = [str(ds.attrs.get(key, "")) for key in ("frequency", "table_id")]
    for value in given:
        if value in FREQUENCIES:
            return FREQUENCIES[value]
    raise ValueError(f"frequency: expected daily, monthly or yearly means, got {given[0] or given[1] or 'nothing'!r}")


def conform_times(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Decode time and number the months.

    Parameters
    ----------
    ds : xarray.Dataset
        With undecoded ``time`` (values, units, calendar).

    Returns
    -------
    xarray.Dataset, list of str
        With ``time`` as cftime dates, ``month_number`` along it, and ``day_number`` since year 1 for daily means;
        ``calendar`` and ``frequency`` among its attributes; and the fixes applied.

    Raises
    ------
    ValueError
        If time is missing, cannot be decoded, or is not in the calendar that it names.
    """
    if "time" not in ds.variables or ds["time"].ndim != 1:
        raise ValueError("time: expected one dimension of that name, got none")
    frequency = frequency_of(ds)
    time, fixes = ds["time"], []
    units, calendar = time.attrs.get("units"), str(time.attrs.get("calendar", "")).strip()
    if not calendar:
        calendar = "standard"
        fixes.append("time: no calendar given, standard assumed (CF default)")
    stamps = _decode(np.asarray(time.values, dtype=np.float64), units, calendar)
    number, when = _numbers(stamps), np.array(time.values, dtype=np.float64)
    bounds = _bounds(ds)
    if bounds is not None:
        length = np.abs(bounds[:, 1] - bounds[:, 0])
        shortest, longest = LENGTHS[frequency]
        sound = (length >= shortest) & (length <= longest)
        if sound.any():
            middles = _numbers(_decode(bounds[sound].mean(axis=1), units, calendar))
            moved = int((number[sound] != middles).sum())
            number[sound], when[sound] = middles, bounds[sound].mean(axis=1)
            if moved and frequency != "yr":
                fixes.append(f"time: {moved} stamps lie outside their month, bounds decide")
        if not sound.all():
            fixes.append(f"time: {int((~sound).sum())} bounds span {length[~sound].min():g} days, stamps decide")
    if frequency == "yr":
        number = number // 12 * 12
    if frequency != "day":
        _check_pace(when, number, units, calendar, 1 if frequency == "mon" else 12)
    drop = [name for name in (time.attrs.get("bounds"), "time_bnds", "time_bounds") if name in ds.variables]
    ds = ds.drop_vars(dict.fromkeys(drop))
    attrs = {key: value for key, value in time.attrs.items() if key not in ("units", "calendar", "bounds")}
    ds = ds.assign_coords(time=("time", stamps, attrs), month_number=("time", number))
    if frequency == "day":
        ds = ds.assign_coords(day_number=("time", _days(_decode(when, units, calendar), calendar)))
    return ds.assign_attrs(calendar=canonical_calendar(calendar), frequency=frequency), fixes


def _decode(values: NDArray[np.float64], units: object, calendar: str) -> NDArray[np.object_]:
    if not np.isfinite(values).all():
        raise ValueError("time: some values are missing")
    try:
        return np.asarray(cftime.num2date(values, units, calendar=canonical_calendar(calendar)))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"time: units {units!r} in calendar {calendar!r} cannot be decoded: {error}") from error


def _numbers(stamps: NDArray[np.object_]) -> NDArray[np.int64]:
    return month_number(np.array([s.year for s in stamps], np.int64), np.array([s.month for s in stamps], np.int64))


def _days(stamps: NDArray[np.object_], calendar: str) -> NDArray[np.int64]:
    """Days since the first of year 1 in the calendar."""
    since = cftime.date2num(stamps, "days since 0001-01-01", calendar=canonical_calendar(calendar))
    return np.floor(np.asarray(since, np.float64) + 1e-6).astype(np.int64)


def _check_pace(when: NDArray[np.float64], number: NDArray[np.int64], units: object, calendar: str, step: int) -> None:
    """Refuse months that repeat or are left out while the axis goes on from one month to the next."""
    day = _decode(np.array([0.0, 1.0]), units, calendar)
    days = np.diff(when) * ((day[1] - day[0]).total_seconds() / 86400.0) / step
    months = np.diff(number) // step
    # 31 days at most lie between the middles of two months, 59 at least between those of a month and the next but one
    odd = ((months == 0) & (days > 25.0) & (days < 45.0)) | ((months == 2) & (days < 45.0))
    if not odd.any():
        return
    others = [c for c in dict.fromkeys(ALIASES.values()) if c != canonical_calendar(calendar)]
    fitting = [c for c in others if (np.diff(_numbers(_decode(when, units, c))) // step == 1).all()]
    at = int(np.flatnonzero(odd)[0])
    raise ValueError(
        f"time: {int(odd.sum())} steps of about {days[at]:.0f} days do not lead to the next month in the calendar "
        f"{calendar!r}, the first from {label(int(number[at]))} to {label(int(number[at + 1]))}"
        + (f"; the axis looks like {fitting[0]}" if fitting else "")
    )


def _bounds(ds: xr.Dataset) -> NDArray[np.float64] | None:
    for name in (ds["time"].attrs.get("bounds"), "time_bnds", "time_bounds"):
        if name in ds.variables and ds[name].shape == (ds.sizes["time"], 2):
            bounds = np.asarray(ds[name].values, dtype=np.float64)
            return bounds if np.isfinite(bounds).all() else None
    return None


def breaches_of_order(number: NDArray[np.integer], calendar: str | None = None) -> list[str]:
    """Say what is wrong with the order of steps: repeated, or not rising.

    Parameters
    ----------
    number : numpy.ndarray of int
        Month numbers along time, or day numbers.
    calendar : str, optional
        That of the day numbers; months where it is left out.

    Returns
    -------
    list of str
        One text a breach; empty where time rises strictly.
    """

    def said(step: int) -> str:
        if calendar is None:
            return label(step)
        return str(cftime.num2date(int(step), "days since 0001-01-01", calendar=calendar).strftime("%Y-%m-%d"))

    if number.size == 0:
        return ["time: no step at all"]
    found = []
    values, counts = np.unique(number, return_counts=True)
    repeated = values[counts > 1]
    if repeated.size:
        unit = "months" if calendar is None else "days"
        found.append(f"time: {repeated.size} {unit} appear twice, {said(repeated[0])} to {said(repeated[-1])}")
    elif (np.diff(number) <= 0).any():
        at = int(np.flatnonzero(np.diff(number) <= 0)[0])
        found.append(f"time: goes back from {said(number[at])} to {said(number[at + 1])}")
    return found


def incomplete_months(ds: xr.Dataset) -> NDArray[np.int64]:
    """Months between the first and the last step that have none, or that lack days of daily data.

    Parameters
    ----------
    ds : xarray.Dataset
        After :func:`conform_times`.

    Returns
    -------
    numpy.ndarray of int64
        Their numbers.
    """
    number, frequency = ds["month_number"].values, ds.attrs["frequency"]
    if frequency != "day":
        return missing_months(number, 1 if frequency == "mon" else 12)
    months = np.arange(number.min(), number.max() + 1)
    there = np.bincount(number - number.min(), minlength=months.size)
    return months[there < days_in_month(months, ds.attrs["calendar"])]


def missing_months(number: NDArray[np.integer], step: int) -> NDArray[np.int64]:
    """Months between the first and the last step that have none.

    Parameters
    ----------
    number : numpy.ndarray of int
        Month numbers along time.
    step : int
        Months between steps: 1 or 12.

    Returns
    -------
    numpy.ndarray of int64
        The missing month numbers.
    """
    return np.setdiff1d(np.arange(number.min(), number.max() + 1, step), number)
