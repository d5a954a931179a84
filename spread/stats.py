"""Weighted statistics over one axis: pure array functions, one definition for the whole of spread (NumPy only).

Missing values (NaN) are left out, with their weight. Without weights, every value counts the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def _prepared(values: ArrayLike, weights: ArrayLike | None, axis: int) -> tuple[Floats, Floats]:
    """Values with the axis last, and weights that are zero where a value is missing."""
    data = np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1)
    present = np.isfinite(data)
    given = np.ones(data.shape[-1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (data.shape[-1],) or not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(f"weights: expected {data.shape[-1]} finite numbers, none negative, got shape {given.shape}")
    return np.where(present, data, 0.0), np.where(present, given, 0.0)


def count(values: ArrayLike, axis: int = 0) -> NDArray[np.int64]:
    """Number of values that are there."""
    return np.isfinite(np.asarray(values, dtype=np.float64)).sum(axis=axis)


def mean(values: ArrayLike, weights: ArrayLike | None = None, axis: int = 0) -> Floats:
    """Weighted mean.

    Parameters
    ----------
    values : array_like
        Values; NaN is left out.
    weights : array_like, optional
        One weight a value of the axis, none negative.
    axis : int
        Axis to reduce.

    Returns
    -------
    numpy.ndarray
        The mean; NaN where nothing is there.
    """
    data, weight = _prepared(values, weights, axis)
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (data * weight).sum(axis=-1) / total, np.nan)


def standard_deviation(values: ArrayLike, weights: ArrayLike | None = None, axis: int = 0, ddof: int = 1) -> Floats:
    """Weighted standard deviation, with reliability weights.

    Parameters
    ----------
    values, weights, axis
        As in :func:`mean`.
    ddof : int
        1: sample (unbiased variance; with weights, V1 - V2/V1 in place of n - 1), 0: population.

    Returns
    -------
    numpy.ndarray
        The standard deviation; NaN where fewer than ``ddof + 1`` values are there.
    """
    data, weight = _prepared(values, weights, axis)
    centre = mean(values, weights, axis)[..., None]
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.where(weight > 0, weight * (data - centre) ** 2, 0.0).sum(axis=-1)
        effective = total - ddof * (weight**2).sum(axis=-1) / total
        return np.where((weight > 0).sum(axis=-1) > ddof, np.sqrt(squares / effective), np.nan)


def quantile(values: ArrayLike, q: ArrayLike, weights: ArrayLike | None = None, axis: int = 0) -> Floats:
    """Weighted quantiles; without weights, linear interpolation between order statistics (type 7).

    Parameters
    ----------
    values, weights, axis
        As in :func:`mean`.
    q : array_like
        Quantiles in 0..1.

    Returns
    -------
    numpy.ndarray
        Quantiles along a new first axis.

    Notes
    -----
    Type 7 of Hyndman and Fan (1996), Am. Stat. 50. With weights: the mean of the weighted quantile function over a
    window as wide as one effective sample, which is type 7 for equal weights (Akinshin, 2023, arXiv:2304.07265).
    """
    levels = np.atleast_1d(np.asarray(q, dtype=np.float64))
    if weights is None:
        return _plain_quantiles(np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1), levels)
    data, weight = _prepared(values, weights, axis)
    out = np.full((levels.size, *data.shape[:-1]), np.nan)
    for index in np.ndindex(data.shape[:-1]):
        there = weight[index] > 0
        if there.any():
            out[(slice(None), *index)] = _weighted_quantile(data[index][there], levels, weight[index][there])
    return out


def _plain_quantiles(data: Floats, levels: Floats) -> Floats:
    """All at once along the last axis; NumPy's own goes through the cells one by one where values may lack."""
    there = np.isfinite(data)
    ordered = np.sort(np.where(there, data, np.inf), axis=-1)  # what lacks comes last
    number = there.sum(axis=-1)
    place = levels.reshape(-1, *[1] * number.ndim) * np.maximum(number - 1, 0)
    lower = np.floor(place).astype(np.intp)
    upper = np.minimum(lower + 1, np.maximum(number - 1, 0))
    below, above = (np.take_along_axis(ordered, np.moveaxis(at, 0, -1), axis=-1) for at in (lower, upper))
    share = np.moveaxis(place - lower, 0, -1)
    with np.errstate(invalid="ignore"):  # where nothing is there
        between = below + (above - below) * share
    return np.moveaxis(np.where(number[..., None] > 0, between, np.nan), -1, 0)


def _weighted_quantile(values: Floats, levels: Floats, weights: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order] / weights.sum()
    size = 1.0 / (weights**2).sum()  # Kish's effective sample size
    edges = np.concatenate([[0.0], np.cumsum(weights)])
    start = levels * (size - 1.0) / size  # type 7: each quantile averages a window of width 1 / size
    share = np.clip((edges[None, :] - start[:, None]) * size, 0.0, 1.0)
    return (np.diff(share, axis=1) * values).sum(axis=1)
