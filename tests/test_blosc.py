"""Chunks decoded a few blocks at a time: the library's own bytes, or refused as the library would refuse them."""

import os
import struct
from contextlib import contextmanager

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from spread import blosc
from spread.blosc import decode_file


def values(size, seed=0):
    field = np.cumsum(np.random.default_rng(seed).standard_normal(size // 4)).astype("<f4")
    return field.view(np.uint8)


@contextmanager
def opened(path, data):
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def decoded(path, data, size):
    out = np.zeros(size, np.uint8)
    asked = []

    def buffer(length):
        asked.append(length)
        return np.empty(length, np.uint8)

    with opened(path, data) as descriptor:
        done = decode_file(descriptor, out, buffer)
    return done, out, max(asked, default=0)


@settings(deadline=None, max_examples=40)
@given(
    size=st.integers(1 << 12, 1 << 15).map(lambda n: 4 * n),
    codec=st.sampled_from(["lz4", "zstd", "blosclz", "zlib", "lz4hc"]),
    shuffle=st.sampled_from([0, 1, 2]),
    block=st.sampled_from([0, 1 << 12, 1 << 13, 12_000]),
    piece=st.sampled_from([1 << 13, 1 << 14, 50_000]),
    seed=st.integers(0, 99),
)
def test_pieces_give_the_bytes_of_the_whole(tmp_path_factory, size, codec, shuffle, block, piece, seed):
    raw = values(size, seed)
    data = bytes(numcodecs.Blosc(codec, clevel=5, shuffle=shuffle, blocksize=block).encode(raw.view("<f4")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blosc, "PIECE", piece)
        patch.setattr(blosc, "LARGE", 1)
        done, out, longest = decoded(tmp_path_factory.mktemp("b") / "chunk", data, size)
    if done:
        np.testing.assert_array_equal(out, raw)
        if block and size > 4 * piece:
            assert longest < len(data), "only a part was in memory"
    else:
        said = struct.unpack("<BBBBIII", data[:16])
        assert said[2] & 2 or said[5] > piece, "only what is not compressed, or in one block, is left to the library"


@pytest.fixture
def chunk():
    raw = values(3 * blosc.LARGE)
    return raw, bytes(numcodecs.Blosc("lz4", clevel=5).encode(raw.view("<f4")))


def test_a_large_chunk_is_decoded_with_a_small_buffer(tmp_path, chunk):
    raw, data = chunk
    done, out, longest = decoded(tmp_path / "chunk", data, raw.size)
    assert done
    np.testing.assert_array_equal(out, raw)
    assert longest < 1.2 * blosc.PIECE


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: d[:-1],
        lambda d: d + b"more",
        lambda d: b"\x07" + d[1:],
        lambda d: d[:4] + struct.pack("<I", 4) + d[8:],
        lambda d: d[:16] + d[20:24] + d[16:20] + d[24:],
        lambda d: d[:16] + struct.pack("<i", -5) + d[20:],
        lambda d: d[:10],
        lambda d: b"",
    ],
    ids=["short", "long", "format", "size", "order", "table", "header", "empty"],
)
def test_what_is_not_in_order_is_left_to_the_library(tmp_path, chunk, harm):
    raw, data = chunk
    assert decoded(tmp_path / "chunk", harm(data), raw.size)[0] is False


def test_small_chunks_are_left_to_the_library(tmp_path):
    raw = values(blosc.LARGE - 4)
    assert decoded(tmp_path / "chunk", bytes(numcodecs.Blosc("lz4").encode(raw.view("<f4"))), raw.size)[0] is False


def test_a_block_of_nonsense_is_an_error(tmp_path, chunk):
    raw, data = chunk
    first = struct.unpack("<i", data[16:20])[0]
    broken = data[:first] + b"\xff" * 4096 + data[first + 4096 :]
    with pytest.raises(RuntimeError, match="blosc"):
        decoded(tmp_path / "chunk", broken, raw.size)


def test_a_store_is_read_in_pieces_and_gives_the_same_values(tmp_path, monkeypatch):
    from synthetic import published, row

    from spread.opening import open_row

    rows, columns, months = 96, 192, 240
    field = (280.0 + np.random.default_rng(1).standard_normal((months, rows, columns))).astype(np.float32)
    ds = published(field, rows=rows, columns=columns, months=months, chunks=(240, rows, columns))
    encoding = {"tas": {"compressors": (numcodecs.Blosc("lz4"),), "chunks": (240, rows, columns)}}
    ds.to_zarr(tmp_path / "store", zarr_format=2, consolidated=True, encoding=encoding)
    pieces = []
    decode = blosc.decode_file
    monkeypatch.setattr("spread.transport.decode_file", lambda *a: pieces.append(decode(*a)) or pieces[-1])
    read = open_row(row(zstore=str(tmp_path / "store")))["tas"].values
    assert pieces == [True]
    np.testing.assert_array_equal(read, field)
    assert zarr.open_array(tmp_path / "store" / "tas", mode="r").chunks == (240, rows, columns)
