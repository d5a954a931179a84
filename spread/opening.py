"""From one catalog row to one lazy Dataset with its version; nothing is changed.

Data variables are opened strictly: a chunk that is not in the store is an error when it is read, never a block of NaN.
Small coordinates are read at once. Every failure names the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlparse

from spread.errors import Unreadable, one_line
from spread.storage import storage_options_for
from spread.transport import CheckedStore, checked_store
from spread.vocabulary import Row

if TYPE_CHECKING:
    import xarray as xr


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
        from the metadata; ``fingerprint`` is a hash of the metadata, ``contents`` one of what the store's listing says.

    Raises
    ------
    Unreadable
        If the store is missing, forbidden or damaged.
    """
    target = row.zstore
    storage = storage_options_for(target, options)
    try:
        if urlparse(target).scheme in ("", "file"):
            target, storage = _local_path(target), {}
        store = checked_store(target, storage)
        ds = _open(store, row.variable_id)
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


class _StrictChunks:
    """A window in which arrays open strictly, shared by the threads that open stores at the same time.

    The setting is global while an array is opened and captured by the array from then on. Windows of several threads
    overlap, so the first one in sets it and the last one out puts the old value back.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._setting = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        import zarr

        with self._lock:
            if self._inside == 0:
                self._setting.enter_context(zarr.config.set({"array.read_missing_chunks": False}))
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._setting.close()


_strict_chunks = _StrictChunks()


def _open(store: CheckedStore, variable_id: str) -> xr.Dataset:
    import xarray as xr
    import zarr

    with _strict_chunks:
        ds = xr.open_dataset(cast(Any, store), engine="zarr", chunks=None, decode_times=False)
    loaded = {}
    for name in ds.variables:
        if str(name).strip() == variable_id:
            loaded[name] = ds[name].variable.chunk(ds[name].encoding.get("preferred_chunks", {}))
            continue
        try:
            loaded[name] = ds[name].variable.load()  # without dask: these few values need no scheduler
        except zarr.errors.ChunkNotFoundError:  # a coordinate that is all fill value may lawfully have no chunk
            loaded[name] = _filled(store, str(name), ds[name].variable)
    return ds.assign({n: v for n, v in loaded.items() if n not in ds.coords}).assign_coords(
        {n: v for n, v in loaded.items() if n in ds.coords}
    )


def _filled(store: CheckedStore, name: str, variable: xr.Variable) -> xr.Variable:
    """A coordinate whose missing chunks are its fill value."""
    import xarray as xr
    import zarr

    array = zarr.open_array(store, path=name, mode="r", config={"read_missing_chunks": True})
    packing = {k: v for k, v in variable.encoding.items() if k in ("_FillValue", "scale_factor", "add_offset")}
    raw = xr.Variable(variable.dims, array[...], packing)
    values = xr.conventions.decode_cf_variable(name, raw, decode_times=False).values
    return xr.Variable(variable.dims, values, variable.attrs, variable.encoding)


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
