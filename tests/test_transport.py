"""What arrives is checked: cut-off, damaged, late, refused and listed-but-missing objects; and honest ones pass."""

import asyncio
import base64
import hashlib
import pickle

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore

from spread.transport import CheckedStore, DamagedObject, Listed, Patience, check_blosc, checked_store, is_chunk_key

AT_ONCE = Patience(deadline=0.2, attempts=3, pause=0.0)
PROTOTYPE = default_buffer_prototype()


def buffer(data):
    return PROTOTYPE.buffer.from_bytes(data)


def memory(**objects):
    return MemoryStore({key.replace("__", "/"): buffer(value) for key, value in objects.items()})


def get(store, key):
    return asyncio.run(store.get(key, PROTOTYPE))


class Scripted(MemoryStore):
    """Answers each request with the next of a list: bytes, an error, or a wait in seconds."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    async def get(self, key, prototype, byte_range=None):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = b"late"
        return None if answer is None else buffer(answer)


def test_a_reset_connection_is_tried_again():
    store = CheckedStore(Scripted(ConnectionResetError(), OSError("503"), b"data"), patience=AT_ONCE)
    assert get(store, "x").to_bytes() == b"data"
    assert (store.traffic.requests, store.traffic.retries) == (3, 2)


def test_tries_come_to_an_end():
    store = CheckedStore(Scripted(*[ConnectionResetError("again")] * 9), patience=AT_ONCE)
    with pytest.raises(ConnectionResetError, match="again"):
        get(store, "x")
    assert store.traffic.requests == 3


@pytest.mark.parametrize("error", [PermissionError("no"), OSError("Forbidden: gs://x"), KeyError("x")])
def test_what_trying_again_cannot_mend_is_not_tried_again(error):
    store = CheckedStore(Scripted(error, b"data"), patience=AT_ONCE)
    with pytest.raises(type(error)):
        get(store, "x")
    assert store.traffic.requests == 1


def test_a_stall_ends_at_the_deadline_and_is_tried_again():
    assert get(CheckedStore(Scripted(5.0, b"data"), patience=AT_ONCE), "x").to_bytes() == b"data"
    with pytest.raises(TimeoutError, match=r"tas/0\.0\.0: nothing came within 0\.2 s"):
        get(CheckedStore(Scripted(5.0, 5.0, 5.0), patience=AT_ONCE), "tas/0.0.0")


def test_an_object_that_is_not_there_is_none_unless_the_bucket_lists_it():
    assert get(CheckedStore(memory()), "tas/0.0.0") is None
    listing = {"tas/0.0.0": Listed(4)}
    assert get(CheckedStore(Scripted(None, b"data"), listing, AT_ONCE), "tas/0.0.0").to_bytes() == b"data"
    with pytest.raises(DamagedObject, match="lists it and does not give it"):
        get(CheckedStore(memory(), listing, AT_ONCE), "tas/0.0.0")


@pytest.mark.parametrize("came", [b"dat", b"data!", b""])
def test_another_size_than_listed(came):
    with pytest.raises(DamagedObject, match=f"{len(came)} bytes came of 4"):
        get(CheckedStore(memory(x=came), {"x": Listed(4)}, AT_ONCE), "x")


@settings(deadline=None, max_examples=40)
@given(data=st.binary(min_size=1, max_size=64), bit=st.integers(0), kind=st.sampled_from(["crc32c", "md5"]))
def test_one_flipped_bit_of_a_listed_object_is_found(data, bit, kind):
    digest = google_crc32c.Checksum(data).digest() if kind == "crc32c" else hashlib.md5(data).digest()
    listing = {"x": Listed(len(data), **{kind: base64.b64encode(digest).decode()})}
    assert get(CheckedStore(memory(x=data), listing, AT_ONCE), "x").to_bytes() == data
    flipped = bytearray(data)
    flipped[bit % len(data)] ^= 1 << (bit % 8)
    with pytest.raises(DamagedObject, match="not the one the bucket lists"):
        get(CheckedStore(memory(x=bytes(flipped)), listing, AT_ONCE), "x")


@settings(deadline=None, max_examples=40)
@given(
    size=st.integers(1, 4000), cut=st.integers(1, 400), cname=st.sampled_from(["lz4", "zstd"]), seed=st.integers(0, 99)
)
def test_every_cut_blosc_chunk_is_found_and_no_whole_one_is_accused(size, cut, cname, seed):
    chunk = Blosc(cname=cname).encode(np.random.default_rng(seed).normal(280, 9, size).astype("f4"))
    check_blosc("tas/0.0.0", buffer(chunk))
    short = chunk[: max(16, len(chunk) - cut)]
    if len(short) < len(chunk):
        with pytest.raises(DamagedObject, match="of a Blosc chunk of"):
            check_blosc("tas/0.0.0", buffer(short))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_what_is_not_blosc_is_seldom_taken_for_it(data):
    if data[:1] != b"\x02":
        check_blosc("tas/0.0.0", buffer(data))


@pytest.mark.parametrize(
    ("key", "chunk"),
    [("tas/0.0.0", True), ("tas/c/0/12/3", True), ("0", True), ("tas/.zarray", False), (".zmetadata", False),
     ("tas/zarr.json", False), ("zarr.json", False)],
)  # fmt: skip
def test_keys_of_chunks(key, chunk):
    assert is_chunk_key(key) is chunk


def test_a_cut_chunk_on_disk_is_an_error_and_not_garbage(tmp_path):
    array = zarr.create_array(
        tmp_path / "a", shape=(24, 8), chunks=(12, 8), dtype="f4", zarr_format=2, compressors=Blosc("lz4")
    )
    array[...] = np.random.default_rng(0).normal(280, 9, (24, 8))
    chunk = tmp_path / "a" / "1.0"
    chunk.write_bytes(chunk.read_bytes()[:-40])
    read = zarr.open_array(checked_store(str(tmp_path / "a"), patience=AT_ONCE), mode="r")
    assert np.isfinite(read[:12]).all()
    with pytest.raises(DamagedObject, match=r"1\.0: "):
        read[...]


def test_a_store_travels_to_other_processes_without_its_counts(tmp_path):
    store = CheckedStore(LocalStore(tmp_path), {"x": Listed(4)}, AT_ONCE)
    store.traffic.requests = 7
    there = pickle.loads(pickle.dumps(store))
    assert there.listing == store.listing
    assert there.patience == AT_ONCE
    assert there.traffic.requests == 0


def test_the_stamp_changes_with_what_the_listing_says(tmp_path):
    (tmp_path / "tas").mkdir()
    (tmp_path / "tas" / "0.0").write_bytes(b"data")
    first = checked_store(str(tmp_path)).stamp("tas")
    assert first == checked_store(str(tmp_path)).stamp("tas")
    (tmp_path / "tas" / "0.0").write_bytes(b"more data")
    assert checked_store(str(tmp_path)).stamp("tas") != first
    listed = [CheckedStore(memory(), {"tas/0.0": Listed(4, crc32c=crc)}).stamp("tas") for crc in ("a=", "b=", "b=")]
    assert listed[0] != listed[1] == listed[2]
    assert CheckedStore(memory()).stamp("tas") == ""


def test_small_objects_are_fetched_once_ahead_and_chunks_are_not(tmp_path):
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    inner = LocalStore(tmp_path)
    bodies = {".zmetadata": b"{}", "tas/.zarray": b"{}", "lat/0": b"lat", "time/0": b"time", "tas/0.0.0": b"data"}
    for key, body in bodies.items():
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(body)
    listing = {key: Listed(len(body)) for key, body in bodies.items()} | {"lon/0": Listed(4)}  # one is lost
    store = CheckedStore(inner, listing, Patience(attempts=1))
    store.fetch_ahead(but="tas")
    assert sorted(store.traffic.keys) == [".zmetadata", "lat/0", "lon/0", "time/0"]
    prototype = default_buffer_prototype()
    assert sync(store.get("lat/0", prototype)).to_bytes() == b"lat"
    assert len(store.traffic.keys) == 4  # it was there already
    with pytest.raises(DamagedObject, match="lon/0"):
        sync(store.get("lon/0", prototype))
    assert sync(store.get("tas/0.0.0", prototype)).to_bytes() == b"data"
