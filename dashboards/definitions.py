"""Definitions of a report: another base period or other votes, from the reduced members that it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from spread import ensemble
from spread.errors import Failure, NotFound
from spread.report import Report
from spread.study import Study

Years = tuple[int, int]


def redefined(
    report: Report,
    base_period: Years | None = None,
    votes: str | None = None,
    assessed: bool | None = None,
    yearly: xr.Dataset | None = None,
    answers: bool = True,
) -> Report:
    """Give a report another base period or other votes, from the reduced members that it keeps.

    Parameters
    ----------
    report : Report
        The report.
    base_period : tuple of int, optional
        First and last year; the study's by default.
    votes : str, optional
        ``models`` (each once), ``runs`` (each once) or ``weighted`` (models, by the weights of the report); the study's
        by default.
    assessed : bool, optional
        Whether figures draw the ranges that AR6 assessed; as the study says by default.
    yearly : xarray.Dataset, optional
        Yearly means of its members, see :func:`yearly_of`, where they are at hand.
    answers : bool
        Whether the partition of variance, the crossings of warming levels and the reasons why runs are left out are
        made anew too.

    Returns
    -------
    Report
        Equal to what :func:`spread.run` gives for such a study. What cannot be made of reduced members is in ``silent``
        with the reason; ``maps`` stay those of the report, and so do the weights of its models.

    Raises
    ------
    NotComparable
        If no run has a number then.
    NotFound
        If weights are asked for and the report has none.
    """
    study = report.study
    study = study.model_copy(update={"assessed": study.assessed if assessed is None else study.assessed and assessed})
    report = replace(report, study=study)
    study = study.model_copy(update={"base_period": base_period or study.base_period} | _voting(study, votes))
    weights = _weights(report) if votes == "weighted" else None
    if study == report.study and weights is None:
        return report
    yearly = yearly_of(report) if yearly is None else yearly
    change = ensemble.changes(yearly, study.periods, study.base_period, study.anomaly_kind, study.required_years)
    every = change
    incomparable: list[Failure] = []
    if study.require_all_experiments:
        change, incomparable = ensemble.keep_complete_models(change, study.variable_id, study.experiments)
    failures = report.failures
    if answers or not change["change"].notnull().any():
        lost = ensemble.incomplete_runs(every, study.base_period, study.variable_id)
        failures = _failures(report.failures, lost + incomparable)
        ensemble.refuse_empty(change, failures, study.name)
    anomalies = ensemble.anomalies(
        yearly, study.base_period, study.anomaly_kind, study.required_years, used=change["change"]
    )
    across, plume = (
        ensemble.across(data, study.votes, study.quantiles, study.ddof, weights).assign_attrs(
            base_period=anomalies.attrs["base_period"]
        )
        for data in (change["change"], anomalies["anomaly"])
    )
    found, silent = _answers(report, study, anomalies, change) if answers else (_kept(report), {})
    return replace(
        report, study=study, yearly=anomalies, change=change, across=across, plume=plume, failures=failures,
        observations=_observations(report, study), answers=found, silent=silent,
    )  # fmt: skip


def yearly_of(report: Report) -> xr.Dataset:
    """Yearly means of a report's members, scenarios behind their historical runs."""
    return ensemble.yearly_means(
        ensemble.join_historical(report.members, report.study.historical), report.study.seasons
    )


def _voting(study: Study, votes: str | None) -> dict[str, Any]:
    """The field ``members`` of a study in which such votes hold; nothing where they do already."""
    if votes is None or (votes == "runs") == (study.votes == "all"):
        return {}
    return {"members": "all" if votes == "runs" else "mean"}


def _weights(report: Report) -> xr.DataArray:
    if "weights" not in report.answers:
        raise NotFound(f"report {report.study.name!r}: has no weights; {why_not(report, 'weights')}")
    return report.answers["weights"]["weights"]


def _failures(before: tuple[Failure, ...], lost: list[Failure]) -> tuple[Failure, ...]:
    """What was left out of the report, and what is left out of this definition: the ensemble judges anew."""
    kept = [failure for failure in before if failure.stage != "ensemble" or "seam" in failure.reason]
    named = {failure.dataset for failure in kept}
    return tuple(sorted([*kept, *(f for f in lost if f.dataset not in named)], key=lambda f: (f.dataset, f.stage)))


def _answers(
    report: Report, study: Study, anomalies: xr.Dataset, change: xr.Dataset
) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Answers made anew where reduced members are enough, kept where a definition does not touch them."""
    plain = study.model_copy(update={"constraint": None, "weights": None})
    found, silent = ensemble.answers(plain, anomalies, change)
    found |= _kept(report)
    if "weights" in report.answers:
        found["weights"] = _weighted(report, study, change)
    same = study.base_period == report.study.base_period
    silent |= {name: report.silent[name] for name in (*_OF_ONE_BASE, *_UNTOUCHED) if name in report.silent}
    base = ensemble.period_name(report.study.base_period)
    for name, words in _OF_ONE_BASE.items():
        if name not in report.answers:
            continue
        if same:
            found[name] = report.answers[name]
        else:
            silent[name] = f"{words} made against {base}; run the study with this base period to have another"
    return found, silent


def _weighted(report: Report, study: Study, change: xr.Dataset) -> xr.Dataset:
    """Statistics under this definition by the weights of the report, which rest on its own base period."""
    weights = _weights(report)
    found = ensemble.across(change["change"], study.votes, study.quantiles, study.ddof, weights)
    of = ensemble.period_name(report.study.base_period)
    return found.assign(weights=weights).assign_attrs(
        base_period=change.attrs["base_period"], weights_base_period=of,
        synthetic=report.answers["weights"].attrs.get("synthetic", "false"),
    )  # fmt: skip


_OF_ONE_BASE = {"constraint": "the constraint was", "simulated": "anomalies of simulated runs were"}
_UNTOUCHED = ("maps", "weights", "sensitivity")


def _kept(report: Report) -> dict[str, xr.Dataset]:
    """Answers that a definition does not touch."""
    return {name: report.answers[name] for name in _UNTOUCHED if name in report.answers}


def _observations(report: Report, study: Study) -> dict[str, Any]:
    """Observed anomalies against another base period, where the series covers it; nothing where it does not."""
    known = report.observations
    if not known or study.base_period == report.study.base_period:
        return known
    year, anomaly = np.asarray(known["year"]), np.asarray(known["anomaly"], dtype=float)
    inside = (year >= study.base_period[0]) & (year <= study.base_period[1]) & np.isfinite(anomaly)
    if inside.sum() < study.minimum_years * (study.base_period[1] - study.base_period[0] + 1):
        return {}
    mean = anomaly[inside].mean()
    if study.anomaly_kind == "percent":
        shifted = 100.0 * ((1.0 + anomaly / 100.0) / (1.0 + mean / 100.0) - 1.0)
    else:
        shifted = anomaly - mean
    return known | {"anomaly": shifted.tolist()}


def why_not(report: Report, name: str) -> str:
    """Why a report has no such answer, in a sentence."""
    if name in report.silent:
        return report.silent[name]
    asked = {
        "partition": "the study asks for no partition of variance; set partition = 'HS09' in it",
        "constraint": "the study asks for no constraint; add [constraint] and [observations] to it",
        "weights": "the study asks for no weights; add [weights] and [observations] to it",
        "maps": "the study asks for no maps; add [maps] to it",
        "sensitivity": "the study asks for no sensitivity; add [sensitivity] to it",
        "warming_levels": "levels of global warming need tas and warming_levels in the study",
    }
    return asked.get(name, f"the study does not ask for it: {name}")
