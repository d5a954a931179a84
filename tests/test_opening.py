"""Stores open lazily and strictly; every fault is told with the store's name."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from synthetic import nothing_computes, published, row
from zarr.storage import LocalStore

from spread.errors import Unreadable
from spread.opening import open_fixed, open_row
from spread.storage import storage_options_for
from spread.transport import Patience, is_transient

pytestmark = pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata")

LAYOUTS = {
    "v2 consolidated": {"zarr_format": 2, "consolidated": True},
    "v2": {"zarr_format": 2, "consolidated": False},
    "v3": {"zarr_format": 3, "consolidated": False},
}


def write(ds: xr.Dataset, path: Path, zarr_format=2, consolidated=True) -> Path:
    ds.to_zarr(path, zarr_format=zarr_format, consolidated=consolidated, mode="w")
    return path


def chunk_file(store: Path, zarr_format: int, number: int) -> Path:
    return store / "tas" / (f"{number}.0.0" if zarr_format == 2 else f"c/{number}/0/0")


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def store(tmp_path):
    return write(published(), tmp_path / "store.zarr")


def test_a_store_opens_lazily_as_it_is(tmp_path, layout):
    path = write(published(), tmp_path / "store.zarr", **layout)
    with nothing_computes():
        ds = open_row(row(zstore=str(path)))
    assert isinstance(ds["tas"].data, da.Array)
    assert ds["tas"].chunks[0] == (12, 12)
    for name in ("time", "lat", "lon", "lat_bnds", "lon_bnds", "time_bnds"):
        assert not isinstance(ds[name].variable.data, da.Array), name
    assert ds["time"].attrs["units"] == "days since 2000-01-01"  # undecoded
    assert ds["time"].dtype == np.float64
    np.testing.assert_array_equal(ds["tas"], published()["tas"])
    for name in ("time", "lat_bnds", "time_bnds"):
        np.testing.assert_array_equal(ds[name], published()[name])


def test_a_missing_chunk_is_an_error_and_never_a_hole(tmp_path, layout):
    path = write(published(), tmp_path / "store.zarr", **layout)
    chunk_file(path, layout["zarr_format"], 1).unlink()
    ds = open_row(row(zstore=str(path)))
    np.testing.assert_array_equal(ds["tas"][:12], published()["tas"][:12])
    with pytest.raises(zarr.errors.ChunkNotFoundError):
        ds["tas"].compute()


def test_a_damaged_chunk_is_an_error(tmp_path, layout):
    path = write(published(), tmp_path / "store.zarr", **layout)
    damaged = chunk_file(path, layout["zarr_format"], 1)
    damaged.write_bytes(damaged.read_bytes()[:40])
    opened = open_row(row(zstore=str(path)))
    with pytest.raises((RuntimeError, ValueError, OSError)):
        opened["tas"].compute()


@pytest.mark.parametrize("name", ["time_bnds", "height"])
def test_a_coordinate_whose_chunk_is_left_out_is_its_fill_value(tmp_path, layout, name):
    ds = published().isel(time=slice(0, 1)).assign_coords(height=2.0)
    ds["height"].attrs["units"] = "m"
    value = np.zeros(ds[name].shape)
    ds[name] = ds[name].copy(data=value)
    ds[name].encoding = {"_FillValue": None} | ({"fill_value": 0.0} if layout["zarr_format"] == 3 else {})
    path = write(ds, tmp_path / "store.zarr", **layout)
    chunks = [file for file in (path / name).rglob("*") if file.is_file() and not file.name.startswith((".z", "zarr"))]
    for file in chunks:
        file.unlink()
    with pytest.raises(zarr.errors.ChunkNotFoundError), zarr.config.set({"array.read_missing_chunks": False}):
        xr.open_dataset(path, engine="zarr", decode_times=False).load()
    opened, plain = open_row(row(zstore=str(path))), xr.open_dataset(path, engine="zarr", decode_times=False)
    np.testing.assert_array_equal(opened[name], value)
    assert opened[name].attrs == plain[name].attrs
    assert (name in opened.coords) == (name == "height")


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(
        Unreadable, match=r"^MODEL\.historical\.r1i1p1f1\.tas: store .*/absent cannot be opened: .*no such"
    ):
        open_row(row(zstore=str(tmp_path / "absent")))
    with pytest.raises(Unreadable, match="absent"):
        open_row(row(zstore=(tmp_path / "absent").as_uri()))


def test_a_folder_that_is_no_store_is_named(tmp_path):
    with pytest.raises(Unreadable, match=str(tmp_path)):
        open_row(row(zstore=str(tmp_path)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_store_is_named(store):
    store.chmod(0o000)
    try:
        with pytest.raises(Unreadable, match=r"store\.zarr"):
            open_row(row(zstore=str(store)))
    finally:
        store.chmod(0o755)


def test_a_store_behind_a_refusing_file_system_is_named_without_trying_again(store, monkeypatch):
    calls = []

    def refuse(*args, **kwargs):
        calls.append(1)
        raise PermissionError("403 Forbidden")

    monkeypatch.setattr(xr, "open_dataset", refuse)
    with pytest.raises(Unreadable, match=r"store\.zarr cannot be opened: PermissionError: 403 Forbidden"):
        open_row(row(zstore=str(store)))
    assert len(calls) == 1


def test_a_passing_fault_is_tried_again(store, monkeypatch):
    calls, sound = [], LocalStore.get

    async def flaky(self, key, *args, **kwargs):
        calls.append(key)
        if calls.count(key) < 3:
            raise ConnectionResetError("reset by peer")
        return await sound(self, key, *args, **kwargs)

    monkeypatch.setattr("spread.transport.DEFAULT", Patience(pause=0.0))
    monkeypatch.setattr(LocalStore, "get", flaky)
    assert open_row(row(zstore=str(store)))["tas"].shape == (24, 6, 8)
    assert max(map(calls.count, calls)) == 3


@pytest.mark.parametrize("garbage", [b"", b"{", b"\x00\xff" * 20, b'{"metadata": 3}'])
def test_garbled_metadata_are_told(store, garbage):
    (store / ".zmetadata").write_bytes(garbage)
    with pytest.raises(Unreadable, match=r"store\.zarr cannot be opened"):
        open_row(row(zstore=str(store)))


def test_the_version_is_the_rows_or_a_fingerprint(store):
    assert open_row(row(zstore=str(store), version="20190909")).attrs["version"] == "20190909"
    unversioned = row(zstore=str(store), version="")
    first, second = open_row(unversioned), open_row(unversioned)
    assert first.attrs["version"] == second.attrs["version"] == "m" + first.attrs["fingerprint"][:12]


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.assign_attrs(tracking_id="hdl:21.14100/other"),
        lambda ds: ds.isel(time=slice(0, 12)),
        lambda ds: ds.chunk({"time": 6}),
        lambda ds: ds.assign(tas=ds["tas"].astype("f8").assign_attrs(ds["tas"].attrs)),
        lambda ds: ds.assign(tas=ds["tas"].assign_attrs(units="degC")),
        lambda ds: ds.drop_vars("lon_bnds"),
    ],
)
def test_other_metadata_have_another_fingerprint(tmp_path, store, change):
    other = write(change(published()), tmp_path / "other.zarr")
    assert (
        open_row(row(zstore=str(store))).attrs["fingerprint"] != open_row(row(zstore=str(other))).attrs["fingerprint"]
    )


def test_a_copy_elsewhere_has_the_same_fingerprint(tmp_path, store):
    copy = write(published(), tmp_path / "elsewhere" / "copy.zarr")
    assert open_row(row(zstore=str(store))).attrs["fingerprint"] == open_row(row(zstore=str(copy))).attrs["fingerprint"]


def test_a_file_url_is_a_path(tmp_path):
    path = write(published(), tmp_path / "with space.zarr")
    assert open_row(row(zstore=path.as_uri()))["tas"].shape == (24, 6, 8)


def test_fixed_fields_are_read_at_once(tmp_path):
    ds = published()[["lat_bnds"]].assign(areacella=(("lat", "lon"), np.ones((6, 8)), {"units": "m2"}))
    path = write(ds, tmp_path / "fx.zarr")
    field = open_fixed(row(variable_id="areacella", zstore=str(path)))
    assert not isinstance(field.data, da.Array)
    np.testing.assert_array_equal(field, np.ones((6, 8)))
    with pytest.raises(Unreadable, match="holds no sftlf"):
        open_fixed(row(variable_id="sftlf", zstore=str(path)))
    (path / "areacella" / "0.0").unlink()
    with pytest.raises(Unreadable, match=r"fx\.zarr cannot be read: ChunkNotFoundError"):
        open_fixed(row(variable_id="areacella", zstore=str(path)))


@pytest.mark.parametrize("before", [True, False])
def test_many_threads_open_strictly_and_put_the_setting_back(tmp_path, before):
    paths = [write(published(months=12), tmp_path / f"{k}.zarr") for k in range(8)]
    for path in paths[::2]:
        chunk_file(path, 2, 0).unlink()
    # a store that cannot be opened leaves the window too
    rows = [row(zstore=str(p)) for p in (*paths, tmp_path / "absent") for _ in range(5)]

    def one(r):
        try:
            ds = open_row(r)
        except Unreadable:
            return "unreadable"
        try:
            ds["tas"].compute(scheduler="synchronous")
        except zarr.errors.ChunkNotFoundError:
            return "missing chunk"
        return "sound"

    with zarr.config.set({"array.read_missing_chunks": before}):
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(one, rows))
        assert zarr.config.get("array.read_missing_chunks") is before
    expected = [r for k in range(8) for r in ["missing chunk" if k % 2 == 0 else "sound"] * 5] + ["unreadable"] * 5
    assert found == expected


def test_public_buckets_are_read_without_credentials():
    assert storage_options_for("gs://cmip6/store") == {"token": "anon"}
    assert storage_options_for("s3://cmip6-pds/store") == {"anon": True}
    assert storage_options_for("/archive/store") == {}
    own = {"gs": {"token": "google_default"}, "s3": {}}
    assert storage_options_for("gs://cmip6/store", own) == {"token": "google_default"}
    assert storage_options_for("s3://cmip6-pds/store", own) == {}


@pytest.mark.parametrize(
    ("error", "passing"),
    [(ConnectionResetError(), True), (TimeoutError(), True), (OSError("503"), True), (FileNotFoundError(), False),
     (PermissionError(), False), (json.JSONDecodeError("", "", 0), False), (KeyError(), False)],
)  # fmt: skip
def test_faults_of_the_transport_may_pass(error, passing):
    assert is_transient(error) is passing


def test_a_dimension_of_one_cell_at_zero_has_no_chunk_and_opens(tmp_path):
    """A global mean lies at latitude 0, which is its fill value: Zarr writes no chunk for it."""
    mean = published().isel(lat=slice(0, 1), lon=slice(0, 1)).assign_coords(lat=[0.0])
    mean = mean.drop_vars(["lat_bnds", "lon_bnds"])
    mean.to_zarr(tmp_path / "gm.zarr", zarr_format=2, encoding={"lat": {"_FillValue": None}})
    assert not (tmp_path / "gm.zarr" / "lat" / "0").exists()
    opened = open_row(row(zstore=str(tmp_path / "gm.zarr")))
    assert opened["lat"].values.tolist() == [0.0]
    (tmp_path / "gm.zarr" / "tas" / "0.0.0").unlink()
    with pytest.raises(zarr.errors.ChunkNotFoundError):
        open_row(row(zstore=str(tmp_path / "gm.zarr")))["tas"].compute()
