"""The whole flow in order: catalog, opening, conform, reduce, ensemble, maps, report. Read this first."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial
from typing import Any

import xarray as xr

from spread import beside, ensemble, provenance, sensitivities
from spread.cache import ArrayCache, FolderCache
from spread.datasets import Progress, conformed_members, planned_members, reduced_members, silent
from spread.errors import NotComparable
from spread.maps import map_changes, scratch_folder
from spread.report import Report
from spread.study import Study


def run(
    study: Study,
    executor: Executor | None = None,
    progress: Progress = silent,
    cache: ArrayCache | None = None,
) -> Report:
    """Run a study from its catalog to its report.

    Parameters
    ----------
    study : Study
        What is asked.
    executor : concurrent.futures.Executor, optional
        Where chunks are read and reduced: this process by default, or ``Client.get_executor()`` of a dask cluster.
    progress : callable, optional
        Called with a stage, and how many of how many are done.
    cache : ArrayCache, optional
        Where reduced chunks are kept: a run that was stopped goes on where it was, and a second one reads nothing.

    Returns
    -------
    Report
        Numbers, members, and everything that was left out with its reason.

    Raises
    ------
    SpreadError
        If the study cannot be answered at all.
    """
    observations = ensemble.observed(study)
    runs = {} if study.simulated is None else beside.open_runs(study.simulated.runs)
    if study.maps is not None:
        cache = cache or FolderCache(scratch_folder())  # yearly maps are too many for the memory
    selection, members, failures = reduced_members(study, executor, progress, cache)
    reasons = "; ".join(failure.sentence for failure in failures[:3])
    if not members:
        raise NotComparable(f"study {study.name!r}: no dataset is left: {reasons}")
    try:
        monthly, yearly, change, incomparable = ensemble.compare(members, study)
    except NotComparable as error:
        raise NotComparable(f"study {study.name!r}: {error}; left out before: {reasons or 'nothing'}") from error
    failures += incomparable
    ensemble.refuse_empty(change, failures, study.name)
    anomalies = ensemble.anomalies(
        yearly, study.base_period, study.anomaly_kind, study.required_years, used=change["change"]
    )
    answers, silent = ensemble.answers(study, anomalies, change)
    rows = [*selection.rows]
    further: dict[str, xr.Dataset | str] = {}
    if runs:
        progress("simulated runs", 0, 1)
        further["simulated"], lost = beside.compared(study, runs, str(monthly.attrs["frequency"]))
        failures += lost
        progress("simulated runs", 1, 1)
    if study.sensitivity is not None:
        models = sorted({str(member.attrs["source_id"]) for member in members})
        further["sensitivity"], read, lost = sensitivities.climate_sensitivity(study, models, executor, progress, cache)
        rows += read
        failures += lost
    if study.maps is not None and cache is not None:
        levels = answers.get("warming_levels")
        answers["maps"], lost = map_changes(study, members, change, cache, scratch_folder(), progress, levels)
        failures += lost
    answers |= {name: found for name, found in further.items() if not isinstance(found, str)}
    silent |= {name: why for name, why in further.items() if isinstance(why, str)}
    statistics = partial(ensemble.across, members=study.votes, quantiles=study.quantiles, ddof=study.ddof)
    return Report(
        study=study,
        members=monthly,
        yearly=anomalies,
        change=change,
        across=statistics(change["change"]).assign_attrs(base_period=anomalies.attrs["base_period"]),
        plume=statistics(anomalies["anomaly"]).assign_attrs(base_period=anomalies.attrs["base_period"]),
        failures=tuple(sorted(failures, key=lambda f: (f.dataset, f.stage))),
        provenance=provenance.describe(study, rows),
        observations=observations,
        answers=answers,
        silent=silent,
    )


def open_ensemble(study: Study | str, /, progress: Progress = silent, **fields: Any) -> xr.Dataset:
    """Open an ensemble lazily, from a study or in one line: no chunk is read.

    Parameters
    ----------
    study : Study or str
        A study, or the name, path or URL of a catalog.
    progress : callable, optional
        As in :func:`run`.
    **fields
        With a catalog: the other fields of :class:`~spread.Study`, such as ``variable_id``, ``regions``, ``models``.

    Returns
    -------
    xarray.Dataset
        Area means on ``source_id, experiment_id, member_id, time, region``, lazy; the attribute ``left_out`` lists what
        could not be opened or does not conform.

    Raises
    ------
    SpreadError
        If the study cannot be answered at all.
    """
    if not isinstance(study, Study):
        study = Study.make(catalog=study, **fields)
    _, conformed, failures = conformed_members(study, progress)
    members, unreduced = planned_members(conformed, study)
    ens = ensemble.assemble([planned.means for planned in members.values()], study.all_experiments)
    return ens.assign_attrs(left_out=[failure.sentence for failure in failures + unreduced])
