"""A score with its two errors: of how many members were drawn, and of which years the truth happened to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.errors import BadModel

__all__ = ["BLOCK", "DRAWS", "Estimate", "Score", "block_counts", "estimate", "jackknife_error"]

Floats = NDArray[np.float64]

BLOCK = 5
"""Years that are drawn together: longer than the memory of ENSO, short enough for eight blocks in forty years."""

DRAWS = 100
"""Of the bootstrap over years; the standard error itself is then known to 7 %, 1 / sqrt(2 x 100)."""


@dataclass(frozen=True)
class Score:
    """A score as a function of which members and which years count.

    Parameters
    ----------
    name : str
        As in a table's head.
    unit : str
        ``K``, ``days``, or empty for a ratio.
    value : callable
        Of the numbers of the members that count, ``(member,)``, and of how often every year counts, ``(year,)``: a
        number, or an array.
    members : int
        How many there are.
    years : int
        How many there are.
    """

    name: str
    unit: str
    value: Callable[[NDArray[np.integer], NDArray[np.integer]], float | Floats]
    members: int
    years: int


@dataclass(frozen=True)
class Estimate:
    """A score and its standard errors.

    Parameters
    ----------
    value : ndarray
        Of all members and years; without dimensions, or by wavenumber, season or rank.
    member_error : ndarray
        Monte-Carlo error of the finite number of members, by the jackknife; NaN with fewer than three.
    time_error : ndarray
        Sampling error of the years, by a bootstrap of blocks; NaN with fewer than two blocks.
    unit : str
        Of all three.
    """

    value: Floats
    member_error: Floats
    time_error: Floats
    unit: str = ""

    @property
    def error(self) -> Floats:
        """Both errors together; one that is not known counts as zero."""
        return np.hypot(np.nan_to_num(self.member_error), np.nan_to_num(self.time_error))


def estimate(score: Score, block: int = BLOCK, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Work out a score and its errors.

    Parameters
    ----------
    score : Score
        Which.
    block : int
        Years that are drawn together.
    draws : int
        Of the bootstrap.
    seed : int
        Of the bootstrap: two methods that are scored with the same one meet the same years.

    Returns
    -------
    Estimate
    """
    everyone, once = np.arange(score.members), np.ones(score.years, np.int64)
    value = np.asarray(score.value(everyone, once), np.float64)
    member = jackknife_error(
        [score.value(np.delete(everyone, m), once) for m in everyone] if score.members > 2 else [], value
    )
    if score.years < 2 * block:
        return Estimate(value, member, np.full(value.shape, np.nan), score.unit)
    counts = block_counts(score.years, block, draws, seed)
    drawn = np.stack([np.asarray(score.value(everyone, each), np.float64) for each in counts])
    return Estimate(value, member, drawn.std(axis=0, ddof=1), score.unit)


def jackknife_error(without: list, value: Floats) -> Floats:
    """Standard error from the values without one member each.

    Parameters
    ----------
    without : list
        Values, each without one of the members; empty where there are too few.
    value : ndarray
        With all, whose shape the error has.

    Returns
    -------
    ndarray
        ``sqrt((M - 1) / M  sum (v_i - mean v)**2)``.

    Notes
    -----
    Quenouille and Tukey; Efron and Stein (1981), Ann. Stat. 9, eq. 1.3.
    """
    if not without:
        return np.full(value.shape, np.nan)
    values = np.stack([np.asarray(each, np.float64) for each in without])
    return np.sqrt((len(values) - 1) * values.var(axis=0))


def block_counts(years: int, block: int = BLOCK, draws: int = DRAWS, seed: int = 0) -> NDArray[np.int64]:
    """How often every year is drawn when blocks of years are drawn with replacement.

    Parameters
    ----------
    years : int
        How many there are.
    block : int
        Years in a block.
    draws : int
        How many bootstrap samples.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray
        ``(draw, year)``; every row sums to the number of years.

    Raises
    ------
    BadModel
        For blocks longer than the record.

    Notes
    -----
    The circular block bootstrap of Politis and Romano (1992): the record is closed to a ring, so that all years are
    drawn equally often; the last block is cut where the record is full.
    """
    if not 1 <= block <= years:
        raise BadModel(f"block bootstrap: expected blocks of 1 to {years} years, got {block}")
    random = np.random.default_rng([seed, years, block])
    starts = random.integers(years, size=(draws, -(-years // block)))
    drawn = ((starts[:, :, None] + np.arange(block)) % years).reshape(draws, -1)[:, :years]
    made = np.zeros((draws, years), np.int64)
    np.add.at(made, (np.arange(draws)[:, None], drawn), 1)
    return made
