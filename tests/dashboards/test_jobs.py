"""One calculation of a visitor at a time; a worker, a process or a cluster that is lost is a sentence, and replaced."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")
pytest.importorskip("jax", reason="what-ifs need jax")

from pretended_workers import Here, Lost, Never

from dashboards.calculating import working
from dashboards.calculating.jobs import BUSY, LOST, Job
from spread.errors import NotFound


def test_one_calculation_at_a_time():
    job, heard = Job(Never()), []
    assert job.start([("a", len, ("",))], heard.append)
    assert "<progress" in job.panel.object
    assert not job.start([("b", len, ("",))], heard.append)
    assert BUSY in job.panel.object
    assert job.start([("c", len, ("",))], heard.append, replace=True)
    job.stop()
    assert job.running is None


def test_a_lost_worker_is_a_sentence():
    workers = Lost()
    job, heard = Job(workers), []
    job.start([("a", len, ("",))], heard.append)
    assert LOST in job.panel.object
    job.workers = Here()
    assert job.start([("a", len, ("abc",)), ("b", len, ("",))], heard.append)
    assert heard == [[3, 0]]


def test_an_error_of_a_step_is_a_sentence_and_no_traceback():
    def fails(words):
        raise NotFound("nothing <b>there</b>")

    job = Job(Here())
    job.start([("a", fails, ("",))], lambda made: None)
    assert "nothing &lt;b&gt;there" in job.panel.object
    job.start([("a", int, ("x",))], lambda made: None)
    assert "could not be calculated" in job.panel.object
    assert "Traceback" not in job.panel.object


def test_a_killed_process_is_replaced():
    workers = working.Workers()
    try:
        killed = workers.submit(os.kill, workers.submit(os.getpid).result(60), signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            killed.result(60)
        assert workers.submit(len, "abc").result(60) == 3
    finally:
        workers.close()


def test_a_cluster_that_ends_is_replaced_by_the_process(caplog):
    from distributed import LocalCluster

    from spread.cluster import connected

    workers = working.Workers()
    options = {"n_workers": 1, "processes": False, "threads_per_worker": 1, "dashboard_address": None}
    try:
        with LocalCluster(**options) as cluster, connected(cluster.scheduler_address) as executor:
            workers.use(executor)
            here = workers.submit(os.getpid).result(60)
            assert here == os.getpid()
            executor.client.close()
            assert workers.submit(os.getpid).result(60) != here
        assert workers.cluster is None
        assert "is gone" in caplog.text
    finally:
        workers.close()
