"""Maps of one run: means over spans of its years, and changes between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.operators import YearlyMaps

Floats = NDArray[np.float64]
Years = tuple[int, int]


def span_mean(maps: YearlyMaps, means: Floats, span: Years, needed: int) -> Floats:
    """Mean over a span of years, each weighted by its length.

    Parameters
    ----------
    maps : YearlyMaps
        Complete years of a run.
    means : numpy.ndarray
        ``(years, cells)`` their means.
    span : tuple of int
        First and last year.
    needed : int
        Years that a cell must have.

    Returns
    -------
    numpy.ndarray
        ``(cells,)``; NaN where fewer years have a value.
    """
    here = (maps.years >= span[0]) & (maps.years <= span[1])
    values = means[here]
    there = np.isfinite(values)
    weight = maps.days[here][:, None] * there
    total = weight.sum(axis=0)
    sums = (np.where(there, values, 0.0) * weight).sum(axis=0)
    enough = (there.sum(axis=0) >= max(needed, 1)) & (total > 0.0)
    return np.where(enough, sums / np.where(total > 0.0, total, 1.0), np.nan)


def needed_years(span: Years, season: str, first_month: int, share: float) -> int:
    """Years of a span that a run must have.

    Parameters
    ----------
    span : tuple of int
        First and last year.
    season : str
        In the winter in which a run begins, DJF lacks the December before: that year is not expected.
    first_month : int
        Number of the run's first month.
    share : float
        Share of the years that must be there.

    Returns
    -------
    int
        How many.
    """
    void = season == "DJF" and span[0] <= first_month // 12 <= span[1]
    return int(np.ceil(share * (span[1] - span[0] + 1 - void) - 1e-9))


def change_of(mean: Floats, base: Floats, kind: str) -> Floats:
    """Change against a base.

    Parameters
    ----------
    mean, base : numpy.ndarray
        ``(..., cells)``.
    kind : str
        ``absolute``, or ``percent`` of the base; NaN where the base is not above zero.
    """
    if kind == "absolute":
        return mean - base
    positive = base > 0.0
    return np.where(positive, 100.0 * (mean - base) / np.where(positive, base, 1.0), np.nan)
