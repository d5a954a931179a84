"""Correlated noise: spherical harmonics, autoregressive series, an El Nino-like mode; statistics, no dynamics."""

import zlib
from functools import cache

import numpy as np

from spread.demo.grid import model_grid

__all__ = ["DEGREE", "el_nino_index", "generator", "harmonics", "noise_modes", "red_noise"]

DEGREE = 9


def generator(*keys: str) -> np.random.Generator:
    """Random generator that depends on the given names only, the same in every process.

    Parameters
    ----------
    *keys : str
        Such as model, experiment, member, variable.

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng(np.random.SeedSequence([zlib.crc32(key.encode()) for key in keys]))


def harmonics(lat: np.ndarray, lon: np.ndarray, degree: int = DEGREE) -> tuple[np.ndarray, np.ndarray]:
    """Real spherical harmonics of degree 1 to `degree`, each of unit mean square over the sphere.

    Parameters
    ----------
    lat, lon : ndarray
        Points (cell,) [degrees].
    degree : int
        Largest degree.

    Returns
    -------
    modes : ndarray
        (mode, cell).
    degrees : ndarray
        Degree of each mode (mode,).

    Source
    ------
    Holmes and Featherstone 2002, doi:10.1007/s00190-002-0216-2, equations 11-13 (forward column recursion).
    """
    sine, cosine, lam = np.sin(np.deg2rad(lat)), np.cos(np.deg2rad(lat)), np.deg2rad(lon)
    legendre: dict[tuple[int, int], np.ndarray] = {(0, 0): np.ones_like(sine)}
    for m in range(degree + 1):
        if m:
            legendre[m, m] = np.sqrt(3.0 if m == 1 else (2 * m + 1) / (2 * m)) * cosine * legendre[m - 1, m - 1]
        for n in range(m + 1, degree + 1):
            below = legendre.get((n - 2, m), 0.0)
            a = np.sqrt((4 * n * n - 1) / (n * n - m * m))
            b = np.sqrt(((n - 1) ** 2 - m * m) / (4 * (n - 1) ** 2 - 1))
            legendre[n, m] = a * (sine * legendre[n - 1, m] - b * below)
    modes, degrees = [], []
    for n in range(1, degree + 1):
        for m in range(n + 1):
            waves = (np.cos(m * lam), np.sin(m * lam)) if m else (np.ones_like(lam),)
            modes += [legendre[n, m] * wave for wave in waves]
            degrees += [n] * len(waves)
    return np.stack(modes), np.array(degrees)


@cache
def noise_modes(source_id: str) -> np.ndarray:
    """Modes of a model's grid, scaled to a red spectrum of unit variance at every point, (mode, cell)."""
    modes, degrees = harmonics(*model_grid(source_id).centres)
    power = 1.0 / (1.0 + (degrees / 4.0) ** 2)
    return modes * np.sqrt(power / power.sum())[:, None]


def red_noise(rng: np.random.Generator, steps: int, series: int, persistence: float) -> np.ndarray:
    """Stationary first-order autoregressive series of unit variance.

    Parameters
    ----------
    rng : numpy.random.Generator
    steps, series : int
        Length and number of the series.
    persistence : float
        Correlation of successive steps [1].

    Returns
    -------
    ndarray
        (steps, series).
    """
    out = rng.standard_normal((steps, series))
    out[1:] *= np.sqrt(1.0 - persistence**2)
    for step in range(1, steps):
        out[step] += persistence * out[step - 1]
    return out


def el_nino_index(rng: np.random.Generator, months: int, period: float = 44.0, memory: float = 26.0) -> np.ndarray:
    """Oscillating second-order autoregressive series of unit variance; its long means stay small.

    Parameters
    ----------
    rng : numpy.random.Generator
    months : int
    period, memory : float
        Of the oscillation [month].

    Returns
    -------
    ndarray
        (months,).
    """
    radius, spin_up = np.exp(-1.0 / memory), 360
    first, second = 2.0 * radius * np.cos(2.0 * np.pi / period), -(radius**2)
    variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    shocks = rng.standard_normal(months + spin_up) / np.sqrt(variance)
    out = np.zeros(months + spin_up)
    for step in range(2, len(out)):
        out[step] = first * out[step - 1] + second * out[step - 2] + shocks[step]
    return out[spin_up:]
