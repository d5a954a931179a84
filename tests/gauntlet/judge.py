"""The judge: from what a system answered to what became of a fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

TOLERANCE = 1e-3
"""Share of the clean ensemble's standard deviation by which a number may be off."""

OUTCOMES = ("repaired", "marked", "excluded", "refused", "stopped", "hung", "vanished", "silent wrong")
"""What can become of a fault, from the best to the worst."""

MEANING = {
    "repaired": "the number is right (mended, or the fault does it no harm)",
    "marked": "the number is off, and the report marks it: incomplete, or a known erratum",
    "excluded": "the dataset is left out with a reason; the other models have their numbers",
    "refused": "the fault is in what all models share, and the whole study is refused with a reason",
    "stopped": "an error ends the run, and no model has a number",
    "hung": "no answer within the time that a case may take",
    "vanished": "the model has no number, and nothing says why",
    "silent wrong": "a wrong number, and nothing says so",
}


@dataclass(frozen=True)
class Answer:
    """What a system said.

    Parameters
    ----------
    numbers : mapping of str to float
        Change of each model.
    marks : mapping of str to str
        Models whose number is marked, and how.
    reasons : mapping of str to str
        Models that are left out, and why.
    error : str
        What ended the run; empty where it went through.
    refused : bool
        The error is one that the system raises on purpose, and says what is wrong.
    hung : bool
        It had to be stopped.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    refused: bool = False
    hung: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of a fault.

    Parameters
    ----------
    outcome : str
        One of :data:`OUTCOMES`.
    detail : str
        The reason or the error of the system, or by how much a number is off.
    """

    outcome: str
    detail: str = ""


def judge(answer: Answer, truth: Mapping[str, float], victim: str, sd: float, whole_study: bool = False) -> Verdict:
    """Judge an answer.

    Parameters
    ----------
    answer : Answer
        What the system said.
    truth : mapping of str to float
        True change of every model of the case, the victim among them.
    victim : str
        The model with the fault.
    sd : float
        Standard deviation of the clean ensemble.
    whole_study : bool
        It is right to refuse the whole study.

    Returns
    -------
    Verdict
        The worst of what happened to any model.
    """
    if answer.hung:
        return Verdict("hung", answer.error)
    if answer.error:
        return Verdict("refused" if answer.refused and whole_study else "stopped", answer.error)
    healthy = [_of_model(answer, truth[model], model, sd) for model in truth if model != victim]
    spoilt = [v for v in healthy if v.outcome != "repaired"]
    if spoilt:
        worst = max(spoilt, key=lambda v: OUTCOMES.index(v.outcome))
        if worst.outcome in ("silent wrong", "vanished"):
            return Verdict(worst.outcome, f"in a healthy model: {worst.detail}")
        return Verdict("stopped", f"a healthy model has no sound number: {worst.detail}")
    return _of_model(answer, truth[victim], victim, sd)


def _of_model(answer: Answer, truth: float, model: str, sd: float) -> Verdict:
    number = answer.numbers.get(model)
    if number is None or not math.isfinite(number):
        reason = answer.reasons.get(model, "")
        return Verdict("excluded", reason) if reason else Verdict("vanished", "no number and no reason")
    off = abs(number - truth) / sd
    if off <= TOLERANCE:
        return Verdict("repaired", answer.marks.get(model, ""))
    if model in answer.marks:
        return Verdict("marked", f"{answer.marks[model]}; off by {off:.2g} sd")
    return Verdict("silent wrong", f"{number:.4g} instead of {truth:.4g}, off by {off:.2g} sd")
