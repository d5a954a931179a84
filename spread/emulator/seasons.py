"""The circle of the year: knots at the middles of twelve months, and weights between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOTS = 12
"""Middles of months: monthly data lie on the knots, daily data between them."""

Floats = NDArray[np.float64]


def middles() -> Floats:
    """Where the knots are, as parts of a year."""
    return (np.arange(KNOTS) + 0.5) / KNOTS


def month_of(day: Floats) -> NDArray[np.int32]:
    """Which twelfth of the year days are in, from 0 on, ``(sample,)``."""
    return (np.floor(np.asarray(day, np.float64) * KNOTS).astype(np.int32)) % KNOTS


def distance(day: Floats, knot: float) -> Floats:
    """How far days are from a knot, either way round the year.

    Parameters
    ----------
    day : ndarray
        Parts of a year, 0 to 1.
    knot : float
        Likewise.

    Returns
    -------
    ndarray
        Parts of a year, 0 to 0.5.
    """
    apart = np.abs(day - knot) % 1.0
    return np.minimum(apart, 1.0 - apart)


def weights(day: Floats) -> NDArray[np.float32]:
    """Linear interpolation between the two knots about each day.

    Parameters
    ----------
    day : ndarray
        Parts of a year, 0 to 1, ``(sample,)``.

    Returns
    -------
    ndarray
        ``(sample, knot)``; rows sum to 1.
    """
    place = (np.asarray(day, np.float64) * KNOTS - 0.5) % KNOTS
    before = np.floor(place + 1e-9).astype(int) % KNOTS
    share = np.maximum(place - np.floor(place + 1e-9), 0.0)
    made = np.zeros((len(place), KNOTS))
    rows = np.arange(len(place))
    made[rows, before] += 1 - share
    made[rows, (before + 1) % KNOTS] += share
    return made.astype(np.float32)
