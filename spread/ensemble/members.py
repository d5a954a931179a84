"""The ensemble as one labelled array: which run lies where, and how a scenario continues its historical run.

Ragged membership is known here and nowhere else: models have different members, runs different lengths. Every month is
placed by its number, never by its position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import dask.array as da
import numpy as np
import xarray as xr

from spread.calendars import from_datetime64, to_datetime64
from spread.errors import NotComparable

RUN = ("source_id", "experiment_id", "member_id")
"""The dimensions that name a run."""

_RUN_FACTS = ("calendar", "version", "zstore", "area_source", "land_source", "grid_label", "institution_id")
_OF_THE_PAST = ("calendar", "present", "first_month")
ABSENT = ""  # of facts about runs that do not exist


def _variant_order(member_id: str) -> tuple[tuple[int, ...], str]:
    digits = "".join(c if c.isdigit() else " " for c in member_id).split()
    return tuple(map(int, digits)), member_id


def assemble(members: Iterable[xr.DataArray], experiments: Sequence[str] | None = None) -> xr.Dataset:
    """Lay reduced members side by side.

    Parameters
    ----------
    members : iterable of xarray.DataArray
        ``(time, region)`` with ``month_number``, facets among the attributes; lazy or in memory.
    experiments : sequence of str, optional
        Order of the experiments; by name otherwise.

    Returns
    -------
    xarray.Dataset
        The variable on ``source_id, experiment_id, member_id, time, region`` (NaN where a run has nothing), lazy where
        a member is; ``time`` is the first day of each month, without gaps. Coordinates on the run dimensions:
        ``present``, ``first_month`` (a month number), ``calendar``, ``version``, ``zstore``, ``fixes``,
        ``missing_periods`` and where areas come from.

    Raises
    ------
    NotComparable
        If there is no member, two are of the same run, or members differ in variable, unit, frequency or regions.
    """
    runs = _by_run(members)
    first = next(iter(runs.values()))
    _check_alike(runs)
    labels = _labels(runs, experiments)
    step = 1 if first.attrs["frequency"] == "mon" else 12
    numbers = [m["month_number"].values for m in runs.values()]
    months = np.arange(min(n.min() for n in numbers), max(n.max() for n in numbers) + 1, step)
    shape = tuple(map(len, labels))
    nothing = np.full((months.size, first.sizes["region"]), np.nan)
    blocks, present, starts = np.empty(shape, object), np.zeros(shape, bool), np.zeros(shape, np.int64)
    facts = {fact: np.full(shape, ABSENT, dtype=object) for fact in (*_RUN_FACTS, "fixes", "missing_periods")}
    for index in np.ndindex(shape):
        run = runs.get(tuple(labels[axis][position] for axis, position in enumerate(index)))
        blocks[index] = nothing if run is None else _placed(run, months, step)
        if run is not None:
            present[index], starts[index] = True, run["month_number"].values[0]
            for fact in _RUN_FACTS:
                facts[fact][index] = str(run.attrs.get(fact, ""))
            for fact in ("fixes", "missing_periods"):
                facts[fact][index] = "; ".join(run.attrs.get(fact, ()))
    stack = da.stack if any(isinstance(b, da.Array) for b in blocks.flat) else np.stack
    values = stack([stack([stack(list(row)) for row in plane]) for plane in blocks])
    return xr.Dataset(
        {first.name: ((*RUN, "time", "region"), values, {"units": first.attrs["units"]})},
        coords={
            **dict(zip(RUN, labels, strict=True)),
            "time": ("time", to_datetime64(months), {"long_name": "first day of the month"}),
            "region": first["region"].values,
            "present": (RUN, present),
            "first_month": (RUN, starts),
            **{fact: (RUN, values.astype(str)) for fact, values in facts.items()},
        },
        attrs={
            "variable_id": first.name,
            "frequency": first.attrs["frequency"],
            "synthetic": "true" if any(m.attrs.get("synthetic") == "true" for m in runs.values()) else "false",
        },
    )


def _by_run(members: Iterable[xr.DataArray]) -> dict[tuple[str, ...], xr.DataArray]:
    runs: dict[tuple[str, ...], xr.DataArray] = {}
    for member in members:
        run = tuple(str(member.attrs[facet]) for facet in RUN)
        if run in runs:
            raise NotComparable(f"ensemble: expected each run once, got {'.'.join(run)} twice")
        runs[run] = member
    if not runs:
        raise NotComparable("ensemble: no member to lay side by side")
    return runs


def _labels(runs: Iterable[tuple[str, ...]], experiments: Sequence[str] | None) -> tuple[list[str], ...]:
    """Coordinates of the run dimensions: by name, experiments in the order asked, members by their numbers."""
    sources, known, members = (sorted(set(names)) for names in zip(*runs, strict=True))
    order = [e for e in experiments or () if e in known]
    return sources, order + [e for e in known if e not in order], sorted(members, key=_variant_order)


def _check_alike(runs: dict[tuple[str, ...], xr.DataArray]) -> None:
    breaches = []
    for what, value in (
        ("variable", lambda m: m.name),
        ("units", lambda m: m.attrs["units"]),
        ("frequency", lambda m: m.attrs["frequency"]),
        ("regions", lambda m: tuple(m["region"].values)),
    ):
        seen = {str(value(m)) for m in runs.values()}
        if len(seen) > 1:
            breaches.append(f"{what}: expected one for all members, got {', '.join(sorted(seen))}")
    if breaches:
        raise NotComparable("ensemble: " + "; ".join(breaches))


def _placed(member: xr.DataArray, months: np.ndarray, step: int) -> np.ndarray | da.Array:
    """A member on the common months, NaN where it has none; contiguous runs stay whole blocks."""
    number = member["month_number"].values
    position = (number - months[0]) // step
    pieces, at, data = [], 0, member.data
    xp = da if isinstance(data, da.Array) else np
    ends = [0, *(np.flatnonzero(np.diff(position) != 1) + 1), number.size]
    for start, stop in pairwise(ends):
        if position[start] > at:
            pieces.append(xp.full((position[start] - at, data.shape[1]), np.nan))
        pieces.append(data[start:stop])
        at = position[stop - 1] + 1
    if at < months.size:
        pieces.append(xp.full((months.size - at, data.shape[1]), np.nan))
    return xp.concatenate(pieces, axis=0)


def month_numbers(ens: xr.Dataset) -> np.ndarray:
    """Month numbers along the time of an ensemble."""
    return from_datetime64(ens["time"].values)


def join_historical(ens: xr.Dataset, historical: str | None) -> xr.Dataset:
    """Put each scenario run behind the historical run of the same model and member.

    Parameters
    ----------
    ens : xarray.Dataset
        As returned by :func:`assemble`.
    historical : str or None
        The experiment that precedes the others; None leaves the ensemble as it is.

    Returns
    -------
    xarray.Dataset
        Without that experiment. Months before a scenario's first come from the historical run; what a historical run
        has beyond that month is left out. ``joined_at`` is the scenario's first month, ``first_month`` the first of
        both, ``historical_calendar`` the calendar before they join.

    Raises
    ------
    NotComparable
        If the ensemble lacks that experiment.
    """
    if historical is None:
        return ens
    if historical not in ens["experiment_id"]:
        raise NotComparable(f"ensemble: expected the experiment {historical!r} to join to, got none of it")
    scenarios = ens.sel(experiment_id=[e for e in ens["experiment_id"].values if e != historical])
    before = ens.sel(experiment_id=historical, drop=True)
    variable_id = ens.attrs["variable_id"]
    starts = scenarios["first_month"]
    earlier = xr.DataArray(month_numbers(ens), dims="time") < starts
    joined = xr.where(earlier, before[variable_id], scenarios[variable_id], keep_attrs=True)
    joined = joined.where(scenarios["present"]).transpose(*scenarios[variable_id].dims)
    joined.attrs = ens[variable_id].attrs
    past = {name: np.broadcast_to(before[name].values[:, None, :], starts.shape) for name in _OF_THE_PAST}
    first = np.where(past["present"], np.minimum(past["first_month"], starts.values), starts.values)
    return scenarios.assign({variable_id: joined}).assign_coords(
        joined_at=(RUN, starts.values),
        first_month=(RUN, first),
        historical_calendar=(RUN, past["calendar"]),
        has_historical=(RUN, past["present"]),
    )
