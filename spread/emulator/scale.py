"""How variable a cell is in a season, and how that changes with forced warming."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from spread.emulator.seasons import KNOTS, distance, middles

WINDOW = 1.0 / 12
"""Days less than this from a knot, as a part of the year, tell its variance; nearer ones count for more."""

_ROUNDS = 12

GROUPS = 32
"""Groups of like warming whose mean squares stand for their samples: the variance changes little within one."""
_PAST_CHANCE = 1.5
"""A change with warming counts where its square is beyond this many squared standard errors: samples that follow each
other are alike, so that there are fewer than they seem."""

ALIKE = 5.0
"""Days that count as one sample of the variance: weather remembers itself for about so long."""

HARMONICS = 3
"""Of the year, that the variance of daily data has: noise from month to month, other in every cell, would make small
scales of smooth fields. That of monthly data follows each month, for sea ice melts within one."""

_SMALLEST = 1e-6
"""Of a variance over the mean variance of the map: cells that never vary keep their logarithm."""


class Scale(eqx.Module):
    """Standard deviation of residuals: ``ln variance = level + slope * warming``, for every knot of the year and cell.

    Parameters
    ----------
    level : array
        At no warming, ``(knot, cell)``.
    slope : array
        Per kelvin of forced global warming, 0 where it is within chance, ``(knot, cell)``.
    """

    level: Float[Array, "knot cell"]
    slope: Float[Array, "knot cell"]

    @classmethod
    def fit(cls, residuals: NDArray[np.floating], warming: NDArray[np.float64], day: NDArray[np.float64]) -> Scale:
        """Fit the variance of residuals by a gamma regression with a logarithmic link.

        Parameters
        ----------
        residuals : ndarray
            From the mean response [K], ``(sample, cell)``.
        warming : ndarray
            Forced global warming [K], ``(sample,)``.
        day : ndarray
            Part of the year, 0 to 1, ``(sample,)``.

        Returns
        -------
        Scale

        Notes
        -----
        Iterated weighted least squares (McCullagh & Nelder 1989, ch. 8); slopes are shrunk toward 0 by the share of
        their square that chance would give (a positive-part rule after James & Stein 1961).
        """
        square = np.square(residuals)
        smallest = _SMALLEST * float(square.mean())
        daily = len(np.unique(np.round(day, 4))) > 2 * KNOTS
        edges = np.unique(np.quantile(warming, np.linspace(0, 1, GROUPS + 1)[1:-1]))
        group = np.searchsorted(edges, warming)
        level, slope = np.empty((2, KNOTS, square.shape[1]))
        for number, knot in enumerate(middles()):
            near = np.maximum(1 - distance(day, knot) / WINDOW, 0.0)
            means, centres, weight = _grouped(square, warming, near, group)
            samples = near.sum() ** 2 / np.sum(near**2) / (ALIKE if daily else 1.0)
            level[number], slope[number] = _regression(means + smallest, centres, weight, samples)
        if daily:
            level, slope = smooth_over_year(level), smooth_over_year(slope)
        return cls(jnp.asarray(level, jnp.float32), jnp.asarray(slope, jnp.float32))

    def deviation(self, warming: Float[Array, ""], season: Float[Array, " knot"]) -> Float[Array, " cell"]:
        """Standard deviation of one map [K].

        Parameters
        ----------
        warming : array
            Forced warming, within the range of training [K].
        season : array
            Weights of the day.

        Returns
        -------
        array
            ``(cell,)``.
        """
        return jnp.exp(0.5 * (season @ self.level + warming * (season @ self.slope)))


def smooth_over_year(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values at the knots ``(knot, cell)`` without what varies faster than :data:`HARMONICS` of the year."""
    spectrum = np.fft.rfft(values, axis=0)
    spectrum[HARMONICS + 1 :] = 0
    return np.fft.irfft(spectrum, KNOTS, axis=0)


def _grouped(
    square: NDArray[np.floating], warming: NDArray[np.float64], near: NDArray[np.float64], group: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means of squares and warming in each group, and the groups' weights."""
    means, centres, weights = [], [], []
    for number in np.unique(group[near > 1e-6]):
        chosen = np.flatnonzero((group == number) & (near > 1e-6))
        weight = near[chosen]
        means.append(weight.astype(square.dtype) @ square[chosen] / weight.sum())
        centres.append(weight @ warming[chosen] / weight.sum())
        weights.append(weight.sum())
    return np.asarray(means, np.float64), np.asarray(centres), np.asarray(weights)


def _regression(
    square: NDArray[np.float64], warming: NDArray[np.float64], weight: NDArray[np.float64], samples: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weight = weight / weight.sum()
    middle = weight @ warming
    centred = warming - middle
    spread = weight @ centred**2
    mean, slope = np.log(weight @ square), np.zeros(square.shape[1])
    if spread < 1e-4:  # K2: nothing to tell a change by
        return mean, slope
    for _ in range(_ROUNDS):
        excess = square / np.exp(mean + np.outer(centred, slope)) - 1
        mean = mean + np.clip(weight @ excess, -1, 1)
        slope = slope + np.clip((weight * centred) @ excess / spread, -0.5, 0.5)
    chance = _PAST_CHANCE * 2 / (samples * spread)
    kept = np.maximum(1 - chance / np.maximum(slope**2, 1e-30), 0.0)
    return mean - kept * slope * middle, kept * slope
