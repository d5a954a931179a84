"""Scores of hot extremes: high quantiles and return levels of annual maxima."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator.comparison import Comparison
from spread.emulator.estimates import DRAWS, Floats, Score, block_counts
from spread.emulator.scores import Members
from spread.emulator.variability import root_mean_square

__all__ = ["SEASONS", "SampledTail", "gev", "quantile_error", "return_level_error", "season_quantile_error"]

LEVEL = 0.99
"""Of the quantile."""

PERIOD = 20
"""Years, of the return level."""

SEASONS = {"DJF": (11, 0, 1), "MAM": (2, 3, 4), "JJA": (5, 6, 7), "SON": (8, 9, 10)}
"""Months, 0 to 11."""

_SPARE = 15
"""Times as many values of the upper end are kept as the quantile needs: a bootstrap leaves some years out."""

Counts = NDArray[np.integer]


@dataclass(frozen=True)
class SampledTail:
    """The upper end of a run in every cell, for quantiles of resampled years.

    Parameters
    ----------
    values : ndarray
        From the largest down, ``(order, cell)``.
    year : ndarray
        Number of the year of each, ``(order, cell)``.
    size : ndarray
        Steps of every year, ``(year,)``.
    """

    values: Floats
    year: NDArray[np.intp]
    size: Counts

    @classmethod
    def of(cls, run: NDArray[np.float32], year: NDArray[np.intp], level: float = LEVEL) -> SampledTail:
        """Sort what the quantile can need.

        Parameters
        ----------
        run : ndarray
            ``(time, cell)``.
        year : ndarray
            Number of the year of each step, from 0 on, ``(time,)``.
        level : float
            Of the quantile.

        Returns
        -------
        SampledTail
        """
        kept = min(len(run), _SPARE * (math.ceil((1 - level) * len(run)) + 2))
        upper = np.argpartition(-run, kept - 1, axis=0)[:kept] if kept < len(run) else np.argsort(-run, axis=0)
        values = np.take_along_axis(run, upper, axis=0)
        order = np.argsort(-values, axis=0, kind="stable")
        values = np.take_along_axis(values, order, axis=0)
        return cls(values.astype(np.float64), year[np.take_along_axis(upper, order, axis=0)], np.bincount(year))

    def quantile(self, counts: Counts, level: float = LEVEL) -> Floats:
        """Of the years as often as they were drawn, type 7 of Hyndman and Fan (1996), ``(cell,)``."""
        size = int(counts[: len(self.size)] @ self.size)
        place = level * (size - 1)
        from_top = size - 1 - math.floor(place)
        reached = np.cumsum(counts[self.year], axis=0)
        last = len(self.values) - 1
        above, below = (
            np.take_along_axis(self.values, np.minimum((reached <= max(at, 0)).sum(axis=0), last)[None], axis=0)[0]
            for at in (from_top - 1, from_top)
        )
        return np.asarray(below + (above - below) * (place - math.floor(place)))


def quantile_error(given: Comparison) -> Score:
    """Error of the 99th percentile over all steps, root mean square over cells by area [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        Of the mean over members of each one's own percentile, which is as much biased by the length of the run as the
        truth's. Its error over years is that of the truth.
    """
    return _of_seasons("q99 RMSE", given, {"all": tuple(range(12))})


def season_quantile_error(given: Comparison) -> Score:
    """Error of the 99th percentile of every season, root mean square over cells by area and over seasons [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        As :func:`quantile_error`.
    """
    return _of_seasons("seasonal q99 RMSE", given, SEASONS)


def sampling_variance(given: Comparison, draws: int = DRAWS, seed: int = 0) -> float:
    """Variance of the truth's own 99th percentile from the years it happened to have, mean over cells by area [K2].

    Parameters
    ----------
    given : Comparison
        Maps and truth.
    draws : int
        Of the block bootstrap.
    seed : int
        Of the draws.

    Returns
    -------
    float
        What a perfect emulator's squared error would be; NaN where the years are too few for blocks.
    """
    if len(given.years) < 10:
        return float("nan")
    tail = SampledTail.of(given.runs[-1], np.searchsorted(given.years, given.year))
    drawn = np.stack([tail.quantile(counts) for counts in block_counts(len(given.years), draws=draws, seed=seed)])
    return float(drawn.var(axis=0, ddof=1) @ np.asarray(given.area, np.float64).ravel())


def _of_seasons(name: str, given: Comparison, seasons: Mapping[str, tuple[int, ...]]) -> Score:
    year = np.searchsorted(given.years, given.year)
    area = np.asarray(given.area, np.float64).ravel()
    mine, tails = [], []
    for months in seasons.values():
        steps = np.flatnonzero(np.isin(given.month, months))
        if not len(steps):
            continue
        tails.append(SampledTail.of(given.runs[-1, steps], year[steps]))
        mine.append(np.stack([_upper(run[steps]) for run in given.runs[:-1]]))

    def value(members: Members, counts: Counts) -> float:
        errors = [
            root_mean_square(own[members].mean(axis=0) - tail.quantile(counts), area)
            for own, tail in zip(mine, tails, strict=True)
        ]
        return float(np.sqrt(np.mean(np.square(errors))))

    return Score(name, "K", value, given.members, len(given.years))


def _upper(run: NDArray[np.float32]) -> Floats:
    return np.quantile(np.ascontiguousarray(run.T), LEVEL, axis=-1).astype(np.float64)


def return_level_error(given: Comparison, period: int = PERIOD) -> Score:
    """Error of the return level of annual maxima, root mean square over cells by area [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth; maxima of a warming run are not of one distribution, which touches both alike.
    period : int
        Years between exceedances.

    Returns
    -------
    Score
        Of the mean over members of the level of each one's own fit.
    """
    largest = given.runs[:, given.in_year].max(axis=2).astype(np.float64)
    area = np.asarray(given.area, np.float64).ravel()
    mine = np.stack([gev(run, period) for run in largest[:-1]])

    def value(members: Members, counts: Counts) -> float:
        return root_mean_square(mine[members].mean(axis=0) - gev(np.repeat(largest[-1], counts, axis=0), period), area)

    return Score(f"{period}-year level RMSE", "K", value, given.members, len(given.years))


def gev(maxima: Floats, period: float) -> Floats:
    """Return level of a generalised extreme value distribution that is fitted by L-moments.

    Parameters
    ----------
    maxima : ndarray
        One a year, ``(year, ...)``.
    period : float
        Years between exceedances.

    Returns
    -------
    ndarray
        ``(...)``.

    Notes
    -----
    Hosking, Wallis and Wood (1985), Technometrics 27, whose approximate shape is within 9e-4 of the exact
    one.
    """
    ordered, count = np.sort(maxima, axis=0), len(maxima)
    rank = np.arange(count, dtype=np.float64)
    first = ordered.mean(axis=0)
    second = np.tensordot(rank / (count - 1), ordered, axes=1) / count
    third = np.tensordot(rank * (rank - 1) / ((count - 1) * (count - 2)), ordered, axes=1) / count
    width = 2 * second - first
    width = np.where(width > 1e-9 * np.maximum(np.abs(first), 1.0), width, 0.0)  # equal maxima, but for rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(width > 0, width / (3 * third - first), 2 / 3) - math.log(2) / math.log(3)
    shape = 7.8590 * place + 2.9554 * place**2
    shape = np.where(np.abs(shape) < 1e-6, 1e-6, shape)
    gamma = np.vectorize(math.gamma)(1 + shape)
    scale = width * shape / ((1 - 2**-shape) * gamma)
    centre = first + scale * (gamma - 1) / shape
    reduced = -math.log(1 - 1 / period)
    return np.asarray(centre + scale * (1 - reduced**shape) / shape)
