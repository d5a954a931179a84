"""Distances of models from observations and from each other, over several diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.errors import BadStudy, NotComparable

Floats = NDArray[np.float64]
RUNS = ("source_id", "member_id")

MINIMUM_MODELS = 3  # a median of distances means nothing for fewer


class Distances(NamedTuple):
    """Distances over all diagnostics, each diagnostic divided by its median first.

    Parameters
    ----------
    source_id : tuple of str
        Models that have every diagnostic.
    observed : numpy.ndarray, shape (model,)
        Distance to the observations, in medians over models; 0 without observations.
    between : numpy.ndarray, shape (model, model)
        Distance between models over the diagnostics of independence, in medians over pairs of models; 0 on the
        diagonal.
    within : numpy.ndarray, shape (model,)
        Mean distance between members of one model, in the unit of ``between``; NaN where it has one member.
    judged : numpy.ndarray, shape (diagnostic, model, model)
        Distance between models in each diagnostic of performance, not divided: what a pseudo-truth sees.
    left_out : tuple of str
        Models that lack a diagnostic.
    """

    source_id: tuple[str, ...]
    observed: Floats
    between: Floats
    within: Floats
    judged: Floats
    left_out: tuple[str, ...]


def distances(
    independence: Mapping[str, xr.DataArray],
    performance: Mapping[str, xr.DataArray],
    observed: Mapping[str, xr.DataArray | float],
    area: xr.DataArray | None = None,
) -> Distances:
    """Measure how far models are from observations and from each other.

    Parameters
    ----------
    independence, performance : mapping of str to xarray.DataArray
        Diagnostics on ``source_id[, member_id]`` and perhaps places.
    observed : mapping of str to xarray.DataArray or float
        Observed counterparts of the diagnostics of performance, on their places.
    area : xarray.DataArray, optional
        Weights of the places; by default the cosine of latitude where there is ``lat``, else equal.

    Returns
    -------
    Distances
        Over all diagnostics, with equal contributions.

    Raises
    ------
    NotComparable
        If fewer than three models have every diagnostic, or most of them are the same in one.
    BadStudy
        If an observation or ``area`` does not fit its diagnostic.

    Notes
    -----
    A distance is the weighted root mean square difference over the places that every run and the observations have.
    A model's distance is the mean over its members, that of two models the mean over pairs of members. Each diagnostic
    is then divided by its median over models (over pairs of different models) and the diagnostics are averaged, after
    Brunner et al. (2020), Earth Syst. Dynam. 11, doi:10.5194/esd-11-995-2020. There the median is taken over runs; here
    over models, so that many members of one model do not set the unit.
    """
    named = {**independence, **performance}
    models, left_out = _complete_models(named.values())
    apart = {name: _Apart(name, data, models, observed.get(name), area) for name, data in named.items()}
    off = ~np.eye(len(models), dtype=bool)
    units = {name: _median(name, one.pairs[off], "models are alike") for name, one in apart.items()}
    between = np.mean([apart[name].pairs / units[name] for name in independence], axis=0)
    within = np.diag(between).copy()
    np.fill_diagonal(between, 0.0)
    several = np.min([apart[name].several for name in independence], axis=0)
    errors = [apart[name].errors for name in performance]
    scaled = [e / _median(n, e, "models equal the observations") for n, e in zip(performance, errors, strict=True)]
    return Distances(
        source_id=models,
        observed=np.mean(scaled, axis=0) if scaled else np.zeros(len(models)),
        between=between,
        within=np.where(several, within, np.nan),
        judged=np.array([apart[name].pairs for name in performance]).reshape(-1, len(models), len(models)),
        left_out=left_out,
    )


def _complete_models(diagnostics: Iterable[xr.DataArray]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Models that have every diagnostic, in order, and the others."""
    known, have = [], []
    for data in diagnostics:
        there = data.notnull().any([dim for dim in data.dims if dim != "source_id"]).values
        known += [str(name) for name in data["source_id"].values]
        have.append({str(name) for name in data["source_id"].values[there]})
    names = tuple(dict.fromkeys(known))
    kept = tuple(name for name in names if all(name in one for one in have))
    if len(kept) < MINIMUM_MODELS:
        raise NotComparable(
            f"distances: expected at least {MINIMUM_MODELS} models that have every diagnostic, got {len(kept)} of "
            f"{len(names)}; give diagnostics that more models have"
        )
    return kept, tuple(name for name in names if name not in kept)


def _median(name: str, values: Floats, what: str) -> float:
    middle = float(np.median(values))
    if not middle > 0.0:
        raise NotComparable(f"diagnostic {name}: more than half of the {what}, so that distances have no unit")
    return middle


class _Apart:
    """Distances in one diagnostic: ``pairs (model, model)``, ``errors (model,)`` and who has ``several`` members."""

    def __init__(
        self,
        name: str,
        data: xr.DataArray,
        models: tuple[str, ...],
        observed: xr.DataArray | float | None,
        area: xr.DataArray | None,
    ) -> None:
        data = data.sel(source_id=list(models))
        data = data if "member_id" in data.dims else data.expand_dims(member_id=["one"])
        places = [str(dim) for dim in data.dims if dim not in RUNS]
        weight = _area(name, data, places, area)
        runs = data.transpose(*RUNS, *places).values.astype(np.float64).reshape(len(models), -1, weight.size)
        there = np.isfinite(runs).any(axis=-1)
        owner = np.nonzero(there)[0]
        truth = np.zeros(weight.size) if observed is None else _on_places(name, observed, data, places)
        common = np.isfinite(runs[there]).all(axis=0) & np.isfinite(truth) & (weight > 0)
        if not common.any():
            raise NotComparable(
                f"diagnostic {name}: there is no place where every run and the observations have a number"
            )
        # a root mean square difference is the plain distance of values scaled by the root of their share
        scale = np.sqrt(weight[common] / weight[common].sum())
        values = runs[there][:, common] * scale
        gaps = np.stack([np.sqrt(((values - row) ** 2).sum(axis=1)) for row in values])
        members = np.bincount(owner, minlength=len(models))
        # a member is no distance from itself: those zeros do not count among pairs of one model
        sums = np.zeros((len(models), len(models)))
        np.add.at(sums, (owner[:, None], owner[None, :]), gaps)
        counts = np.outer(members, members) - np.diag(members)
        self.pairs = sums / np.maximum(counts, 1)
        self.several = members > 1
        distance = np.sqrt(((values - truth[common] * scale) ** 2).sum(axis=1))
        self.errors = np.bincount(owner, distance, len(models)) / members


def _area(name: str, data: xr.DataArray, places: list[str], area: xr.DataArray | None) -> Floats:
    """Weight of each place, flat."""
    like = data.isel(source_id=0, member_id=0, drop=True).transpose(*places)
    by_latitude = xr.DataArray(np.cos(np.deg2rad(like["lat"])) if "lat" in places else 1.0)
    weight = by_latitude if area is None else area
    unknown = [str(dim) for dim in weight.dims if dim not in places]
    if unknown:
        raise BadStudy(
            f"area: diagnostic {name} has no dimension {', '.join(unknown)}, it has {', '.join(places) or 'no places'}"
        )
    on = _aligned(f"area for diagnostic {name}", weight, like)
    return np.asarray(on.broadcast_like(like).transpose(*places).values, dtype=np.float64).reshape(-1)


def _on_places(name: str, observed: xr.DataArray | float, data: xr.DataArray, places: list[str]) -> Floats:
    """Observations on the places of a diagnostic, flat."""
    given = observed if isinstance(observed, xr.DataArray) else xr.DataArray(float(observed))
    like = data.isel(source_id=0, member_id=0, drop=True)
    units = [str(one.attrs.get("units", "")) for one in (data, given)]
    breaches = []
    if set(map(str, given.dims)) != set(places):
        got, expected = (", ".join(sorted(map(str, d))) or "none" for d in (given.dims, places))
        breaches.append(f"expected the dimensions {expected}, got {got}")
    if all(units) and units[0] != units[1]:
        breaches.append(f"expected the unit {units[0]}, got {units[1]}; convert them first")
    if breaches:
        raise BadStudy(f"observations of diagnostic {name}: " + "; ".join(breaches))
    on = _aligned(f"observations of diagnostic {name}", given, like)
    return np.asarray(on.transpose(*places).values, dtype=np.float64).reshape(-1)


def _aligned(who: str, given: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Labels of ``like``, wherever both have labels."""
    for dim in given.dims:
        if dim in given.coords and dim in like.coords:
            missing = [label for label in like[dim].values if label not in given[dim].values]
            if missing:
                raise BadStudy(f"{who}: {len(missing)} labels of {dim} are not there, such as {missing[0]}")
            given = given.sel({dim: like[dim].values})
        elif given.sizes[dim] != like.sizes[dim]:
            raise BadStudy(f"{who}: expected {like.sizes[dim]} of {dim}, got {given.sizes[dim]}")
    return given.reset_coords(drop=True)
