"""Pattern scaling: local temperature in proportion to forced global warming, with the cycle of the year."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from spread.errors import BadModel

DAILY_HARMONICS = 4
"""Of the year, for daily data: the reference recipe's number."""

MONTHLY_HARMONICS = 6
"""With them the cycle goes through all twelve months."""


class PatternScaling(eqx.Module):
    """``mu(G, d) = a(d) + b(d) G`` in every cell, ``a`` and ``b`` being sums of harmonics of the year.

    Parameters
    ----------
    mean : array
        Coefficients of ``a`` [K], ``(harmonic, cell)``.
    pattern : array
        Coefficients of ``b`` [K K-1], ``(harmonic, cell)``.
    """

    mean: Float[Array, "harmonic cell"]
    pattern: Float[Array, "harmonic cell"]

    @classmethod
    def fit(
        cls, tas: NDArray[np.floating], warming: NDArray[np.float64], day: NDArray[np.float64], harmonics: int
    ) -> PatternScaling:
        """Least squares in every cell.

        Parameters
        ----------
        tas : ndarray
            Temperature of one model [K], ``(sample, cell)``.
        warming : ndarray
            Forced global warming [K], ``(sample,)``.
        day : ndarray
            Part of the year, 0 to 1, ``(sample,)``.
        harmonics : int
            Of the year.

        Returns
        -------
        PatternScaling

        Raises
        ------
        BadModel
            Where warming or days do not vary enough to tell the coefficients.
        """
        of_year = basis(day, harmonics)
        design = np.concatenate([of_year, of_year * warming[:, None]], axis=1)
        normal = design.T @ design
        if np.linalg.cond(normal) > 1e10:
            raise BadModel(
                f"pattern scaling: {len(day)} samples with warming of {warming.min():.2f} to {warming.max():.2f} K do"
                f" not tell {design.shape[1]} coefficients apart; give more years, seasons or scenarios"
            )
        found = np.linalg.solve(normal, _product(design, tas))
        mean, pattern = np.split(found, 2)
        return cls(jnp.asarray(mean, jnp.float32), jnp.asarray(pattern, jnp.float32))

    def response(self, warming: Float[Array, ""], harmonics: Float[Array, " harmonic"]) -> Float[Array, " cell"]:
        """The mean map of one day.

        Parameters
        ----------
        warming : array
            Forced global warming [K].
        harmonics : array
            :func:`basis` of the day.

        Returns
        -------
        array
            Temperature [K], ``(cell,)``.
        """
        return harmonics @ self.mean + warming * (harmonics @ self.pattern)


def basis(day: NDArray[np.float64], harmonics: int) -> NDArray[np.float64]:
    """Constant, cosines and sines of the year.

    Parameters
    ----------
    day : ndarray
        Part of the year, 0 to 1, ``(sample,)``.
    harmonics : int
        How many; with the six of monthly data the sixth has one phase only, alternating months.

    Returns
    -------
    ndarray
        ``(sample, 2 harmonics + 1)``, one less for six harmonics.
    """
    angle = 2 * np.pi * np.outer(np.asarray(day, np.float64), np.arange(1, harmonics + 1))
    cosines, sines = np.cos(angle), np.sin(angle)
    if harmonics == MONTHLY_HARMONICS:
        cosines = cosines[:, :-1]  # at the middles of months cos(6 x) is zero
    return np.concatenate([np.ones((len(angle), 1)), cosines, sines], axis=1)


def _product(design: NDArray[np.float64], tas: NDArray[np.floating]) -> NDArray[np.float64]:
    """``design.T @ tas`` in double precision, a few years at a time."""
    total = np.zeros((design.shape[1], tas.shape[1]))
    for first in range(0, len(tas), 2000):
        total += design[first : first + 2000].T @ tas[first : first + 2000].astype(np.float64)
    return total
