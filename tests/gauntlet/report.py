"""The score in words: lines for a terminal, and tables for ``docs/gauntlet.md``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gauntlet import peers, score
from gauntlet.cases import Case
from gauntlet.judge import MEANING, OUTCOMES, Verdict, judge
from gauntlet.ours import measure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gauntlet.md"
_BEGIN, _END = "<!-- score: made by python -m tests.gauntlet --peers -->", "<!-- end of score -->"

Peers = dict[str, dict[str, Verdict]]  # by peer, by case


def line(result: score.Result) -> str:
    """One result in one line."""
    detail = " ".join(result.verdict.detail.split())[:110]
    return f"{result.verdict.outcome:<13} {result.kind:<9} {result.name:<26} {result.seconds:5.1f} s  {detail}"


@dataclass
class _Bench:
    """A worker process for peers and the clean answers that it has been measured against."""

    root: Path

    def judge_all(self, cases: Sequence[Case]) -> list[dict[str, Verdict]]:
        """Every peer on every case."""
        worker = peers.Worker()
        clean: dict[tuple, dict[str, float] | str] = {}
        found = []
        with score.served(self.root) as (archive, store):
            for case in cases:
                collection = archive.build(case)
                said = {}
                for name in peers.PEERS:
                    if name in peers.absent():
                        continue
                    facts = (name, case.source_id, case.variable_id, case.calendars, case.base, case.scenario_id)
                    if facts not in clean:
                        try:
                            clean[facts] = peers.clean_answer(name, case, archive.clean(case))
                        except Exception as error:  # it fails on sound data of this kind
                            clean[facts] = f"{type(error).__name__} on the clean data: {error}"
                    if isinstance(clean[facts], str):
                        said[name] = Verdict("stopped", clean[facts])
                        continue
                    store.obey(list(case.rules))
                    answer = worker.ask(name, peers.request_of(case, collection, store.options))
                    said[name] = judge(answer, clean[facts], case.source_id, measure(case))
                store.obey([])
                found.append(said)
        worker.close()
        return found


def run_peers(names: Sequence[str] = (), side: int = 2) -> Peers:
    """Run every peer through the cases of data and transport, or through those that are named."""
    cases = [case for name, case in score.CASES.items() if not names or name in names]
    found: Peers = {name: {} for name in peers.PEERS if name not in peers.absent()}
    with tempfile.TemporaryDirectory(prefix="peers-") as folder, score.hurried(), ThreadPoolExecutor(side) as pool:
        shares = [cases[n::side] for n in range(side)]
        benches = [_Bench(Path(folder) / str(n)) for n in range(side)]
        for share, said in zip(shares, pool.map(_Bench.judge_all, benches, shares), strict=True):
            for case, verdicts in zip(share, said, strict=True):
                for name, verdict in verdicts.items():
                    found[name][case.name] = verdict
    return found


def write_peers(results: Sequence[score.Result], names: Sequence[str] = ()) -> str:
    """Score the peers, write the tables into the page, return the summary."""
    found = run_peers(names)
    summary = summary_table(results, found)
    if not names:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(_BEGIN)
        tail = rest.partition(_END)[2]
        body = f"{_BEGIN}\n\n{summary}\n\n{case_table(results, found)}\n\n{_END}"
        PAGE.write_text(head + body + tail, encoding="utf-8")
    return summary


def summary_table(results: Sequence[score.Result], found: Peers) -> str:
    """Outcomes of each system: over all faults, and over those that peers can meet."""
    shared = [r for r in results if r.kind != "process"]
    columns = {
        "spread, all faults": score.counted([r.verdict for r in results]),
        "spread, data and transport": score.counted([r.verdict for r in shared]),
    }
    for name in peers.PEERS:
        if name in found:
            columns[name] = score.counted([found[name][r.name] for r in shared])
    lines = ["| | " + " | ".join(columns) + " |", "|--|" + "--:|" * len(columns)]
    for outcome in OUTCOMES:
        words = f"**{outcome}**" if outcome in score.SILENT else outcome
        lines.append(f"| {words} | " + " | ".join(str(column[outcome]) for column in columns.values()) + " |")
    lines.append("| faults | " + " | ".join(str(sum(column.values())) for column in columns.values()) + " |")
    lines += ["", *(f"- *{outcome}*: {meaning}." for outcome, meaning in MEANING.items())]
    lines += [f"- {name}: not scored, {reason}." for name, reason in peers.absent().items()]
    return "\n".join(lines)


def case_table(results: Sequence[score.Result], found: Peers) -> str:
    """Every fault and what became of it in each system."""
    names = [name for name in peers.PEERS if name in found]
    lines = ["| # | fault | from | " + " | ".join(["spread", *names]) + " |", "|--|" * (4 + len(names)) + ""]
    lines[1] = "|--:" + "|--" * (3 + len(names)) + "|"
    for number, result in score.numbered(results):
        others = [found[name][result.name].outcome if result.name in found[name] else "" for name in names]
        what = result.what.replace("|", "/")
        outcomes = " | ".join(_shown(outcome) for outcome in [result.verdict.outcome, *others])
        lines.append(f"| {number} | {what} | {result.source} | {outcomes} |")
    return "\n".join(lines)


def _shown(outcome: str) -> str:
    return f"**{outcome}**" if outcome in score.SILENT else outcome
