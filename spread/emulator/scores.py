"""Proper scores of an ensemble of maps, and whether its spread is right: one definition each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.emulator.comparison import Comparison
from spread.emulator.estimates import Floats, Score

__all__ = ["energy_score", "fair_crps", "rank_chi2", "rank_counts", "spread_skill", "variogram_score"]

Members = NDArray[np.integer]

PAIRS = 500
"""Of cells, drawn for the variogram score."""

_STEPS = 64
"""That are ranked at once, so that all runs of them stay in the processor's cache."""


def weighted(values: Floats, counts: NDArray[np.integer]) -> Floats:
    """Mean over years along the last axis, each counted as often as it was drawn."""
    return np.asarray(values @ (counts / counts.sum()))


def fair_crps(given: Comparison) -> Score:
    """Fair continuous ranked probability score, the mean over cells by area and over time [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score

    Notes
    -----
    ``mean |x_i - y| - sum_ij |x_i - x_j| / (2 M (M - 1))``: Ferro (2014), Q. J. R. Meteorol. Soc. 140. With it the
    expected score does not depend on the number of members. A single member is taken for a draw of the distribution of
    the truth, so that the score is half of the distance: the floor that another run of the same model reaches.
    """
    return _of_distances("fair CRPS", given, given.by_year(given.distances[0]))


def energy_score(given: Comparison) -> Score:
    """Fair energy score of whole maps, in the norm whose square is the area mean of squares [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score

    Notes
    -----
    Gneiting and Raftery (2007), J. Am. Stat. Assoc. 102, with the fair denominator.
    """
    inner = given.distances[1]
    square = np.diagonal(inner).T
    apart = np.sqrt(np.maximum(square[:, None] + square[None, :] - 2 * inner, 0.0))
    return _of_distances("energy score", given, given.by_year(apart))


def _of_distances(name: str, given: Comparison, apart: Floats) -> Score:
    def value(members: Members, counts: NDArray[np.integer]) -> float:
        to_truth = weighted(apart[members, -1], counts).mean()
        if len(members) == 1:
            return float(to_truth / 2)
        within = weighted(apart[np.ix_(members, members)], counts).sum()
        return float(to_truth - within / (2 * len(members) * (len(members) - 1)))

    return Score(name, "K", value, given.members, len(given.years))


def spread_skill(given: Comparison) -> Score:
    """Spread over error of the ensemble mean, one for a calibrated ensemble of any size.

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        NaN with a single member.

    Notes
    -----
    ``sqrt((M + 1) / M) sqrt(<var x>) / sqrt(<(mean x - y)**2>)``, means over time and over cells by area: Fortin et al.
    (2014), J. Hydrometeorol. 15.
    """
    inner = given.by_year(given.distances[1])

    def value(members: Members, counts: NDArray[np.integer]) -> float:
        number = len(members)
        if number < 2:
            return float("nan")
        mine = weighted(inner[np.ix_(members, members)], counts)
        error = mine.mean()
        variance = (np.trace(mine) - number * error) / (number - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.sqrt((number + 1) / number * max(variance, 0.0) / np.float64(error)))

    return Score("spread / error", "", value, given.members, len(given.years))


def variogram_score(given: Comparison, pairs: int = PAIRS, seed: int = 0) -> Score:
    """Variogram score of order 1/2 over pairs of cells that are drawn once [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.
    pairs : int
        How many, drawn with a chance in proportion to both areas.
    seed : int
        Of the draw.

    Returns
    -------
    Score

    Notes
    -----
    Mean over pairs of ``(|y_i - y_j|**.5 - mean |x_i - x_j|**.5)**2``: Scheuerer and Hamill (2015), Mon. Weather Rev.
    143, less the variance of the mean of a finite number of members, so that it is fair. It sees correlations between
    cells, of which a score of every cell by itself knows nothing. A single member counts as a draw from the truth's own
    distribution, as in :func:`fair_crps`: half of its squared differences.
    """
    cells = given.runs.shape[-1]
    random = np.random.default_rng(seed)
    share = np.asarray(given.area, np.float64).ravel()
    one = random.choice(cells, size=pairs, p=share / share.sum())
    other = random.choice(cells, size=pairs, p=share / share.sum())
    inner = np.empty((len(given.runs), len(given.runs), given.runs.shape[1]))
    for start in range(0, inner.shape[-1], _STEPS):
        piece = given.runs[:, start : start + _STEPS].transpose(1, 0, 2)
        roots = np.sqrt(np.abs(piece[..., one] - piece[..., other]))
        roots -= roots[:, -1:].copy()
        inner[..., start : start + _STEPS] = np.moveaxis(roots @ roots.transpose(0, 2, 1), 0, -1) / pairs
    of_year = given.by_year(inner)

    def value(members: Members, counts: NDArray[np.integer]) -> float:
        number = len(members)
        mine = weighted(of_year[np.ix_(members, members)], counts)
        if number == 1:
            return float(mine[0, 0] / 2)
        error = mine.mean()
        return float(error - (np.trace(mine) - number * error) / (number - 1) / number)

    return Score("variogram score", "K", value, given.members, len(given.years))


def rank_counts(given: Comparison, run: int = -1, seed: int = 0) -> Floats:
    """How often a run comes at each rank among all others, by area.

    Parameters
    ----------
    given : Comparison
        Maps and truth.
    run : int
        The truth by default, or a member in its place.
    seed : int
        Of the order of equal values.

    Returns
    -------
    ndarray
        Shares by year and rank, ``(year, member + 1)``; every row sums to 1.
    """
    return _ranked(given, [run % len(given.runs)], seed)[0]


def rank_chi2(given: Comparison, seed: int = 0) -> Score:
    """Departure of the truth's rank histogram from flat, over the mean departure of the members' own.

    Parameters
    ----------
    given : Comparison
        Maps and truth.
    seed : int
        Of the order of equal values.

    Returns
    -------
    Score
        About 1 where the truth could be one more member; NaN with a single member.

    Notes
    -----
    ``sum_r (n_r - n)**2 / n`` of the histogram of Hamill (2001), Mon. Weather Rev. 129. Neighbouring cells and months
    are not independent, so its distribution is not that of chi squared; members in the place of the truth, which have
    the same dependence, say what is usual.
    """
    tables = _ranked(given, list(range(len(given.runs))), seed)

    def value(members: Members, counts: NDArray[np.integer]) -> float:
        if len(members) < 2:
            return float("nan")
        share = counts / counts.sum()
        departures = np.array([len(each[0]) * np.sum((share @ each - 1 / len(each[0])) ** 2) for each in tables])
        usual = departures[members].mean()
        return float(departures[-1] / usual) if usual > 0 else float("nan")

    return Score("rank chi2", "", value, given.members, len(given.years))


def _ranked(given: Comparison, chosen: list[int], seed: int) -> list[Floats]:
    runs = len(given.runs)
    random = np.random.default_rng(seed)
    made = [np.zeros((len(given.years), runs)) for _ in chosen]
    where = np.arange(len(given.years)).repeat(given.in_year.shape[1])
    order = given.in_year.ravel()
    weight = given.cells.astype(np.float64) / given.in_year.shape[1]
    for start in range(0, len(order), _STEPS):
        piece = np.ascontiguousarray(given.runs[:, order[start : start + _STEPS]])
        places = _places(piece, random)
        rows = where[start : start + _STEPS, None] * runs
        share = np.broadcast_to(weight, piece.shape[1:]).ravel()
        for table, run in zip(made, chosen, strict=True):
            table += np.bincount((rows + places[run]).ravel(), share, table.size).reshape(table.shape)
    return made


def _places(piece: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int16]:
    """Ranks of all runs among each other; equal values in an order by chance."""
    below = np.zeros(piece.shape, np.int16)
    lot: NDArray[np.float32] | None = None
    for run in range(len(piece) - 1):
        less, equal = piece[run + 1 :] < piece[run], piece[run + 1 :] == piece[run]
        if equal.any():
            lot = random.random(piece.shape, np.float32) if lot is None else lot
            less |= equal & (lot[run + 1 :] < lot[run])
        below[run] += less.sum(axis=0, dtype=np.int16)
        below[run + 1 :] += ~less
    return below
