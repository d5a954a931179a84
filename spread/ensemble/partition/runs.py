"""The runs that a partition may use: whole ones, and models that have every scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from spread.ensemble.partition.definitions import PartitionDefinition
from spread.errors import NotComparable

Complete = Literal["refuse", "drop", "keep"]
Members = Literal["mean", "first"]

_KEPT = ("units", "variable_id", "long_name", "synthetic", "region", "season")
_RUN = ("source_id", "downscaling", "experiment_id", "member_id")


@dataclass(frozen=True)
class Runs:
    """Runs that have their years, and what models lack.

    Parameters
    ----------
    data : xarray.DataArray
        Yearly values on ``source_id[, downscaling], experiment_id, member_id, ..., year``; NaN where there is no run.
    lacking : tuple of str
        Models that lack a scenario, and what they lack.
    attrs : dict
        What a result says of them.
    """

    data: xr.DataArray
    lacking: tuple[str, ...]
    attrs: dict[str, Any]


def whole_runs(
    data: xr.DataArray,
    definition: PartitionDefinition,
    complete: Complete,
    members: Members,
    dims: Sequence[str] = ("source_id", "experiment_id", "year"),
) -> Runs:
    """Choose the runs that have all years, and the models that have every scenario.

    Parameters
    ----------
    data : xarray.DataArray
        Yearly values with at least ``dims``; ``member_id`` and places may be there.
    definition : PartitionDefinition
        Its ``years`` are used.
    complete : str
        What becomes of a model (or a model downscaled by one method) that lacks a scenario: ``refuse`` all, ``drop``
        it, or ``keep`` it.
    members : str
        ``mean``: all whole runs of a model; ``first``: the first whole one.
    dims : sequence of str
        Dimensions that must be there.

    Returns
    -------
    Runs
        The runs.

    Raises
    ------
    NotComparable
        If dimensions or years lack, if a model lacks a scenario and ``complete`` is ``refuse``, or if fewer than two
        models are left.

    Notes
    -----
    A place where no run has any value, such as the ocean of a land variable, stays empty. Where one run has a value,
    every run must have all years.
    """
    yearly = _between(_with_dimensions(data, dims), definition)
    units = [dim for dim in _RUN[:2] if dim in yearly.dims]
    run = [*units, *_RUN[2:]]
    places = [dim for dim in yearly.dims if dim not in (*run, "year")]
    number = yearly.notnull().sum("year")
    begun = (number > 0).any(places)
    short = number.where(number.any(run)).min(places)  # the place with the fewest years, of those that any run reaches
    whole = begun & (short >= definition.minimum_years * yearly.sizes["year"])
    chosen = whole if members == "mean" else whole & (whole.cumsum("member_id") == 1)
    has = whole.any("member_id")
    reasons = _lacking(begun, has, short, units, yearly.sizes["year"])
    if complete == "refuse" and reasons:
        raise NotComparable(
            "partition of variance: " + "; ".join(reasons) + "; expected every model to have every scenario over "
            f"{_span(yearly)}: drop such models (complete='drop') or give other years"
        )
    if complete != "keep":
        chosen = chosen & has.all("experiment_id")
    kept = yearly.where(chosen)
    kept = kept.isel(source_id=np.flatnonzero(chosen.any([d for d in run if d != "source_id"]).values))
    if kept.sizes["source_id"] < 2:
        more = f": {'; '.join(reasons[:5])}" if reasons else ""
        raise NotComparable(
            f"partition of variance: expected at least two models with the years {_span(yearly)} of every scenario, "
            f"got {kept.sizes['source_id']}{more}"
        )
    kept = kept.transpose(*run, ..., "year").assign_attrs(data.attrs)
    models = list(map(str, kept["source_id"].values))
    said = {name: data.attrs[name] for name in _KEPT if name in data.attrs} | {
        "models": ", ".join(models),
        "number_of_models": len(models),
        "scenarios": ", ".join(map(str, kept["experiment_id"].values)),
        "number_of_runs": int(chosen.sum()),
        "runs_too_short": int((begun & ~whole).sum()),
        "years": _span(yearly),
        "complete": complete,
        "members": members,
        "lacking": "; ".join(reasons) or "none",
    }
    return Runs(kept, tuple(reasons), said)


def _span(yearly: xr.DataArray) -> str:
    return f"{int(yearly['year'].values[0])}-{int(yearly['year'].values[-1])}"


def _with_dimensions(data: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    lacking = [dim for dim in dims if dim not in data.dims]
    unnamed = [dim for dim in dims if dim in data.dims and dim not in data.coords]
    if lacking or unnamed:
        breaches = [f"no dimension {', '.join(lacking)}"] * bool(lacking)
        breaches += [f"no coordinate for {', '.join(unnamed)}"] * bool(unnamed)
        raise NotComparable(
            f"partition of variance: expected yearly values on {', '.join(dims)}, got {tuple(data.dims)}: "
            + "; ".join(breaches)
        )
    yearly = data.astype(np.float64)
    return yearly if "member_id" in yearly.dims else yearly.expand_dims(member_id=[""])


def _between(yearly: xr.DataArray, definition: PartitionDefinition) -> xr.DataArray:
    """Restrict to the definition's years; a year that is not on the axis becomes one that every run lacks."""
    there = np.unique(yearly["year"].values)
    first, last = definition.years or (int(there[0]), int(there[-1]))
    if there.size != yearly.sizes["year"] or not np.isin((first, last), there).all():
        raise NotComparable(
            f"partition of variance, definition {definition.name!r}: expected years {first}-{last}, each once, got "
            f"{yearly.sizes['year']} from {there[0]} to {there[-1]}: give other years in the definition"
        )
    years = np.arange(first, last + 1)
    for name, span in (
        ("base_period", definition.base_period),
        ("internal_from", definition.internal_from and (definition.internal_from,) * 2),
    ):
        if span and not first <= span[0] <= span[1] <= last:
            raise NotComparable(
                f"partition of variance, definition {definition.name!r}: {name} {span} is not within its years "
                f"{first}-{last}: change one of them"
            )
    return yearly.reindex(year=years)


def _lacking(begun: xr.DataArray, has: xr.DataArray, short: xr.DataArray, units: list[str], years: int) -> list[str]:
    """Say what models lack: a scenario, or years in all of its runs."""
    reasons = []
    present = begun.any("member_id")
    stacked = present.stack(unit=units).transpose("unit", ...)
    for unit in stacked["unit"].values:
        at = dict(zip(units, unit, strict=True))
        here, usable = present.sel(at), has.sel(at)
        if usable.all() or not here.any():
            continue
        parts = []
        for experiment in usable["experiment_id"].values[~usable.values]:
            if here.sel(experiment_id=experiment):
                most = int(short.sel(at).sel(experiment_id=experiment).max())
                parts.append(f"{experiment} has {most} of {years} years")
            else:
                parts.append(f"no {experiment}")
        reasons.append(f"{' '.join(map(str, unit))}: {', '.join(parts)}")
    return reasons
