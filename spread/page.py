"""The page of a report: the answer in words, figures, numbers, who took part, who was left out and why.

One file that opens from a disk without a network; everything it shows lies in its folder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from spread import figures
from spread.ensemble import assessed, period_name
from spread.regions import AR6_SOURCE, Region
from spread.report import Report
from spread.study import Study
from spread.vocabulary import VARIABLES

DOWNLOADS = {
    "spread.csv": "the spread, one row for each scenario, period, season and region",
    "members.csv": "every run that was read, with version, fixes and gaps",
    "left_out.csv": "what was left out, and why",
    "summary.json": "all of this page for machines",
    "report.zarr": "everything, with the reduced runs themselves; spread.Report.load reads it",
    "partition.csv": "shares of the sources of uncertainty by region and year",
    "warming_levels.csv": "when levels of global warming are crossed, by scenario",
    "constraint.csv": "raw and constrained ranges",
    "weights.csv": "the weight of each model",
    "sensitivity.csv": "ECS, effective forcing, feedback and TCR of each model, or why there is none",
    "simulated.csv": "changes of the simulated runs, one row for each draw",
}

_TEMPERATURES = ("tas", "tasmax", "tasmin")


def write(report: Report, folder: str | Path) -> Path:
    """Write the page of a report and its figures.

    Parameters
    ----------
    report : Report
        The report.
    folder : str or Path
        Folder of the report; ``index.html`` and ``figures`` go there.

    Returns
    -------
    Path
        The page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures.save(report, folder / "figures")
    sections = figures.save_sections(report, folder / "figures")
    page = folder / "index.html"
    there = {name: what for name, what in DOWNLOADS.items() if (folder / name).exists()}
    page.write_text(render(report, drawn, there, sections), encoding="utf-8")
    return page


def render(
    report: Report,
    drawn: list[dict[str, str]],
    downloads: dict[str, str],
    sections: Sequence[figures.Section] = (),
) -> str:
    """Render the page.

    Parameters
    ----------
    report : Report
        The report.
    drawn : list of dict
        Figures as :func:`spread.figures.save` returns them.
    downloads : dict of str to str
        Files in the folder, and what they hold.
    sections : sequence of Section
        The answers, as :func:`spread.figures.save_sections` returns them.

    Returns
    -------
    str
        HTML; every text is escaped.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string((files("spread") / "page_template.html").read_text(encoding="utf-8"))
    study, rows = report.study, spread_rows(report)
    members = member_rows(report)
    wanted = len(study.regions) * len(study.seasons)
    return template.render(
        study=study,
        variable=VARIABLES[study.variable_id],
        synthetic=figures.SYNTHETIC if report.synthetic else "",
        headline=headline(report),
        cards=[row for row in rows if all(row[key] == rows[0][key] for key in ("region", "season", "period"))],
        where=f"{rows[0]['region']}, {rows[0]['season']}, {rows[0]['period']} against {base(report)}",
        unit=figures.unit(report).name,
        csv_unit=report.units,
        band=figures.band(report),
        quantiles=[_percent(q) for q in report.across["quantile"].values],
        rows=rows,
        drawn=[record | {"alt": alternative(report, record)} for record in drawn],
        not_drawn=wanted - len(drawn),
        sections=sections,
        source=assessed.SOURCE if assessed.assessed_ranges(study) else "",
        observations=report.observations.get("name", ""),
        simulated="simulated" in report.answers,
        members=members,
        incomplete=[f"{m['source_id']} {m['experiment']}" for m in members if m["state"] == "incomplete"],
        failures=report.failures,
        settings=settings(report),
        provenance=provenance(report),
        downloads=downloads,
    )


def base(report: Report) -> str:
    """The base period, ``1850-1900``."""
    return str(report.across.attrs["base_period"])


def number(value: float | None, unit: str) -> str:
    """Write a number of a unit for people: as many digits as mean something, and a true minus sign."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = 1 if unit == "%" or abs(value) >= 100 else 2
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def spread_rows(report: Report) -> list[dict[str, Any]]:
    """Rows of the table of spread, as texts in the unit shown.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    list of dict
        ``region, season, period, scenario, colour, votes, mean, sd, quantiles, low, high, minimum, maximum``.
    """
    unit, rows = figures.unit(report), []
    for r in report.summary():
        quantiles = [r["quantiles"][q] for q in sorted(r["quantiles"], key=float)]
        texts = {k: number(r[k] * unit.factor, unit.name) for k in ("mean", "sd", "minimum", "maximum")}
        shown = [number(q * unit.factor, unit.name) for q in quantiles]
        rows.append(
            texts
            | {
                "region": figures.place(report, r["region"]),
                "season": figures.SEASONS[r["season"]],
                "period": r["period"],
                "scenario": figures.label(r["experiment_id"]),
                "colour": figures.colour(report, r["experiment_id"]),
                "votes": figures.voters(report, r["models"]),
                "quantiles": shown,
                "low": shown[0] if shown else "",
                "high": shown[-1] if shown else "",
            }
        )
    return rows


def headline(report: Report) -> str:
    """Answer the study in two sentences, for its first region, season and period.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    str
        How far models change in the mean of each scenario, and where they disagree most.
    """
    unit, rows = figures.unit(report), report.summary()
    first = rows[0]
    rows = [r for r in rows if all(r[key] == first[key] for key in ("region", "season", "period")) and r["models"]]
    if not rows:
        return f"No model has a number for {first['period']}."
    counts = sorted({r["models"] for r in rows})
    who = figures.voters(report, counts[-1])
    who = who if len(counts) == 1 else f"{counts[0]} to {who}"
    warm = report.study.variable_id in _TEMPERATURES and all(r["mean"] > 0 for r in rows)
    verb = ("warm" if warm else "change") + ("s" if counts == [1] else "")
    where = f"{figures.place(report, first['region'])}, {figures.SEASONS[first['season']]}"
    parts = _listed([_answer(report, r) for r in rows])
    text = f"By {first['period']}, {who} {verb} {parts}, against {base(report)} ({where})."
    widest = max(rows, key=_width)
    if _width(widest) > 0:
        wide = f"{number(unit.factor * _width(widest), unit.name)} {unit.name}"
        text += f" They disagree most under {figures.label(widest['experiment_id'])}, where the range"
        text += f" ({figures.band(report)}) is {wide} wide."
    return text


def _answer(report: Report, record: dict[str, Any]) -> str:
    unit = figures.unit(report)
    values = [record["mean"], *_outer(record)]
    mean, *outer = (number(unit.factor * value, unit.name) for value in values)
    between = (
        f" ({figures.band(report)}: {outer[0]} to {outer[1]} {unit.name})" if outer and record["models"] > 1 else ""
    )
    return f"by {mean} {unit.name}{between} under {figures.label(record['experiment_id'])}"


def _outer(record: dict[str, Any]) -> list[float]:
    values = sorted(record["quantiles"].values())
    return [values[0], values[-1]] if len(values) > 1 else []


def _width(record: dict[str, Any]) -> float:
    outer = _outer(record)
    width = outer[1] - outer[0] if outer and record["models"] > 1 else 0.0
    return width if math.isfinite(width) else 0.0


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _percent(quantile: float) -> str:
    return f"{100 * float(quantile):g} %"


def alternative(report: Report, record: dict[str, str]) -> str:
    """Say in words what a figure shows, for those who do not see it."""
    shown = []
    for r in report.summary():
        if (r["region"], r["season"], r["period"]) == (record["region"], record["season"], _first_period(report)):
            unit = figures.unit(report)
            shown.append(
                f"{figures.label(r['experiment_id'])} {number(unit.factor * r['mean'], unit.name)} {unit.name}"
            )
    text = f"{record['title']}: yearly change from {base(report)} by scenario. "
    text += f"Mean change by {_first_period(report)}: {', '.join(shown)}."
    return text + (f" {figures.SYNTHETIC}." if report.synthetic else "")


def _first_period(report: Report) -> str:
    return str(report.across["period"].values[0])


def member_rows(report: Report) -> list[dict[str, Any]]:
    """Rows of the table of runs.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    list of dict
        As :meth:`spread.report.Report.member_records`, with ``change`` as text and ``state``: ``used``, ``incomplete``
        (used, though a period lacks years), ``no number`` or, for historical runs, empty.
    """
    unit = figures.unit(report)
    rows = []
    for record in report.member_records():
        state = ""
        if record["used"] is not None:
            state = ("used" if record["complete"] else "incomplete") if record["used"] else "no number"
        value = record["change"]
        text = "" if record["used"] is None else number(None if value is None else value * unit.factor, unit.name)
        experiment = figures.label(record["experiment_id"])
        rows.append(record | {"state": state, "change": text, "experiment": experiment})
    return rows


def settings(report: Report) -> dict[str, str]:
    """Say in words what the study decided.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    dict of str to str
        A name for each choice, and the choice.
    """
    study = report.study
    kind = "in % of the base period's mean" if study.anomaly_kind == "percent" else f"in {report.units}"
    regions = [f"{figures.in_words(r.name)} ({_where(r)})" for r in study.regions]
    quantiles = ", ".join(_percent(q) for q in study.quantiles)
    sd = "sample (n - 1)" if study.ddof == 1 else "population (n)"
    models = ", ".join(study.models) if study.models else "all in the catalog that have what is asked"
    models += f"; without {', '.join(study.exclude_models)}" if study.exclude_models else ""
    same = (
        "Yes: a model that lacks one is left out."
        if study.require_all_experiments
        else "No: scenarios may rest on other models."
    )
    return {
        "Variable": f"{VARIABLES[study.variable_id].long_name} ({study.variable_id}, {study.table_id}), change {kind}",
        "Scenarios": ", ".join(figures.label(e) for e in study.experiments)
        + (f", each behind {study.historical!r}" if study.historical else ", standing alone"),
        "Models": models,
        "Who has a vote": votes(study),
        "Known errata": errata(study),
        "Same models in all scenarios": same,
        "Base period": f"{period_name(study.base_period)}; each run against its own",
        "Periods": ", ".join(period_name(p) for p in study.periods),
        "Seasons": ", ".join(figures.SEASONS[s] for s in study.seasons),
        "Regions": "; ".join(regions),
        "Incomplete periods": _incomplete(study),
        "Statistics": f"quantiles {quantiles} between order statistics; standard deviation of the {sd}",
        "Catalog": study.catalog,
    }


def votes(study: Study) -> str:
    """Say who has a vote in a study's statistics."""
    if study.members == "first":
        return "Each model once, by its first member."
    if study.members == "mean":
        return "Each model once, by the mean of its members."
    if study.members == "all":
        return "Every run, so that a model with many members weighs more."
    return f"Each model once, by the mean of its members among {', '.join(study.members)}."


def errata(study: Study) -> str:
    """Say what a study makes of datasets that are known to be bad."""
    words = {"reject": "left out", "note": "used and noted", "ignore": "ignored"}
    actions = {action: [s for s, chosen in study.errata.items() if chosen == action] for action in words}
    said = "; ".join(f"{_listed(found)}: {words[action]}" for action, found in actions.items() if found)
    return f"{said} (ES-DOC errata by severity)"


def _incomplete(study: Study) -> str:
    if study.incomplete_periods == "refuse":
        return "A run that lacks a year of a period, or of the base period, is left out."
    share = _percent(study.minimum_years)
    return f"A run counts if it has at least {share} of the years of a period and of the base period; it is marked."


def _where(region: Region) -> str:
    """Say where a region lies: its box, or where its polygons come from."""
    south, north, west, east = region.extent
    everywhere = (south, north) == (-90, 90) and abs(east - west) == 360
    box = f"{_degrees(south, 'SN')} to {_degrees(north, 'SN')}"
    if abs(east - west) != 360:
        box += f", {_degrees(west, 'WE')} to {_degrees(east, 'WE')}"
    where = "everywhere" if everywhere and not region.polygons else box
    if region.polygons:  # an AR6 region is known; the reader of another outline sees at least that it lies right
        where = region.source if region.source.startswith(AR6_SOURCE) else f"{region.source}; {box}"
    return where if region.surface == "all" else f"{where}, {region.surface} only"


def _degrees(value: float, letters: str) -> str:
    value = round(value, 2)
    return f"{abs(value):g}°{letters[value > 0] if value else ''}"


def provenance(report: Report) -> dict[str, str]:
    """Say where the numbers come from.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    dict of str to str
        Moment, versions, machine; a fact the report does not have is left out.
    """
    found = report.provenance
    libraries = ", ".join(f"{name} {version}" for name, version in found.get("libraries", {}).items())
    datasets = len(found.get("datasets", ()))
    facts = {
        "Made": found.get("created", "")[:16].replace("T", " ") + " UTC" if found.get("created") else "",
        "spread": found.get("spread", ""),
        "Python": found.get("python", ""),
        "Libraries": libraries,
        "Machine": found.get("platform", ""),
        "Datasets": f"{datasets}, listed with versions in summary.json" if datasets else "",
        "Models with a number": str(_models(report)),
    }
    return {name: str(fact) for name, fact in facts.items() if fact}


def _models(report: Report) -> int:
    others = [dim for dim in report.change["change"].dims if dim != "source_id"]
    return int(report.change["change"].notnull().any(others).sum())
