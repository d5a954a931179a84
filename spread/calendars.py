"""CF calendars as arithmetic: month numbers, month lengths, labels (NumPy only).

A month is one integer, ``12 * year + month - 1``, so months of different calendars lie side by side and no index can
shift. What a calendar changes is how long a month is, and that is what weights a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ALIASES = {
    "gregorian": "standard",
    "noleap": "365_day",
    "all_leap": "366_day",
    "standard": "standard",
    "proleptic_gregorian": "proleptic_gregorian",
    "365_day": "365_day",
    "366_day": "366_day",
    "360_day": "360_day",
    "julian": "julian",
}
"""CF calendar names and the one spread uses for each (CF-1.11, section 4.4.1)."""

_LENGTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

SEASONS = {
    "annual": tuple(range(1, 13)),
    "DJF": (12, 1, 2),
    "MAM": (3, 4, 5),
    "JJA": (6, 7, 8),
    "SON": (9, 10, 11),
}
"""Months of each season; December counts to the season that ends in the following year."""


def canonical_calendar(name: str) -> str:
    """Return the one name of a CF calendar.

    Parameters
    ----------
    name : str
        A calendar as written in a dataset.

    Returns
    -------
    str
        The canonical name.

    Raises
    ------
    ValueError
        If CF knows no such calendar.
    """
    try:
        return ALIASES[name.strip().lower()]
    except KeyError:
        raise ValueError(f"calendar {name!r} is not one of CF's: {', '.join(sorted(ALIASES))}") from None


def month_number(year: NDArray[np.integer] | int, month: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """Number months without gaps: ``12 * year + month - 1``.

    Parameters
    ----------
    year, month : int or array of int
        Calendar year, and month 1..12.

    Returns
    -------
    numpy.ndarray of int64
        Month numbers, with the shape of the arguments.
    """
    return np.asarray(12 * np.asarray(year, dtype=np.int64) + np.asarray(month, dtype=np.int64) - 1)


def year_of(number: NDArray[np.integer]) -> NDArray[np.int64]:
    """Year of each month number."""
    return np.asarray(number, dtype=np.int64) // 12


def month_of(number: NDArray[np.integer]) -> NDArray[np.int64]:
    """Month 1..12 of each month number."""
    return np.asarray(number, dtype=np.int64) % 12 + 1


def is_leap(year: NDArray[np.integer], calendar: str) -> NDArray[np.bool_]:
    """Tell leap years of a calendar.

    Parameters
    ----------
    year : array of int
        Calendar years.
    calendar : str
        A CF calendar.

    Returns
    -------
    numpy.ndarray of bool
        True where February has 29 days.
    """
    year = np.asarray(year, dtype=np.int64)
    calendar = canonical_calendar(calendar)
    if calendar == "365_day":
        return np.zeros(year.shape, bool)
    if calendar == "366_day":
        return np.ones(year.shape, bool)
    julian = year % 4 == 0
    gregorian = julian & ((year % 100 != 0) | (year % 400 == 0))
    if calendar == "julian":
        return julian
    if calendar == "standard":  # Julian up to 1582, Gregorian from the reform on
        return np.where(year <= 1582, julian, gregorian)
    return gregorian


def days_in_month(number: NDArray[np.integer], calendar: str) -> NDArray[np.float64]:
    """Length of each month in its own calendar.

    Parameters
    ----------
    number : array of int
        Month numbers.
    calendar : str
        A CF calendar.

    Returns
    -------
    numpy.ndarray of float64
        Lengths [days]; October 1582 has 21 in the standard calendar.
    """
    number = np.asarray(number, dtype=np.int64)
    if canonical_calendar(calendar) == "360_day":
        return np.full(number.shape, 30.0)
    year, month = year_of(number), month_of(number)
    days = _LENGTHS[month - 1] + ((month == 2) & is_leap(year, calendar))
    if canonical_calendar(calendar) == "standard":
        days = np.where((year == 1582) & (month == 10), 21, days)
    return days.astype(np.float64)


def to_datetime64(number: NDArray[np.integer]) -> NDArray[np.datetime64]:
    """First day of each month as ``datetime64[s]``, which reaches far beyond the year 2262.

    Parameters
    ----------
    number : array of int
        Month numbers.

    Returns
    -------
    numpy.ndarray of datetime64[s]
        Month starts.
    """
    return (np.asarray(number, dtype=np.int64) - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]")


def from_datetime64(time: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Month numbers of ``datetime64`` values; the inverse of :func:`to_datetime64`."""
    return np.asarray(time).astype("datetime64[M]").astype(np.int64) + 1970 * 12


def label(number: int) -> str:
    """Write a month number as ``YYYY-MM``."""
    return f"{int(number) // 12:04d}-{int(number) % 12 + 1:02d}"


def spans(numbers: Sequence[int] | NDArray[np.integer]) -> list[str]:
    """Say a set of months as spans, ``1901-01..1949-12``.

    Parameters
    ----------
    numbers : sequence of int
        Month numbers in any order.

    Returns
    -------
    list of str
        One text for each unbroken run of months.
    """
    ordered = np.unique(np.asarray(numbers, dtype=np.int64))
    if not ordered.size:
        return []
    pieces = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return [label(p[0]) if p.size == 1 else f"{label(p[0])}..{label(p[-1])}" for p in pieces]
