"""The whole flow in order: catalog, opening, conform, reduce, ensemble, report. Read this first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

import xarray as xr

from spread import catalog, conform, ensemble, opening, provenance, reduce
from spread.errors import Failure, NotComparable, NotConforming, SpreadError
from spread.report import Report
from spread.study import Study
from spread.vocabulary import Row

Progress = Callable[[str, int, int], None]
OPENINGS = 16  # stores opened at a time: waiting for a server, not for a core


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def run(study: Study, executor: Executor | None = None, progress: Progress = silent) -> Report:
    """Run a study from its catalog to its report.

    Parameters
    ----------
    study : Study
        What is asked.
    executor : concurrent.futures.Executor, optional
        Where chunks are read and reduced: this process by default, or ``Client.get_executor()`` of a dask cluster.
    progress : callable, optional
        Called with a stage, and how many of how many are done.

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
    selection, conformed, failures = conformed_members(study, progress)
    reductions = {row: reduce.area_means(ds, conform.grid_of(ds), study.regions) for row, ds in conformed.items()}
    members: list[xr.DataArray] = []
    for done, (_, result) in enumerate(reduce.reduce_all(reductions, executor), start=1):
        (failures if isinstance(result, Failure) else members).append(result)  # type: ignore[arg-type]
        progress("reading", done, len(reductions))
    if not members:
        raise NotComparable(f"study {study.name!r}: no dataset is left: " + "; ".join(f.sentence for f in failures[:3]))
    monthly, yearly, change, incomparable = compared(members, study)
    failures += incomparable
    ensemble.refuse_empty(change, failures, study.name)
    anomalies = ensemble.anomalies(
        yearly, study.base_period, study.anomaly_kind, study.required_years, used=change["change"]
    )
    statistics = partial(ensemble.across, members=study.votes, quantiles=study.quantiles, ddof=study.ddof)
    return Report(
        study=study,
        members=monthly,
        yearly=anomalies,
        change=change,
        across=statistics(change["change"]).assign_attrs(base_period=anomalies.attrs["base_period"]),
        plume=statistics(anomalies["anomaly"]).assign_attrs(base_period=anomalies.attrs["base_period"]),
        failures=tuple(sorted(failures, key=lambda f: (f.dataset, f.stage))),
        provenance=provenance.describe(study, selection.rows),
        observations=observations,
    )


def compared(members: list[xr.DataArray], study: Study) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset, list[Failure]]:
    """Lay members side by side and compare the periods of a study.

    Parameters
    ----------
    members : list of xarray.DataArray
        Reduced members, in memory.
    study : Study
        What is asked.

    Returns
    -------
    monthly, yearly, change : xarray.Dataset
        The ensemble, its yearly means, and the change of each run.
    failures : list of Failure
        Runs and models that have no number, and why.
    """
    monthly = ensemble.assemble(members, study.all_experiments)
    yearly = ensemble.yearly_means(ensemble.join_historical(monthly, study.historical), study.seasons)
    change = ensemble.changes(yearly, study.periods, study.base_period, study.anomaly_kind, study.required_years)
    failures = ensemble.incomplete_runs(change, study.base_period, study.variable_id)
    if study.require_all_experiments:
        change, incomparable = ensemble.keep_complete_models(change, study.variable_id, study.experiments)
        failures += incomparable
    return monthly, yearly, change, failures


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
    members = [reduce.area_means(ds, conform.grid_of(ds), study.regions) for ds in conformed.values()]
    ens = ensemble.assemble(members, study.all_experiments)
    return ens.assign_attrs(left_out=[failure.sentence for failure in failures])


def conformed_members(
    study: Study, progress: Progress = silent
) -> tuple[catalog.Selection, dict[Row, xr.Dataset], list[Failure]]:
    """Choose, open and conform the datasets of a study; those that fail become failures.

    Parameters
    ----------
    study, progress
        As in :func:`run`.

    Returns
    -------
    Selection, dict of Row to Dataset, list of Failure
        What was chosen, the conformed datasets, and what was left out.
    """
    selection = catalog.select(catalog.read(study.catalog, study.storage_options), study)
    with ThreadPoolExecutor(OPENINGS) as pool:
        fields = pool.map(partial(_fixed, study), selection.supplementary.values())
        fixed = dict(zip(selection.supplementary, fields, strict=True))
        conformed: dict[Row, xr.Dataset] = {}
        failures = list(selection.failures)
        for done, (row, result) in enumerate(
            zip(selection.rows, pool.map(partial(_conformed, study, fixed), selection.rows), strict=True), start=1
        ):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                conformed[row] = result
            progress("opening", done, len(selection.rows))
    if not conformed:
        reasons = "; ".join(failure.sentence for failure in failures[:3])
        raise NotComparable(f"study {study.name!r}: no dataset can be used: {reasons}")
    return selection, conformed, failures


def _fixed(study: Study, row: Row) -> xr.DataArray | None:
    try:
        return opening.open_fixed(row, study.storage_options)
    except SpreadError:
        return None  # the flow has other sources of areas and land, and the report says which it took


def _conformed(study: Study, fixed: dict[tuple[str, str, str], xr.DataArray | None], row: Row) -> xr.Dataset | Failure:
    areacella, sftlf = (fixed.get((row.source_id, row.grid_label, name)) for name in catalog.SUPPLEMENTARY)
    try:
        return conform.conform(opening.open_row(row, study.storage_options), row, areacella, sftlf)
    except NotConforming as error:
        return Failure(row.name, "conform", "; ".join(error.breaches), facets=row.facets())
    except SpreadError as error:
        return Failure(
            row.name, "opening", str(error).removeprefix(f"{row.name}: "), transient=True, facets=row.facets()
        )
