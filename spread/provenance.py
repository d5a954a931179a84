"""Where a report comes from: code, libraries, catalog, machine and moment."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from spread import errata
from spread.study import Study
from spread.vocabulary import Row

LIBRARIES = ("numpy", "xarray", "dask", "zarr", "cftime", "intake-esm", "gcsfs", "s3fs")
"""Libraries whose version can change a number or a failure."""


def library_versions(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Versions of installed distributions; ``absent`` where one is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def describe(study: Study, rows: Sequence[Row]) -> dict[str, Any]:
    """Describe how a report was made.

    Parameters
    ----------
    study : Study
        What was asked.
    rows : sequence of Row
        The datasets that were chosen.

    Returns
    -------
    dict
        Ready for JSON; ``errata`` holds the notes on datasets that have some, by name.
    """
    from spread import __version__

    return {
        "spread": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "catalog": study.catalog,
        "datasets": [f"{row.name}@{row.version or 'no version'}" for row in rows],
        "errata": {row.name: list(notes) for row, notes in errata.notes(rows, study.errata).items()},
        "libraries": library_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
