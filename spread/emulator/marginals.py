"""Residuals of each cell and season as normal scores: skew and bounds that a covariance does not know.

Where sea ice melts, summer temperature stays near freezing; its residuals are far from normal, and a model of them in
the space of patterns, where every cell is a sum of many, would have to learn each bound anew. A monotone map of each
cell, the same for a season, takes that away before patterns are looked for, and puts it back after.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import ndtri

from spread.emulator.scale import ALIKE
from spread.emulator.seasons import KNOTS, distance, middles

LEVELS = (0.004, 0.02, 0.06, 0.15, 0.3, 0.5, 0.7, 0.85, 0.94, 0.98, 0.996)
"""Quantiles that the map goes through; beyond the outer ones it goes on as straight as over the last two intervals."""

WINDOW = 1.5 / 12
"""Days this near to a knot, as a part of the year, tell its quantiles: three months."""

FEWEST = 60
"""Samples that a knot needs; with fewer the outer quantiles would be those of single months."""

MOST = 1800
"""Samples that a knot takes of those that there are, evenly over time: enough for the outer quantiles."""

PAST_CHANCE = 2.0
"""A shape counts by the share of its squared departure from the normal one that is beyond this many times what chance
gives independent samples; those that follow each other are alike. What chance gives differs from cell to cell: as a
factor on smooth maps it would make small scales."""

_LEAST_SLOPE = 1e-3
"""Of a residual over a normal score; keeps the map invertible where values are equal."""


class Marginals(eqx.Module):
    """A monotone map between standardised residuals and normal scores for every cell and knot of the year.

    Parameters
    ----------
    quantiles : array
        Of the residuals at :data:`LEVELS`, strictly rising, ``(knot, level, cell)``.
    """

    quantiles: Float[Array, "knot level cell"]

    @classmethod
    def fit(cls, residuals: NDArray[np.floating], day: NDArray[np.float64]) -> Marginals:
        """Find the quantiles.

        Parameters
        ----------
        residuals : ndarray
            Standardised, ``(sample, cell)``.
        day : ndarray
            Part of the year, 0 to 1, ``(sample,)``.

        Returns
        -------
        Marginals
            The map of normal data, which changes nothing, at knots with fewer than :data:`FEWEST` samples.
        """
        found = np.empty((KNOTS, len(LEVELS), residuals.shape[1]))
        daily = len(np.unique(np.round(day, 4))) > 2 * KNOTS
        least = _LEAST_SLOPE * np.arange(len(LEVELS))[:, None]
        for number, knot in enumerate(middles()):
            chosen = np.flatnonzero(distance(day, knot) <= WINDOW + 1e-9)
            near = residuals[chosen[:: max(1, len(chosen) // MOST)]]
            if len(near) < FEWEST:
                found[number] = _scores()[:, None]
            else:
                shape = _beyond_chance(np.quantile(near, LEVELS, axis=0), len(near) / (ALIKE if daily else 1.0))
                found[number] = np.maximum.accumulate(shape - least, axis=0) + least
        return cls(jnp.asarray(found, jnp.float32))

    def at(self, season: Float[Array, " knot"]) -> Float[Array, "level cell"]:
        """Quantiles on a day, of the weights of :func:`spread.emulator.seasons.weights`."""
        return jnp.tensordot(season, self.quantiles, axes=1)

    def residual(self, scores: Float[Array, " cell"], season: Float[Array, " knot"]) -> Float[Array, " cell"]:
        """Residuals of normal scores.

        Parameters
        ----------
        scores : array
            One map.
        season : array
            Weights of its day.

        Returns
        -------
        array
            Standardised residuals.

        Notes
        -----
        Piecewise linear, written as a sum of ramps: the scores at the knots of the map are the same in all cells.
        """
        quantiles, knots = self.at(season), _scores()
        slopes = jnp.diff(quantiles, axis=0) / jnp.asarray(np.diff(knots), scores.dtype)[:, None]
        low, high = _tail(quantiles[:3], knots[:3]), _tail(quantiles[-3:], knots[-3:])
        slopes = jnp.concatenate([low[None], slopes, high[None]])
        made = quantiles[0] + low * (scores - knots[0])
        for number, knot in enumerate(knots):
            made = made + (slopes[number + 1] - slopes[number]) * jax.nn.relu(scores - knot)
        return made

    def scores(self, residuals: NDArray[np.floating], season: NDArray[np.floating]) -> NDArray[np.floating]:
        """Normal scores of residuals, the inverse of :meth:`residual`.

        Parameters
        ----------
        residuals : ndarray
            ``(sample, cell)``.
        season : ndarray
            Weights of the days, ``(sample, knot)``.

        Returns
        -------
        ndarray
            ``(sample, cell)``.
        """
        made = np.empty(residuals.shape, residuals.dtype)
        table = np.asarray(self.quantiles)
        days, which = np.unique(season, axis=0, return_inverse=True)
        for number, day in enumerate(days):
            rows = np.flatnonzero(which.ravel() == number)
            made[rows] = _inverse(residuals[rows], np.tensordot(day, table, axes=1))
        return made


def _scores() -> NDArray[np.float64]:
    return ndtri(np.asarray(LEVELS))


def _beyond_chance(quantiles: NDArray[np.floating], count: float) -> NDArray[np.floating]:
    """Quantiles ``(level, cell)`` drawn toward normal ones by as much as chance would have made them differ."""
    scores, levels = _scores()[:, None], np.asarray(LEVELS)[:, None]
    density = np.exp(-(scores**2) / 2) / np.sqrt(2 * np.pi)
    chance = levels * (1 - levels) / (count * density**2)
    departure = quantiles - scores
    ratio = np.mean(departure**2 / chance, axis=0)
    return scores + np.maximum(1 - PAST_CHANCE / np.maximum(ratio, 1e-30), 0.0) * departure


def _tail(quantiles: Array, knots: NDArray[np.float64]) -> Array:
    return (quantiles[2] - quantiles[0]) / (knots[2] - knots[0])


def _inverse(values: NDArray[np.floating], quantiles: NDArray[np.floating]) -> NDArray[np.floating]:
    knots = _scores().astype(quantiles.dtype)
    slopes = np.diff(knots)[:, None] / np.diff(quantiles, axis=0)
    low = (knots[2] - knots[0]) / (quantiles[2] - quantiles[0])
    high = (knots[-1] - knots[-3]) / (quantiles[-1] - quantiles[-3])
    slopes = np.concatenate([low[None], slopes, high[None]])
    made = knots[0] + low * (values - quantiles[0])
    for number, quantile in enumerate(quantiles):
        made += (slopes[number + 1] - slopes[number]) * np.maximum(values - quantile, 0.0)
    return made
