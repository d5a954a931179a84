"""Chunks decoded directly are, bit for bit, those that Zarr and xarray decode; the others are left to them."""

import zlib

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spread import cores
from spread.chunks import NativeChunks, plain
from spread.transport import checked_store

COMPRESSORS = [
    None, numcodecs.Blosc("lz4", 5, 1), numcodecs.Blosc("zstd", 1, 2), numcodecs.Blosc("lz4", 0, 0), numcodecs.Zlib(1),
    numcodecs.Zstd(1), numcodecs.LZ4(),
]  # fmt: skip


def written(folder, values, chunks, compressor, fill=None, **attrs) -> NativeChunks:
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    array = group.create_array("tas", shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=fill,
                               compressors=compressor, config={"write_empty_chunks": True})  # fmt: skip
    array[...] = values
    array.attrs.update({"_ARRAY_DIMENSIONS": list("tyx")[: values.ndim], **attrs})
    store = checked_store(str(folder))
    opened = zarr.open_array(store, path="tas", mode="r")
    direct = plain(store, opened, {"_FillValue": fill} if fill is not None else {})
    assert direct is not None
    return direct


@settings(deadline=None, max_examples=60)
@given(st.data(), seeds)
def test_any_box_is_what_xarray_reads(tmp_path_factory, data, seed):
    folder = tmp_path_factory.mktemp("store")
    shape = data.draw(st.tuples(*[st.integers(1, 7)] * 3))
    chunks = data.draw(st.tuples(*[st.integers(1, n) for n in shape]))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(data.draw(st.sampled_from(["f4", "f8"])))
    values[rng.random(shape) < 0.2] = 1e20
    fill = data.draw(st.sampled_from([None, 1e20, np.nan]))
    direct = written(folder, values, chunks, data.draw(st.sampled_from(COMPRESSORS)), fill)
    expected = xr.open_dataset(folder, engine="zarr", consolidated=False)["tas"].values
    box = tuple(slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape)
    with cores.turn():
        found = direct[box]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected[box])
    np.testing.assert_array_equal(direct[:], expected)
    np.testing.assert_array_equal(direct[0, :, ::2], expected[0, :, ::2])


def test_a_turn_uses_its_buffers_again_and_nothing_else_does(tmp_path):
    values = np.arange(64.0, dtype="f4").reshape(4, 4, 4)
    direct = written(tmp_path / "s", values, (2, 4, 4), numcodecs.Blosc("lz4"))
    with cores.turn():
        first = direct.chunk((0, 0, 0))
        second = direct.chunk((1, 0, 0))  # within a turn everything stays as it is
        np.testing.assert_array_equal(np.concatenate([first, second]), values)
        place = first.__array_interface__["data"][0]
    with cores.turn():
        assert direct.chunk((1, 0, 0)).__array_interface__["data"][0] == place
    alone = [direct.chunk((k, 0, 0)) for k in (0, 1)]  # without a turn they are the caller's
    np.testing.assert_array_equal(np.concatenate(alone), values)


@pytest.mark.parametrize("damage", ["lost", "cut", "empty"])
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=lambda c: c.codec_id if c else "none")
def test_a_damaged_chunk_is_an_error(tmp_path, compressor, damage):
    values = np.random.default_rng(0).normal(size=(4, 16, 16)).astype("f4")
    direct = written(tmp_path / "s", values, (2, 16, 16), compressor)
    path = tmp_path / "s" / "tas" / "1.0.0"
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: -200 if damage == "cut" else 0])
    np.testing.assert_array_equal(direct[:2], values[:2])
    with pytest.raises(
        zarr.errors.ChunkNotFoundError if damage == "lost" else (RuntimeError, ValueError, OSError, zlib.error)
    ):
        direct[:]


@pytest.mark.parametrize(
    ("options", "packing"),
    [
        ({"filters": [numcodecs.Delta(dtype="f4")]}, {}),
        ({"order": "F"}, {}),
        ({"dtype": "i2"}, {"scale_factor": 0.1}),
        ({"dtype": ">f4"}, {}),
        ({}, {"scale_factor": 0.1}),
        ({}, {"_FillValue": [1e20, 1e36]}),
        ({"zarr_format": 3}, {}),
    ],
)
def test_what_is_not_plain_is_left_to_zarr(tmp_path, options, packing):
    made = {"dtype": "f4", "zarr_format": 2} | options
    zarr.create_array(tmp_path / "s", name="tas", shape=(4, 4), chunks=(2, 4), **made)
    store = checked_store(str(tmp_path / "s"))
    assert plain(store, zarr.open_array(store, path="tas", mode="r"), packing) is None
