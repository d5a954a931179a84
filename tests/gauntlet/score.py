"""The score: every case built, served, asked and judged."""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from gauntlet import grid_faults, ours, process_faults, time_faults, transport_faults, value_faults
from gauntlet.archive import Archive
from gauntlet.cases import Case
from gauntlet.judge import OUTCOMES, Verdict, judge
from gauntlet.server import BUCKET, ObjectStore

DATA = value_faults.FAULTS + time_faults.FAULTS + grid_faults.FAULTS
TRANSPORT = transport_faults.FAULTS
KINDS = {case.name: "data" for case in DATA} | {case.name: "transport" for case in TRANSPORT}
CASES = {case.name: case for case in DATA + TRANSPORT}
NAMES = (*CASES, *process_faults.FAULTS)
assert len(set(NAMES)) == len(DATA) + len(TRANSPORT) + len(process_faults.FAULTS), "two cases have the same name"

HURRY = 50.0
"""By how much the waits between gcsfs's own tries are shortened; what it tries, and how often, stays."""

SILENT = ("silent wrong", "vanished")
"""What spread promises never to be."""


@dataclass(frozen=True)
class Result:
    """One case and what became of it.

    Parameters
    ----------
    kind : str
        ``data``, ``transport`` or ``process``.
    name, source, what : str
        The case.
    verdict : Verdict
        What became of it.
    seconds : float
        How long the answer took.
    """

    kind: str
    name: str
    source: str
    what: str
    verdict: Verdict
    seconds: float


@contextmanager
def hurried() -> Iterator[None]:
    """Short waits: gcsfs's between its tries, and spread's patience with one object."""
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # gcsfs reads it when it is imported
    import gcsfs.retry

    from spread import transport

    class Hurry:
        def __getattr__(self, name: str) -> object:
            return getattr(asyncio, name)

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds / HURRY)

    quick = transport.Patience(deadline=2.0, attempts=3, pause=0.05, budget=20.0)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(gcsfs.retry, "asyncio", Hurry()))
        stack.enter_context(mock.patch.object(transport, "DEFAULT", quick))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logger = logging.getLogger("gcsfs")
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        stack.callback(logger.setLevel, level)
        yield


@contextmanager
def served(root: Path) -> Iterator[tuple[Archive, ObjectStore]]:
    """An archive in a folder and the object store that serves it."""
    store = ObjectStore(root)
    try:
        yield Archive(root, f"gs://{BUCKET}"), store
    finally:
        store.close()


def run_case(case: Case, archive: Archive, store: ObjectStore) -> Result:
    """Build a case, let the store obey its rules, ask spread and judge."""
    collection = archive.build(case)
    store.obey(list(case.rules))
    started = time.perf_counter()
    try:
        answer = ours.ask(case, collection, store.options)
    finally:
        store.obey([])
    seconds = time.perf_counter() - started
    verdict = judge(answer, ours.expected(case), case.source_id, ours.measure(case), case.whole_study)
    return Result(KINDS.get(case.name, "data"), case.name, case.source, case.what, verdict, seconds)


_open = ExitStack()  # of a worker process, until it ends
_here: list[tuple[Archive, ObjectStore]] = []


def _begin(root: str) -> None:
    _open.enter_context(hurried())
    _here.append(_open.enter_context(served(Path(root) / f"process-{os.getpid()}")))


def _one(name: str) -> Result:
    archive, store = _here[0]
    if name in CASES:
        return run_case(CASES[name], archive, store)
    kind, what, verdict, seconds = process_faults.run(name, archive, store)
    return Result(kind, name, kind, what, verdict, seconds)


def run_all(
    names: Sequence[str] = (), tell: Callable[[Result], None] = lambda result: None, processes: int = 2
) -> list[Result]:
    """Run every case, or those that are named.

    Parameters
    ----------
    names : sequence of str
        Cases to run; empty for all.
    tell : callable
        Told each result, in the order of the cases.
    processes : int
        How many cases run at a time, each in a process with an object store of its own.

    Returns
    -------
    list of Result
        In the order of the cases.
    """
    results = []
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="gauntlet-") as folder,
        ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(folder,)) as pool,
    ):
        for result in pool.map(_one, names or NAMES):
            results.append(result)
            tell(result)
    return results


def counted(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How often each outcome came."""
    return {outcome: sum(v.outcome == outcome for v in verdicts) for outcome in OUTCOMES}


def last_line(results: Sequence[Result]) -> str:
    """The score in one line."""
    return f"silent wrong: {sum(r.verdict.outcome in SILENT for r in results)} of {len(results)}"


def table(results: Sequence[Result]) -> str:
    """The score as text: outcomes by kind of fault."""
    kinds = [*dict.fromkeys(result.kind for result in results), "all"]
    lines = [f"{'':<14}" + "".join(f"{kind:>11}" for kind in kinds)]
    counts = {kind: counted([r.verdict for r in results if kind in (r.kind, "all")]) for kind in kinds}
    lines += [f"{outcome:<14}" + "".join(f"{counts[kind][outcome]:>11}" for kind in kinds) for outcome in OUTCOMES]
    lines.append(f"{'faults':<14}" + "".join(f"{sum(counts[kind].values()):>11}" for kind in kinds))
    return "\n".join(lines)


def numbered(results: Sequence[Result]) -> Iterator[tuple[int, Result]]:
    """Results with their numbers."""
    return zip(itertools.count(1), results, strict=False)
