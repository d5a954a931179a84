"""The cache of reductions: whole files or none, whatever happens to whoever writes them."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spread import flow
from spread.cache import FolderCache, key_of, open_cache
from spread.study import Study

KEYS = [key_of({"n": n}) for n in range(5)]


def array_of(key):
    """What belongs to a key: content-addressed, so always the same."""
    return np.random.default_rng(int(key[:8], 16)).normal(size=(7, 2, 3))


def test_an_array_comes_back_bit_for_bit(tmp_path):
    cache, array = FolderCache(tmp_path), array_of(KEYS[0])
    array[0, 0, 0], array[1, 0, 0] = np.nan, -0.0
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], array)
    assert cache.get(KEYS[0]).tobytes() == array.tobytes()
    assert cache.get(KEYS[0]).shape == array.shape


def test_keys_say_everything_and_nothing_else():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
    assert len(key_of({})) == 64


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "garbage"])
def test_a_damaged_file_is_no_array_and_goes(tmp_path, damage):
    cache = FolderCache(tmp_path)
    cache.put(KEYS[0], array_of(KEYS[0]))
    path = cache.path(KEYS[0])
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    path.write_bytes({"cut": bytes(data[:-1]), "flip": bytes(data), "empty": b"", "garbage": b"x" * 99}[damage])
    assert cache.get(KEYS[0]) is None
    assert not path.exists()


def test_a_file_under_the_name_of_another_is_no_array(tmp_path):
    cache = FolderCache(tmp_path)
    for key in KEYS[:2]:
        cache.put(key, array_of(key))
    cache.path(KEYS[0]).write_bytes(cache.path(KEYS[1]).read_bytes())
    assert cache.get(KEYS[0]) is None
    assert cache.get(KEYS[1]).tobytes() == array_of(KEYS[1]).tobytes()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spread.cache.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        FolderCache(tmp_path).put(KEYS[0], array_of(KEYS[0]))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_who_shares_a_cache_reads_what_others_wrote(tmp_path, monkeypatch):
    before = os.umask(0o022)
    try:
        cache = FolderCache(tmp_path)
        cache.put(KEYS[0], array_of(KEYS[0]))
    finally:
        os.umask(before)
    assert cache.path(KEYS[0]).stat().st_mode & 0o777 == 0o644
    orphan = cache.path(KEYS[0]).parent / ".writing-of-another-user"
    orphan.touch()
    os.utime(orphan, (0, 0))
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "not yours")))
    assert cache.sweep() == 0


def test_a_cache_below_the_home_folder_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPREAD_CACHE", "~/arrays")
    assert open_cache().folder == tmp_path / "arrays"


def test_only_old_orphans_are_swept(tmp_path):
    cache = FolderCache(tmp_path)
    cache.put(KEYS[0], array_of(KEYS[0]))
    old, new = (cache.path(KEYS[0]).parent / f".writing-{name}" for name in ("old", "new"))
    for orphan in (old, new):
        orphan.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert cache.sweep() == 1
    assert new.exists()
    assert cache.get(KEYS[0]) is not None


class Life(RuleBasedStateMachine):
    """Add, kill a writer, damage, resume, write from two sides: a reader sees the right array or none."""

    @initialize()
    def begin(self):
        import tempfile

        self.folder = tempfile.mkdtemp()
        self.cache, self.other = FolderCache(self.folder), FolderCache(self.folder)
        self.kept = set()

    @rule(key=st.sampled_from(KEYS), side=st.booleans())
    def add(self, key, side):
        (self.cache if side else self.other).put(key, array_of(key))
        self.kept.add(key)

    @rule(key=st.sampled_from(KEYS), share=st.floats(0.0, 1.0))
    def killed_while_writing(self, key, share):
        """What a SIGKILL leaves: part of a file that never got its name."""
        from spread.cache import _encode

        data = _encode(key, array_of(key))
        folder = self.cache.path(key).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f".writing-{time.monotonic_ns()}").write_bytes(data[: int(share * len(data))])

    @rule(key=st.sampled_from(KEYS), at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def damage(self, key, at, bit):
        path = self.cache.path(key)
        if key in self.kept:
            data = bytearray(path.read_bytes())
            data[at % len(data)] ^= 1 << bit
            path.write_bytes(bytes(data))
            assert self.cache.get(key) is None
            self.kept.discard(key)

    @rule(key=st.sampled_from(KEYS))
    def invalidate(self, key):
        self.cache.path(key).unlink(missing_ok=True)
        self.kept.discard(key)

    @rule()
    def resume(self):
        self.cache = FolderCache(self.folder)
        self.cache.sweep()

    @invariant()
    def right_or_none(self):
        for key in KEYS if hasattr(self, "kept") else []:
            found = self.other.get(key)
            assert (found is not None) == (key in self.kept)
            assert found is None or found.tobytes() == array_of(key).tobytes()


Life.TestCase.settings = settings(deadline=None, max_examples=25, stateful_step_count=20)
TestLife = Life.TestCase


def _write_for_ever(folder):
    cache = FolderCache(folder)
    while True:
        for key in KEYS:
            cache.put(key, array_of(key))
            cache.path(key).unlink()


def test_a_reader_beside_killed_writers_never_sees_half_a_file(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_for_ever, args=(tmp_path,), daemon=True) for _ in range(2)]
    for writer in writers:
        writer.start()
    cache, seen, deadline = FolderCache(tmp_path), 0, time.monotonic() + 20
    while seen < 200 and time.monotonic() < deadline:
        for key in KEYS:
            try:
                data = cache.path(key).read_bytes()
            except FileNotFoundError:
                continue
            from spread.cache import _decode

            found = _decode(key, data)
            assert found is not None
            assert found.tobytes() == array_of(key).tobytes()
            seen += 1
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    assert seen >= 200


# ---- through the flow


@pytest.fixture
def study(small_archive):
    return Study.make(catalog=str(small_archive), experiments=["ssp585"], models=["CanESM5", "MIROC6"])


@pytest.fixture
def requests(monkeypatch):
    """Keys of the chunks of tas that are requested from any store."""
    from spread.transport import CheckedStore

    asked, attempt, read_local = [], CheckedStore._attempt, CheckedStore.read_local

    def note(store, key):
        if key.startswith("tas/") and key.rsplit("/", 1)[-1][0].isdigit():
            asked.append((str(store._store), key))

    async def watched(self, key, *rest):
        note(self, key)
        return await attempt(self, key, *rest)

    def watched_locally(self, key, buffer):
        note(self, key)
        return read_local(self, key, buffer)

    monkeypatch.setattr(CheckedStore, "_attempt", watched)
    monkeypatch.setattr(CheckedStore, "read_local", watched_locally)
    return asked


def test_a_second_run_reads_no_chunk_and_gives_the_same_bits(study, requests, tmp_path):
    cache = FolderCache(tmp_path / "c")
    first = flow.run(study, cache=cache)
    read = len(requests)
    assert read > 0
    second = flow.run(study, cache=cache)
    assert len(requests) == read
    assert first.members["tas"].values.tobytes() == second.members["tas"].values.tobytes()
    assert flow.run(study).members["tas"].values.tobytes() == first.members["tas"].values.tobytes()


def test_a_new_model_costs_only_itself(study, small_archive, requests, tmp_path):
    cache = FolderCache(tmp_path / "c")
    flow.run(study, cache=cache)
    requests.clear()
    flow.run(Study.make(**study.model_dump() | {"models": ["CanESM5", "MIROC6", "CNRM-CM6-1"]}), cache=cache)
    assert requests
    assert all("CNRM-CM6-1" in store for store, _ in requests)


def test_other_regions_are_read_anew(study, requests, tmp_path):
    cache = FolderCache(tmp_path / "c")
    flow.run(study, cache=cache)
    requests.clear()
    flow.run(Study.make(**study.model_dump() | {"regions": ["tropics"]}), cache=cache)
    assert requests


def test_a_chunk_that_changed_on_disk_is_read_anew(small_archive, requests, tmp_path):
    import json
    import shutil
    from pathlib import Path

    import pandas as pd

    table = pd.read_csv(small_archive.with_suffix(".csv"))
    table = table[(table["source_id"] == "MIROC6") & (table["variable_id"] == "tas")]
    stores = []
    for number, store in enumerate(table["zstore"]):
        stores.append(str(tmp_path / f"s{number}") + "/")
        shutil.copytree(store.removeprefix("file://"), stores[-1])
    table.assign(zstore=stores).to_csv(tmp_path / "c.csv", index=False)
    description = json.loads(small_archive.read_text()) | {"catalog_file": "c.csv"}
    (tmp_path / "c.json").write_text(json.dumps(description))
    study = Study.make(catalog=str(tmp_path / "c.json"), experiments=["ssp585"])
    cache = FolderCache(tmp_path / "cache")
    flow.run(study, cache=cache)
    requests.clear()
    touched = next(iter(Path(stores[0]).glob("tas/0.0.0")))
    os.utime(touched, (1, 1))
    flow.run(study, cache=cache)
    assert {store for store, _ in requests} == {s for s, _ in requests if "s0" in s}
    assert requests


def test_a_cache_that_cannot_be_written_costs_no_answer(study, tmp_path):
    (tmp_path / "c").write_text("a file where the folder should be")
    report = flow.run(study, cache=FolderCache(tmp_path / "c"))
    assert report.summary()[0]["models"] == 2
