"""Global grids by name: regular in latitude and longitude, or Gaussian."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from spread.grids.cells import Grid

Floats = NDArray[np.float64]

_DEGREES = re.compile(r"(\d+(?:\.\d+)?)(?:\s*x\s*(\d+(?:\.\d+)?))?\s*(?:deg|degrees?|°)?", re.IGNORECASE)
_GAUSSIAN = re.compile(r"[FN](\d+)", re.IGNORECASE)


def regular(resolution: str | float) -> Grid:
    """A global grid by its name.

    Parameters
    ----------
    resolution : str or float
        ``"2.5"``, ``"2.5deg"`` or ``"2x1"``: cells of so many degrees of longitude by latitude, edges on the poles
        and on longitude 0. ``"F80"`` (or ``"N80"``): the regular Gaussian grid of 80 rows from pole to equator, first
        column centred on longitude 0.

    Returns
    -------
    Grid
        Rows from south to north, columns eastward.

    Raises
    ------
    ValueError
        If the name is not understood, or the cells do not fit into the globe a whole number of times.

    Notes
    -----
    Longitude comes first in ``MxN``, as in ESMValCore. ``F`` and ``N`` are ECMWF's and CDO's letters.
    """
    name = str(resolution).strip()
    if gaussian := _GAUSSIAN.fullmatch(name):
        return _gaussian(int(gaussian[1]))
    degrees = _DEGREES.fullmatch(name)
    if degrees is None:
        raise ValueError(
            f"target grid {name!r}: expected degrees such as '2.5', '2x1' (longitude x latitude), or 'F80'"
        )
    width, height = float(degrees[1]), float(degrees[2] or degrees[1])
    counts = []
    for what, size, whole in (("longitude", width, 360.0), ("latitude", height, 180.0)):
        count = round(whole / size) if size > 0.0 else 0
        if count < 1 or abs(count * size - whole) > 1e-6 * whole:
            raise ValueError(f"target grid {name!r}: cells of {size:g} degrees do not divide {whole:g} of {what}")
        counts.append(count)
    columns, rows = counts
    lat, lon = _edges(-90.0, 180.0, rows), _edges(0.0, 360.0, columns)
    return Grid(lat.mean(1), lon.mean(1), lat, lon, (f"regular global grid {name}",))


def _edges(start: float, whole: float, count: int) -> Floats:
    at = start + whole * np.arange(count + 1) / count
    return np.stack([at[:-1], at[1:]], axis=1)


def _gaussian(half: int) -> Grid:
    """Rows at the roots of a Legendre polynomial, edges where the weights of the quadrature end."""
    if half < 1:
        raise ValueError(f"target grid F{half}: expected at least one row between pole and equator")
    sines, weights = np.polynomial.legendre.leggauss(2 * half)
    ends = np.r_[-1.0, np.clip(np.cumsum(weights)[:-1] - 1.0, -1.0, 1.0), 1.0]
    at = np.rad2deg(np.arcsin((ends - ends[::-1]) / 2.0))  # the two hemispheres alike to the last bit
    columns = 4 * half
    lon = _edges(-180.0 / columns, 360.0, columns)
    lat = np.rad2deg(np.arcsin((sines - sines[::-1]) / 2.0))
    return Grid(lat, 360.0 * np.arange(columns) / columns, np.stack([at[:-1], at[1:]], 1), lon,
                (f"Gaussian grid F{half}",))  # fmt: skip
