"""A shrunk covariance of maps as patterns and what they leave: to draw from without a matrix of cells by cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.errors import BadModel

__all__ = ["MODES", "SHRINKAGE", "Covariance"]

Floats = NDArray[np.float64]

MODES = 1000
"""Most patterns; all of them on grids of fewer cells or with fewer maps, and then the covariance is exact."""

SHRINKAGE = 0.03
"""Towards the diagonal, which gives a covariance of fewer maps than cells full rank."""

_DIRECT = 4000
"""Cells up to which the covariance is a matrix whose eigenvectors are found outright."""

_ROUNDS = 3
"""Power iterations of the randomised search; Halko et al. find one or two enough for slowly falling spectra."""


@dataclass(frozen=True)
class Covariance:
    """``(1 - s) (P P' + diag(rest)) + s diag(C)``: patterns ``P``, the variance that they leave, and shrinkage ``s``.

    Parameters
    ----------
    patterns : ndarray
        With the standard deviation of each as its length, ``(mode, cell)``.
    alone : ndarray
        Standard deviation of what is independent in every cell, ``(cell,)``.
    """

    patterns: Floats
    alone: Floats

    @classmethod
    def fit(cls, maps: NDArray[np.floating], modes: int = MODES, shrinkage: float = SHRINKAGE) -> Covariance:
        """Find the patterns.

        Parameters
        ----------
        maps : ndarray
            Standardised residuals with the mean zero, ``(sample, cell)``.
        modes : int
            Most patterns.
        shrinkage : float
            Towards the diagonal, 0 to 1.

        Returns
        -------
        Covariance

        Raises
        ------
        BadModel
            For a shrinkage or a number of modes that cannot be.
        """
        if not 0 <= shrinkage <= 1 or modes < 1:
            raise BadModel(f"covariance: expected a shrinkage of 0 to 1 and modes above 0, got {shrinkage} and {modes}")
        values = np.asarray(maps, np.float64)
        count, cells = values.shape
        diagonal = np.mean(values**2, axis=0)
        if cells <= _DIRECT:
            variance, vectors = np.linalg.eigh(values.T @ values / count)
            kept = min(modes, count, cells)
            variance, vectors = variance[::-1][:kept], vectors[:, ::-1][:, :kept].T
        else:
            variance, vectors = _randomised(values, min(modes, count, cells))
        patterns = np.sqrt(np.maximum(variance, 0.0))[:, None] * vectors
        rest = np.maximum(diagonal - np.sum(patterns**2, axis=0), 0.0)
        alone = np.sqrt((1 - shrinkage) * rest + shrinkage * diagonal)
        return cls(np.sqrt(1 - shrinkage) * patterns, alone)

    def draw(self, randoms: list[np.random.Generator]) -> Floats:
        """One map of each generator.

        Parameters
        ----------
        randoms : list of numpy.random.Generator
            One a map.

        Returns
        -------
        ndarray
            ``(map, cell)``.
        """
        modes, cells = self.patterns.shape
        noise = np.stack([random.standard_normal(modes + cells) for random in randoms])
        return np.asarray(noise[:, :modes] @ self.patterns + noise[:, modes:] * self.alone)


def _randomised(values: Floats, modes: int) -> tuple[Floats, Floats]:
    """Largest eigenvalues and vectors of a covariance that is never built: Halko et al. (2011), SIAM Rev. 53."""
    count, cells = values.shape
    width = min(modes + 10, count, cells)
    basis = np.linalg.qr(values.T @ np.random.default_rng(0).standard_normal((count, width)))[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(values.T @ (values @ basis))[0]
    _, singular, axes = np.linalg.svd(values @ basis, full_matrices=False)
    return (singular**2 / count)[:modes], (axes @ basis.T)[:modes]
