"""Catalogs: find an intake-esm collection, read its table, search it by exact facets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spread.errors import NotFound, did_you_mean, one_line
from spread.storage import Options, storage_options_for
from spread.vocabulary import FACETS

if TYPE_CHECKING:
    import intake_esm
    import pandas as pd

SHIPPED = ("demo", "pangeo-cmip6", "pangeo-cmip6-s3")
"""Collections that come with spread, by name."""


def collections_folder() -> Path:
    """Folder of the shipped collections: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "catalogs"
    return inside if inside.is_dir() else package.parent / "catalogs"


def locate(name: str) -> str:
    """Find a collection file by shipped name, path or URL.

    Parameters
    ----------
    name : str
        ``demo`` (made on first use), another shipped name, or the path or URL of a collection.

    Returns
    -------
    str
        Path or URL of the collection's JSON file.

    Raises
    ------
    NotFound
        If there is no such collection.
    """
    if name == "demo":
        from spread.demo import make_archive  # made where it is first asked for

        return str(make_archive())
    if name in SHIPPED:
        return str(collections_folder() / f"{name}.json")
    if "://" in name or Path(name).is_file():
        return name
    raise NotFound(
        f"catalog {name!r}: neither a shipped catalog nor a file; {did_you_mean(name, SHIPPED)} "
        "Or give the path or URL of an intake-esm collection (.json)."
    )


def read(name: str, storage_options: Options | None = None) -> intake_esm.esm_datastore:
    """Open an intake-esm collection.

    Parameters
    ----------
    name : str
        As in :func:`locate`.
    storage_options : mapping, optional
        fsspec options by protocol.

    Returns
    -------
    intake_esm.esm_datastore
        The collection.

    Raises
    ------
    NotFound
        If it cannot be found or read, or lacks a CMIP6 facet.
    """
    import intake_esm

    location = locate(name)
    try:
        description = json.loads(_read_bytes(location, storage_options))
        table = _read_table(_beside(location, description["catalog_file"]), storage_options)
        collection = intake_esm.esm_datastore(cast(Any, {"esmcat": description, "df": table}))
    except Exception as error:  # whatever the file system, the parser or the schema says: the user needs one line
        raise NotFound(f"catalog {name!r}: cannot be read: {one_line(error)}") from error
    missing = [column for column in (*FACETS, "zstore") if column not in collection.df.columns]
    if missing:
        raise NotFound(
            f"catalog {name!r}: expected the columns {', '.join((*FACETS, 'zstore'))}; missing: {', '.join(missing)}. "
            "Use a CMIP6 collection in the Pangeo layout."
        )
    return collection


def _read_bytes(location: str, options: Options | None) -> bytes:
    import fsspec

    with fsspec.open(location, "rb", **storage_options_for(location, options)) as file:
        return file.read()


def _beside(location: str, catalog_file: str) -> str:
    """A collection's table: absolute, or relative to the collection."""
    if "://" in catalog_file or catalog_file.startswith("/"):
        return catalog_file
    return f"{location.rsplit('/', 1)[0]}/{catalog_file}" if "/" in location else catalog_file


def _read_table(location: str, options: Options | None) -> pd.DataFrame:
    """A collection's table, every column as text; intake-esm's own reader takes no fsspec options."""
    import pandas as pd

    storage = storage_options_for(location, options) or None
    if location.endswith(".parquet"):
        return pd.read_parquet(location, storage_options=storage).astype(str)
    return pd.read_csv(location, dtype="string[pyarrow]", keep_default_na=False, storage_options=storage)


def search(collection: intake_esm.esm_datastore, **facets: str | Iterable[str]) -> pd.DataFrame:
    """Search a collection by exact facets.

    Parameters
    ----------
    collection : intake_esm.esm_datastore
        The collection.
    **facets
        A value or several for any column.

    Returns
    -------
    pandas.DataFrame
        The matching rows, in the collection's order.

    Raises
    ------
    NotFound
        If a column or value does not exist, or nothing has all of them.
    """
    table = collection.df
    unknown = [facet for facet in facets if facet not in table.columns]
    if unknown:
        hints = "; ".join(f"unknown facet {facet!r}, {did_you_mean(facet, list(table.columns))}" for facet in unknown)
        raise NotFound(f"search: {hints}")
    wanted = {facet: [value] if isinstance(value, str) else list(value) for facet, value in facets.items()}
    keep = None
    for facet, values in wanted.items():
        mask = table[facet].isin(values)
        keep = mask if keep is None else keep & mask
    found = table if keep is None else table[keep]
    if found.empty:
        raise NotFound("search: nothing found for " + _explain(table, wanted))
    return found


def _explain(table: pd.DataFrame, wanted: Mapping[str, list[str]]) -> str:
    asked = ", ".join(f"{facet}={'|'.join(values)}" for facet, values in wanted.items())
    absent = [
        f"no {facet} {value!r} in the catalog ({did_you_mean(value, [str(v) for v in table[facet].unique()])})"
        for facet, values in wanted.items()
        for value in values
        if not (table[facet] == value).any()
    ]
    return f"{asked}: " + ("; ".join(absent) if absent else "each value exists, but no dataset has them all")
