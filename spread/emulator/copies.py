"""Whether an emulator gives back maps that it knows instead of making new ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.emulator.seasons import KNOTS

__all__ = ["NEAR", "copied_share"]

Floats = NDArray[np.float64]

NEAR = 1e-3
"""Distance to a known map, over the known maps' standard deviation, below which a map is a copy: well beyond
rounding, and far below the distance of any two months of a climate."""


def copied_share(
    emulated: NDArray[np.floating], day: Floats, known: NDArray[np.floating], known_day: Floats, area: Floats
) -> float:
    """Share of emulated maps that are a known map of the same month.

    Parameters
    ----------
    emulated : ndarray
        ``(member, time, lat, lon)``.
    day : ndarray
        Part of the year, ``(time,)``.
    known : ndarray
        Maps of training, of the test or of both, ``(sample, lat, lon)``.
    known_day : ndarray
        Part of the year, ``(sample,)``.
    area : ndarray
        Shares of the Earth's area, ``(lat, lon)``.

    Returns
    -------
    float
        0 to 1.
    """
    root = np.sqrt(np.asarray(area, np.float64).ravel())
    of_month, of_known = (np.minimum((np.asarray(each) * KNOTS).astype(int), KNOTS - 1) for each in (day, known_day))
    copied = total = 0
    for month in np.unique(of_month):
        old = known[of_known == month].reshape(-1, root.size)
        new = emulated[:, of_month == month].reshape(-1, root.size)
        total += len(new)
        if not len(old):
            continue
        centre = old.mean(axis=0, dtype=np.float64)
        old, new = ((each - centre) * root for each in (old, new))
        square = np.sum(old**2, axis=1)
        nearest = np.min(square - 2 * new @ old.T, axis=1) + np.sum(new**2, axis=1)
        copied += int(np.sum(nearest < NEAR**2 * square.mean()))
    return copied / total
