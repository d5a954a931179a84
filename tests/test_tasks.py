"""Work of many at once: each by itself, whatever becomes of the others and of who does it."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
import xarray as xr

from spread import flow
from spread.study import Study
from spread.tasks import outcomes


def square(number: int) -> int:
    if number == 3:
        raise RuntimeError("three")
    return number * number


def died(number: int, error: Exception) -> str:
    return f"{number}: {error}"


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_what_fails_takes_nobody_along(executor):
    pool = None if executor is None else executor(3)
    assert dict(outcomes(square, range(6), pool, died)) == {0: 0, 1: 1, 2: 4, 3: "3: three", 4: 16, 5: 25}
    assert list(outcomes(square, [], pool, died)) == []
    if pool is not None:
        assert pool.submit(square, 2).result() == 4  # somebody else's pool stays open
        pool.shutdown()


def test_whoever_stops_asking_leaves_no_thread_behind():
    asked = outcomes(square, range(1000), None, died)
    next(asked)
    asked.close()


class Dying(ThreadPoolExecutor):
    """One of its workers is killed over a store; after that it takes no more work, as a pool of processes does."""

    victim, broken = "nobody", False

    def submit(self, work, row, *more):
        if self.broken:
            raise BrokenProcessPool("the pool is not usable anymore")
        if row.name.startswith(self.victim):
            self.broken = True
            killed = Future()
            killed.set_exception(BrokenProcessPool("a process was terminated abruptly"))
            return killed
        return super().submit(work, row, *more)


@pytest.fixture
def study(small_archive):
    models = ["CanESM5", "MIROC6", "UKESM1-0-LL"]
    return Study.make(catalog=str(small_archive), experiments=["ssp585"], models=models, regions=["global"])


def test_a_worker_that_dies_over_a_store_is_that_stores_failure(study):
    sound = flow.run(study)
    with Dying(2) as pool:
        pool.victim = "MIROC6.ssp585."
        report = flow.run(study, executor=pool)
    first = {"source_id": "CanESM5", "member_id": "r1i1p1f1"}
    xr.testing.assert_equal(report.members["tas"].sel(first), sound.members["tas"].sel(first))
    reasons = {f.dataset: f for f in report.failures}
    killed = reasons["MIROC6.ssp585.r1i1p1f1.tas"]
    assert killed.reason.startswith("the worker that read store ")
    assert "terminated abruptly" in killed.reason
    assert killed.unreadable
    assert killed.transient
    after = next(f for name, f in reasons.items() if name.startswith("UKESM1-0-LL."))
    assert "not usable" in after.reason


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits(study):
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        there = flow.run(study, executor=client.get_executor(pure=False))
    here = flow.run(study)
    np.testing.assert_array_equal(there.members["tas"].values, here.members["tas"].values)
    xr.testing.assert_identical(there.across, here.across)
