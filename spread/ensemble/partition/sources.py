"""Variances by source, and what follows from them: total, shares, fractional uncertainty, signal to noise."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import stats

NINETY_PERCENT = 1.65
"""Standard deviations of a normal distribution that hold 90 %; as printed in Hawkins and Sutton (2009), appendix."""


def mean(data: xr.DataArray, dims: Sequence[str], weights: NDArray[np.float64] | None = None) -> xr.DataArray:
    """Mean over some dimensions, without what is absent.

    Parameters
    ----------
    data : xarray.DataArray
        Values; NaN is absent.
    dims : sequence of str
        Dimensions to reduce.
    weights : numpy.ndarray, optional
        Weights along them.

    Returns
    -------
    xarray.DataArray
        The mean; NaN where nothing is there.
    """
    return _over(data, dims, lambda values: stats.mean(values, weights))


def variance(
    data: xr.DataArray, dims: Sequence[str], ddof: int, weights: NDArray[np.float64] | None = None
) -> xr.DataArray:
    """Variance over some dimensions, without what is absent.

    Parameters
    ----------
    data, dims, weights
        As in :func:`mean`.
    ddof : int
        0: population, 1: sample.

    Returns
    -------
    xarray.DataArray
        The variance; NaN where fewer than ``ddof + 1`` values are there.
    """
    return _over(data, dims, lambda values: stats.standard_deviation(values, weights, ddof=ddof) ** 2)


def _over(
    data: xr.DataArray, dims: Sequence[str], function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> xr.DataArray:
    moved = data.transpose(*dims, ...)
    values = function(moved.values.reshape(-1, *moved.shape[len(dims) :]))
    return moved.isel(dict.fromkeys(dims, 0), drop=True).copy(data=values)


def squared_units(units: str) -> str:
    """Unit of a variance.

    Parameters
    ----------
    units : str
        A CF unit with exponents behind names, ``kg m-2 s-1``.

    Returns
    -------
    str
        Its square, ``kg2 m-4 s-2``; differences of ``degC`` are K.
    """
    names = {"degC": "K", "degree_Celsius": "K"}
    parts = [re.fullmatch(r"(.*?)(-?\d*)", part) for part in units.split()]
    return " ".join(
        f"{names.get(part[1], part[1])}{2 * int(part[2] or 1)}" for part in parts if part and part[0] != "1"
    )


def by_source(
    variances: Mapping[str, xr.DataArray], centre: xr.DataArray, attrs: Mapping[str, Any], anomalies: bool
) -> xr.Dataset:
    """Lay variances side by side with what follows from them.

    Parameters
    ----------
    variances : mapping of str to xarray.DataArray
        Variance of each source; those without years hold for all of them.
    centre : xarray.DataArray
        Mean of the projections, on ``year`` and places.
    attrs : mapping
        Attributes of the result, with the ``units`` of the data.
    anomalies : bool
        Whether ``centre`` is a change, so that an uncertainty relative to it means something.

    Returns
    -------
    xarray.Dataset
        ``variance`` and ``share`` [%] on ``source, year, ...``; ``total`` and ``mean`` on ``year, ...``; for anomalies
        also ``fractional_uncertainty``, 1.65 sqrt(total) / abs(mean), and ``signal_to_noise``, its inverse.
    """
    dims = ("year", *[dim for dim in centre.dims if dim != "year"])
    centre = centre.transpose(*dims)
    parts = [part.broadcast_like(centre).transpose(*dims) for part in variances.values()]
    stacked = xr.concat(parts, xr.DataArray(list(variances), dims="source", name="source"), coords="minimal",
                        compat="override", join="exact")  # fmt: skip
    total = stacked.sum("source", skipna=False)
    units = str(attrs.get("units", ""))
    squared = squared_units(units)
    out = xr.Dataset(
        {
            "variance": stacked.assign_attrs(units=squared, long_name="variance by source"),
            "share": (100.0 * stacked / total.where(total > 0)).assign_attrs(
                units="%", long_name="share of the total variance"
            ),
            "total": total.assign_attrs(units=squared, long_name="total variance"),
            "mean": centre.assign_attrs(units=units, long_name="mean over models and scenarios"),
        }
    )
    if anomalies:
        width = NINETY_PERCENT * total**0.5
        size = abs(centre)
        out["fractional_uncertainty"] = (width / size.where(size > 0)).assign_attrs(
            units="1", long_name="90 % uncertainty over mean change"
        )
        out["signal_to_noise"] = (size / width.where(width > 0)).assign_attrs(
            units="1", long_name="mean change over 90 % uncertainty"
        )
    return out.assign_attrs(dict(attrs))
