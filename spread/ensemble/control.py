"""The control run beside an idealised run: which one belongs to it, and what it says of each of its years.

A control drifts, and a model may keep several (of other physics). Which one is subtracted, and whether as a mean or as
a line along the parallel years, changes a climate sensitivity; it is never chosen in silence.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from spread.errors import BadStudy, NotComparable

Control = Literal["mean", "linear"]
Branches = xr.DataArray | Mapping[str, float] | None
Labels = Mapping[Hashable, object]

_CHOSEN = ("experiment_id", "region", "season")  # one of these is chosen before; a label that differs is no obstacle


def labels_of(array: xr.DataArray) -> list[dict[Hashable, object]]:
    """Labels of each run of an array with a dimension ``year``, in the order of its other dimensions."""
    dims = [dim for dim in array.dims if dim != "year"]
    shape = tuple(array.sizes[dim] for dim in dims)
    return [{d: array[d].values[i] for d, i in zip(dims, index, strict=True)} for index in np.ndindex(shape)]


def control_of(run: Labels, controls: xr.DataArray) -> tuple[xr.DataArray | None, str]:
    """Find the control of a run.

    Parameters
    ----------
    run : mapping
        Labels of the run by dimension.
    controls : xarray.DataArray
        On ``year`` and whatever the runs have in common with them: ``source_id``, ``member_id``.

    Returns
    -------
    xarray.DataArray or None, str
        The control along ``year``, and why there is none. Of several members of a model it is that of the same
        ``member_id``, else the only one there is, else the only one of the same physics and forcing; where that leaves
        a choice, there is none.

    Raises
    ------
    NotComparable
        If the controls have a dimension that the runs lack and that is not of length one.
    """
    found = controls
    for dim in controls.dims:
        if dim in ("year", "member_id"):
            continue
        if dim in run and dim not in _CHOSEN:
            if run[dim] not in controls[dim].values:
                return None, f"no control run of {run[dim]}"
            found = found.sel({dim: run[dim]})
        elif controls.sizes[dim] == 1:
            found = found.isel({dim: 0})
        else:
            raise NotComparable(
                f"control: expected the dimension {dim!r} of the runs or one label of it, got {controls.sizes[dim]}; "
                f"choose with .sel({dim}=...)"
            )
    if "member_id" in found.dims:
        found = found.sel(member_id=found.notnull().any("year"))
        members = [str(member) for member in found["member_id"].values]
        chosen = _member(str(run.get("member_id", "")), members)
        if members and chosen is None:
            return None, f"has the controls {', '.join(members)} and none of them is plainly its own; choose one"
        found = found.isel(member_id=members.index(chosen)) if chosen is not None else found.isel(member_id=0, year=[])
    return (found, "") if bool(found.notnull().any()) else (None, "no control run")


def _member(member_id: str, controls: list[str]) -> str | None:
    if member_id in controls or len(controls) == 1:
        return member_id if member_id in controls else controls[0]
    variant = member_id.partition("p")[2]  # physics and forcing, as in r1i1p1f1
    alike = [control for control in controls if control.partition("p")[2] == variant]
    return alike[0] if len(alike) == 1 else None


def control_along(
    control: xr.DataArray, count: int, method: Control, branch_year: float | None
) -> tuple[np.ndarray, str]:
    """Say what a control has in the years of a run.

    Parameters
    ----------
    control : xarray.DataArray
        ``(year,)``, with absent years NaN.
    count : int
        Years of the run, from its first.
    method : str
        ``mean`` of all its years, or ``linear``: a straight line fitted to all of them, taken in the parallel years.
    branch_year : float or None
        Year of the control beside which the run's first year lies; ``linear`` needs it.

    Returns
    -------
    numpy.ndarray, str
        ``(count,)`` [units of the control], and why it is not there (then NaN).
    """
    value = np.asarray(control.values, dtype=np.float64)
    year = np.asarray(control["year"].values, dtype=np.float64)[np.isfinite(value)]
    value = value[np.isfinite(value)]
    if method == "mean":
        return np.full(count, value.mean()), ""
    nothing = np.full(count, np.nan)
    if branch_year is None or not np.isfinite(branch_year):
        return nothing, "branch year unknown, and control='linear' needs it; control='mean' does not"
    last = branch_year + count - 1
    if branch_year < year[0] or last > year[-1]:
        return nothing, (
            f"branch year {branch_year:g}: its {count} years lie beside the control's {branch_year:g}-{last:g}, which "
            f"has {year[0]:g}-{year[-1]:g}; a wrong branch_time_in_parent, or control='mean'"
        )
    middle = year.mean()
    deviation = year - middle
    slope = float(deviation @ (value - value.mean())) / max(float(deviation @ deviation), 1.0)
    return value.mean() + slope * (branch_year + np.arange(count) - middle), ""


def treatment(control: str) -> str:
    """Say in words how a control is subtracted.

    Parameters
    ----------
    control : str
        ``mean`` or ``linear``.

    Returns
    -------
    str
        For the attributes of a result.

    Raises
    ------
    BadStudy
        If it is neither.
    """
    known = {"mean": "mean of all its years", "linear": "straight line through all its years, in the parallel years"}
    if control not in known:
        raise BadStudy(f"control: expected 'mean' or 'linear', got {control!r}")
    return known[control]


def years_last(array: xr.DataArray) -> xr.DataArray:
    """Bring every year from the first to the last into order, the last dimension; missing ones become NaN.

    Parameters
    ----------
    array : xarray.DataArray
        With a dimension ``year`` of whole years.

    Returns
    -------
    xarray.DataArray
        The same values, in float64.

    Raises
    ------
    BadStudy
        If there is no such dimension, or a year comes twice.
    """
    if "year" not in array.dims or "year" not in array.coords:
        raise BadStudy(f"yearly means: expected a dimension 'year' with its years, got {tuple(map(str, array.dims))}")
    known = np.asarray(array["year"].values)
    if np.unique(known).size != known.size:
        raise BadStudy("yearly means: expected each year once, got some twice")
    years = np.arange(known.min(), known.max() + 1) if known.size else known
    return array.astype(np.float64).reindex(year=years).transpose(..., "year")


def departures(
    run: Labels,
    series: Sequence[np.ndarray],
    span: tuple[int, int],
    controls: Sequence[xr.DataArray],
    control: Control,
    branch_year: Branches,
) -> tuple[list[np.ndarray], list[str]]:
    """Say what a run has beyond its control in some of its years.

    Parameters
    ----------
    run : mapping
        Labels of the run by dimension.
    series : sequence of numpy.ndarray
        ``(year,)`` of each variable; the run's first year is the first that any of them has.
    span : (int, int)
        First and last year, counted from 1.
    controls : sequence of xarray.DataArray
        The control of each variable.
    control : str
        ``mean`` or ``linear``.
    branch_year : xarray.DataArray or mapping or None
        By run or by ``source_id``: the control's year beside the run's first.

    Returns
    -------
    list of numpy.ndarray, list of str
        The departure of each variable in those years, and why it cannot be told (then NaN). NaN without a reason where
        there is no run.
    """
    first, last = span
    nothing = [np.full(last - first + 1, np.nan) for _ in series]
    known = np.any([np.isfinite(one) for one in series], axis=0)
    if not known.any():
        return nothing, []
    start = int(known.argmax())
    taken = [one[start:][first - 1 : last] for one in series]
    count = int(np.all([np.isfinite(one) for one in taken], axis=0).sum())
    if count < last - first + 1:
        whose = "" if len(series) == 1 else " with all variables"
        return nothing, [f"has {count} of the {last - first + 1} years {first}-{last}{whose}"]
    own = [control_of(run, one) for one in controls]
    if any(fault for _, fault in own):
        return nothing, _each_once([fault for _, fault in own])
    # one variable's control may have more years than another's
    common = xr.align(*(one for one, _ in own if one is not None), join="inner")
    there = np.all([one.notnull().values for one in common], axis=0)
    if not there.any():
        return nothing, ["no year of its control has all variables"]
    branch = _branch(branch_year, run)
    lines = [control_along(one[there], last, control, branch) for one in common]
    beyond = [one - line[first - 1 :] for one, (line, _) in zip(taken, lines, strict=True)]
    return beyond, _each_once([fault for _, fault in lines])


def _each_once(faults: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, faults)))


def _branch(given: Branches, run: Labels) -> float | None:
    if given is None:
        return None
    if isinstance(given, xr.DataArray):
        at = {dim: run[dim] for dim in given.dims}
        there = all(label in given[dim].values for dim, label in at.items())
        return float(given.sel(at)) if there else None
    found = given.get(str(run.get("source_id")))
    return None if found is None else float(found)
