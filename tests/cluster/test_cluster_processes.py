"""Clusters of real processes: killed workers, lost schedulers, and the same bits as without."""

import json
import os
import shutil
import signal
import sys
import time
from concurrent.futures import as_completed

import cloudpickle
import pytest
import xarray as xr
from cluster_runs import Once, Slowed, assert_the_same_bits

from spread import flow
from spread.__main__ import main
from spread.cluster import accelerated, connected
from spread.errors import NotFound

# workers cannot import this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# dask-gateway 2026.3 closes what is closed when it is let go
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*Gateway:pytest.PytestUnraisableExceptionWarning")


@pytest.mark.slow
def test_a_run_on_local_processes(study, without_a_cluster, processes):
    with connected("local", 2) as executor:
        report = flow.run(study, executor)
        assert len(executor.workers()) == 2
    assert_the_same_bits(report, without_a_cluster)


@pytest.mark.slow
@pytest.mark.parametrize("nanny", [True, False])
def test_a_worker_killed_while_it_reads_changes_nothing(nanny, scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    workers = [worker(nanny), worker(nanny)]
    with connected(str(file), timeout=60) as executor:
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        slowed = Slowed(executor, tmp_path / "seen", 0.4)
        # the process that works: behind a nanny that starts it again, or the worker itself, which is gone for good
        kill = Once(lambda: os.kill(slowed.busy() if nanny else slowed.busy(workers[0].pid), signal.SIGKILL))
        report = flow.run(study, slowed, kill)
        print(f"\nkilled with nanny={nanny}: done {kill.since:.1f} s later, {slowed.repeated()} repeated")
    assert_the_same_bits(report, without_a_cluster)
    assert slowed.repeated(), "nothing was under way on the worker that was killed"


@pytest.mark.slow
def test_a_worker_that_joins_is_used(scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    first = worker(False)
    with connected(str(file), timeout=60) as executor:
        slowed = Slowed(executor, tmp_path / "seen", 0.7)
        joining = []
        join = Once(lambda: joining.append(worker(False).pid))
        report = flow.run(study, slowed, join)
        print(f"\njoined: done {join.since:.1f} s later")
    assert slowed.seen() == {first.pid, *joining}
    assert_the_same_bits(report, without_a_cluster)


@pytest.mark.slow
def test_a_store_that_kills_its_workers_is_named_and_alone(scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    # two calls at a time in each process, so that every death takes an innocent one along
    for _ in range(2):
        worker(True, "--nthreads", "2")
    with connected(str(file), timeout=60) as executor:
        slowed = Slowed(executor, tmp_path / "seen", 0.3, victim="MIROC6.ssp585")
        begun = time.monotonic()
        report = flow.run(study, slowed)
        print(f"\nkiller: {time.monotonic() - begun:.1f} s, {executor._trials} trials, {len(slowed.seen())} processes")
    failures = {failure.dataset: failure for failure in report.failures}
    killed = failures["MIROC6.ssp585.r1i1p1f1.tas"]
    assert "KilledWorker" in killed.reason
    assert killed.facets["zstore"] in killed.reason
    assert killed.transient
    assert [failure.dataset for failure in report.failures if failure.stage == "reduce"] == [killed.dataset]
    others = [name for name in without_a_cluster.members["source_id"].values if name != "MIROC6"]
    xr.testing.assert_equal(report.members.sel(source_id=others), without_a_cluster.members.sel(source_id=others))


@pytest.mark.slow
def test_innocent_calls_survive_the_deaths_of_others(scheduler, tmp_path):
    file, worker = scheduler
    worker(True, "--nthreads", "4")
    with connected(str(file), timeout=60) as executor:
        futures = {executor.submit(deadly, number): number for number in range(12)}
        results = {}
        for future in as_completed(futures):
            results[futures[future]] = type(future.exception()).__name__
    assert results == {number: "KilledWorker" if number in (3, 7) else "NoneType" for number in range(12)}


def deadly(number):
    time.sleep(0.2)
    if number in (3, 7):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_run(scheduler, tmp_path):
    file, worker = scheduler
    worker(False)
    with connected(str(file), timeout=60) as executor:
        futures = [executor.submit(time.sleep, 60) for _ in range(4)]
        time.sleep(0.5)
        begun = time.monotonic()
        worker.scheduler.kill()
        for future in futures:
            with pytest.raises(NotFound, match="was lost while it worked"):
                future.result(timeout=60)
        print(f"\nscheduler lost: said after {time.monotonic() - begun:.1f} s")


@pytest.mark.slow
def test_a_call_that_takes_its_last_worker_along_is_not_waited_for_for_ever(scheduler):
    file, worker = scheduler
    worker(False)
    with connected(str(file), timeout=60) as executor:
        executor.patience = 2.0
        with pytest.raises(NotFound, match="no worker for 2 s"):
            executor.submit(deadly, 3).result(timeout=60)


@pytest.mark.slow
def test_gpu_work_goes_to_the_process_that_has_one(scheduler):
    file, worker = scheduler
    worker(False)
    gpu = worker(False, "--resources", "GPU=1")
    with connected(str(file), timeout=60) as executor:
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        found = accelerated(executor, require_gpu=True)
        assert {future.result() for future in [found.executor.submit(process_id, n) for n in range(10)]} == {gpu.pid}


def process_id(number):
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.slow
def test_the_command_line_on_a_cluster(scheduler, small_archive, tmp_path, capsys):
    file, worker = scheduler
    worker(False)
    (tmp_path / "study.toml").write_text(f'catalog = "{small_archive}"\nexperiments = ["ssp585"]\n')
    command = ["run", str(tmp_path / "study.toml"), "--json"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    here = json.loads(capsys.readouterr().out)
    shutil.rmtree(os.environ["SPREAD_CACHE"])
    assert main([*command, "--out", str(tmp_path / "there"), "--scheduler", str(file)]) == 0
    there = json.loads(capsys.readouterr().out)
    assert there["spread"] == here["spread"]
    assert there["members"] == here["members"]
