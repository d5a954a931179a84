"""Cores are shared out: never more turns with one than there are, no buffer twice, nobody waits for ever."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from spread import cores


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(cores, "_cores", cores._Cores(2))
    monkeypatch.setattr(cores, "_travel", cores._Travel(100))


def test_no_more_than_the_cores_compute_at_a_time_and_none_shares_a_buffer(two):
    inside, most, places, lock = set(), [], [], threading.Lock()

    def work(number):
        with cores.turn():
            time.sleep(0.002)  # waiting for a server takes no core
            buffer = cores.scratch("decoded", 1000)
            address = buffer.__array_interface__["data"][0]
            with lock:
                assert address not in inside
                inside.add(address)
                most.append(len(inside))
                places.append(address)
            buffer[:] = number % 251
            time.sleep(0.001)
            assert (buffer == number % 251).all()
            with lock:
                inside.remove(address)
        return number

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(60))) == list(range(60))
    assert max(most) == 2
    assert len(set(places)) == 2  # used again and again


def test_a_core_comes_back_after_an_error(two):
    def fails():
        with cores.turn():
            cores.enter()
            raise RuntimeError

    for _ in range(5):
        with pytest.raises(RuntimeError):
            fails()
    with cores.turn():
        assert cores.scratch("encoded", 8).size == 8


def test_turns_within_turns_are_one(two):
    with cores.turn():
        first = cores.scratch("decoded", 16)
        first[:] = 7
        with cores.turn():
            second = cores.scratch("decoded", 16)
            second[:] = 9
        assert (first == 7).all()
        assert not np.shares_memory(first, second)


def test_without_a_turn_memory_is_the_callers(two):
    cores.enter()  # no turn, no core
    assert not np.shares_memory(cores.scratch("decoded", 8), cores.scratch("decoded", 8))


def test_bytes_under_way_stay_below_the_limit_but_for_one_that_is_larger(two):
    now, most, lock = [0], [0], threading.Lock()

    def travel(size):
        with cores.under_way(size):
            with lock:
                now[0] += size
                most[0] = max(most[0], now[0] if now[0] != 500 else 0)
            time.sleep(0.002)
            with lock:
                now[0] -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(travel, [40, 30, 500, 20, 60, 10, 90] * 4))
    assert 0 < most[0] <= 100


def test_whoever_holds_a_core_does_not_wait_for_those_who_wait_for_it(two):
    def work(_):
        with cores.turn():
            for _ in range(3):  # several chunks in one turn
                with cores.under_way(80):
                    cores.enter()
                    cores.scratch("decoded", 80)

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(work, n) for n in range(24)]
        for future in done:
            future.result(timeout=20)


def test_memory_is_that_of_the_machine():
    assert cores.memory_available() > 1 << 20
    assert cores.memory_for(10**9) >= 2 * 10**9


@pytest.fixture
def eight(monkeypatch, tmp_path):
    """A machine of eight cores, and the folder of its control group."""
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(cores, "_GROUP", tmp_path)
    cores._quota.cache_clear()
    yield tmp_path
    cores._quota.cache_clear()


@pytest.mark.parametrize(("text", "expected"), [
    ("max 100000\n", 8), ("200000 100000\n", 2), ("150000 100000", 2), ("50000 100000\n", 1), ("6400000 100000", 8),
    ("nonsense", 8), ("", 8), ("1000 0", 8),
])  # fmt: skip
def test_a_quota_of_a_container_counts(eight, text, expected):
    (eight / "cpu.max").write_text(text)
    assert cores.available() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3)])
def test_a_quota_of_the_first_version_counts(eight, quota, expected):
    (eight / "cpu").mkdir()
    (eight / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (eight / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.available() == expected


def test_the_memory_of_a_container_counts(eight):
    (eight / "memory.max").write_text("1000000\n")
    (eight / "memory.current").write_text("400000\n")
    assert cores.memory_available() == 600_000
    (eight / "memory.max").write_text("max\n")
    assert cores.memory_available() > 1 << 20


def test_copies_of_files_are_given_back(eight):
    (eight / "memory.max").write_text("4000000000\n")
    (eight / "memory.current").write_text("3900000000\n")
    assert cores.memory_available() == 100_000_000
    (eight / "memory.stat").write_text(
        "anon 800000000\nfile 3100000000\ninactive_file 3000000000\nslab_reclaimable 50000000\n"
    )
    assert cores.memory_available() == min(3_150_000_000, psutil.virtual_memory().available)
