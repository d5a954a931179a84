"""From one catalog row to one lazy Dataset with its version; nothing is changed.

Data variables are opened strictly: a chunk that is not in the store is an error when it is read, never a block of NaN.
Small coordinates are read at once. Every failure names the store.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlparse

from spread.errors import Unreadable, one_line
from spread.repositories import SnapshotStore, is_repository, snapshot_store
from spread.storage import storage_options_for
from spread.transport import CheckedStore, checked_store
from spread.vocabulary import Row

if TYPE_CHECKING:
    import xarray as xr

_PACKING = (
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "_Unsigned",
)  # CF attributes that decode values


def open_row(row: Row, options: Mapping[str, Mapping[str, Any]] | None = None) -> xr.Dataset:
    """Open one dataset lazily, in its native chunks, with undecoded time.

    Parameters
    ----------
    row : Row
        What to open.
    options : mapping, optional
        fsspec options by protocol.

    Returns
    -------
    xarray.Dataset
        As stored, the data variable lazy, everything else in memory; the attribute ``version`` comes from the row, else
        from the metadata; ``fingerprint`` is a hash of the metadata, ``contents`` one of what the store's listing says,
        or the id of a repository's snapshot.

    Raises
    ------
    Unreadable
        If the store is missing, forbidden or damaged.
    """
    target = row.zstore
    storage = storage_options_for(target, options)
    try:
        store: CheckedStore
        group = ""
        if is_repository(target):
            store, group = snapshot_store(target, storage)
        else:
            if urlparse(target).scheme in ("", "file"):
                target, storage = _local_path(target), {}
            store = checked_store(target, storage)
            store.fetch_ahead(but=row.variable_id)
        ds = _open(store, group, row.variable_id)
        contents = store.stamp(row.variable_id)
    except Exception as error:  # file systems raise what they like; the report needs who and why
        raise Unreadable(f"{row.name}: store {row.zstore} cannot be opened: {one_line(error)}") from error
    fingerprint = _fingerprint(ds)
    version = row.version or f"m{fingerprint[:12]}"
    return ds.assign_attrs(version=version, fingerprint=fingerprint, contents=contents)


def open_fixed(row: Row, options: Mapping[str, Mapping[str, Any]] | None = None) -> xr.DataArray:
    """Open and read one fixed field (areacella, sftlf).

    Parameters
    ----------
    row : Row
        What to open.
    options : mapping, optional
        fsspec options by protocol.

    Returns
    -------
    xarray.DataArray
        In memory.

    Raises
    ------
    Unreadable
        If the store cannot be read, or does not hold the variable.
    """
    ds = open_row(row, options)
    if row.variable_id not in ds:
        raise Unreadable(f"{row.name}: store {row.zstore} holds no {row.variable_id}")
    try:
        return ds[row.variable_id].load()
    except Exception as error:
        raise Unreadable(f"{row.name}: store {row.zstore} cannot be read: {one_line(error)}") from error


def _open(store: CheckedStore, group: str, variable_id: str) -> xr.Dataset:
    import xarray as xr

    within: dict[str, Any] = {"group": group, "consolidated": False} if isinstance(store, SnapshotStore) else {}
    ds = xr.open_dataset(cast(Any, store), engine="zarr", chunks=None, decode_times=False, **within)
    loaded = {}
    for name, array in ds.variables.items():
        if str(name).strip() == variable_id:
            loaded[name] = _strict(store, group, str(name), array).chunk(array.encoding.get("preferred_chunks", {}))
        else:
            loaded[name] = array.load()  # without dask: these few values need no scheduler
    return ds.assign({n: v for n, v in loaded.items() if n not in ds.coords}).assign_coords(
        {n: v for n, v in loaded.items() if n in ds.coords}
    )


def _strict(store: CheckedStore, group: str, name: str, variable: xr.Variable) -> xr.Variable:
    """The same variable, lazily, from an array to which a missing chunk is an error.

    Only the data are strict: a coordinate that is all fill value lawfully has no chunk. Zarr's setting for it is global
    while arrays are opened, so that threads would get in each other's way; here each array carries its own.
    """
    import dask.array as da
    import numpy as np
    import xarray as xr
    import zarr
    from xarray.backends.zarr import ZarrArrayWrapper
    from xarray.core.indexing import LazilyIndexedArray

    from spread.chunks import plain

    array = zarr.open_array(store, path=f"{group}/{name}".strip("/"), mode="r", config={"read_missing_chunks": False})
    packing = {key: value for key, value in variable.encoding.items() if key in _PACKING}
    direct = plain(store, array, packing)
    if direct is not None:
        lazy = da.from_array(
            direct, chunks=direct.chunks, asarray=False, meta=np.empty((0,) * direct.ndim, direct.dtype)
        )
        return xr.Variable(variable.dims, lazy, variable.attrs, variable.encoding)
    raw = xr.Variable(variable.dims, LazilyIndexedArray(ZarrArrayWrapper(array)), {**variable.attrs, **packing})
    decoded = xr.conventions.decode_cf_variable(name, raw, decode_times=False)
    return xr.Variable(variable.dims, decoded._data, variable.attrs, variable.encoding)


def _local_path(url: str) -> str:
    path = unquote(urlparse(url).path) if url.startswith("file:") else url
    if not os.path.isdir(path):
        raise FileNotFoundError(f"no such folder: {path}")
    return path


def _fingerprint(ds: xr.Dataset) -> str:
    """Hash of names, shapes, chunks, types and attributes: what identifies a store without a version."""
    described = {
        str(name): [
            list(map(str, variable.dims)),
            list(variable.shape),
            str(variable.encoding.get("dtype", variable.dtype)),
            str(variable.encoding.get("chunks")),
            {str(k): str(v) for k, v in sorted(variable.attrs.items(), key=lambda item: str(item[0]))},
        ]
        for name, variable in sorted(ds.variables.items(), key=lambda item: str(item[0]))
    }
    described[""] = [{str(k): str(v) for k, v in sorted(ds.attrs.items(), key=lambda item: str(item[0]))}]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
