"""The conformed datasets of a study: chosen, opened and conformed, many at a time; those that fail become failures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import xarray as xr

from spread import catalog, conform, opening, reduce, selection
from spread.errors import Failure, NotComparable, NotConforming, SpreadError
from spread.selection import SUPPLEMENTARY, Selection
from spread.study import Study
from spread.transport import is_transient
from spread.vocabulary import Row

Progress = Callable[[str, int, int], None]

OPENINGS = 16
"""Stores opened at a time: waiting for a server, not for a core."""


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def conformed_members(
    study: Study, progress: Progress = silent
) -> tuple[Selection, dict[Row, xr.Dataset], list[Failure]]:
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
    chosen = selection.select(catalog.read(study.catalog, study.storage_options), study)
    with ThreadPoolExecutor(OPENINGS) as pool:
        fields = pool.map(partial(_fixed, study), chosen.supplementary.values())
        fixed = dict(zip(chosen.supplementary, fields, strict=True))
        conformed: dict[Row, xr.Dataset] = {}
        failures = list(chosen.failures)
        for done, (row, result) in enumerate(
            zip(chosen.rows, pool.map(partial(_conformed, study, fixed), chosen.rows), strict=True), start=1
        ):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                conformed[row] = result
            progress("opening", done, len(chosen.rows))
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
        try:
            members[row] = reduce.reduction(ds, conform.grid_of(ds), study.regions)
        except NotConforming as error:
            failures.append(Failure(row.name, "reduce", "; ".join(error.breaches), facets=row.facets()))
    if not members:
        reasons = "; ".join(failure.sentence for failure in failures[:3])
        raise NotComparable(f"study {study.name!r}: no dataset can be reduced: {reasons}")
    return members, failures


def _fixed(study: Study, row: Row) -> xr.DataArray | None:
    try:
        return opening.open_fixed(row, study.storage_options)
    except SpreadError:
        return None  # the flow has other sources of areas and land, and the report says which it took


def _conformed(study: Study, fixed: dict[tuple[str, str, str], xr.DataArray | None], row: Row) -> xr.Dataset | Failure:
    areacella, sftlf = (fixed.get((row.source_id, row.grid_label, name)) for name in SUPPLEMENTARY)
    try:
        return conform.conform(opening.open_row(row, study.storage_options), row, areacella, sftlf)
    except NotConforming as error:
        return Failure(row.name, "conform", "; ".join(error.breaches), facets=row.facets())
    except SpreadError as error:
        reason = str(error).removeprefix(f"{row.name}: ")
        transient = error.__cause__ is not None and is_transient(error.__cause__)
        return Failure(row.name, "opening", reason, unreadable=True, transient=transient, facets=row.facets())
