"""Where a scenario follows its historical run: months that are missing between them, and steps no climate makes.

A wrong restart, or a time axis a year off, shows in neither run alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from spread.calendars import label, spans
from spread.ensemble.members import RUN
from spread.errors import Failure
from spread.plausibility import suspicious_series
from spread.vocabulary import FACETS, VARIABLES


def sound_seams(
    members: Iterable[xr.DataArray], historical: str | None, gaps: bool
) -> tuple[list[xr.DataArray], list[Failure]]:
    """Leave out the scenario runs that do not continue their historical run.

    Parameters
    ----------
    members : iterable of xarray.DataArray
        Reduced members; the coordinate ``domain_mean`` along time, where they have it, is judged.
    historical : str or None
        The experiment that precedes the others.
    gaps : bool
        Keep runs that begin after the month that follows the historical run's last, and list what is missing in their
        ``missing_periods``.

    Returns
    -------
    list of xarray.DataArray, list of Failure
        The members that are left, and why the others are not among them.
    """
    members = list(members)
    past = {_run(member)[::2]: member for member in members if member.attrs["experiment_id"] == historical}
    kept, failures = [], []
    for member in members:
        source_id, experiment_id, member_id = _run(member)
        before = past.get((source_id, member_id))
        if before is None or experiment_id == historical:
            kept.append(member)
            continue
        missing = _between(before, member)
        found = _steps(before, member)
        if missing.size and not gaps:
            found = [
                f"begins {label(int(member['month_number'][0]))} though its historical run ends "
                f"{label(int(before['month_number'][-1]))}: {missing.size} missing between them; "
                'incomplete_periods = "allow" keeps it'
            ]
        if found:
            facets = {key: str(member.attrs.get(key, "")) for key in (*FACETS, "version", "zstore")}
            name = ".".join([*_run(member), str(member.name)])
            failures.append(Failure(name, "ensemble", "; ".join(found), facets=facets))
        elif missing.size:
            kept.append(
                member.assign_attrs(missing_periods=[*spans(missing), *member.attrs.get("missing_periods", ())])
            )
        else:
            kept.append(member)
    return kept, failures


def _run(member: xr.DataArray) -> tuple[str, ...]:
    return tuple(str(member.attrs[facet]) for facet in RUN)


def _between(before: xr.DataArray, member: xr.DataArray) -> np.ndarray:
    """Month numbers (of first months of years for yearly means) after the historical run and before the scenario."""
    step = 1 if member.attrs["frequency"] == "mon" else 12
    return np.arange(int(before["month_number"][-1]) + step, int(member["month_number"][0]), step)


def _steps(before: xr.DataArray, member: xr.DataArray) -> list[str]:
    """What is wrong with both runs as one series and with neither alone."""
    if "domain_mean" not in before.coords or "domain_mean" not in member.coords:
        return []
    earlier = (before["month_number"] < member["month_number"][0]).values
    months = np.concatenate([before["month_number"].values[earlier], member["month_number"].values])
    mean = np.concatenate([before["domain_mean"].values[earlier], member["domain_mean"].values])
    found = suspicious_series(months, mean, VARIABLES[str(member.name)], member.attrs["frequency"])
    return [f"joined to its historical run: {fault}" for fault in found]
