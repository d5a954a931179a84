"""The datasets of a study, each by itself from catalog row to member, many at a time; what fails becomes a failure."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any
from urllib.parse import urlparse

import xarray as xr

from spread import catalog, conform, cores, opening, reduce, regrid, selection, tasks
from spread.cache import ArrayCache
from spread.errors import Failure, NotComparable, NotConforming, SpreadError, one_line
from spread.grids import Grid, regular
from spread.selection import SUPPLEMENTARY, Selection
from spread.study import Study
from spread.transport import is_transient
from spread.vocabulary import Row

Progress = Callable[[str, int, int], None]

_MODELS = 16  # models whose fixed fields are kept at a time: as many as there may be threads


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def reduced_members(
    study: Study, executor: Executor | None = None, progress: Progress = silent, cache: ArrayCache | None = None
) -> tuple[Selection, list[xr.DataArray], list[Failure]]:
    """Choose the datasets of a study; open, conform and reduce each by itself, many at a time.

    No dataset outlasts its own reduction, so that memory does not grow with their number.

    Parameters
    ----------
    study, executor, progress, cache
        As in :func:`spread.flow.run`.

    Returns
    -------
    Selection, list of DataArray, list of Failure
        What was chosen, the reduced members, and what was left out.
    """
    chosen = selection.select(catalog.read(study.catalog, study.storage_options), study)
    work = partial(_reduced, study, _FixedFields(chosen.supplementary, study), cache)
    members, failures = [], list(chosen.failures)
    rows = _longest_first(chosen.rows, study.historical)
    for done, (_, result) in enumerate(tasks.outcomes(work, rows, executor, _died, _threads(chosen)), start=1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            members.append(result)
        progress("reading", done, len(chosen.rows))
    return chosen, members, failures


def _longest_first(rows: Sequence[Row], historical: str | None) -> list[Row]:
    """Historical runs before the others, which are half as long, so that cores run out of work at the same time.

    Only among as many models as have their fixed fields kept: no field is read twice for that.
    """
    models = list(dict.fromkeys(row.source_id for row in rows))
    block = {model: place // _MODELS for place, model in enumerate(models)}
    return sorted(rows, key=lambda row: (block[row.source_id], row.experiment_id != historical))


def conformed_members(
    study: Study, progress: Progress = silent
) -> tuple[Selection, dict[Row, xr.Dataset], list[Failure]]:
    """Choose, open and conform the datasets of a study, lazily; those that fail become failures.

    Parameters
    ----------
    study, progress
        As in :func:`spread.flow.run`.

    Returns
    -------
    Selection, dict of Row to Dataset, list of Failure
        What was chosen, the conformed datasets in its order, and what was left out.
    """
    chosen = selection.select(catalog.read(study.catalog, study.storage_options), study)
    work = partial(_conformed, study, _FixedFields(chosen.supplementary, study))
    found: dict[Row, xr.Dataset | Failure] = {}
    for row, result in tasks.outcomes(work, chosen.rows, None, _died, _threads(chosen)):
        found[row] = result
        progress("opening", len(found), len(chosen.rows))
    results = {row: found[row] for row in chosen.rows}
    conformed = {row: ds for row, ds in results.items() if not isinstance(ds, Failure)}
    failures = [*chosen.failures, *(f for f in results.values() if isinstance(f, Failure))]
    if not conformed:
        reasons = "; ".join(failure.sentence for failure in failures[:3])
        raise NotComparable(f"study {study.name!r}: no dataset can be used: {reasons}")
    return chosen, conformed, failures


def planned_members(
    conformed: dict[Row, xr.Dataset], study: Study
) -> tuple[dict[Row, reduce.Reduction], list[Failure]]:
    """Plan the area means of conformed datasets; a region that a grid cannot show makes a failure.

    Parameters
    ----------
    conformed : dict of Row to Dataset
        From :func:`conformed_members`.
    study : Study
        With the regions.

    Returns
    -------
    dict of Row to Reduction, list of Failure
        Lazy, and what was left out.

    Raises
    ------
    NotComparable
        If nothing is left.
    """
    members: dict[Row, reduce.Reduction] = {}
    failures = []
    for row, ds in conformed.items():
        planned = _planned(study, row, ds)
        if isinstance(planned, Failure):
            failures.append(planned)
        else:
            members[row] = planned
    if not members:
        reasons = "; ".join(failure.sentence for failure in failures[:3])
        raise NotComparable(f"study {study.name!r}: no dataset can be reduced: {reasons}")
    return members, failures


class _FixedFields:
    """Fixed fields of the models that are being read: each is read once for all runs of its model, and then let go.

    Parameters
    ----------
    rows : mapping
        Rows by ``(source_id, grid_label, variable_id)``.
    study : Study
        With the options of its storage.
    """

    def __init__(self, rows: Mapping[tuple[str, str, str], Row], study: Study) -> None:
        self.rows, self.study = rows, study
        self._forget()

    def _forget(self) -> None:
        self._recent: OrderedDict[Row, Future[xr.DataArray | None]] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"rows": self.rows, "study": self.study}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def of(self, row: Row) -> list[xr.DataArray | None]:
        """Cell areas and land shares of a dataset's model and grid; None where there is none that can be read."""
        wanted = (self.rows.get((row.source_id, row.grid_label, name)) for name in SUPPLEMENTARY)
        return [None if fixed is None else self._read(fixed) for fixed in wanted]

    def _read(self, row: Row) -> xr.DataArray | None:
        with self._lock:
            waiting = self._recent.get(row)
            promise: Future[xr.DataArray | None] = waiting or Future()
            self._recent[row] = promise
            self._recent.move_to_end(row)
            while len(self._recent) > _MODELS * len(SUPPLEMENTARY):
                self._recent.popitem(last=False)
        if waiting is None:
            try:
                promise.set_result(opening.open_fixed(row, self.study.storage_options))
            except SpreadError:
                # the flow has other sources of areas and land, and the report says which it took
                promise.set_result(None)
            except BaseException as error:
                promise.set_exception(error)
                raise
        return promise.result()


def _threads(chosen: Selection) -> int:
    """Threads for these stores: on a disk nobody waits long enough to be worth the memory of many."""
    local = all(urlparse(row.zstore).scheme in ("", "file") for row in chosen.rows)
    return cores.available() + 1 if local else tasks.THREADS


def _reduced(study: Study, fixed: _FixedFields, cache: ArrayCache | None, row: Row) -> xr.DataArray | Failure:
    try:
        ds = _conformed(study, fixed, row)
        planned = ds if isinstance(ds, Failure) else _planned(study, row, ds)
        return planned if isinstance(planned, Failure) else reduce.compute_or_fail(planned, cache)
    finally:
        cores.give_memory_back()


def _conformed(study: Study, fixed: _FixedFields, row: Row) -> xr.Dataset | Failure:
    try:
        return conform.conform(opening.open_row(row, study.storage_options), row, *fixed.of(row))
    except NotConforming as error:
        return Failure(row.name, "conform", "; ".join(error.breaches), facets=row.facets())
    except SpreadError as error:
        reason = str(error).removeprefix(f"{row.name}: ")
        transient = error.__cause__ is not None and is_transient(error.__cause__)
        return Failure(row.name, "opening", reason, unreadable=True, transient=transient, facets=row.facets())


def _planned(study: Study, row: Row, ds: xr.Dataset) -> reduce.Reduction | Failure:
    if ds.attrs["frequency"] == "day":
        reason = "frequency: a comparison takes monthly or yearly means, got daily ones; ask for the monthly table"
        return Failure(row.name, "reduce", reason, facets=row.facets())
    field = ds[row.variable_id]
    largest = field.dtype.itemsize * (math.prod(map(max, field.chunks)) if field.chunks else field.size)
    needed, free = cores.memory_for(largest), cores.memory_available()
    if needed > free:
        reason = (
            f"chunks of {largest / 1e9:.2f} GB on {cores.available()} cores need {needed / 1e9:.2f} GB of memory, "
            f"{free / 1e9:.2f} GB are free: take a machine with more memory, fewer cores (taskset), or a copy of the "
            "store in smaller chunks"
        )
        return Failure(row.name, "reduce", reason, facets=row.facets())
    grid = conform.grid_of(ds)
    try:
        return reduce.reduction(ds, grid, study.regions, None if study.maps is None else _map_plan(study, grid))
    except NotConforming as error:
        return Failure(row.name, "reduce", "; ".join(error.breaches), facets=row.facets())


def _map_plan(study: Study, grid: Grid) -> reduce.MapPlan:
    """Maps of the study's seasons, from one dataset's grid."""
    assert study.maps is not None
    target = regular(study.maps.grid)
    matrix = regrid.make_weights(grid, target, study.maps.method).matrix
    return reduce.MapPlan(study.seasons, matrix, target, study.maps.coverage)


def _died(row: Row, error: Exception) -> Failure:
    """The failure of a store over which a worker died, and nobody else's."""
    reason = f"the worker that read store {row.zstore} died: {one_line(error)}"
    return Failure(row.name, "reduce", reason, unreadable=True, transient=True, facets=row.facets())
