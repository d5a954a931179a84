"""The process beside the server is replaced once where it is lost, and is gone when the server is."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

from dashboards.calculating import processes
from dashboards.calculating.processes import WAITING, Busy, Line, Process


@pytest.fixture
def process():
    made = Process()
    yield made
    made.close()


def gone(pid, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_all_that_waited_for_a_lost_process_share_the_next(process, monkeypatch):
    started = []
    real = processes.ProcessPoolExecutor
    monkeypatch.setattr(processes, "ProcessPoolExecutor", lambda *a, **k: started.append(a) or real(*a, **k))
    lost = [process.submit(os.kill, process.submit(os.getpid).result(60), signal.SIGKILL)]
    lost += [process.submit(abs, -n) for n in range(4)]
    for promise in lost:
        with pytest.raises(BrokenProcessPool):
            promise.result(60)
    with ThreadPoolExecutor(4) as visitors:
        asked = [visitors.submit(lambda: process.submit(os.getpid).result(60)) for _ in range(8)]
        assert len({promise.result(60) for promise in asked}) == 1
    assert len(started) == 2


def test_a_step_under_way_is_ended_with_it_and_another_process_is_started(process):
    pid = process.submit(os.getpid).result(60)
    step = process.submit(time.sleep, 600)
    while not step.running():
        time.sleep(0.01)
    process.close()
    assert gone(pid)
    with pytest.raises(BrokenProcessPool):
        step.result(20)
    assert not process.started
    assert process.submit(abs, -1).result(60) == 1


SERVER = """
import os, sys, time
from dashboards.calculating.processes import Process
process = Process()
print(process.submit(os.getpid).result(60), flush=True)
step = process.submit(time.sleep, 600)
while not step.running():
    time.sleep(0.01)
print("works", flush=True)
if sys.argv[1] == "close":
    process.close()
else:
    time.sleep(600)
"""


@pytest.mark.parametrize("how", ["close", "SIGKILL"])
def test_a_server_that_ends_leaves_nothing_and_waits_for_nothing(how):
    server = subprocess.Popen([sys.executable, "-c", SERVER, how], stdout=subprocess.PIPE, text=True)
    with server:
        pid = int(server.stdout.readline())
        assert server.stdout.readline() == "works\n"
        if how == "SIGKILL":
            server.kill()
        server.wait(20)
        assert gone(pid)


def test_ctrl_c_is_left_to_the_server(process):
    pid = process.submit(os.getpid).result(60)
    os.kill(pid, signal.SIGINT)
    assert process.submit(os.getpid).result(60) == pid


class Never:
    def __init__(self):
        self.promises = []

    def submit(self, step, *given):
        self.promises.append(Future())
        return self.promises[-1]


def test_one_too_many_in_a_line_is_refused_and_the_line_goes_on():
    async def visit():
        worker = Never()
        line = Line(worker, "Come back later")
        waiting = [asyncio.create_task(line.do(abs, -1)) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="Come back later"):
            await line.do(abs, -1)
        worker.promises[0].set_exception(ValueError("a file"))
        worker.promises[1].set_result(3)
        with pytest.raises(ValueError, match="a file"):
            await waiting[0]
        assert await waiting[1] == 3
        assert line.waiting == WAITING - 2
        waiting.append(asyncio.create_task(line.do(abs, -1)))
        await asyncio.sleep(0)
        assert len(worker.promises) == WAITING + 1
        for task in waiting[2:]:
            task.cancel()

    asyncio.run(visit())
