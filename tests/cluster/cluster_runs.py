"""Runs that are slowed, watched and compared, and what processes of a test are known by."""

import os
import signal
import socket
import sys
import time
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import cloudpickle
import psutil
import xarray as xr
from distributed import LocalCluster

# workers cannot import this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])

DASK = str(Path(sys.executable).parent / "dask")


@contextmanager
def cluster_here(n_workers=1, **options):
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None} | options
    with LocalCluster(n_workers=n_workers, **options) as cluster:
        yield cluster


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def marked(marker):
    """Processes that were started with a marker in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            # the tracker of multiprocessing lives as long as the tests
            if marker in process.environ().get("PYTHONPATH", "") and "resource_tracker" not in str(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_the_same_bits(report, expected):
    xr.testing.assert_identical(report.members, expected.members)
    xr.testing.assert_identical(report.across, expected.across)
    assert report.failures == expected.failures, report.failures


class Slowed(Executor):
    """Another executor, on which each call takes longer and leaves the name of its process in a folder."""

    def __init__(self, executor, folder, seconds, victim=None):
        self.executor, self.folder, self.seconds, self.victim = executor, folder, seconds, victim
        self.submitted = 0
        folder.mkdir()

    def submit(self, fn, row):
        self.submitted += 1
        return self.executor.submit(slowly, self.folder, self.seconds, self.victim, fn, row)

    def busy(self, *among):
        """A process that is in the middle of a call just now."""
        while True:
            pids = {int(file.name.split("-")[0]) for file in self.folder.glob("*.begun")}
            for pid in pids & set(among) if among else pids:
                return pid
            time.sleep(0.02)

    def seen(self):
        return {int(file.name.split("-")[0]) for file in self.folder.iterdir()}

    def repeated(self):
        return len(list(self.folder.iterdir())) - self.submitted


def slowly(folder, seconds, victim, fn, row):
    begun = folder / f"{os.getpid()}-{uuid4()}.begun"
    begun.touch()
    time.sleep(seconds)
    begun.rename(begun.with_suffix(".slept"))
    if victim is not None and victim in row.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return fn(row)


class Once:
    """A progress that does something after the first dataset, and takes the time from then on."""

    def __init__(self, action):
        self.action, self.at = action, None

    def __call__(self, stage, done, total):
        if stage == "reading" and self.at is None:
            self.at = time.monotonic()
            self.action()

    @property
    def since(self):
        return time.monotonic() - self.at
