"""Derive the bundled table of known-bad datasets from an archive of ES-DOC errata; a maintainer's script.

python -m spread.errata.derive FOLDER

FOLDER holds `issues.csv` (errata_uid, severity, status) and `datasets.csv.gz` (errata_uid, dataset_id).

Source: ES-DOC errata of CMIP6 (errata.es-doc.org), archived in naomi-henderson/cmip6collect2.
"""

import argparse
import csv
import gzip
import io
import re
from pathlib import Path

from spread.errata import KEY, SEVERITIES

COLUMNS = (*KEY, "version", "errata_uid", "severity", "status")
DATASET = re.compile(
    r"CMIP6\.[^.#]+\.[^.#]+\.(?P<source_id>[^.#]+)\.(?P<experiment_id>[^.#]+)\.(?P<member_id>[^.#]+)"
    r"\.(?P<table_id>[^.#]+)\.(?P<variable_id>[^.#]+)\.(?P<grid_label>[^.#]+)#(?P<version>\d{8})"
)


def datasets(text: str) -> list[tuple[str, ...]]:
    """Split dataset ids into facets and version.

    Parameters
    ----------
    text : str
        One id, or several without anything between them: three lines of the archive lost their line breaks.

    Returns
    -------
    list of tuple of str
        The facets of :data:`~spread.errata.KEY`, and the version.

    Raises
    ------
    ValueError
        If part of the text is not a dataset id.
    """
    if DATASET.sub("", text):
        raise ValueError(f"errata: expected CMIP6 dataset ids with versions, got {text!r}")
    return [match.group(*KEY, "version") for match in DATASET.finditer(text)]


def derive(folder: Path) -> list[tuple[str, ...]]:
    """Make the rows of the table.

    Parameters
    ----------
    folder : Path
        Folder of the archive's two files.

    Returns
    -------
    list of tuple of str
        Sorted, each once, with the columns of :data:`COLUMNS`.

    Raises
    ------
    ValueError
        If a severity or a dataset id is not what it should be.
    """
    with (folder / "issues.csv").open(newline="", encoding="utf-8") as file:
        issues = {issue["errata_uid"]: (issue["severity"], issue["status"]) for issue in csv.DictReader(file)}
    odd = {severity for severity, _ in issues.values()} - set(SEVERITIES)
    if odd:
        raise ValueError(f"errata: expected the severities {', '.join(SEVERITIES)}, got {', '.join(sorted(odd))}")
    rows = set()
    with gzip.open(folder / "datasets.csv.gz", "rt", newline="", encoding="utf-8") as file:
        for record in csv.DictReader(file):
            uid = record["errata_uid"]
            rows |= {(*dataset, uid, *issues[uid]) for dataset in datasets(record["dataset_id"])}
    return sorted(rows)


def write(rows: list[tuple[str, ...]], path: Path) -> None:
    """Write the table; the same rows give the same bytes.

    Parameters
    ----------
    rows : list of tuple of str
        From :func:`derive`.
    path : Path
        Where the compressed CSV file goes.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    path.write_bytes(gzip.compress(text.getvalue().encode("ascii"), compresslevel=9, mtime=0))


def main() -> None:
    """Make the table beside this file from a folder of the archive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with issues.csv and datasets.csv.gz")
    rows = derive(parser.parse_args().folder)
    path = Path(__file__).parent / "known.csv.gz"
    write(rows, path)
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
