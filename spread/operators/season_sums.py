"""Season sums: an operator in time and space, from the months of a chunk to maps of its years on another grid (NumPy).

Each month is added, times its length, to the year and the season that it belongs to, as it comes out of the chunk; a
year that is over is remapped at once, so that no more than one native map a season is held. Both steps are linear: what
several chunks of a year give is added up, and divided by the days at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.calendars import SEASONS, days_in_month, month_of, year_of
from spread.operators.remap import Sparse, remap

Floats = NDArray[np.float64]

_YEAR = 365.0  # days of a yearly mean, whose months nobody knows


@dataclass(frozen=True)
class SeasonYears:
    """Which months make up the years of one season.

    Parameters
    ----------
    season : str
        ``annual``, ``DJF``, ``MAM``, ``JJA`` or ``SON``; December counts to the following year's DJF.
    years : numpy.ndarray
        ``(years,)`` the years that have a month, in order.
    position : numpy.ndarray
        ``(time,)`` place in ``years`` of each month, -1 where it is not of this season.
    lengths : numpy.ndarray
        ``(time,)`` length of each month [days].
    """

    season: str
    years: NDArray[np.int64]
    position: NDArray[np.int64]
    lengths: Floats

    @property
    def days(self) -> Floats:
        """``(years,)`` days of the months that are there."""
        here = self.position >= 0
        return np.bincount(self.position[here], weights=self.lengths[here], minlength=self.years.size)


def season_years(months: NDArray[np.integer], calendar: str, season: str, frequency: str = "mon") -> SeasonYears:
    """Sort months into the years of a season.

    Parameters
    ----------
    months : numpy.ndarray
        ``(time,)`` month numbers, rising.
    calendar : str
        A CF calendar.
    season : str
        Which season.
    frequency : str
        ``mon``, or ``yr``: each step is a whole year.

    Returns
    -------
    SeasonYears
        Where each month belongs.

    Raises
    ------
    ValueError
        If a season is asked of yearly data.
    """
    if frequency == "yr" and season != "annual":
        raise ValueError(f"season {season!r}: yearly data have only 'annual'")
    of_season = np.isin(month_of(months), SEASONS[season]) if frequency == "mon" else np.ones(len(months), bool)
    year = year_of(months) + ((season == "DJF") & (month_of(months) == 12))
    years = np.unique(year[of_season])
    position = np.where(of_season, np.searchsorted(years, year), -1)
    lengths = days_in_month(months, calendar) if frequency == "mon" else np.full(len(months), _YEAR)
    return SeasonYears(season, years, position, lengths)


def season_days(years: NDArray[np.integer], season: str, calendar: str) -> Floats:
    """Length of a season in each year.

    Parameters
    ----------
    years : numpy.ndarray
        ``(years,)``; that of DJF is the year in which it ends.
    season, calendar : str
        As in :func:`season_years`.

    Returns
    -------
    numpy.ndarray
        ``(years,)`` [days].
    """
    months = np.array(SEASONS[season])
    before = (season == "DJF") & (months == 12)
    numbers = 12 * np.asarray(years, dtype=np.int64)[:, None] + (months - 1) - 12 * before
    return np.asarray(days_in_month(numbers, calendar).sum(axis=1))


class SeasonSums:
    """Adds up the months of one season as they come, and remaps each year when it is over.

    Parameters
    ----------
    when : SeasonYears
        Where each month belongs.
    matrix : Sparse
        From the cells of the field to those of the maps.
    part : bool
        True where the field is a piece of a map: what it gives is added to what the other pieces give.
    """

    def __init__(self, when: SeasonYears, matrix: Sparse, part: bool = False) -> None:
        self.when, self.matrix, self.part = when, matrix, part
        self._total = np.zeros(matrix.shape[1])
        self._lost: Floats | None = None  # days on which a cell is absent, in the year that is open
        self._open = -1
        self._sums = np.full((when.years.size, matrix.shape[0]), np.nan)
        self._present: Floats | None = None
        self._mask: NDArray[np.bool_] | None = None  # the cells of the year before, where they were the same throughout
        self._share = np.empty(0)

    def take(self, step: int, weighted: Floats, absent: NDArray[np.bool_] | None) -> None:
        """Add one month.

        Parameters
        ----------
        step : int
            Its place in the chunk; steps come in order.
        weighted : numpy.ndarray
            ``(cells,)`` the field times the length of the month, 0 where it is absent.
        absent : numpy.ndarray or None
            ``(cells,)`` True where the field has no value; None where it has one everywhere.
        """
        year = int(self.when.position[step])
        if year < 0:
            return
        if year != self._open:
            self._close()
            self._open = year
            np.copyto(self._total, weighted)
        else:
            self._total += weighted
        if absent is not None:
            if self._lost is None:
                self._lost = np.zeros(self.matrix.shape[1])
            self._lost[absent] += self.when.lengths[step]

    def _close(self) -> None:
        if self._open < 0:
            return
        self._sums[self._open] = self._remapped(self._total)
        days = self.when.days
        if (self._lost is not None or self.part) and self._present is None:
            self._present = np.broadcast_to(days[:, None], self._sums.shape).copy()
        if self._present is not None:
            self._present[self._open] = self._days_present(days[self._open])
        self._lost = None

    def _days_present(self, days: float) -> Floats:
        """``(target cells,)`` days on which the cells were there, by their share of the target cell."""
        if self._lost is None and not self.part:
            return np.full(self.matrix.shape[0], days)
        lost = np.zeros(self.matrix.shape[1]) if self._lost is None else self._lost
        mask = lost == 0.0
        if not np.array_equal(mask, lost != days):  # some cells come and go
            self._mask = None
            return self._remapped(days - lost)
        if self._mask is None or not np.array_equal(mask, self._mask):
            self._mask, self._share = mask, self._remapped(mask.astype(np.float64))
        return days * self._share

    def _remapped(self, cells: Floats) -> Floats:
        remapped = remap(cells, self.matrix, skipna=False)
        if self.part:  # other pieces may reach where this one does not
            remapped[np.diff(self.matrix.indptr) == 0] = 0.0
        return remapped

    def close(self) -> Floats:
        """End with the last month.

        Returns
        -------
        numpy.ndarray
            ``(years, 1 or 2, target cells)``: sums over the days [unit days], NaN where nothing maps to a cell; and the
            days on which its cells were there, by their share of it, unless all were all the time.
        """
        self._close()
        self._open = -1
        parts = [self._sums] if self._present is None else [self._sums, self._present]
        return np.stack(parts, axis=1)


@dataclass(frozen=True)
class YearlyMaps:
    """Maps of the years of one season.

    Parameters
    ----------
    years : numpy.ndarray
        ``(years,)``, in order.
    days : numpy.ndarray
        ``(years,)`` length of what was averaged [days].
    sums : numpy.ndarray
        ``(years, 1 or 2, cells)``, as :meth:`SeasonSums.close` gives it.
    """

    years: NDArray[np.int64]
    days: Floats
    sums: Floats

    def complete(self, season: str, calendar: str, frequency: str = "mon") -> YearlyMaps:
        """The years that have all their days.

        Parameters
        ----------
        season, calendar, frequency
            As in :func:`season_years`.
        """
        if frequency == "yr":
            return self
        return self.at(
            np.flatnonzero(np.isclose(self.days, season_days(self.years, season, calendar), rtol=0, atol=0.5))
        )

    def at(self, positions: NDArray[np.integer]) -> YearlyMaps:
        """Some of the years."""
        return YearlyMaps(self.years[positions], self.days[positions], self.sums[positions])

    def until(self, year: int) -> YearlyMaps:
        """The years before one."""
        return self.at(np.flatnonzero(self.years < year))

    def with_days(self, kinds: int) -> Floats:
        """The sums, with the days on which cells were there even where all were (``kinds`` 2)."""
        if self.sums.shape[1] == kinds:
            return self.sums
        days = np.broadcast_to(self.days[:, None], (self.years.size, self.sums.shape[2]))
        return np.stack([self.sums[:, 0], days], axis=1)

    def means(self, coverage: float) -> Floats:
        """Means of the years, ``(years, cells)``.

        Parameters
        ----------
        coverage : float
            Share of a cell, in space and in days, that must have values; NaN where less has.
        """
        if self.sums.shape[1] == 1:
            return self.sums[:, 0] / self.days[:, None]
        sums, present = self.sums[:, 0], self.sums[:, 1]
        enough = present >= coverage * self.days[:, None] * (1.0 - 1e-12)
        return np.where(enough & (present > 0.0), sums / np.where(present > 0.0, present, 1.0), np.nan)


def joined(parts: Sequence[tuple[SeasonYears, Floats]]) -> YearlyMaps:
    """Join the chunks of a run, in their order: of a year that two chunks share, sums and days add up.

    Parameters
    ----------
    parts : sequence of (SeasonYears, numpy.ndarray)
        What :meth:`SeasonSums.close` gave for each chunk.

    Returns
    -------
    YearlyMaps
        All years of the run that have a month.
    """
    years = np.unique(np.concatenate([when.years for when, _ in parts]))
    kinds = max(sums.shape[1] for _, sums in parts)
    days, total = np.zeros(years.size), np.zeros((years.size, kinds, parts[0][1].shape[2]))
    for when, sums in parts:
        at = np.searchsorted(years, when.years)
        days[at] += when.days
        total[at] += YearlyMaps(when.years, when.days, sums).with_days(kinds)
    return YearlyMaps(years, days, total)


def continued(before: YearlyMaps, after: YearlyMaps, season: str, calendars: tuple[str, str]) -> YearlyMaps:
    """Put the years of one monthly run before those of the run that continues it.

    Parameters
    ----------
    before, after : YearlyMaps
        Both as :func:`joined` gives them.
    season : str
        Which season.
    calendars : tuple of str
        That of each run.

    Returns
    -------
    YearlyMaps
        Complete years: those of ``before`` until ``after`` begins; the year in which it begins from both, where each
        has the months that the other lacks.
    """
    first = int(after.years[0])
    late = after.complete(season, calendars[1])
    early = before.complete(season, calendars[0]).until(first)
    parts = [early, late]
    shared = np.flatnonzero(before.years == first)
    if first not in late.years and shared.size:
        both = joined_years(before.at(shared), after.at(np.array([0])))
        parts.insert(1, both.complete(season, calendars[1]))
    return _behind_each_other(parts)


def _behind_each_other(parts: Sequence[YearlyMaps]) -> YearlyMaps:
    kinds = max(part.sums.shape[1] for part in parts)
    return YearlyMaps(
        np.concatenate([part.years for part in parts]),
        np.concatenate([part.days for part in parts]),
        np.concatenate([part.with_days(kinds) for part in parts]),
    )


def joined_years(one: YearlyMaps, other: YearlyMaps) -> YearlyMaps:
    """Add up two parts of the same years."""
    kinds = max(one.sums.shape[1], other.sums.shape[1])
    return YearlyMaps(one.years, one.days + other.days, one.with_days(kinds) + other.with_days(kinds))
