"""Internal, model and scenario variance of projections (Hawkins and Sutton, 2009; Lehner et al., 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.ensemble.partition.definitions import PartitionDefinition, definition_of
from spread.ensemble.partition.forced_response import forced_response, smoothed
from spread.ensemble.partition.runs import Complete, Members, whole_runs
from spread.ensemble.partition.sources import by_source, mean, variance
from spread.errors import NotComparable

Floats = NDArray[np.float64]


def hawkins_sutton(
    data: xr.DataArray,
    definition: str | PartitionDefinition = "HS09",
    *,
    complete: Complete = "refuse",
    members: Members = "mean",
    weights: xr.DataArray | None = None,
    forced: xr.DataArray | None = None,
    internal: float | None = None,
) -> xr.Dataset:
    """Divide the variance of projections among internal variability, models and scenarios.

    Parameters
    ----------
    data : xarray.DataArray
        Yearly values or anomalies on ``source_id, experiment_id, year``, scenarios joined to their historical runs;
        ``member_id`` and places such as ``region`` or ``lat, lon`` may be there. NaN where there is no run.
    definition : str or PartitionDefinition
        ``HS09``, ``Lehner2020``, or one of your own.
    complete : str
        ``refuse`` an ensemble in which a model lacks a scenario, or ``drop`` such models.
    members : str
        ``mean``: a model's forced response is the mean of its runs', its internal variance is pooled over them, and
        it has one vote; ``first``: the first whole run of each scenario stands for the model.
    weights : xarray.DataArray, optional
        Weights of the models on ``source_id``; equal by default.
    forced : xarray.DataArray, optional
        Forced responses on the dimensions of ``data``, instead of the definition's fit.
    internal : float, optional
        Internal variance [square of the data's unit], instead of that of residuals.

    Returns
    -------
    xarray.Dataset
        ``variance`` and ``share`` [%] on ``source`` (``model, scenario, internal``), ``year`` and places, ``total``,
        ``mean`` and, where the definition has a base period, ``fractional_uncertainty`` and ``signal_to_noise``; the
        attributes say the definition, the models, and who was left out.

    Raises
    ------
    NotComparable
        If dimensions, years, weights or models lack, and as ``complete`` says.
    BadStudy
        If there is no definition of that name.

    Notes
    -----
    Hawkins and Sutton (2009), doi:10.1175/2009BAMS2607.1, appendix: a run is x = x_f + i + epsilon, with base period i,
    forced response x_f and residual epsilon. V, the weighted mean over models of var(epsilon) of decadal means, does
    not depend on time; M(t) is the mean over scenarios of the variance of x_f across models; S(t) is the variance
    across scenarios of multi-model means; T = V + S + M.
    """
    how = definition_of(definition)
    if complete not in ("refuse", "drop"):
        raise NotComparable(f"hawkins_sutton: complete: expected 'refuse' or 'drop', got {complete!r}")
    runs = whole_runs(data, how, complete, members)
    _enough_scenarios(runs.data, how)
    fits = forced_response(runs.data, how) if forced is None else _given(forced, runs.data)
    residuals = runs.data - fits
    fits, residuals = referred(fits, residuals, how)
    response = mean(fits, ["member_id"])
    vote = _votes(weights, runs.data)
    variances = {
        "model": _model_variance(response, how, vote),
        "scenario": _scenario_variance(response, how, vote),
        "internal": _internal_variance(residuals, how, vote) if internal is None else xr.DataArray(float(internal)),
    }
    centre = mean(mean(response, ["source_id"], vote), ["experiment_id"])
    attrs: dict[str, Any] = runs.attrs | how.attrs | {"method": "Hawkins and Sutton (2009)"}
    attrs["weights"] = "equal" if vote is None else ", ".join(f"{weight:.6g}" for weight in vote)
    attrs["forced_response"] = how.fit if forced is None else "given"
    attrs["internal_variability"] = how.internal if internal is None else "given"
    if how.kind == "percent":
        attrs["units"] = "%"
    return by_source(variances, centre, attrs, anomalies=how.base_period is not None)


def referred(
    fits: xr.DataArray, residuals: xr.DataArray, definition: PartitionDefinition
) -> tuple[xr.DataArray, xr.DataArray]:
    """Count forced responses and residuals from each run's own base period.

    Parameters
    ----------
    fits, residuals : xarray.DataArray
        Forced responses and residuals of runs.
    definition : PartitionDefinition
        Its ``base_period`` and ``kind`` are used.

    Returns
    -------
    fits, residuals : xarray.DataArray
        Anomalies of the forced response, and residuals, in the data's unit or in % of the base period's forced mean
        (NaN where that is zero).
    """
    if definition.base_period is None:
        return fits, residuals
    base = fits.sel(year=slice(*definition.base_period)).mean("year")
    if definition.kind == "absolute":
        return fits - base, residuals
    base = base.where(base != 0)
    return 100.0 * (fits - base) / base, 100.0 * residuals / base


def _enough_scenarios(data: xr.DataArray, how: PartitionDefinition) -> None:
    known = [str(name) for name in data["experiment_id"].values]
    breaches = [
        f"{name} {wanted!r} is not among its scenarios {', '.join(known)}"
        for name, wanted in (("model_scenario", how.model_scenario), ("internal_scenario", how.internal_scenario))
        if wanted is not None and wanted not in known
    ]
    if len(known) <= how.scenario_ddof:
        breaches.append(f"expected at least two scenarios for a sample variance across them, got {', '.join(known)}")
    if breaches:
        raise NotComparable(f"partition of variance, definition {how.name!r}: " + "; ".join(breaches))


def _given(forced: xr.DataArray, data: xr.DataArray) -> xr.DataArray:
    out = forced.astype(np.float64).reindex({dim: data[dim] for dim in forced.dims if dim in data.coords})
    out = out.broadcast_like(data).transpose(*data.dims).where(data.notnull())
    if int(out.isnull().sum()) > int(data.isnull().sum()):
        raise NotComparable("partition of variance: forced: expected a value for each run and year of data, some lack")
    return out


def _votes(weights: xr.DataArray | None, data: xr.DataArray) -> Floats | None:
    if weights is None:
        return None
    lacking = sorted(set(map(str, data["source_id"].values)) - set(map(str, weights["source_id"].values)))
    if lacking:
        raise NotComparable(f"partition of variance: weights: none for {', '.join(lacking)}")
    return weights.sel(source_id=data["source_id"]).values.astype(np.float64)


def _model_variance(response: xr.DataArray, how: PartitionDefinition, vote: Floats | None) -> xr.DataArray:
    if how.model_scenario is not None:
        response = response.sel(experiment_id=[how.model_scenario])
    return mean(variance(response, ["source_id"], how.model_ddof, vote), ["experiment_id"])


def _scenario_variance(response: xr.DataArray, how: PartitionDefinition, vote: Floats | None) -> xr.DataArray:
    if how.scenario_within_models:
        out = mean(variance(response, ["experiment_id"], how.scenario_ddof), ["source_id"], vote)
    else:
        out = variance(mean(response, ["source_id"], vote), ["experiment_id"], how.scenario_ddof)
    if not how.scenario_from_minimum:
        return out
    lowest = out.fillna(np.inf).argmin("year")
    after = xr.DataArray(np.arange(out.sizes["year"]), dims="year") > lowest
    return out.where(after | out.isnull(), 0.0)


def _internal_variance(residuals: xr.DataArray, how: PartitionDefinition, vote: Floats | None) -> xr.DataArray:
    if how.internal == "rolling":
        return mean(mean(rolling_variance(residuals, how), ["member_id", "experiment_id"]), ["source_id"], vote)
    if how.internal_scenario is not None:
        residuals = residuals.sel(experiment_id=[how.internal_scenario])
    means = smoothed(residuals, "running_mean", window=how.internal_window)
    if how.internal_from is not None:
        means = means.sel(year=slice(how.internal_from, None))
    within = variance(means, ["experiment_id", "member_id", "year"], how.internal_ddof)
    return mean(within, ["source_id"], vote)


def rolling_variance(residuals: xr.DataArray, definition: PartitionDefinition) -> xr.DataArray:
    """Variance of residuals in a moving window around each year.

    Parameters
    ----------
    residuals : xarray.DataArray
        Residuals with the dimension ``year``.
    definition : PartitionDefinition
        Its ``internal_window`` and ``internal_ddof`` are used.

    Returns
    -------
    xarray.DataArray
        On the dimensions of ``residuals``; NaN where the window reaches beyond the years.
    """
    windows = residuals.rolling(year=definition.internal_window, center=True).construct("within")
    return windows.var("within", ddof=definition.internal_ddof, skipna=False)
