"""The Equal Earth projection: areas keep their size, so that the eye weighs a map as an area mean does."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_A = (1.340264, -0.081106, 0.000893, 0.003796)


def equal_earth(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Project points onto the plane.

    Parameters
    ----------
    lon : array_like
        Longitude east of the central meridian, -180..180 [degrees].
    lat : array_like
        Latitude [degrees].

    Returns
    -------
    tuple of numpy.ndarray
        x and y, in units of the Earth's radius.

    Notes
    -----
    Savric, Patterson and Jenny (2019), Int. J. Geogr. Inf. Sci. 33, 454-465, equations 1-3.
    """
    theta = np.arcsin(np.sqrt(3.0) / 2.0 * np.sin(np.deg2rad(np.asarray(lat, dtype=np.float64))))
    square = theta**2
    slope = _A[0] + square * (3.0 * _A[1] + square**2 * (7.0 * _A[2] + 9.0 * _A[3] * square))
    x = 2.0 * np.sqrt(3.0) * np.deg2rad(np.asarray(lon, dtype=np.float64)) * np.cos(theta) / (3.0 * slope)
    y = theta * (_A[0] + square * (_A[1] + square**2 * (_A[2] + _A[3] * square)))
    return x, y


def inverse_equal_earth(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Take points of the plane back onto the globe.

    Parameters
    ----------
    x, y : array_like
        As :func:`equal_earth` returns them.

    Returns
    -------
    tuple of numpy.ndarray
        Longitude east of the central meridian and latitude [degrees]; NaN for points outside the map.

    Notes
    -----
    Newton's method on equation 2 of Savric, Patterson and Jenny (2019); its slope is nowhere near zero on the map, and
    a dozen steps reach rounding error.
    """
    across, up = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    theta = up / _A[0]
    for _ in range(12):
        square = theta**2
        reached = theta * (_A[0] + square * (_A[1] + square**2 * (_A[2] + _A[3] * square)))
        theta = theta - (reached - up) / (
            _A[0] + square * (3.0 * _A[1] + square**2 * (7.0 * _A[2] + 9.0 * _A[3] * square))
        )
    square = theta**2
    slope = _A[0] + square * (3.0 * _A[1] + square**2 * (7.0 * _A[2] + 9.0 * _A[3] * square))
    sine = 2.0 * np.sin(theta) / np.sqrt(3.0)
    with np.errstate(divide="ignore"):
        lon = np.rad2deg(3.0 * across * slope / (2.0 * np.sqrt(3.0) * np.cos(theta)))
    outside = (np.abs(sine) > 1.0 + 1e-9) | (np.abs(lon) > 180.0 + 1e-6)
    lat = np.rad2deg(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return np.where(outside, np.nan, lon), np.where(outside, np.nan, lat)


def outline(points: int = 90) -> tuple[Floats, Floats]:
    """Edge of the map, x and y of a closed line."""
    lat = np.linspace(-90.0, 90.0, points)
    lon = np.concatenate([np.full(points, -180.0), np.full(points, 180.0), [-180.0]])
    return equal_earth(lon, np.concatenate([lat, lat[::-1], lat[:1]]))
