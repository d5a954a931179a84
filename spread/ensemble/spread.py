"""Spread across models: anomalies against a base period, and their mean, standard deviation, range and quantiles.

Who has a vote is a choice and is written into the result: each model once (its first member, or the mean of its
members), or every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from spread import stats
from spread.ensemble.members import RUN, join_historical
from spread.ensemble.time_means import period_means, period_name, yearly_means
from spread.ensemble.votes import effective_votes, votes_of
from spread.errors import BadStudy, Failure, NotComparable
from spread.vocabulary import VARIABLES

Years = tuple[int, int]


def anomalies(
    yearly: xr.Dataset,
    base_period: Years,
    kind: str = "absolute",
    minimum_years: float = 1.0,
    used: xr.DataArray | None = None,
) -> xr.Dataset:
    """Yearly anomalies against a run's own base period.

    Parameters
    ----------
    yearly : xarray.Dataset
        As returned by ``yearly_means``.
    base_period : tuple of int
        First and last year.
    kind : str
        ``absolute`` [the variable's unit] or ``percent`` of the base period's mean.
    minimum_years : float
        Share of the base period's years that a run must have; fewer give NaN.
    used : xarray.DataArray, optional
        Changes of runs; a run that has none gets no anomaly either, so that both speak of the same runs.

    Returns
    -------
    xarray.Dataset
        ``anomaly`` on the dimensions of ``yearly``, and ``base``, the mean of the base period.
    """
    variable_id = yearly.attrs["variable_id"]
    means = period_means(yearly, [base_period]).isel(period=0, drop=True)
    enough = means["years"] >= minimum_years * means["years_expected"]
    base = means[variable_id].where(enough)
    difference = yearly[variable_id] - base
    if kind == "percent":
        difference = 100.0 * difference / base
    if used is not None:
        difference = difference.where(used.notnull().any(["period", "season", "region"]))
    units = "%" if kind == "percent" else yearly[variable_id].attrs["units"]
    out = yearly.drop_vars([variable_id, "days"]).assign(
        anomaly=difference.transpose(*yearly[variable_id].dims).assign_attrs(units=units, kind=kind),
        base=base.assign_attrs(units=yearly[variable_id].attrs["units"]),
    )
    return out.assign_attrs(base_period=period_name(base_period))


def changes(
    yearly: xr.Dataset,
    periods: Sequence[Years],
    base_period: Years,
    kind: str = "absolute",
    minimum_years: float = 1.0,
) -> xr.Dataset:
    """Change of each run between the base period and later periods.

    Parameters
    ----------
    yearly, base_period, kind, minimum_years
        As in :func:`anomalies`; the share of years holds for the periods too.
    periods : sequence of (int, int)
        Periods to compare with the base period.

    Returns
    -------
    xarray.Dataset
        ``change`` on ``source_id, experiment_id, member_id, period, season, region``; ``years``, ``base_years`` and
        ``complete``, which is False where either period lacks a year.
    """
    variable_id = yearly.attrs["variable_id"]
    means = period_means(yearly, periods)
    base = period_means(yearly, [base_period]).isel(period=0, drop=True)
    enough = (means["years"] >= minimum_years * means["years_expected"]) & (
        base["years"] >= minimum_years * base["years_expected"]
    )
    change = (means[variable_id] - base[variable_id]).where(enough)
    if kind == "percent":
        change = 100.0 * change / base[variable_id]
    complete = (means["years"] == means["years_expected"]) & (base["years"] == base["years_expected"])
    units = "%" if kind == "percent" else yearly[variable_id].attrs["units"]
    dims = (*RUN, "period", "season", "region")
    return means.drop_vars(variable_id).assign(
        change=change.transpose(*dims).assign_attrs(units=units, kind=kind),
        base=base[variable_id],
        base_years=base["years"],
        base_years_expected=base["years_expected"],
        complete=complete.transpose(*dims),
    ).assign_attrs(base_period=period_name(base_period))  # fmt: skip


def across(
    data: xr.DataArray,
    members: str = "mean",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    ddof: int = 1,
    weights: xr.DataArray | None = None,
) -> xr.Dataset:
    """Statistics across models, for every other dimension.

    Parameters
    ----------
    data : xarray.DataArray
        With the dimensions ``source_id`` and ``member_id``; NaN where there is no run.
    members : str
        ``mean``: a model's members are averaged first, so that each model has one vote (``first`` is the same, for it
        chose one member a model); ``all``: every run has one vote.
    quantiles : sequence of float
        Quantiles, 0..1.
    ddof : int
        Delta degrees of freedom of the standard deviation.
    weights : xarray.DataArray, optional
        Votes on ``source_id[, member_id]``, none negative; equal without. With ``mean``, a model's vote is the sum over
        its members, whose mean is weighted by them; with ``all``, a run's own, so that ``member_id`` is needed. Where
        some have no number, the others keep their proportions.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``sd``, ``minimum``, ``maximum``, ``count`` and ``quantiles`` (with a dimension ``quantile``); with
        weights also ``effective_number``, one over the sum of squared shares of the votes. ``count``, ``minimum`` and
        ``maximum`` are of those whose weight is not 0.

    Raises
    ------
    BadStudy
        If weights are negative, lack a model or run that has a number, or are not on ``source_id[, member_id]``.

    Notes
    -----
    A weighted ``sd`` takes weights as reliabilities: with ``ddof`` 1, V1 - V2 / V1 takes the place of n - 1, where V1
    and V2 are the sums of weights and of their squares; see :func:`spread.stats.standard_deviation`. Weighted
    quantiles: :func:`spread.stats.quantile`.
    """
    votes, vote = votes_of(data, members, weights)
    values = votes.values
    rest = votes.dims[1:]
    coords = {name: data.coords[name] for name in rest if name in data.coords}
    counted = values if vote is None else np.where(vote.reshape(-1, *[1] * len(rest)) > 0, values, np.nan)
    out = xr.Dataset(
        {
            "mean": (rest, stats.mean(values, vote)),
            "sd": (rest, stats.standard_deviation(values, vote, ddof=ddof), {"ddof": ddof}),
            "minimum": (rest, stats.quantile(counted, 0.0)[0]),
            "maximum": (rest, stats.quantile(counted, 1.0)[0]),
            "count": (rest, stats.count(counted)),
            "quantiles": (("quantile", *rest), stats.quantile(values, quantiles, vote)),
        },
        coords=coords | {"quantile": list(quantiles)},
        attrs={"units": data.attrs.get("units", ""), "votes": "every run" if members == "all" else "every model"},
    )
    if weights is None or vote is None:
        return out
    out["effective_number"] = (rest, effective_votes(values, vote))
    return out.assign_attrs(votes=f"{out.attrs['votes']}, weighted: {weights.attrs.get('scheme', 'given weights')}")


def keep_complete_models(
    change: xr.Dataset, variable_id: str, experiments: Sequence[str]
) -> tuple[xr.Dataset, list[Failure]]:
    """Keep the models that have a number for every experiment, period, season and region.

    Parameters
    ----------
    change : xarray.Dataset
        As returned by :func:`changes`.
    variable_id : str
        The variable, for the reasons.
    experiments : sequence of str
        The experiments that a model must have.

    Returns
    -------
    xarray.Dataset, list of Failure
        ``change`` and the like made NaN for the other models, and why they are out.
    """
    there = change["change"].notnull().any("member_id").all(["period", "season", "region"])
    there = there.reindex(experiment_id=list(experiments), fill_value=False)
    whole = there.all("experiment_id")
    failures = []
    for source_id in change["source_id"].values[~whole.values & there.any("experiment_id").values]:
        lacking = there["experiment_id"].values[~there.sel(source_id=source_id).values]
        failures.append(
            Failure(
                str(source_id), "ensemble",
                "left out so that scenarios are compared over the same models; it has no usable "
                + ", ".join(map(str, lacking)),
                facets={"source_id": str(source_id), "variable_id": variable_id},
            )
        )  # fmt: skip
    return change.assign(change=change["change"].where(whole)), failures


def incomplete_runs(change: xr.Dataset, base_period: Years, variable_id: str) -> list[Failure]:
    """Say which runs lack a number because a period has too few years, in whatever season or region.

    Parameters
    ----------
    change : xarray.Dataset
        As returned by :func:`changes`.
    base_period : tuple of int
        The base period.
    variable_id : str
        The variable, for the reasons.

    Returns
    -------
    list of Failure
        One for each run that is present and lacks a number somewhere.
    """
    failures = []
    places = ["season", "region"]
    whole = change["change"].notnull().all(["period", *places])
    for index in np.argwhere(change["present"].values & ~whole.values):
        run = change.isel(dict(zip(RUN, map(int, index), strict=True)))
        reasons = []
        years = [(f"base period {period_name(base_period)}", run["base_years"], run["base_years_expected"])]
        years += [
            (str(p), run["years"].sel(period=p), run["years_expected"].sel(period=p)) for p in run["period"].values
        ]
        for period, counted, expected in years:
            lacking = (expected - counted).transpose(*places)
            worst = lacking.isel(lacking.argmax(places))
            if worst > 0:
                at = {place: worst[place].item() for place in places}
                where = "" if (counted == counted.sel(at)).all() else f" ({at['season']}, {at['region']})"
                reasons.append(
                    f"{period} has {int(counted.sel(at))} of {int(expected.sel(season=at['season']))} years{where}"
                )
        ids = [str(run[name].values) for name in RUN]
        name = ".".join([*ids, variable_id])
        if "has_historical" in run.coords and not bool(run["has_historical"]):
            reasons = ["its historical run is not there or was left out", *reasons]
        reason = "; ".join(reasons) or "no number"
        facets = dict(zip(RUN, ids, strict=True)) | {"variable_id": variable_id}
        failures.append(Failure(name, "ensemble", reason, facets=facets))
    return failures


def refuse_empty(change: xr.Dataset, failures: Sequence[Failure], name: str) -> None:
    """Refuse a study for which no run has a number.

    Parameters
    ----------
    change : xarray.Dataset
        As returned by :func:`changes`.
    failures : sequence of Failure
        Why runs are out.
    name : str
        The study's name.

    Raises
    ------
    NotComparable
        With the first reasons.
    """
    if not np.isfinite(change["change"]).any():
        reasons = [f.sentence for f in failures if f.stage != "catalog"] or [f.sentence for f in failures]
        more = f"; and {len(reasons) - 2} more" if len(reasons) > 2 else ""
        raise NotComparable(f"study {name!r}: no model has a number: {'; '.join(reasons[:2])}{more}")


def model_spread(
    ens: xr.Dataset,
    period: Years | Sequence[Years] = (2081, 2100),
    base: Years = (1850, 1900),
    seasons: Sequence[str] = ("annual",),
    anomaly: Literal["auto", "absolute", "percent"] = "auto",
    members: Literal["mean", "all"] = "mean",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    ddof: int = 1,
    historical: str | None = "historical",
    minimum_years: float = 1.0,
) -> xr.Dataset:
    """Spread across models of the change between two periods: from an ensemble to numbers, in one call.

    Parameters
    ----------
    ens : xarray.Dataset
        On ``source_id, experiment_id, member_id, time, region``; a lazy one is computed, each chunk read once.
    period : (int, int) or several
        Period or periods to compare with the base period.
    base : (int, int)
        Base period.
    seasons : sequence of str
        Seasons of the year.
    anomaly : str
        ``absolute``, ``percent``, or ``auto``: what the variable table says.
    members : str
        ``mean`` of a model's members, one vote a model, or ``all`` runs.
    quantiles : sequence of float
        Quantiles, 0..1.
    ddof : int
        Delta degrees of freedom of ``sd``.
    historical : str or None
        Experiment that precedes the others.
    minimum_years : float
        Share of a period's years a run must have.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``sd``, ``minimum``, ``maximum``, ``count``, ``quantiles`` on ``experiment_id, period, season,
        region``, and the ``change`` of each run.

    Raises
    ------
    NotComparable
        If no run has both periods.
    BadStudy
        If a period is not ``(first, last)``.
    """
    periods = [period] if isinstance(period[0], int) else list(period)
    if any(len(p) != 2 or p[0] > p[1] for p in (*periods, base)):
        raise BadStudy(f"periods: expected (first year, last year) in order, got {periods} and base {base}")
    variable_id = ens.attrs["variable_id"]
    kind = VARIABLES[variable_id].anomaly if anomaly == "auto" else anomaly
    yearly = yearly_means(join_historical(ens.compute(), historical), seasons)
    change = changes(yearly, periods, base, kind, minimum_years)  # type: ignore[arg-type]
    refuse_empty(change, incomplete_runs(change, base, variable_id), "model_spread")
    result = across(change["change"], members, quantiles, ddof)
    return result.assign(change=change["change"], complete=change["complete"])
