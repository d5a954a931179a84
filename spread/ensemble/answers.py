"""What the runs of a study say beside their spread: its sources, when levels are passed, who deserves weight.

Each answer is made where the study asks for it and the runs allow it; else the reason stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from spread.ensemble.constraint import Predictor, constrain
from spread.ensemble.observations import annual_series, as_gsat
from spread.ensemble.partition import hawkins_sutton
from spread.ensemble.spread import across
from spread.ensemble.trends import internal_variability, trends
from spread.ensemble.warming_levels import across_warming_levels, warming_levels
from spread.ensemble.weights import climwip
from spread.errors import NotComparable, SpreadError
from spread.study import Study

LEVELS_FROM = (1850, 1900)
"""Period from which levels of global warming are counted (AR6 WGI, Cross-Chapter Box 11.1)."""


def answers(study: Study, anomalies: xr.Dataset, change: xr.Dataset) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Make every answer that a study asks for.

    Parameters
    ----------
    study : Study
        What is asked: ``partition``, ``warming_levels``, ``constraint``, ``weights``.
    anomalies : xarray.Dataset
        Yearly ``anomaly`` of each run, see :func:`spread.ensemble.anomalies`.
    change : xarray.Dataset
        ``change`` of each run, see :func:`spread.ensemble.changes`.

    Returns
    -------
    dict of str to xarray.Dataset
        ``partition`` (see :func:`hawkins_sutton`), ``warming_levels`` (with statistics across models), ``constraint``
        and ``weights`` (with the weighted statistics of the change): those there are.
    dict of str to str
        For each that was asked for and could not be made, why.
    """
    makers: dict[str, Callable[[Study, xr.Dataset, xr.Dataset], xr.Dataset]] = {
        "partition": _partition, "warming_levels": _warming_levels, "constraint": _constraint, "weights": _weights,
    }  # fmt: skip
    asked = {
        "partition": study.partition != "none",
        "warming_levels": bool(study.warming_levels) and study.variable_id == "tas",
        "constraint": study.constraint is not None,
        "weights": study.weights is not None,
    }
    made, silent = {}, {}
    for name, make in makers.items():
        if not asked[name]:
            continue
        try:
            found = make(study, anomalies, change)
        except SpreadError as error:
            silent[name] = str(error)
        else:
            made[name] = found.assign_attrs(synthetic=anomalies.attrs.get("synthetic", "false"))
    return made, silent


def _annual(data: xr.DataArray, what: str) -> xr.DataArray:
    if "annual" not in data["season"].values:
        raise NotComparable(f"{what}: needs annual means; add 'annual' to the seasons of the study")
    return data.sel(season="annual")


def _global(study: Study, data: xr.DataArray, what: str) -> xr.DataArray:
    """Yearly warming of the globe, and nothing else that has no level and no observed trend."""
    breaches = []
    if "global" not in data["region"].values:
        breaches.append("add 'global' to the regions of the study")
    if study.anomaly_kind != "absolute":
        breaches.append("the study counts in per cent")
    if breaches:
        raise NotComparable(f"{what}: needs the global mean in K: {'; '.join(breaches)}")
    return _annual(data, what).sel(region="global").assign_attrs(units="K")


def _partition(study: Study, anomalies: xr.Dataset, change: xr.Dataset) -> xr.Dataset:
    if len(study.experiments) < 2:
        raise NotComparable(f"partition: needs several scenarios, the study has {study.experiments[0]} alone")
    series = _annual(anomalies["anomaly"], "partition").transpose(..., "year")
    found = hawkins_sutton(
        series.assign_attrs(variable_id=study.variable_id),
        study.partition,
        complete="drop",
        members="first" if study.members == "first" else "mean",
    )
    return found.assign_attrs(variable_id=study.variable_id, season="annual")


def _warming_levels(study: Study, anomalies: xr.Dataset, change: xr.Dataset) -> xr.Dataset:
    if study.base_period != LEVELS_FROM:
        first, last = study.base_period
        raise NotComparable(f"warming levels: count from 1850-1900, and the base period is {first}-{last}")
    series = _global(study, anomalies["anomaly"], "warming levels")
    crossings = warming_levels(series, study.warming_levels, base_period=LEVELS_FROM, gaps="allow")
    votes = across_warming_levels(crossings, study.quantiles, "all" if study.votes == "all" else "median")
    return crossings.merge(votes.rename(count="votes", reached="votes_reached"), combine_attrs="override")


def _recent(study: Study, anomalies: xr.Dataset, years: tuple[int, int], what: str) -> tuple[xr.DataArray, Predictor]:
    """Recent trends of the runs, and the observed one with what is not known of it."""
    if study.observations is None:
        raise NotComparable(f"{what}: needs observations; add [observations] with kind = 'GSAT' or 'GMST' to the study")
    if study.variable_id != "tas":
        raise NotComparable(f"{what}: rests on global warming, and the variable is {study.variable_id}")
    series = _global(study, anomalies["anomaly"], what)
    observed = as_gsat(annual_series(study.observations))
    trend = trends(observed, years)
    if not np.isfinite(trend):
        raise NotComparable(f"{what}: observations {study.observations.name!r} lack years of {years[0]}-{years[1]}")
    internal = internal_variability(series.isel(experiment_id=0, drop=True), years)
    value = float(trend)
    # what is not known of the conversion, and of the observations themselves where the study says it
    doubt = np.hypot(study.observations.trend_sd, value * float(observed.attrs["conversion_sd"]))
    return trends(series, years), Predictor(value, float(doubt), internal.sd)


def _constraint(study: Study, anomalies: xr.Dataset, change: xr.Dataset) -> xr.Dataset:
    assert study.constraint is not None
    trend, predictor = _recent(study, anomalies, study.constraint.years, "constraint")
    future = _annual(change["change"], "constraint").sel(region="global")
    future = future.assign_attrs(base_period=change.attrs["base_period"])
    return constrain(trend, future, predictor, study.constraint.method, study.quantiles)


def _weights(study: Study, anomalies: xr.Dataset, change: xr.Dataset) -> xr.Dataset:
    """Performance by the recent trend; independence by the climate of the base period too."""
    asked = study.weights
    assert asked is not None
    trend, predictor = _recent(study, anomalies, asked.years, "weights")
    one = {"experiment_id": 0}
    diagnostics = {"trend": trend.isel(one, drop=True), "climate": change["base"].isel(one, drop=True)}
    target = _annual(change["change"], "weights").sel(region="global").isel(experiment_id=-1, period=-1, drop=True)
    weights = climwip(diagnostics, {"trend": predictor.observed}, asked.sigma_d, asked.sigma_s, target)
    weighted = across(change["change"], study.votes, study.quantiles, study.ddof, weights)
    return weighted.assign(weights=weights)
