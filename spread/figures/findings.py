"""The answers of a report in words and tables: what figures show, said in a sentence or two."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from spread import ensemble
from spread.figures.words import SEASONS, in_words, label, unit, voters
from spread.report import Report
from spread.vocabulary import VARIABLES


def maps(report: Report) -> str:
    """What the maps are, and by which rule they are hatched."""
    asked = report.study.maps
    assert asked is not None
    rule = "at least 80 % must agree on the sign"
    if asked.agreement == "advanced":
        rule = (
            "at least 66 % must leave internal variability, taken from the single years of the base period, and at "
            "least 80 % agree on the sign"
        )
    return (
        f"Each model's own change, on a grid of {asked.grid} degrees ({asked.method} regridding). Hatched where it is "
        f"not robust after IPCC AR6 WGI, Cross-Chapter Box Atlas.1: of the models, {rule}."
    )


def partition(report: Report) -> str:
    """Shares of the sources of uncertainty in the first region."""
    found = report.answers["partition"]
    first = found.isel(region=0) if "region" in found.dims else found
    years = [y for y in (2030, 2050, 2090) if y in first["year"].values]
    parts = [
        f"{year}: " + ", ".join(f"{source} {float(share):.0f} %" for source, share in
                                zip(first["source"].values, first["share"].sel(year=year).values, strict=True))
        for year in years
    ]  # fmt: skip
    where = in_words(str(first["region"].item())) if "region" in first.coords else ""
    return f"Shares of the variance, {where}. {'; '.join(parts)}. Definition: {found.attrs.get('definition', '')}."


def levels(report: Report) -> str:
    """How crossings are counted."""
    return (
        "A level is crossed in the first year whose 20-year mean exceeds it; central years are given. Runs that do not "
        "cross it count as crossing it after their end, so that a slow scenario does not look fast."
    )


def sensitivity(report: Report) -> str:
    """Range, mean and standard deviation of ECS and TCR across models."""
    found = report.answers["sensitivity"]
    parts = []
    for name, words in (("ecs", "ECS"), ("tcr", "TCR")):
        values = found[name].mean("member_id").values
        values = values[np.isfinite(values)]
        if values.size > 1:
            parts.append(
                f"{words} {values.min():.1f} to {values.max():.1f} K over {values.size} models (mean "
                f"{values.mean():.2f}, sample standard deviation {values.std(ddof=1):.2f} K)"
            )
        elif values.size:
            parts.append(f"{words} {values[0]:.2f} K of one model")
    if not parts:
        return "No model has a sensitivity that can be believed; the table says why."
    return (
        f"{'; '.join(parts)}. ECS by Gregory regression of abrupt-4xCO2, TCR from 1pctCO2, both above the mean of the "
        "control; models without such runs are not in it."
    )


def sensitivity_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """ECS, forcing, feedback and TCR of each run, the most sensitive first: the head of a table and its rows."""
    found = report.answers["sensitivity"]
    head = ["Model", "Run", "ECS [K]", "ERF of 2 × CO₂ [W m⁻²]", "Feedback [W m⁻² K⁻¹]", "TCR [K]", "Without a number"]
    rows: list[tuple[float, list[str]]] = []
    for source_id, member_id in product(found["source_id"].values, found["member_id"].values):
        run = found.sel(source_id=source_id, member_id=member_id)
        reasons = list(dict.fromkeys(str(run[name].values) for name in ("reason", "tcr_reason") if run[name].values))
        numbers = [
            _with_error(float(run[name]), float(run[f"{name}_se"]) if f"{name}_se" in run else np.nan)
            for name in ("ecs", "erf_2x", "feedback", "tcr")
        ]
        if reasons or any(numbers):
            rows.append(
                (-float(run["ecs"].fillna(-np.inf)), [str(source_id), str(member_id), *numbers, "; ".join(reasons)])
            )
    ordered = [row for _, row in sorted(rows, key=lambda pair: (pair[0], pair[1][0]))]
    if not any(row[-1] for row in ordered):  # nobody is without a number
        return head[:-1], [row[:-1] for row in ordered]
    return head, ordered


def _with_error(value: float, error: float) -> str:
    if not np.isfinite(value):
        return ""
    return (f"{value:.2f} ± {error:.2f}" if np.isfinite(error) else f"{value:.2f}").replace("-", "−")


def constraint(report: Report, period: str | None = None) -> str:
    """Raw and constrained ranges in a period; the first by default."""
    found = report.answers["constraint"]
    found = found.isel(period=0) if period is None else found.sel(period=period)
    quantiles = found["quantiles"]
    parts = []
    for experiment in map(str, found["experiment_id"].values):
        low, high = (quantiles.sel(experiment_id=experiment).isel(quantile=q) for q in (0, -1))
        raw, constrained = (f"{float(low.sel(estimate=e)):.1f} to {float(high.sel(estimate=e)):.1f}"
                            for e in ("raw", "constrained"))  # fmt: skip
        parts.append(f"{label(experiment)} {raw} K raw, {constrained} K constrained")
    observed = report.study.observations
    name = observed.name if observed else ""
    base = ensemble.period_name(report.study.base_period)
    return f"Change by {found['period'].item()} against {base}, by the trend of {name}: {'; '.join(parts)}."


def weights(report: Report) -> str:
    """What weights do to the mean change of the first region, season and period."""
    found, study = report.answers["weights"], report.study
    at: dict[str, Any] = {"region": 0, "season": 0, "period": 0}
    weighted, change = found.isel(at), report.change["change"].isel(at)
    equal = ensemble.across(change, study.votes, study.quantiles, study.ddof)
    once = "each run once" if study.votes == "all" else "each model once"
    parts = [
        f"{label(str(e))} {float(equal['mean'].sel(experiment_id=e)):.2f} K {once}, "
        f"{float(weighted['mean'].sel(experiment_id=e)):.2f} K weighted"
        for e in found["experiment_id"].values
    ]
    base = ensemble.period_name(study.base_period)
    said = f"Mean change by {report.across['period'].values[0]} against {base}: {'; '.join(parts)}."
    of = str(found.attrs.get("weights_base_period", base))
    return said if of == base else f"{said} The weights themselves were made with {of} as base."


def simulated(report: Report) -> str:
    """What stands beside the models, and that it has no vote."""
    runs = json.loads(str(report.answers["simulated"].attrs["runs"]))
    parts = []
    for name, facts in runs.items():
        weather = "synthetic weather" if facts.get("synthetic") == "true" else "given weather"
        parts.append(
            f"{name}: {weather}, bricks {facts.get('bricks', '?')}, parameters {facts['parameters_digest'][:12]}"
        )
    said = "; ".join(parts)
    return (
        "Runs of spread's own land model over land, each against its own mean of the same base period. They have no "
        f"vote: statistics, sources of uncertainty, constraints and weights are of the models alone. {said}."
    )


def simulated_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Simulated runs beside the models: the head of a table and its rows."""
    shown = unit(report)
    canonical = VARIABLES[report.study.variable_id]
    absolute, factor = canonical.change_display("absolute")
    head = [
        "Run", "Region", "Season", "Period", "Draws", f"Mean of {report.across.attrs['base_period']} [{absolute}]",
        f"Change [{shown.name}]", "5 %", "95 %", "Models: lowest", "Models: highest",
    ]  # fmt: skip
    rows = []
    for r in report.simulated_records():
        models = report.across.sel(period=r["period"], season=r["season"], region=r["region"])
        ends = [float(models["minimum"].min()), float(models["maximum"].max())]
        numbers = [r["base"] and factor * r["base"], *(r[n] and shown.factor * r[n] for n in ("change", "low", "high"))]
        numbers += [shown.factor * end for end in ends]
        run = f"{r['source_id']} {r['experiment_id']}"
        rows.append(
            [run, in_words(r["region"]), SEASONS[r["season"]], r["period"], str(r["draws"] if r["draws"] > 1 else 0)]
            + ["–" if n is None else f"{n:.3g}".replace("-", "−") for n in numbers]
        )
    return head, rows


FINDINGS: dict[str, Callable[[Report], str]] = {
    "maps": maps, "partition": partition, "warming_levels": levels, "constraint": constraint, "weights": weights,
    "simulated": simulated, "sensitivity": sensitivity,
}  # fmt: skip
"""Words by the name of an answer."""


def level_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """When each level is crossed, by scenario: the head of a table and its rows."""
    found = report.answers["warming_levels"]
    outer = [float(q) for q in found["quantile"].values]
    head = ["Level", "Scenario", "Cross it", *(f"{100 * q:g} %" for q in outer)]
    rows = []
    for level, experiment in product(found["level"].values, map(str, found["experiment_id"].values)):
        at = found.sel(level=level, experiment_id=experiment)
        count = int(at["votes"])
        years = [_year(at, place) for place in range(len(outer))] if count else ["" for _ in outer]
        rows.append(
            [f"{level:g} K", label(experiment), f"{int(at['votes_reached'])} of {voters(report, count)}", *years]
        )
    return head, rows


def _year(at: xr.Dataset, place: int) -> str:
    value = float(at["quantiles"].isel(quantile=place))
    if np.isfinite(value):
        return f"{value:.0f}"
    return f"after {float(at['known_until']):.0f}" if bool(at["after_end"].isel(quantile=place)) else ""
