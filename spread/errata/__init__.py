"""Known-bad datasets of CMIP6: which versions have errata, how grave they are, and what a study makes of them.

Every version that an erratum lists is bad, whatever the erratum's status: ``resolved`` says that another version mends
it, not that this one is sound. A version that no erratum lists is not known to be bad. The table holds surface
temperature and precipitation, monthly and daily, land carbon and fixed fields, in versions until August 2021; on other
datasets it is silent.

A row without a version cannot be matched exactly. What is known of any version of its dataset is then a note that says
so, and never rejects it: a sound version may be what is stored.

Source: ES-DOC errata of CMIP6 (errata.es-doc.org), archived in naomi-henderson/cmip6collect2; `derive.py` made the
table from facts only: dataset, version, errata number, severity, status.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path

from spread.vocabulary import Row

__all__ = [
    "ACTIONS", "KEY", "SEVERITIES", "Erratum", "Verdict", "judge", "known", "known_for", "notes", "of_other_versions",
    "rejections",
]  # fmt: skip

SEVERITIES = ("critical", "high", "medium", "low")
"""From the gravest to the least."""

ACTIONS = ("reject", "note", "ignore")
"""What a study may make of a severity, from the strictest to the mildest."""

KEY = ("source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label")
"""Facets that name a dataset; the version comes after them."""

_TABLE = Path(__file__).parent / "known.csv.gz"
_dataset = attrgetter(*KEY)


@dataclass(frozen=True)
class Erratum:
    """One erratum, as it touches a dataset.

    Parameters
    ----------
    uid : str
        Errata number of ES-DOC.
    severity : str
        ``critical``, ``high``, ``medium`` or ``low``.
    status : str
        ``new``, ``onhold``, ``wontfix``, or ``resolved``: another version mends it.
    """

    uid: str
    severity: str
    status: str

    def __str__(self) -> str:
        return f"{self.uid} ({self.severity}, {self.status})"


@dataclass(frozen=True)
class Verdict:
    """What a study's policy makes of the errata of one dataset.

    Parameters
    ----------
    rejection : str
        Why the dataset is not to be used; empty where it may be.
    notes : tuple of str
        What a reader should know of a dataset that is used.
    """

    rejection: str = ""
    notes: tuple[str, ...] = ()


_Errata = tuple[Erratum, ...]


@cache
def _table() -> dict[tuple[str, ...], dict[str, _Errata]]:
    """Errata by dataset and version, the gravest first."""
    text = gzip.decompress(_TABLE.read_bytes()).decode("ascii")
    found: dict[tuple[str, ...], dict[str, _Errata]] = {}
    issues: dict[tuple[str, ...], Erratum] = {}
    for *dataset, version, uid, severity, status in list(csv.reader(io.StringIO(text)))[1:]:
        fields = (uid, severity, status)
        erratum = issues.setdefault(fields, Erratum(*fields))
        versions = found.setdefault(tuple(dataset), {})
        versions[version] = tuple(sorted((*versions.get(version, ()), erratum), key=_gravest_first))
    return found


def _gravest_first(erratum: Erratum) -> tuple[int, str]:
    return SEVERITIES.index(erratum.severity), erratum.uid


def known(row: Row) -> tuple[Erratum, ...]:
    """Look up the errata of exactly this version of a dataset.

    Parameters
    ----------
    row : Row
        A row of a catalog.

    Returns
    -------
    tuple of Erratum
        The gravest first; empty where none is known, and where the row has no version.
    """
    versions = _table().get(_dataset(row))
    return () if versions is None or not row.version else versions.get(row.version, ())


def known_for(rows: Iterable[Row]) -> dict[Row, tuple[Erratum, ...]]:
    """Look up many rows.

    Parameters
    ----------
    rows : iterable of Row
        Rows of a catalog.

    Returns
    -------
    dict of Row to tuple of Erratum
        Only the rows that have errata, as :func:`known` gives them.
    """
    return {row: errata for row in rows if (errata := known(row))}


def of_other_versions(row: Row) -> dict[str, tuple[Erratum, ...]]:
    """Look up the errata of the versions of a dataset that are not the row's own.

    Parameters
    ----------
    row : Row
        A row of a catalog.

    Returns
    -------
    dict of str to tuple of Erratum
        By version; all of them where the row has no version.
    """
    return {version: errata for version, errata in _table().get(_dataset(row), {}).items() if version != row.version}


def judge(row: Row, policy: Mapping[str, str]) -> Verdict:
    """Judge a dataset by a study's policy: the strictest action that one of its errata asks for decides.

    Parameters
    ----------
    row : Row
        A row of a catalog.
    policy : mapping of str to str
        An action of :data:`ACTIONS` for each of :data:`SEVERITIES`.

    Returns
    -------
    Verdict
        A rejection that names every erratum that is not ignored, or notes, one for each; notes alone where the row has
        no version.
    """
    if not row.version:
        return Verdict(notes=_of_any_version(row, policy))
    errata = [erratum for erratum in known(row) if policy[erratum.severity] != "ignore"]
    if any(policy[erratum.severity] == "reject" for erratum in errata):
        numbers = ", ".join(map(str, errata))
        where = f"version {row.version} on grid {row.grid_label}"
        return Verdict(rejection=f"known to be bad: ES-DOC errata {numbers} of {where}")
    return Verdict(notes=tuple(f"ES-DOC errata {erratum}" for erratum in errata))


def rejections(rows: Iterable[Row], policy: Mapping[str, str]) -> dict[Row, str]:
    """Find the rows that a policy rejects.

    Parameters
    ----------
    rows : iterable of Row
        Rows of a catalog.
    policy : mapping of str to str
        As in :func:`judge`.

    Returns
    -------
    dict of Row to str
        Only the rows that are rejected, and why.
    """
    return {row: reason for row in rows if (reason := judge(row, policy).rejection)}


def notes(rows: Iterable[Row], policy: Mapping[str, str]) -> dict[Row, tuple[str, ...]]:
    """Find what a policy has noted of rows that it does not reject.

    Parameters
    ----------
    rows : iterable of Row
        Rows of a catalog.
    policy : mapping of str to str
        As in :func:`judge`.

    Returns
    -------
    dict of Row to tuple of str
        Only the rows that have notes.
    """
    return {row: found for row in rows if (found := judge(row, policy).notes)}


def _of_any_version(row: Row, policy: Mapping[str, str]) -> tuple[str, ...]:
    versions: dict[Erratum, list[str]] = {}
    for version, errata in of_other_versions(row).items():
        for erratum in errata:
            if policy[erratum.severity] != "ignore":
                versions.setdefault(erratum, []).append(version)
    return tuple(
        f"version unknown; ES-DOC errata {erratum} of version {', '.join(sorted(versions[erratum]))}"
        for erratum in sorted(versions, key=_gravest_first)
    )
