"""Contestants in turn, each in a process of its own: processor seconds, wall time, peak memory, and their ratios."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def measured(work: Callable[[], Any]) -> Figures:
    """Run in this process; what it cost, without imports made before.

    Parameters
    ----------
    work : callable
        Gives anything that JSON can hold.

    Returns
    -------
    dict
        ``cpu`` and ``wall`` [s], ``peak`` [bytes of resident memory of the process, highest while it worked],
        ``answer``.
    """
    peak = _Peak()
    before, started = _cpu(), time.perf_counter()
    answer = work()
    return {"cpu": _cpu() - before, "wall": time.perf_counter() - started, "peak": peak.stop(), "answer": answer}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Peak:
    """Anonymous memory of this process, looked at every 10 ms: without files that the system keeps for it."""

    def __init__(self) -> None:
        self.highest, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.look()

    def look(self) -> None:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                self.highest = max(self.highest, 1024 * int(line.split()[1]))

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        self.look()
        return self.highest


def contest(script: str, contestants: Sequence[str], arguments: Sequence[str], rounds: int) -> dict[str, list[Figures]]:
    """Run each contestant once a round, in an order that turns, and collect their figures.

    Parameters
    ----------
    script : str
        Module that prints one line of JSON for ``--only NAME``.
    contestants : sequence of str
        Names.
    arguments : sequence of str
        For each of them.
    rounds : int
        How often.

    Returns
    -------
    dict
        Figures of each round, by contestant.
    """
    found: dict[str, list[Figures]] = {name: [] for name in contestants}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for turn in range(rounds):
        order = [contestants[(k + turn) % len(contestants)] for k in range(len(contestants))]
        for name in order:
            command = [sys.executable, "-m", script, "--only", name, *arguments]
            run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
            if run.returncode:
                raise SystemExit(f"{name} failed:\n{run.stderr[-2000:]}")
            found[name].append(json.loads(run.stdout.splitlines()[-1]))
    return found


def median(figures: Sequence[Mapping[str, Any]], what: str) -> float:
    """Median of one figure over the rounds."""
    return float(statistics.median(f[what] for f in figures))


def ratio(found: Mapping[str, Sequence[Mapping[str, Any]]], one: str, other: str, what: str) -> float:
    """Median over the rounds of the ratio within a round."""
    return float(statistics.median(a[what] / b[what] for a, b in zip(found[one], found[other], strict=True)))


def table(found: Mapping[str, Sequence[Mapping[str, Any]]], volume: float) -> str:
    """Medians of each contestant as text; ``volume`` is what is decoded [bytes]."""
    lines = [f"{'':<14} {'CPU s':>8} {'CPU s/GB':>9} {'wall s':>8} {'peak MB':>8}"]
    for name, figures in found.items():
        cpu = median(figures, "cpu")
        lines.append(
            f"{name:<14} {cpu:8.2f} {cpu / volume * 1e9:9.3f} {median(figures, 'wall'):8.2f} "
            f"{median(figures, 'peak') / 1e6:8.0f}"
        )
    return "\n".join(lines)


def save(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write the figures as JSON, where a path is given."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")
