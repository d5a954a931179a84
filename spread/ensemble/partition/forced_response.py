"""The forced response of a run: a smooth curve through its years, by polynomial, LOESS or running mean.

Each of them is linear in the data, so it is a matrix over years, made once and applied to all runs and places.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.ensemble.partition.definitions import PartitionDefinition
from spread.errors import BadStudy

Floats = NDArray[np.float64]


def smoother(years: NDArray[np.integer], fit: str = "polynomial", order: int = 4, window: int = 41) -> Floats:
    """Matrix that turns a series into its smooth part.

    Parameters
    ----------
    years : numpy.ndarray
        Years ``(year,)`` that the series has, in order; some may lack.
    fit : str
        ``polynomial`` over all years; ``loess``: a polynomial around each year, fitted to the nearest years with
        tricube weights; ``running_mean``, centred, an even window holding one year more before than after.
    order : int
        Degree of the polynomial; of the local ones for ``loess``.
    window : int
        Years of ``loess`` and of ``running_mean``.

    Returns
    -------
    numpy.ndarray
        Matrix ``(year, year)``; NaN in the rows of years around which a running mean lacks a year.

    Raises
    ------
    BadStudy
        If there are too few years.

    Notes
    -----
    LOESS: Cleveland (1979), doi:10.1080/01621459.1979.10481038, without robustness iterations.
    """
    number, needed = len(years), order + 1 if fit == "polynomial" else window
    if number < needed:
        raise BadStudy(
            f"forced response by {fit}: expected at least {needed} years, got {number}: lower its order or window"
        )
    if fit == "polynomial":
        return _projection(years, order, np.ones(number), years)
    if fit == "running_mean":
        return _running_mean(years, window)
    matrix = np.zeros((number, number))
    for place, year in enumerate(years):
        near = np.sort(np.argsort(np.abs(years - year), kind="stable")[:window])
        distance = np.abs(years[near] - year) / np.abs(years[near] - year).max()
        weight = (1.0 - distance**3) ** 3
        matrix[place, near] = _projection(years[near], order, weight, years[[place]])[0]
    return matrix


def _projection(at: NDArray[np.integer], order: int, weight: Floats, wanted: NDArray[np.integer]) -> Floats:
    """Values of a weighted least-squares polynomial at some years, as a matrix over the fitted ones."""
    centre, half = (at[0] + at[-1]) / 2, max((at[-1] - at[0]) / 2, 1.0)
    # Legendre polynomials on [-1, 1]: powers of years would lose all digits
    basis, there = (np.polynomial.legendre.legvander((x - centre) / half, order) for x in (at, wanted))
    root = np.sqrt(weight)
    q, r = np.linalg.qr(root[:, None] * basis)
    return np.linalg.solve(r.T, there.T).T @ q.T * root


def _running_mean(years: NDArray[np.integer], window: int) -> Floats:
    offset = years[None, :] - years[:, None]
    inside = (offset >= -(window // 2)) & (offset < window - window // 2)
    whole = inside.sum(axis=1, keepdims=True) == window
    return np.where(whole, inside / window, np.nan)


def smoothed(data: xr.DataArray, fit: str = "polynomial", order: int = 4, window: int = 41) -> xr.DataArray:
    """Smooth every series over the years that it has.

    Parameters
    ----------
    data : xarray.DataArray
        With the dimension ``year``; NaN where a year lacks.
    fit, order, window
        As in :func:`smoother`.

    Returns
    -------
    xarray.DataArray
        On the dimensions of ``data``, ``year`` last; NaN where ``data`` is.

    Raises
    ------
    BadStudy
        If a series that has years has too few.
    """
    moved = data.transpose(..., "year")
    series = moved.values.reshape(-1, moved.sizes["year"])
    there = np.isfinite(series)
    out = np.full(series.shape, np.nan)
    for years, rows in patterns(there):
        matrix = smoother(moved["year"].values[years], fit, order, window)
        reached = np.isfinite(matrix).all(axis=1)
        filled = np.full((rows.sum(), years.sum()), np.nan)
        filled[:, reached] = series[np.ix_(rows, years)] @ matrix[reached].T
        out[np.ix_(rows, years)] = filled
    return moved.copy(data=out.reshape(moved.shape))


def patterns(there: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Group series by the years that they have: most have all of them, or none.

    Parameters
    ----------
    there : numpy.ndarray
        Which years are there, ``(series, year)``.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        Years ``(year,)`` and the series ``(series,)`` that have just these; not those that have none.
    """
    whole, some = there.all(axis=1), there.any(axis=1)
    found = [(np.ones(there.shape[1], dtype=bool), whole)] if whole.any() else []
    for years in np.unique(there[some & ~whole], axis=0):
        found.append((years, (there == years).all(axis=1)))
    return found


def forced_response(data: xr.DataArray, definition: PartitionDefinition) -> xr.DataArray:
    """Smooth part of every series, as a definition of a partition wants it.

    Parameters
    ----------
    data : xarray.DataArray
        Yearly values with the dimension ``year``.
    definition : PartitionDefinition
        Its ``fit``, ``order`` and ``window`` are used.

    Returns
    -------
    xarray.DataArray
        On the dimensions of ``data``, ``year`` last; NaN where ``data`` is.
    """
    return smoothed(data, definition.fit, definition.order, definition.window)
