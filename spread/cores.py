"""Who computes holds a core and its buffers; who waits for a server holds neither.

A store is reduced by a thread of its own. While that thread waits for a chunk it keeps no core from another; as soon as
the chunk is there it takes one, with buffers that the next chunk uses again: memory that the system would clear anew
for each chunk costs more than decoding into it. So many requests are under way with few chunks decoded at a time.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IN_FLIGHT = 1 << 28
"""Bytes of objects that may be on their way at a time in one process; one larger object travels alone."""


class Core:
    """A core's turn: its buffers, each handed out once a turn.

    Parameters
    ----------
    names : tuple of str
        What buffers are for.
    """

    def __init__(self, names: tuple[str, ...] = ("encoded", "decoded")) -> None:
        self._kept: dict[str, NDArray[np.uint8]] = {name: np.empty(0, np.uint8) for name in names}
        self._out: set[str] = set()

    def buffer(self, name: str, size: int) -> NDArray[np.uint8]:
        """A buffer of so many bytes, of any content; the kept one where it is free in this turn."""
        if name in self._out:
            return np.empty(size, np.uint8)
        self._out.add(name)
        if self._kept[name].size < size:
            self._kept[name] = np.empty(0, np.uint8)  # gone before the larger one is there
            self._kept[name] = np.empty(size, np.uint8)
        return self._kept[name][:size]

    def end_turn(self) -> None:
        """Take all buffers back."""
        self._out.clear()


class _Cores:
    """The cores of this process; the one last used comes first, for its buffers are warm."""

    def __init__(self, count: int) -> None:
        self._free = [Core() for _ in range(count)]
        self._changed = threading.Condition()

    def take(self) -> Core:
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            return self._free.pop()

    def give(self, core: Core) -> None:
        core.end_turn()
        with self._changed:
            self._free.append(core)
            self._changed.notify()


class _Travel:
    """Bytes under way."""

    def __init__(self, limit: int) -> None:
        self.limit, self.now = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self.now or self.now + size <= self.limit)
            self.now += size
        try:
            yield
        finally:
            with self._changed:
                self.now -= size
                self._changed.notify_all()


class _Turn(threading.local):
    open = False
    core: Core | None = None


_GROUP = Path("/sys/fs/cgroup")  # the control group of a container is mounted as the root


def available() -> int:
    """Number of cores that this process may use: its affinity, or the quota of its control group if less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(_GROUP)
    return cores if quota >= cores else max(1, math.ceil(quota))


@cache
def _quota(group: Path) -> float:
    """Cores that a control group may use at a time, such as a limit of Kubernetes; infinite without one."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:  # version 1
            quota = (group / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    try:
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (ValueError, ZeroDivisionError):
        return math.inf  # "max"


def memory_available() -> int:
    """Memory that this process may still take [bytes]: what the machine has free, or its control group if less."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (_GROUP / "memory.max").read_text().strip(), int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if limit == "max" else min(free, max(0, int(limit) - used + _given_back(_GROUP)))


def _given_back(group: Path) -> int:
    """Bytes that count as used and are given back when somebody needs them: copies of files that were read."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
        counts = {name: int(value) for name, value in (line.split() for line in lines)}
    except (OSError, ValueError):
        return 0
    return counts.get("inactive_file", 0) + counts.get("slab_reclaimable", 0)


def memory_for(chunk: int) -> int:
    """Memory for chunks of a size while they are read [bytes]: on every core one as it comes and one decoded.

    Parameters
    ----------
    chunk : int
        Decoded size of the largest one [bytes].

    Returns
    -------
    int
        Bytes, with the slab that is in work.
    """
    return available() * (2 * chunk + (1 << 22))


def give_memory_back() -> None:
    """Return freed memory to the system.

    glibc keeps what threads have freed in arenas of their own, so that memory grows with every dataset though none of
    them is there any more (dask's workers trim for the same reason). Elsewhere nothing happens.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None


_cores = _Cores(available())
_travel = _Travel(IN_FLIGHT)
_turn = _Turn()


@contextmanager
def turn() -> Iterator[None]:
    """Work on one chunk: a core is taken when it is first needed, and given back at the end.

    What :func:`scratch` hands out is valid until then.
    """
    if _turn.open:  # the turn that is going on covers this too
        yield
        return
    _turn.open = True
    try:
        yield
    finally:
        core, _turn.open, _turn.core = _turn.core, False, None
        if core is not None:
            _cores.give(core)


def enter() -> None:
    """Take a core for the rest of the turn, if one is going on that has none yet."""
    if _turn.open and _turn.core is None:
        _turn.core = _cores.take()


def scratch(name: str, size: int) -> NDArray[np.uint8]:
    """A buffer until the end of the turn; new memory where no turn is going on.

    Parameters
    ----------
    name : str
        ``encoded`` or ``decoded``.
    size : int
        Bytes.

    Returns
    -------
    numpy.ndarray
        ``(size,)``, of any content.
    """
    if not _turn.open:
        return np.empty(size, np.uint8)
    enter()
    assert _turn.core is not None
    return _turn.core.buffer(name, size)


@contextmanager
def under_way(size: int) -> Iterator[None]:
    """Wait until so many more bytes [bytes] may be under way, and count them until they are used.

    Whoever holds a core does not wait, for those who do may be waiting for that core.
    """
    if _turn.core is not None:
        yield
        return
    with _travel.of(size):
        yield
