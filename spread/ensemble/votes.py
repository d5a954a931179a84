"""Who has a vote, and how much it counts: models or runs, with equal or given weights."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import stats
from spread.errors import BadStudy

Floats = NDArray[np.float64]


def votes_of(
    data: xr.DataArray, members: str, weights: xr.DataArray | None = None
) -> tuple[xr.DataArray, Floats | None]:
    """Lay out one value a vote, first dimension.

    Parameters
    ----------
    data : xarray.DataArray
        With the dimensions ``source_id`` and ``member_id``; NaN where there is no run.
    members : str
        ``mean`` of a model's members, or ``all`` runs.
    weights : xarray.DataArray, optional
        On ``source_id[, member_id]``.

    Returns
    -------
    votes : xarray.DataArray
        On ``source_id``, or on ``vote`` for all runs, and the other dimensions.
    weight : numpy.ndarray or None
        Weight of each vote; None without weights.

    Raises
    ------
    BadStudy
        If the weights do not fit the data.
    """
    given = None if weights is None else _fitting(data, members, weights)
    if members == "all":
        votes = data.stack(vote=("source_id", "member_id")).transpose("vote", ...)
        return votes, None if given is None else given.stack(vote=("source_id", "member_id")).values
    moved = data.transpose("member_id", "source_id", ...)
    if given is None or "member_id" not in given.dims:
        means = stats.mean(moved.values)
    else:
        there = np.isfinite(moved.values)
        share = given.transpose("member_id", "source_id").values.reshape(*moved.shape[:2], *[1] * (moved.ndim - 2))
        total = (share * there).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(total > 0, (share * np.where(there, moved.values, 0.0)).sum(axis=0) / total, np.nan)
    votes = moved.isel(member_id=0, drop=True).copy(data=means).assign_attrs(data.attrs)
    if given is None:
        return votes, None
    return votes, (given.sum("member_id") if "member_id" in given.dims else given).values


def effective_votes(values: Floats, weight: Floats) -> Floats:
    """Effective number of votes at each place: one over the sum of squared shares of those that have a number.

    Parameters
    ----------
    values : numpy.ndarray, shape (vote, ...)
        Values; NaN is left out.
    weight : numpy.ndarray, shape (vote,)
        Weights, none negative.

    Returns
    -------
    numpy.ndarray
        Kish (1965), Survey Sampling, section 11.7; 0 where nothing is there.
    """
    here = np.where(np.isfinite(values), weight.reshape(-1, *[1] * (values.ndim - 1)), 0.0)
    squares = (here**2).sum(axis=0)
    return np.where(squares > 0, here.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)


def _fitting(data: xr.DataArray, members: str, weights: xr.DataArray) -> xr.DataArray:
    """Weights with the labels of the data."""
    expected = {"source_id", "member_id"}
    dims = set(map(str, weights.dims))
    breaches = []
    if not {"source_id"} <= dims <= expected:
        breaches.append(f"expected source_id[, member_id], got {', '.join(sorted(dims)) or 'no dimension'}")
    elif members == "all" and dims != expected:
        breaches.append("with members 'all' every run needs a weight of its own; give them on member_id too")
    if not (np.isfinite(weights.values).all() and (weights.values >= 0).all()):
        breaches.append("expected finite numbers, none negative")
    if breaches:
        raise BadStudy("weights: " + "; ".join(breaches))
    labels = {dim: data[dim].values for dim in weights.dims}
    given = weights.reset_coords(drop=True).reindex(labels)
    there = data.notnull().any([dim for dim in data.dims if dim not in weights.dims])
    lacking = (given.isnull() & there).any([dim for dim in given.dims if dim != "source_id"])
    names = [str(name) for name in data["source_id"].values[lacking.values]]
    if names:
        raise BadStudy(
            f"weights: expected one for every model and run that has a number, got none for {', '.join(names)}"
        )
    return given.fillna(0.0)
