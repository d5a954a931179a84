"""A process beside the server that works for all visitors, and lines that visitors wait in.

The process is started when it is first needed, anew where it was lost, and ends with the server, however that ends: no
supervisor waits for a step that nobody will read, and nothing is left of a server that was killed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, ParamSpec, Protocol, TypeVar

from spread.errors import SpreadError

WAITING = 20
"""Visitors that may wait in one line; one more is refused."""

Given = ParamSpec("Given")
Made = TypeVar("Made")


class Busy(SpreadError):
    """Too many visitors are waiting."""


class Process:
    """One process, in which steps are done one after another; of several threads any may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None

    def submit(self, step: Callable[..., Any], *given: Any) -> Future[Any]:
        """Have a step done; a process that was lost is replaced first.

        Parameters
        ----------
        step : callable
            Of a module.
        *given
            Its arguments, pickled.

        Returns
        -------
        concurrent.futures.Future
            Its result; ``BrokenProcessPool`` where the process is lost meanwhile.
        """
        with self._lock:
            pool = self._pool or self._start()
            try:
                return pool.submit(step, *given)
            except RuntimeError:  # it is known to be lost: whoever waited for it has heard
                pool.shutdown(wait=False)
                return self._start().submit(step, *given)

    def _start(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_end_with_the_server)
        self._pid = self._pool.submit(os.getpid)
        return self._pool

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._pool is not None

    def close(self) -> None:
        """End it, in the middle of a step if need be."""
        with self._lock:
            pool, self._pool, pid, self._pid = self._pool, None, self._pid, None
        if pool is None or pid is None:
            return
        pool.shutdown(wait=False, cancel_futures=True)
        if pid.done() and not pid.cancelled() and pid.exception() is None:
            for child in multiprocessing.active_children():
                if child.pid == pid.result():
                    child.terminate()


def _end_with_the_server() -> None:
    """In the process: leave Ctrl-C to the server, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)


class _Submits(Protocol):
    def submit(self, step: Callable[..., Any], /, *given: Any) -> Future[Any]: ...


class Line:
    """Visitors whose work is done one after another while pages go on; on the server's loop.

    Parameters
    ----------
    worker : Process or Executor
        Who works.
    busy : str
        What one visitor too many is told.
    """

    def __init__(self, worker: Process | Executor, busy: str) -> None:
        self.worker: _Submits = worker
        self.busy = busy
        self.waiting = 0

    async def do(self, step: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made:
        """Wait for a step.

        Parameters
        ----------
        step : callable
            What is done.
        *given
            Its arguments.

        Raises
        ------
        Busy
            If too many are waiting.
        """
        if self.waiting >= WAITING:
            raise Busy(self.busy)
        self.waiting += 1
        try:
            made: Made = await asyncio.wrap_future(self.worker.submit(step, *given, **named))
            return made
        finally:
            self.waiting -= 1
