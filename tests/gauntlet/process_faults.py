"""Faults of processes, caches and disks: each a way to run a sound study under unsound circumstances."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from gauntlet import ours
from gauntlet.archive import Archive
from gauntlet.cases import Case
from gauntlet.judge import Answer, Verdict, judge
from gauntlet.server import ObjectStore
from gauntlet.value_faults import offset
from spread import flow
from spread.cache import FolderCache
from spread.errors import SpreadError


class Bench:
    """One sound case, built and served, with a cache of its own.

    Parameters
    ----------
    name : str
        Name of the fault.
    archive, store
        Where the case is built and from where it is served.
    """

    def __init__(self, name: str, archive: Archive, store: ObjectStore) -> None:
        self.case = Case(name, "process", "")
        self.archive, self.store = archive, store
        self.collection = archive.build(self.case)
        self.folder = self.collection.parent
        self.hit = False
        self.cache = FolderCache(self.folder / "cache")

    def ask(self, **how: Any) -> Answer:
        """Run the study with the cache."""
        return ours.ask(self.case, self.collection, self.store.options, **{"cache": self.cache, **how})

    def files(self) -> list[Path]:
        """Files of the cache."""
        return sorted(path for path in self.cache.folder.rglob("*") if path.is_file())

    def rewrite(self, case: Case) -> None:
        """Build the stores anew, with another content, under the same names and version; the cache stays."""
        kept = self.folder.parent / f"{self.case.name}-kept"
        if self.cache.folder.exists():
            self.cache.folder.rename(kept)
        self.archive.build(case)
        if kept.exists():
            kept.rename(self.cache.folder)


Fault = Callable[[Bench], Answer]


def spoilt_files(spoil: Callable[[bytes], bytes]) -> Fault:
    """Every file of the cache is damaged between two runs."""

    def act(bench: Bench) -> Answer:
        bench.ask()
        for path in bench.files():
            path.write_bytes(spoil(path.read_bytes()))
        return bench.ask()

    return act


def _flipped(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 16]) + data[-8:]


def swapped_files(bench: Bench) -> Answer:
    """Every file of the cache has the name of another, of the same length where there is one."""
    bench.ask()
    files = sorted(bench.files(), key=lambda path: (path.stat().st_size, path))
    bodies = [path.read_bytes() for path in files]
    for path, body in zip(files, bodies[1:] + bodies[:1], strict=True):
        path.write_bytes(body)
    return bench.ask()


def folders_for_files(bench: Bench) -> Answer:
    """Folders stand where the cache wants its files."""
    bench.ask()
    for path in bench.files():
        path.unlink()
        path.mkdir()
    return bench.ask()


def no_folder(bench: Bench) -> Answer:
    """The cache cannot be written: a file stands where its folder should be."""
    bench.cache.folder.write_text("in the way")
    return bench.ask()


def orphans(bench: Bench) -> Answer:
    """Half-written files of a process that died lie about."""
    bench.ask()
    for path in bench.files()[::2]:
        (path.parent / ".writing-dead").write_bytes(path.read_bytes()[:40])
        path.unlink()
    bench.cache.sweep()
    return bench.ask()


def full_disk(bench: Bench) -> Answer:
    """The disk of the cache is full."""
    with mock.patch("spread.cache.os.fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        bench.ask()
    return bench.ask()


def together(bench: Bench) -> Answer:
    """Four runs with one cache at a time."""
    with ThreadPoolExecutor(4) as pool:
        answers = [run.result() for run in [pool.submit(bench.ask) for _ in range(4)]]
    bad = [answer for answer in answers if dict(answer.numbers) != dict(answers[0].numbers)]
    return Answer(error=f"runs side by side differ: {bad[0]}") if bad else answers[0]


def stale(bench: Bench) -> Answer:
    """The cache knows a store whose content has changed under the same name and version."""
    bench.rewrite(replace(bench.case, scenario=offset(-1.0)))
    bench.ask()
    bench.rewrite(bench.case)
    return bench.ask()


def changed_underway(bench: Bench) -> Answer:
    """The store is written anew, with another content, after it was opened and before it is read."""
    from spread import reduce

    compute = reduce.compute_or_fail

    def late(planned: Any, cache: Any) -> Any:
        attrs = planned.template.attrs
        if not bench.hit and (attrs["source_id"], attrs["experiment_id"]) == (bench.case.source_id, "ssp585"):
            bench.hit = True
            bench.rewrite(replace(bench.case, scenario=offset(-1.0)))
        return compute(planned, cache)

    with mock.patch.object(reduce, "compute_or_fail", late):
        return bench.ask()


class _Mortal(ThreadPoolExecutor):
    """An executor one of whose workers dies over the victim's scenario."""

    def submit(self, work: Any, *arguments: Any, **named: Any) -> Future:
        row = arguments[0] if arguments else None
        if getattr(row, "source_id", "") == "ACCESS-CM2" and getattr(row, "experiment_id", "") == "ssp585":
            future: Future = Future()
            future.set_exception(BrokenProcessPool("a worker was killed while the future was running"))
            return future
        return super().submit(work, *arguments, **named)


def dead_worker(bench: Bench) -> Answer:
    """A worker of the cluster is killed while it reads one store."""
    with _Mortal(2) as pool:
        return bench.ask(executor=pool)


def out_of_memory(bench: Bench) -> Answer:
    """Memory runs out over one store."""
    from spread.reduce import computing

    sums = computing._area_sums

    def starved(*arguments: Any, **named: Any) -> Any:
        if not bench.hit:
            bench.hit = True
            raise MemoryError("unable to allocate")
        return sums(*arguments, **named)

    with mock.patch.object(computing, "_area_sums", starved):
        return bench.ask()


def report_on_full_disk(bench: Bench) -> Answer:
    """The disk is full when the report is written: nothing may be left behind, and the next run is right."""
    study = ours.study_of(bench.case, bench.collection, bench.store.options)
    report = flow.run(study, cache=bench.cache)
    out = bench.folder / "out" / "report"
    out.parent.mkdir()
    left: list[Path] = []
    with mock.patch("os.fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        try:
            report.save(out)
        except SpreadError:
            left = list(out.parent.iterdir())
        else:
            return Answer(error="a report was written to a full disk without a word")
    return Answer(error=f"left behind: {left}") if left else ours.answer_of(report)


FAULTS: dict[str, tuple[str, Fault]] = {
    "cache-flip": ("a bit is flipped in every file of the cache", spoilt_files(_flipped)),
    "cache-cut": ("every file of the cache is cut off", spoilt_files(lambda data: data[:-20])),
    "cache-empty": ("every file of the cache is empty", spoilt_files(lambda data: b"")),
    "cache-garbage": ("every file of the cache is garbage", spoilt_files(lambda data: b"\x00" * len(data))),
    "cache-swapped": ("files of the cache have changed names", swapped_files),
    "cache-folders": ("folders stand where the cache wants its files", folders_for_files),
    "cache-not-writable": ("the cache cannot be written", no_folder),
    "cache-orphans": ("a process died while it wrote to the cache", orphans),
    "cache-full-disk": ("the disk of the cache is full", full_disk),
    "cache-stale": ("a store has changed under its name and version since it was cached", stale),
    "four-runs": ("four runs share a cache at the same time", together),
    "changed-underway": ("a store is rewritten between opening and reading", changed_underway),
    "dead-worker": ("a worker is killed while it reads one store", dead_worker),
    "out-of-memory": ("memory runs out over one chunk", out_of_memory),
    "report-full-disk": ("the disk is full when the report is written", report_on_full_disk),
}


def run(name: str, archive: Archive, store: ObjectStore) -> tuple[str, str, Verdict, float]:
    """Run one fault: its kind, what it is, what became of it, and how long that took [s]."""
    what, fault = FAULTS[name]
    bench = Bench(name, archive, store)
    started = time.perf_counter()
    try:
        answer = fault(bench)
    except Exception as error:  # what nothing caught is a crash, and the score says so
        answer = Answer(error=f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - started
    case = bench.case
    if name == "out-of-memory":  # whichever store it hits may be left out, if it says why
        verdict = _any_left_out(answer, case)
    else:
        verdict = judge(answer, ours.expected(case), case.source_id, ours.measure(case))
    return "process", what, verdict, seconds


def _any_left_out(answer: Answer, case: Case) -> Verdict:
    """Judge an answer where the fault could hit any model."""
    truth = ours.expected(case)
    hit = next((model for model in truth if model not in answer.numbers), case.source_id)
    return judge(answer, truth, hit, ours.measure(case))
