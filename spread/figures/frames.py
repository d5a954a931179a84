"""The numbers that figures draw, as plain frames: each one comes from the report."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from spread.ensemble import across, assessed_ranges
from spread.errors import BadStudy, did_you_mean
from spread.figures.words import unit
from spread.report import Report
from spread.vocabulary import HISTORICAL

_STATISTICS = ["low", "centre", "high"]


class Frames(NamedTuple):
    """What a figure draws: statistics and single models, each value already in the unit shown."""

    bands: pd.DataFrame
    lines: pd.DataFrame
    centre: str


def plume_frames(report: Report, region: str | None = None, season: str | None = None) -> Frames:
    """Numbers of a plume: the years before the scenarios once, then every scenario.

    Parameters
    ----------
    report : Report
        The report.
    region, season : str, optional
        Which of its regions and seasons; the first by default.

    Returns
    -------
    Frames
        ``bands`` with ``experiment_id, Year, low, centre, high, count``; ``lines`` with ``experiment_id, model, Year,
        value``. A scenario starts at the last historical year, where both have the same value. Statistics are NaN in
        years for which fewer than half of those who vote have a number, and such years at the end are left out unless
        a period asks for them: where a few models run on to 2300, their median would leap.

    Raises
    ------
    BadStudy
        If the report has no such region or season.
    """
    where = {"region": one_of(report, "region", region), "season": one_of(report, "season", season)}
    anomaly, plume = report.yearly["anomaly"].sel(where), report.plume.sel(where)
    year, starts = plume["year"].values, _scenarios_start(report)
    parts = [(e, anomaly.sel(experiment_id=e), plume.sel(experiment_id=e)) for e in _experiments(report)]
    if starts is not None:
        parts = [(e, a.sel(year=year >= starts - 1), p.sel(year=year >= starts - 1)) for e, a, p in parts]
        past = _first_finite(anomaly.sel(year=year < starts))
        statistics = across(past, report.study.votes, report.study.quantiles, report.study.ddof, _weights(report))
        parts.insert(0, (HISTORICAL, past, statistics))
    factor = unit(report).factor
    bands = pd.concat([_band(p, "year", factor).assign(experiment_id=e) for e, _, p in parts], ignore_index=True)
    lines = pd.concat([_votes(report, a * factor).assign(experiment_id=e) for e, a, _ in parts], ignore_index=True)
    bands.loc[bands["count"] < 0.5 * bands.groupby("experiment_id")["count"].transform("max"), _STATISTICS] = np.nan
    last = np.nanmax([bands.loc[bands["centre"].notna(), "year"].max(), *(last for _, last in report.study.periods)])
    bands, lines = (t[t["year"] <= last].rename(columns={"year": "Year"}) for t in (bands, lines))
    return Frames(bands.reset_index(drop=True), lines.reset_index(drop=True), _centre(plume))


def bar_frames(
    report: Report, region: str | None = None, season: str | None = None, period: str | None = None
) -> Frames:
    """Numbers of the bars of a period.

    Parameters
    ----------
    report, region, season
        As in :func:`plume_frames`.
    period : str, optional
        Which of its periods, such as ``2081-2100``; the first by default.

    Returns
    -------
    Frames
        ``bands`` with ``experiment_id, low, centre, high, count`` and, where AR6 assessed a range, ``assessed_low,
        assessed_best, assessed_high``; ``lines`` with ``experiment_id, model, value``.

    Raises
    ------
    BadStudy
        If the report has no such region, season or period.
    """
    where = {"region": one_of(report, "region", region), "season": one_of(report, "season", season),
             "period": one_of(report, "period", period)}  # fmt: skip
    change, statistics, factor = report.change["change"].sel(where), report.across.sel(where), unit(report).factor
    bands = _band(statistics, "experiment_id", factor)
    lines = [_votes(report, change.sel(experiment_id=e) * factor).assign(experiment_id=e) for e in _experiments(report)]
    fits = where == {"region": "global", "season": "annual", "period": "2081-2100"}
    ranges = assessed_ranges(report.study) if fits else {}
    for name in ("low", "best", "high"):
        bands[f"assessed_{name}"] = [getattr(ranges.get(e), name, np.nan) for e in bands["experiment_id"]]
    return Frames(bands, pd.concat(lines, ignore_index=True), _centre(statistics))


def one_of(report: Report, dim: str, name: str | None) -> str:
    """Check the name of a region, season or period; the first of the report by default."""
    known = [str(value) for value in report.across[dim].values]
    if name is None:
        return known[0]
    if name not in known:
        raise BadStudy(f"figure of report {report.study.name!r}: no {dim} {name!r}, {did_you_mean(str(name), known)}")
    return name


def _experiments(report: Report) -> list[str]:
    there = set(map(str, report.across["experiment_id"].values))
    return [e for e in report.study.experiments if e in there]


def _scenarios_start(report: Report) -> int | None:
    """First year of most scenario runs; None where nothing precedes them."""
    if "joined_at" not in report.yearly.coords:
        return None
    months = report.yearly["joined_at"].values[report.yearly["present"].values & report.yearly["has_historical"].values]
    return Counter((months // 12).tolist()).most_common(1)[0][0] if months.size else None


def _first_finite(anomaly: xr.DataArray) -> xr.DataArray:
    """The historical part of each run, from the first scenario that holds it: a model may lack some scenarios."""
    moved = anomaly.transpose("experiment_id", ...)
    first = np.isfinite(moved.values).argmax(axis=0)
    return moved.isel(experiment_id=0, drop=True).copy(data=np.take_along_axis(moved.values, first[None], axis=0)[0])


def _weights(report: Report) -> xr.DataArray | None:
    """Weights of the models where the statistics of a report are weighted, so that its past is too."""
    weighted = "weighted" in str(report.plume.attrs.get("votes", ""))
    return report.answers["weights"]["weights"] if weighted else None


def _centre(statistics: xr.Dataset) -> str:
    return "median" if 0.5 in statistics["quantile"].values else "mean"


def _band(statistics: xr.Dataset, dim: str, factor: float) -> pd.DataFrame:
    """Outer quantiles and the middle along one dimension; no band where fewer than two have a vote."""
    quantiles = statistics["quantiles"].transpose("quantile", dim)
    outer = [quantiles.min("quantile"), quantiles.max("quantile")] if quantiles.sizes["quantile"] > 1 else []
    centre = quantiles.sel(quantile=0.5) if _centre(statistics) == "median" else statistics["mean"]
    several = statistics["count"].values > 1
    low, high = (np.where(several, q.values, np.nan) for q in outer) if outer else (np.full(several.shape, np.nan),) * 2
    columns = {"low": low * factor, "centre": centre.values * factor, "high": high * factor}
    return pd.DataFrame({dim: statistics[dim].values, **columns, "count": statistics["count"].values})


def _votes(report: Report, data: xr.DataArray) -> pd.DataFrame:
    """One row for each model (or run) that has a vote, and year."""
    data = data.reset_coords(drop=True).rename("value")
    if report.study.votes == "all":
        table = data.to_dataframe().reset_index()
        table["model"] = table["source_id"] + " " + table["member_id"]
        table = table.drop(columns=["source_id", "member_id"])
    else:
        table = data.mean("member_id").to_dataframe().reset_index().rename(columns={"source_id": "model"})
    there = table.groupby("model")["value"].transform("count") > 0
    return table[there].reset_index(drop=True)


def observed(report: Report) -> pd.DataFrame:
    """Observed anomalies, ``Year`` and ``value`` in the unit shown; no row without observations."""
    found = report.observations or {"year": [], "anomaly": []}
    value = np.asarray(found["anomaly"], dtype=float) * unit(report).factor
    return pd.DataFrame({"Year": np.asarray(found["year"], dtype=float), "value": value})


def simulated(report: Report, region: str | None = None, season: str | None = None) -> list[tuple[str, pd.DataFrame]]:
    """Lines of the simulated runs of a report, in the unit shown.

    Parameters
    ----------
    report, region, season
        As in :func:`plume_frames`.

    Returns
    -------
    list of (str, DataFrame)
        What the legend says, and ``Year, low, value, high``: the median of a run's draws and 5-95 % of them, NaN
        without draws.
    """
    if "simulated" not in report.answers:
        return []
    found = report.answers["simulated"]
    anomaly = found["anomaly"].sel(
        region=one_of(report, "region", region), season=one_of(report, "season", season)
    ) * unit(report).factor  # fmt: skip
    runs = json.loads(str(found.attrs["runs"]))
    lines = []
    for source, experiment in product(map(str, found["source_id"].values), map(str, found["experiment_id"].values)):
        values = anomaly.sel(source_id=source, experiment_id=experiment).dropna("member_id", how="all")
        values = values.dropna("year", how="all").transpose("member_id", "year")
        if not values.size:
            continue
        draws, made = values.sizes["member_id"], runs.get(source, {}).get("synthetic") == "true"
        low, middle, high = np.quantile(values.values, (0.05, 0.5, 0.95), axis=0)
        table = pd.DataFrame({"Year": values["year"].values, "low": low, "value": middle, "high": high})
        of = f", median of {draws} draws (thin: 5-95 %)" if draws > 1 else ""
        name = f"{source} {experiment}: simulated{of}" + (", synthetic weather" if made else "")
        lines.append((name, table if draws > 1 else table.assign(low=np.nan, high=np.nan)))
    return lines


def limits(*drawn: Frames | pd.DataFrame) -> tuple[float, float]:
    """Limits of an axis that holds zero and everything drawn, and a little more."""
    tables = [table for one in drawn for table in ([one.bands, one.lines] if isinstance(one, Frames) else [one])]
    values = [table.drop(columns=["Year", "count"], errors="ignore").select_dtypes(float) for table in tables]
    flat = np.concatenate([np.zeros(1), *(value.to_numpy().ravel() for value in values)])
    low, high = np.nanmin(flat), np.nanmax(flat)
    margin = 0.04 * (high - low) or 1.0
    return float(low - margin), float(high + margin)
