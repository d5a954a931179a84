"""The datasets of a study: one grid and comparable members for each model, known-bad versions set aside.

Only the catalog's table is read here, never a store. What a study asks for and the catalog cannot give is returned as
failures beside the chosen rows, so that no model leaves silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spread import errata
from spread.catalog import search
from spread.errors import Failure, NotFound, did_you_mean
from spread.study import Study
from spread.vocabulary import FACETS, Row

if TYPE_CHECKING:
    import intake_esm
    import pandas as pd

SUPPLEMENTARY = ("areacella", "sftlf")
"""Fixed fields that help to average a field; a study never fails for want of one."""


@dataclass(frozen=True)
class Selection:
    """What a study reads, and what it asked for in vain.

    Parameters
    ----------
    rows : tuple of Row
        The chosen datasets, sorted by model, experiment and member.
    supplementary : mapping
        Rows of fixed fields by ``(source_id, grid_label, variable_id)``.
    failures : tuple of Failure
        Models and runs left out, with reasons.
    notes : mapping
        Errata of chosen rows and fixed fields that the study lets pass; a row without any is not in it.
    """

    rows: tuple[Row, ...]
    supplementary: Mapping[tuple[str, str, str], Row]
    failures: tuple[Failure, ...]
    notes: Mapping[Row, tuple[str, ...]] = field(default_factory=dict)


def select(collection: intake_esm.esm_datastore, study: Study) -> Selection:
    """Choose the datasets of a study, with comparable members and one grid for each model.

    A member is comparable where the same ``member_id`` has the preceding run and the scenario. ``first`` takes, for
    each model, the lowest label that has every experiment, else the lowest for each scenario on its own. Versions that
    are known to be bad are set aside before anything else is chosen, as the study's ``errata`` say; those that would
    have been taken otherwise are failures.

    Parameters
    ----------
    collection : intake_esm.esm_datastore
        The collection.
    study : Study
        What is asked.

    Returns
    -------
    Selection
        Rows, fixed fields, and what is left out and why.

    Raises
    ------
    NotFound
        If a model or experiment is not in the catalog, or nothing is left.
    """
    found = search(
        collection,
        variable_id=study.variable_id,
        table_id=study.table_id,
    )
    if "dcpp_init_year" in found.columns:
        found = found[found["dcpp_init_year"].isna() | found["dcpp_init_year"].isin(["", "nan", "NaN"])]
    experiments = [str(value) for value in found["experiment_id"].unique()]
    found = found[found["experiment_id"].isin(study.all_experiments)]
    _refuse_unknown(found, experiments, study)
    rows: list[Row] = []
    failures: list[Failure] = []
    available = sorted(found["source_id"].unique())
    models = [m for m in (study.models or available) if m not in study.exclude_models]
    for source_id, table in found.groupby("source_id", sort=True):
        if source_id not in models:
            continue
        chosen, failed = _choose_sound(str(source_id), _rows(table), study)
        rows += chosen
        failures += failed
    if not rows:
        reasons = "; ".join(failure.sentence for failure in failures[:3])
        raise NotFound(f"study {study.name!r}: no model is left of {len(models)}: {reasons}")
    fixed, failed = _supplementary(collection, rows, study)
    notes = errata.notes((*rows, *fixed.values()), study.errata)
    return Selection(tuple(rows), fixed, (*failures, *failed), notes)


def _refuse_unknown(found: pd.DataFrame, experiments: Sequence[str], study: Study) -> None:
    models = [str(value) for value in found["source_id"].unique()]
    breaches = []
    for key, known, values in (
        ("models", models, study.models),
        ("exclude_models", models, study.exclude_models),
        ("experiments", experiments, study.all_experiments),
    ):
        for value in values:
            if value not in known:
                breaches.append(
                    f"{key}: {value!r} has no {study.table_id}.{study.variable_id}, {did_you_mean(value, known)}"
                )
    if breaches:
        raise NotFound(f"study {study.name!r}, catalog {study.catalog!r}: " + "; ".join(breaches))


def _rows(table: pd.DataFrame) -> list[Row]:
    has_version = "version" in table.columns
    made = []
    for record in table.to_dict("records"):
        version = "" if not has_version else re.sub(r"\.0$", "", str(record["version"])).removeprefix("v")
        if not version.isdigit():
            match = re.search(r"/v(\d{8})(?:/|$)", str(record["zstore"]))
            version = match.group(1) if match else ""
        made.append(
            Row(**{facet: str(record[facet]) for facet in FACETS}, zstore=str(record["zstore"]), version=version)
        )
    return made


def _choose_sound(source_id: str, rows: list[Row], study: Study) -> tuple[list[Row], list[Failure]]:
    """Choose the runs of one model among those not known to be bad, and say which of the others it would have taken."""
    bad = _undecided(rows) | errata.rejections(rows, study.errata)
    chosen, failures = _choose(source_id, _latest(row for row in rows if row not in bad), study)
    if not bad:
        return chosen, failures
    wanted, absent = _choose(source_id, _latest(rows), study)
    aside = ", apart from datasets that are known to be bad"
    lacking = [f if f in absent else replace(f, reason=f.reason + aside) for f in failures]
    return chosen, [*(_known_bad(row, bad[row]) for row in wanted if row in bad), *lacking]


def _undecided(rows: Iterable[Row]) -> dict[Row, str]:
    """Stores of one dataset whose version nobody says: nothing tells which is the dataset."""
    by_dataset: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        if not row.version:
            by_dataset.setdefault((row.experiment_id, row.member_id, row.grid_label), {})[row.zstore] = row
    return {
        row: f"{len(stores)} stores without a version, nothing says which to use: {', '.join(sorted(stores))}"
        for stores in by_dataset.values()
        if len(stores) > 1
        for row in stores.values()
    }


def _known_bad(row: Row, reason: str) -> Failure:
    return Failure(row.name, "catalog", reason, facets=row.facets())


def _latest(rows: Iterable[Row]) -> list[Row]:
    """One row for each dataset: its latest version; of copies of one version the first in order of address."""
    newest: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda r: r.zstore):
        key = (row.experiment_id, row.member_id, row.grid_label)
        if key not in newest or row.version > newest[key].version:
            newest[key] = row
    return list(newest.values())


def variant_order(member_id: str) -> tuple[int, ...]:
    """Sort key of a variant label: ``r10i1p1f2`` -> ``(10, 1, 1, 2)``."""
    return tuple(int(number) for number in re.findall(r"\d+", member_id))


def _choose(source_id: str, rows: list[Row], study: Study) -> tuple[list[Row], list[Failure]]:
    """Choose the runs of one model: its grid, then its members."""
    grid = _preferred_grid(rows, study)
    by_member: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.grid_label == grid:
            by_member.setdefault(row.member_id, {})[row.experiment_id] = row
    members = sorted(by_member, key=variant_order)
    if not isinstance(study.members, str):
        members = [member for member in members if member in study.members]
    # for each scenario, the members that also have the run that precedes it
    usable = {
        experiment: [
            member
            for member in members
            if experiment in by_member[member] and (study.historical is None or study.historical in by_member[member])
        ]
        for experiment in study.experiments
    }
    absent = [experiment for experiment, labels in usable.items() if not labels]
    failures = []
    if absent:
        preceded = f" with {study.historical} of the same member" if study.historical else ""
        wanted = "" if isinstance(study.members, str) else f" among the members {', '.join(study.members)}"
        reason = f"no {', '.join(absent)}{preceded} in the catalog{wanted}"
        facets = {"source_id": source_id, "variable_id": study.variable_id}
        failures.append(Failure(source_id, "catalog", reason, facets=facets))
        if study.require_all_experiments or len(absent) == len(usable):
            return [], failures
    chosen: dict[tuple[str, str], Row] = {}
    complete = [m for m in members if all(m in labels for labels in usable.values() if labels)]
    for experiment, labels in usable.items():
        if study.members == "first" and labels:
            labels = (complete or labels)[:1]
        for member in labels:
            for name in (study.historical, experiment):
                if name is not None:
                    chosen[name, member] = by_member[member][name]
    order = {name: position for position, name in enumerate(study.all_experiments)}
    return sorted(chosen.values(), key=lambda r: (order[r.experiment_id], variant_order(r.member_id))), failures


def _preferred_grid(rows: list[Row], study: Study) -> str:
    """Grid on which the model has the most experiments; the study's preference breaks ties."""
    labels = sorted({row.grid_label for row in rows})

    def order(label: str) -> tuple[int, int, str]:
        experiments = {row.experiment_id for row in rows if row.grid_label == label}
        preference = study.grid_labels.index(label) if label in study.grid_labels else len(study.grid_labels)
        return -len(experiments), preference, label

    return min(labels, key=order, default="")


_Fixed = dict[tuple[str, str, str], Row]  # by source_id, grid_label, variable_id


def _supplementary(collection: intake_esm.esm_datastore, rows: list[Row], study: Study) -> tuple[_Fixed, list[Failure]]:
    """Sound areacella and sftlf for each model and grid, and the bad ones that the chosen grids would have had."""
    table = collection.df
    models = {row.source_id for row in rows}
    table = table[table["variable_id"].isin(SUPPLEMENTARY) & table["source_id"].isin(list(models))]
    candidates = _rows(table)
    bad = errata.rejections(candidates, study.errata)
    grids = {(row.source_id, row.grid_label) for row in rows}
    wanted = _best(candidates) if bad else {}
    failures = [_known_bad(row, bad[row]) for key, row in wanted.items() if row in bad and key[:2] in grids]
    return _best(row for row in candidates if row not in bad), failures


def _best(rows: Iterable[Row]) -> _Fixed:
    """Latest fixed fields for each model and grid, from ``historical`` where it has them."""
    chosen: _Fixed = {}

    def better(row: Row) -> tuple[bool, bool, str]:
        return row.experiment_id == "historical", row.experiment_id == "piControl", row.version

    for row in rows:
        key = (row.source_id, row.grid_label, row.variable_id)
        if key not in chosen or better(row) > better(chosen[key]):
            chosen[key] = row
    return chosen
