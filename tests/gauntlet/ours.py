"""spread in the gauntlet: one study a case."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from gauntlet.cases import Case
from gauntlet.ensemble import HEALTHY, LATE, spread_of, truth
from gauntlet.judge import Answer
from spread import flow
from spread.cache import ArrayCache
from spread.errors import SpreadError
from spread.report import Report
from spread.study import Study


def study_of(case: Case, collection: Path | str, options: Mapping[str, Any]) -> Study:
    """The study that is asked of a case: the change of every model, in the variable's unit."""
    fields: dict[str, Any] = {
        "name": "gauntlet",
        "catalog": str(collection),
        "variable_id": case.variable_id,
        "table_id": "Lmon" if case.variable_id in ("gpp", "nbp") else "Amon",
        "experiments": [case.scenario_id],
        "anomaly": "absolute",
        "assessed": False,
        "storage_options": dict(options),
    }
    return Study.make(**fields | dict(case.study))


def expected(case: Case) -> dict[str, float]:
    """True change of the victim and of the healthy models."""
    more = {"base": case.base, "scenario": case.scenario_id}
    found = {model: truth(model, case.variable_id, **more) for model in HEALTHY}
    return found | {case.source_id: truth(case.source_id, case.variable_id, case.calendars, **more)}


def measure(case: Case) -> float:
    """Standard deviation by which errors of a case are measured."""
    return spread_of(case.variable_id)


def answer_of(report: Report) -> Answer:
    """What a report says of each model."""
    numbers, marks = {}, {}
    for record in report.member_records():
        if record["change"] is None:
            continue
        model = record["source_id"]
        numbers[model] = record["change"]
        said = [] if record["complete"] else ["incomplete"]
        runs = [r for r in report.member_records() if r["source_id"] == model]
        said += [r["errata"] for r in runs if r["errata"]]
        said += [note for r in runs for note in r["fixes"].split("; ") if "left aside" in note]
        if said:
            marks[model] = "; ".join(dict.fromkeys(said))
    reasons: dict[str, str] = {}
    for failure in report.failures:
        reasons.setdefault(failure.dataset.split(".")[0], f"{failure.stage}: {failure.reason}")
    return Answer(numbers, marks, reasons)


def ask(
    case: Case, collection: Path | str, options: Mapping[str, Any], cache: ArrayCache | None = None,
    executor: Executor | None = None,
) -> Answer:  # fmt: skip
    """Run spread on a case."""
    try:
        report = flow.run(study_of(case, collection, options), executor=executor, cache=cache)
    except SpreadError as error:
        return Answer(error=str(error), refused=True)
    except Exception as error:  # the score counts it
        return Answer(error=f"{type(error).__name__}: {error}")
    return answer_of(report)


__all__ = ["LATE", "answer_of", "ask", "expected", "measure", "study_of"]
