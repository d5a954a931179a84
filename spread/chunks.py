"""Native chunks straight from bytes to values: the cheap way to what Zarr and xarray would decode.

Zarr's own read allocates, copies and schedules for each chunk and costs several times the decompression. Nearly all
stores of CMIP6 are plain, though: Zarr v2, one compressor, no filters, floating point, row by row. Those are decoded
here into buffers that are used again (``spread.cores``); any other array is left to Zarr.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.metadata import ArrayV2Metadata
from zarr.core.sync import sync
from zarr.errors import ChunkNotFoundError

from spread import cores
from spread.blosc import LARGE
from spread.transport import CheckedStore

_PIECE = 1 << 18  # values searched for a fill value at a time: 1 MB


class NativeChunks:
    """A strict array whose chunks are decoded directly; dask and NumPy take it for an array.

    Parameters
    ----------
    store : CheckedStore
        Where it is.
    array : zarr.Array
        What Zarr says of it; see :func:`is_plain`.
    missing : tuple of float
        Values that stand for none, NaN when read.
    """

    def __init__(self, store: CheckedStore, array: zarr.Array, missing: tuple[float, ...] = ()) -> None:
        self.store, self.path = store, array.path
        self.metadata: ArrayV2Metadata = array.metadata  # type: ignore[assignment]
        self.shape, self.chunks, self.dtype = array.shape, array.chunks, np.dtype(array.dtype)
        self.ndim = len(self.shape)
        self.missing = tuple(np.asarray(value, self.dtype)[()] for value in missing)

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, str(self.store), self.path, self.store.stamp(self.path), repr(self.metadata)

    def __getitem__(self, key: Any) -> NDArray[np.floating]:
        """Read a box; the one chunk that it covers is decoded in place, several are put together."""
        spans = [
            (step.indices(n) if isinstance(step, slice) else (int(step), int(step) + 1, 1))
            for step, n in zip(key if isinstance(key, tuple) else (key,), self.shape, strict=False)
        ]
        spans += [(0, n, 1) for n in self.shape[len(spans) :]]
        dropped = tuple(i for i, step in enumerate(key if isinstance(key, tuple) else (key,)) if np.isscalar(step))
        box = self._box([(start, stop) for start, stop, _ in spans])
        box = box[tuple(slice(None, None, stride) for _, _, stride in spans)]
        return box.squeeze(axis=dropped) if dropped else box

    def _box(self, spans: list[tuple[int, int]]) -> NDArray[np.floating]:
        ranges = [range(a // c, -(-max(b, a) // c)) for (a, b), c in zip(spans, self.chunks, strict=True)]
        if all(len(r) == 1 for r in ranges):
            block = self.chunk(tuple(r[0] for r in ranges))
            return block[tuple(slice(a - r[0] * c, b - r[0] * c) for (a, b), r, c in
                               zip(spans, ranges, self.chunks, strict=True))]  # fmt: skip
        box = np.empty([max(b - a, 0) for a, b in spans], self.dtype)
        for flat in np.ndindex(*(len(r) for r in ranges)):
            index = tuple(r[i] for r, i in zip(ranges, flat, strict=True))
            to, of = [], []
            for i, (a, b), c in zip(index, spans, self.chunks, strict=True):
                first, last = max(a, i * c), min(b, (i + 1) * c)
                to.append(slice(first - a, last - a))
                of.append(slice(first - i * c, last - i * c))
            box[tuple(to)] = self.chunk(index)[tuple(of)]
        return box

    def chunk(self, index: tuple[int, ...]) -> NDArray[np.floating]:
        """Read and decode one chunk.

        Parameters
        ----------
        index : tuple of int
            Its place.

        Returns
        -------
        numpy.ndarray
            The chunk in full, beyond the array's edge too; valid until the end of a turn (``cores.turn``) if one is on.

        Raises
        ------
        zarr.errors.ChunkNotFoundError
            If the store has no such chunk.
        """
        key = f"{self.path}/{self.metadata.dimension_separator.join(map(str, index))}".lstrip("/")
        size = int(np.prod(self.chunks)) * self.dtype.itemsize
        compressor = self.metadata.compressor
        with cores.under_way(self.store.size_of(key) or size):
            if isinstance(compressor, numcodecs.Blosc) and self.store.is_local and size > LARGE:
                cores.enter()  # what the disk's cache holds is copied by this core
                out = cores.scratch("decoded", size)
                if self.store.decode_local(key, out, lambda length: cores.scratch("encoded", length)):
                    return self._values(out)
                encoded = self._fetched(key)
            else:
                encoded = self._fetched(key)
                cores.enter()
                out = cores.scratch("decoded", size)
            if compressor is None:
                if len(encoded) != size:
                    raise ValueError(f"{key}: {len(encoded)} bytes of a chunk of {size}")
                out[:] = np.frombuffer(encoded, np.uint8)
            else:
                decoded = np.asarray(memoryview(compressor.decode(encoded, out))).reshape(-1).view(np.uint8)
                if decoded.size != size:
                    raise ValueError(f"{key}: {decoded.size} bytes decoded of a chunk of {size}")
                out = decoded
        return self._values(out)

    def _values(self, out: NDArray[np.uint8]) -> NDArray[np.floating]:
        values = out.view(self.dtype)
        self._mask(values)
        return values.reshape(self.chunks)

    def _fetched(self, key: str) -> memoryview | bytes | NDArray[np.uint8]:
        if self.store.is_local:
            cores.enter()  # what the disk's cache holds is copied by this core
            local = self.store.read_local(key, lambda size: cores.scratch("encoded", size))
            if local is None:
                raise ChunkNotFoundError(_not_there(key))
            return local
        buffer = sync(self.store.get(key, default_buffer_prototype()))
        if buffer is None:
            raise ChunkNotFoundError(_not_there(key))
        return buffer.as_numpy_array()

    def _mask(self, values: NDArray[np.floating]) -> None:
        found = np.empty(min(_PIECE, values.size), np.bool_)
        for fill in self.missing:
            for start in range(0, values.size, _PIECE):
                piece = values[start : start + _PIECE]
                here = np.equal(piece, fill, out=found[: piece.size])
                if here.any():
                    piece[here] = np.nan


def _not_there(key: str) -> str:
    return f"1 chunk(s) not found in store.\nMissing chunks:\n  chunk '{key.rsplit('/', 1)[-1]}'"


def plain(store: CheckedStore, array: zarr.Array, packing: Mapping[str, Any]) -> NativeChunks | None:
    """Take an array for direct decoding, if it is as plain as most are.

    Parameters
    ----------
    store : CheckedStore
        Where it is.
    array : zarr.Array
        Opened by Zarr.
    packing : mapping
        Its CF attributes that decode values.

    Returns
    -------
    NativeChunks or None
        None where only Zarr and xarray should decode it: filters, packed integers, another order of bytes or axes.
    """
    metadata = array.metadata
    fills = [packing[name] for name in ("_FillValue", "missing_value") if name in packing]
    if not (
        isinstance(metadata, ArrayV2Metadata)
        and not metadata.filters
        and metadata.order == "C"
        and array.ndim
        and np.dtype(array.dtype).kind == "f"
        and np.dtype(array.dtype).isnative
        and set(packing) <= {"_FillValue", "missing_value"}
        and all(np.ndim(fill) == 0 and np.isreal(fill) for fill in fills)
    ):
        return None
    return NativeChunks(store, array, tuple(dict.fromkeys(float(fill) for fill in fills if not np.isnan(fill))))
