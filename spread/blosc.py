"""Large Blosc 1 chunks from a file, a few blocks at a time: what is compressed is never in memory as a whole.

A chunk is a header, a table of where its blocks begin, and the blocks, each decoded by itself. A run of blocks with a
header and a table of its own is a chunk again, which the library decodes where its values belong. So the bytes of a
file pass through a buffer that stays in the processor's cache.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from zarr.core.buffer import Buffer

Bytes = NDArray[np.uint8]

BLOSC_HEADER = 16
"""Length of a Blosc 1 header [bytes]; its last four give the length of the chunk (c-blosc, README_CHUNK_FORMAT)."""

PIECE = 1 << 22
"""Decoded bytes of one run of blocks."""

LARGE = 2 * PIECE
"""Decoded size from which a chunk is worth it."""

_HEADER = struct.Struct("<BBBBIII")  # format, codec's format, flags, type's size, bytes, block's size, compressed bytes
_FORMAT = 2
_COPIED = 0x02  # flag of a chunk that is not compressed, which has no table


class DamagedObject(OSError):
    """An object that arrived otherwise than the store holds it."""


def check_blosc(key: str, buffer: Buffer | NDArray[np.uint8]) -> None:
    """Refuse a Blosc chunk that is shorter than its header says; numcodecs would decode what lies beyond its end.

    Parameters
    ----------
    key : str
        The chunk's key, for the message.
    buffer : Buffer or numpy.ndarray
        The chunk; one that does not begin as Blosc does is left alone.

    Raises
    ------
    DamagedObject
        If it is cut off.
    """
    if len(buffer) < BLOSC_HEADER:
        return
    header = bytes(buffer[:BLOSC_HEADER].to_bytes() if isinstance(buffer, Buffer) else buffer[:BLOSC_HEADER])
    version, _, _, item, decoded, block, length = _HEADER.unpack(header)
    looks_like_blosc = version == 2 and item > 0 and 0 < block <= max(decoded, 1) and decoded > 0
    if looks_like_blosc and length > len(buffer) and length <= decoded + BLOSC_HEADER:
        raise DamagedObject(f"{key}: {len(buffer)} bytes of a Blosc chunk of {length}")


def decode_file(descriptor: int, out: Bytes, buffer: Callable[[int], Bytes]) -> bool:
    """Decode a file that holds one Blosc chunk.

    Parameters
    ----------
    descriptor : int
        Of the open file.
    out : numpy.ndarray
        ``(size,)`` where the decoded bytes go.
    buffer : callable
        Gives a buffer of so many bytes.

    Returns
    -------
    bool
        False where the file should be decoded as a whole: small, not of this format, of another size, cut off, or its
        blocks are not in order. Then ``out`` holds nothing.

    Raises
    ------
    RuntimeError
        If a block is damaged, as the library says it.
    ValueError
        If the file becomes shorter while it is read.

    Notes
    -----
    c-blosc 1.21, README_CHUNK_FORMAT.rst. A last block that is not full cannot stand alone: it stays with the one
    before.
    """
    from numcodecs.blosc import decompress

    starts = _starts(descriptor, out.size)
    if starts is None:
        return False
    head, ends = starts
    block = head[5]
    runs = list(_runs(len(ends) - 1, max(1, PIECE // block)))
    longest = max(int(ends[last] - ends[first]) + _HEADER.size + 4 * (last - first) for first, last in runs)
    room = buffer(longest)
    for first, last in runs:
        table = _HEADER.size + 4 * (last - first)
        size = table + int(ends[last] - ends[first])
        of = slice(first * block, min(last * block, out.size))
        room[: _HEADER.size] = np.frombuffer(_HEADER.pack(*head[:4], of.stop - of.start, block, size), np.uint8)
        room[_HEADER.size : table] = (ends[first:last] - ends[first] + table).astype("<i4").view(np.uint8)
        _read(descriptor, room[table:size], int(ends[first]))
        decompress(room[:size], out[of])
    return True


def _starts(descriptor: int, size: int) -> tuple[tuple[int, ...], NDArray[np.int64]] | None:
    """The header, and where each block begins and the last one ends; None where blocks cannot be taken one by one."""
    said = os.pread(descriptor, _HEADER.size, 0)
    if len(said) < _HEADER.size:
        return None
    head = _HEADER.unpack(said)
    version, _, flags, item, decoded, block, length = head
    if version != _FORMAT or flags & _COPIED or not item or decoded != size or not 0 < block <= PIECE:
        return None
    count = -(-size // block)
    if size < LARGE or length != os.fstat(descriptor).st_size:
        return None
    table = os.pread(descriptor, 4 * count, _HEADER.size)
    if len(table) < 4 * count:
        return None
    ends = np.append(np.frombuffer(table, "<i4").astype(np.int64), length)
    in_order = ends[0] == _HEADER.size + 4 * count and (np.diff(ends) > 0).all()
    return (head, ends) if in_order else None


def _runs(count: int, several: int) -> Iterator[tuple[int, int]]:
    """First block and the one after the last of each run."""
    edges = [*range(0, max(count - 1, 1), several), count]
    yield from pairwise(edges)


def _read(descriptor: int, into: Bytes, offset: int) -> None:
    view, read = memoryview(into), 0
    while read < len(into) and (more := os.preadv(descriptor, [view[read:]], offset + read)):
        read += more
    if read < len(into):
        raise ValueError(f"{read} bytes came of {len(into)}")
