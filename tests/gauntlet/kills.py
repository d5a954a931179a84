"""SIGKILL at a random moment, then again: the same numbers, bit for bit, and nothing read twice that was kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from gauntlet.archive import Archive
from gauntlet.cases import Case
from gauntlet.server import BUCKET, ObjectStore, Rule, slow
from spread.tasks import THREADS

IN_FLIGHT = THREADS
"""Stores that a process reads at a time, one chunk of each: what a kill may cost."""

_CHUNK = r"/tas/\d+\.0\.0$"


@dataclass
class Kill:
    """One run that was killed, and the one after it.

    Parameters
    ----------
    after : float
        When it was killed [s].
    finished : bool
        It was done before it could be killed.
    kept : int
        Chunks in the cache when it died.
    recomputed : int
        Chunks of these that the second run computed again.
    faults : list of str
        What was not as it must be; empty is what is hoped for.
    """

    after: float
    finished: bool = False
    kept: int = 0
    recomputed: int = 0
    faults: list[str] = field(default_factory=list)


class Court:
    """A study, served slowly so that kills find it reading, and what it gives when left in peace.

    Parameters
    ----------
    root : Path
        Where everything is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = ObjectStore(root / "bucket")
        archive = Archive(root / "bucket", f"gs://{BUCKET}")
        collection = archive.build(Case("kills", "process", ""))
        self.store.obey([Rule(_CHUNK, slow(0.25))])
        self.study = root / "study.toml"
        options = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self.store.options["gs"].items())
        self.study.write_text(
            f'name = "kills"\ncatalog = {json.dumps(str(collection))}\nexperiments = ["ssp585"]\n'
            f"assessed = false\n\n[storage_options.gs]\n{options}\n"
        )
        started = time.perf_counter()
        self.peace, self.chunks = self._finish("peace")
        self.seconds = time.perf_counter() - started

    @property
    def requests(self) -> int:
        """Chunks that were asked of the object store until now."""
        return sum(self.store.met.values())

    def start(self, name: str) -> subprocess.Popen:
        """Start the study in a process of its own, with its own cache and place for the report."""
        environment = os.environ | {"SPREAD_CACHE": str(self.root / name / "cache")}
        command = [sys.executable, "-m", "spread", "run", str(self.study), "--json", "--out",
                   str(self.root / name / "out" / "report")]  # fmt: skip
        (self.root / name / "out").mkdir(parents=True, exist_ok=True)
        with (self.root / name / "stderr").open("wb") as said:
            return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said)

    def entries(self, name: str) -> dict[str, tuple[int, int]]:
        """Finished files of a cache: inode and time of change."""
        folder = self.root / name / "cache"
        found = {}
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file() and not path.name.startswith("."):
                about = path.stat()
                found[str(path)] = (about.st_ino, about.st_mtime_ns)
        return found

    def _finish(self, name: str) -> tuple[str, int]:
        """Run to the end; what is said of numbers and members, and how many chunks the cache holds."""
        process = self.start(name)
        out, _ = process.communicate(timeout=240)
        if process.returncode != 0:
            said = (self.root / name / "stderr").read_text(errors="replace")
            raise RuntimeError(f"code {process.returncode}: {said[-600:]}")
        said = json.loads(out)
        kept = {key: said[key] for key in ("spread", "members", "left_out", "votes")}
        return json.dumps(kept, sort_keys=True), len(self.entries(name))

    def kill(self, number: int, seed: int) -> Kill:
        """Kill one run and run it again."""
        name = f"kill-{number}"
        found, process = Kill(0.0), self.start(name)
        started = time.monotonic()
        self._wait(name, number, random.Random(f"{seed}.{number}"), process)
        found.after, found.finished = time.monotonic() - started, process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = self.entries(name)
        found.kept = len(before)
        self._look_at_report(name, found)
        try:
            again, _ = self._finish(name)
        except RuntimeError as error:
            found.faults.append(f"the second run fails: {error}")
            return found
        if again != self.peace:
            found.faults.append("the second run gives other numbers")
        later = self.entries(name)
        touched = [path for path, about in before.items() if later.get(path) != about]
        found.recomputed = len(touched)
        if touched:
            found.faults.append(f"{len(touched)} kept chunks were computed again")
        if len(later) != self.chunks:
            found.faults.append(f"the cache holds {len(later)} chunks instead of {self.chunks}")
        self._look_for_locks(name, found)
        return found

    def _wait(self, name: str, number: int, draw: random.Random, process: subprocess.Popen) -> None:
        """Wait for a random moment of the run; every other time for one while it is reading."""
        until = time.monotonic() + draw.uniform(0.15, 1.0) * self.seconds
        wanted, more = draw.randrange(self.chunks), draw.uniform(0.0, 0.3)
        while process.poll() is None and (number % 2 or time.monotonic() < until):
            if number % 2 and len(self.entries(name)) >= wanted:
                time.sleep(more)
                return
            time.sleep(0.02)

    def _look_at_report(self, name: str, found: Kill) -> None:
        """What can be seen under the report's name is a whole report or nothing."""
        from spread.report import Report

        out = self.root / name / "out" / "report"
        if out.exists():
            try:
                Report.load(out)
                json.loads((out / "summary.json").read_text())
            except Exception as error:  # whatever is wrong with it, it should not be there
                found.faults.append(f"a partial report is there: {error}")

    def _look_for_locks(self, name: str, found: Kill) -> None:
        locks = [p for p in (self.root / name).rglob("*") if p.suffix == ".lock" or "lock" in p.name.lower()]
        if locks:
            found.faults.append(f"locks are left: {locks}")
        beside = [p.name for p in (self.root / name / "out").iterdir() if not p.name.startswith(".")]
        if beside != ["report"]:
            found.faults.append(f"beside the report: {beside}")


@dataclass(frozen=True)
class Outcome:
    """What came of many kills.

    Parameters
    ----------
    kills : list of Kill
        One for each.
    twice : int
        Chunks that were asked of the object store more than once by a run and the one that resumed it, in all.
    chunks : int
        Chunks of the study.
    seconds : float
        How long the study takes when left in peace.
    """

    kills: list[Kill]
    twice: int
    chunks: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        """Everything that was not as it must be."""
        found = [fault for kill in self.kills for fault in kill.faults]
        if self.twice > IN_FLIGHT * len(self.kills):
            found.append(f"{self.twice} chunks were read twice, more than {IN_FLIGHT} a kill")
        return found

    def __str__(self) -> str:
        early = [kill for kill in self.kills if not kill.finished]
        lines = [
            f"kills: {len(self.kills)} of a run of {self.seconds:.1f} s and {self.chunks} chunks; {len(early)} before it "
            f"had ended, {sum(0 < k.kept < self.chunks for k in early)} of them while it was reading",
            f"other numbers after resuming: {sum('other numbers' in ' '.join(k.faults) for k in self.kills)}",
            f"kept chunks computed again: {sum(k.recomputed for k in self.kills)}",
            f"chunks read twice: {self.twice} (in flight at a kill: at most {IN_FLIGHT})",
            f"partial reports, locks, other faults: {sum(bool(k.faults) for k in self.kills)}",
        ]
        lines += [f"  killed after {k.after:.2f} s: {'; '.join(k.faults)}" for k in self.kills if k.faults]
        return "\n".join(lines)


def run(kills: int, seed: int = 1, tell: Callable[[Kill], None] = lambda kill: None, side: int = 2) -> Outcome:
    """Kill and resume, again and again.

    Parameters
    ----------
    kills : int
        How often.
    seed : int
        Decides the moments.
    tell : callable
        Told each kill.
    side : int
        Runs side by side.

    Returns
    -------
    Outcome
        What came of them.
    """
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        court = Court(Path(folder))
        try:
            peaceful = court.requests
            with ThreadPoolExecutor(side) as pool:
                found = []
                for kill in pool.map(lambda number: court.kill(number, seed), range(kills)):
                    found.append(kill)
                    tell(kill)
            twice = court.requests - peaceful - court.chunks * sum(1 for _ in found)
            return Outcome(found, twice, court.chunks, court.seconds)
        finally:
            court.store.close()
