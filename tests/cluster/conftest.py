"""Processes and schedulers of a test, of which none is left in the end, and a study with its numbers."""

import os
import signal
import subprocess
import time

import pytest
from cluster_runs import DASK, marked

from spread import flow
from spread.study import Study


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Starts processes; kills them in the end with all they have started, and sees to it that nobody is left."""
    marker = str(tmp_path / "marker")
    monkeypatch.setenv("PYTHONPATH", marker)
    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    monkeypatch.chdir(tmp_path)
    started = []

    def start(*command, log="processes.log", **options):
        with open(tmp_path / log, "ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **options)
        started.append(process)
        return process

    yield start
    deadline = time.monotonic() + 15
    while marked(marker) and time.monotonic() < deadline:
        for process in started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in started:
            process.wait(10)
        time.sleep(0.2)
    left = marked(marker)
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def scheduler(processes, tmp_path):
    """The file of a scheduler of its own, and a way to add workers."""
    file = tmp_path / "scheduler.json"
    local = ("--scheduler-file", str(file))
    process = processes(DASK, "scheduler", *local, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")

    def worker(nanny=True, *more):
        options = ("--nthreads", "1", "--no-dashboard", "--nanny" if nanny else "--no-nanny")
        return processes(DASK, "worker", *local, "--host", "127.0.0.1", *options, *more)

    worker.scheduler = process
    return file, worker


@pytest.fixture(scope="module")
def study(small_archive):
    return Study.make(catalog=str(small_archive), experiments=["ssp126", "ssp585"], regions=["global", "land"])


@pytest.fixture(scope="module")
def without_a_cluster(study):
    return flow.run(study)
