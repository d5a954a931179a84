"""Records and texts of a report: plain values for tables, JSON and the terminal."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    from spread.report import Report

_FACTS = (
    "version", "calendar", "grid_label", "area_source", "land_source", "fixes", "missing_periods", "zstore",
)  # fmt: skip


def summary(report: Report) -> list[dict[str, Any]]:
    """Spread across models, one record for each experiment, period, season and region."""
    records = []
    across = report.across.transpose("region", "season", "period", "experiment_id", "quantile")
    for region in across["region"].values:
        for season in across["season"].values:
            for period in across["period"].values:
                for experiment in across["experiment_id"].values:
                    at = across.sel(region=region, season=season, period=period, experiment_id=experiment)
                    statistics = {k: float(at[k]) for k in ("mean", "sd", "minimum", "maximum")}
                    quantiles = {
                        f"{q:g}": float(v) for q, v in zip(at["quantile"].values, at["quantiles"].values, strict=True)
                    }
                    keys = {"experiment_id": experiment, "period": period, "season": season, "region": region}
                    records.append(
                        {k: str(v) for k, v in keys.items()}
                        | {"models": int(at["count"])}
                        | statistics
                        | {"quantiles": quantiles, "units": report.units}
                    )
    return records


def member_records(report: Report) -> list[dict[str, Any]]:
    """One record for each run that was read: facets, version, fixes, gaps, errata and its change."""
    members, change, records = report.members, report.change, []
    for index in np.argwhere(members["present"].values):
        run = {
            d: str(members[d].values[i])
            for d, i in zip(("source_id", "experiment_id", "member_id"), index, strict=True)
        }
        facts = {fact: str(members[fact].values[tuple(index)]) for fact in _FACTS}
        name = ".".join((*run.values(), report.study.variable_id))
        facts["errata"] = "; ".join(report.provenance.get("errata", {}).get(name, ()))
        months = np.flatnonzero(np.isfinite(members[report.study.variable_id].values[tuple(index)]).any(axis=-1))
        time = members["time"].values[months]
        span = {"first": str(time[0])[:7], "last": str(time[-1])[:7]} if months.size else {"first": "", "last": ""}
        numbers: dict[str, Any] = {"change": None, "complete": None, "used": None}
        if run["experiment_id"] in change["experiment_id"].values:
            at = change.sel(run).isel(period=0, season=0, region=0)
            value = float(at["change"])
            numbers = {
                "change": value if np.isfinite(value) else None,
                "complete": bool(at["complete"]),
                "used": bool(np.isfinite(value)),
            }
        records.append(run | span | facts | numbers)
    return records


def simulated_records(report: Report) -> list[dict[str, Any]]:
    """One record for each simulated run, period, season and region: the median of its draws and their range."""
    if "simulated" not in report.answers:
        return []
    found, records = report.answers["simulated"], []
    for source, experiment in product(found["source_id"].values, found["experiment_id"].values):
        run = found.sel(source_id=source, experiment_id=experiment)
        if not run["present"].values.any():
            continue
        run = run.isel(member_id=np.flatnonzero(run["present"].values))
        for period, season, region in product(*(run[d].values for d in ("period", "season", "region"))):
            change = run["change"].sel(period=period, season=season, region=region).values
            base = run["base"].sel(season=season, region=region).values
            several = change.size > 1
            low, middle, high = np.quantile(change, (0.05, 0.5, 0.95))
            numbers = {
                "base": np.median(base), "change": middle, "low": low if several else np.nan,
                "high": high if several else np.nan,
            }  # fmt: skip
            records.append(
                {"source_id": source, "experiment_id": experiment, "version": run["version"].values[0]}
                | {"draws": int(change.size), "period": period, "season": season, "region": region}
                | {name: float(v) if np.isfinite(v) else None for name, v in numbers.items()}
            )
    return [{k: v if isinstance(v, int | float | None) else str(v) for k, v in r.items()} for r in records]


def simulated_sentences(report: Report) -> list[str]:
    """Of each simulated run and period, its change over the first region and season, in the unit shown."""
    unit, factor = VARIABLES[report.study.variable_id].change_display(report.study.anomaly_kind)
    sentences = []
    for r in simulated_records(report):
        if (r["season"], r["region"]) != (report.study.seasons[0], report.study.regions[0].name):
            continue
        said = f"{r['source_id']} ({r['experiment_id']}), {r['period']}, {r['season']}, {r['region']}: "
        said += "no number, the run lacks years" if r["change"] is None else f"{factor * r['change']:.3g} {unit}"
        if r["low"] is not None:
            said += f" (5-95 % of {r['draws']} draws: {factor * r['low']:.3g} to {factor * r['high']:.3g})"
        sentences.append(said)
    return sentences


def table(report: Report) -> str:
    """The spread as text, for a terminal."""
    variable = VARIABLES[report.study.variable_id]
    low, high = min(report.study.quantiles), max(report.study.quantiles)
    unit, factor = variable.change_display(report.study.anomaly_kind)
    against = f"change against {report.across.attrs['base_period']} [{unit}]"
    lines = [
        f"{variable.long_name} ({variable.variable_id}), {against}"
        + (" - SYNTHETIC DATA, not model output" if report.synthetic else ""),
        f"{'experiment':<12} {'period':<10} {'season':<7} {'region':<20} {'models':>6} {'mean':>7} {'sd':>6} "
        f"{f'{100 * low:g} %':>7} {'50 %':>7} {f'{100 * high:g} %':>7} {'min':>7} {'max':>7}",
    ]
    for r in summary(report):
        q = {level: factor * value for level, value in r["quantiles"].items()}
        middle = q.get("0.5", float("nan"))
        r |= {key: factor * r[key] for key in ("mean", "sd", "minimum", "maximum")}
        lines.append(
            f"{r['experiment_id']:<12} {r['period']:<10} {r['season']:<7} {r['region']:<20} {r['models']:>6d} "
            f"{r['mean']:>7.2f} {r['sd']:>6.2f} {q[f'{low:g}']:>7.2f} {middle:>7.2f} {q[f'{high:g}']:>7.2f} "
            f"{r['minimum']:>7.2f} {r['maximum']:>7.2f}"
        )
    lines += [f"simulated, no vote: {sentence}" for sentence in simulated_sentences(report)]
    if report.failures:
        lines.append(f"left out: {len(report.failures)}")
        lines += [f"  - {failure.sentence}" for failure in report.failures]
    return "\n".join(lines)
