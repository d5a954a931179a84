"""Model, scenario, downscaling and internal variance of downscaled projections (Lafferty and Sriver, 2023)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from spread.ensemble.partition.definitions import PartitionDefinition, definition_of
from spread.ensemble.partition.forced_response import forced_response
from spread.ensemble.partition.hawkins_sutton import referred, rolling_variance
from spread.ensemble.partition.runs import Complete, Members, whole_runs
from spread.ensemble.partition.sources import by_source, mean, variance
from spread.errors import NotComparable


def lafferty_sriver(
    data: xr.DataArray,
    definition: str | PartitionDefinition = "LS23",
    *,
    complete: Complete = "keep",
    members: Members = "mean",
) -> xr.Dataset:
    """Divide the variance of downscaled projections among models, scenarios, downscaling and internal variability.

    Parameters
    ----------
    data : xarray.DataArray
        Yearly values on ``source_id, experiment_id, downscaling, year``; ``member_id`` and places may be there. NaN
        where a model was not downscaled by a method.
    definition : str or PartitionDefinition
        ``LS23``, ``LS23-xclim``, or one of your own with ``internal="rolling"``.
    complete : str
        What becomes of a model that was downscaled by a method for some scenarios only: ``keep`` it as the paper does,
        ``drop`` it, or ``refuse`` the ensemble.
    members : str
        As in :func:`spread.ensemble.hawkins_sutton`.

    Returns
    -------
    xarray.Dataset
        As :func:`spread.ensemble.hawkins_sutton` returns it, with the sources ``model, scenario, downscaling,
        internal``; NaN in the first and last years, which the moving window does not reach.

    Raises
    ------
    NotComparable
        If dimensions or years lack, and as ``complete`` says.
    BadStudy
        If there is no definition of that name.

    Notes
    -----
    Lafferty and Sriver (2023), doi:10.1038/s41612-023-00486-0, methods. Internal: variance of residuals in 11 years
    around each year, mean of all runs. Scenario: variance across scenarios of the mean over models and methods. Model:
    variance across models for each scenario and method, averaged with the number of models as weight. Downscaling: the
    same with methods and models exchanged. A variance across one value is not zero but unknown, so the code published
    with the paper gives it no weight; xclim counts it as zero (``LS23-xclim``), which lowers the share of downscaling.
    """
    how = definition_of(definition)
    if how.internal != "rolling" or how.model_scenario is not None:
        raise NotComparable(
            f"lafferty_sriver, definition {how.name!r}: expected internal='rolling' and no model_scenario; "
            "take 'LS23' or dataclasses.replace(PARTITION_DEFINITIONS['LS23'], ...)"
        )
    runs = whole_runs(data, how, complete, members, ("source_id", "experiment_id", "downscaling", "year"))
    fits = forced_response(runs.data, how)
    fits, residuals = referred(fits, runs.data - fits, how)
    response = mean(fits, ["member_id"])
    variances = {
        "model": _across(response, "source_id", how.model_ddof, how),
        "scenario": _scenario_variance(response, how),
        "downscaling": _across(response, "downscaling", how.downscaling_ddof, how),
        "internal": mean(
            mean(rolling_variance(residuals, how), ["member_id"]), ["source_id", "experiment_id", "downscaling"]
        ),
    }
    centre = mean(mean(response, ["source_id", "downscaling"]), ["experiment_id"])
    attrs: dict[str, Any] = runs.attrs | how.attrs | {"method": "Lafferty and Sriver (2023)"}
    attrs["downscaling"] = ", ".join(map(str, runs.data["downscaling"].values))
    attrs |= {"forced_response": how.fit, "internal_variability": how.internal}
    if how.kind == "percent":
        attrs["units"] = "%"
    return by_source(variances, centre, attrs, anomalies=how.base_period is not None)


def _across(response: xr.DataArray, dim: str, ddof: int, how: PartitionDefinition) -> xr.DataArray:
    """Variance across models (or methods), averaged over the rest with the number behind each variance as weight."""
    number = response.notnull().sum(dim)
    within = variance(response, [dim], ddof)
    if how.lone == "left out":
        weight = number.where(number > 1, 0)
    else:
        weight, within = number, within.where(number != 1, 0.0)
    rest = [d for d in ("source_id", "experiment_id", "downscaling") if d != dim]
    there = weight.where(within.notnull(), 0)
    total = there.sum(rest)
    return (within.fillna(0.0) * there).sum(rest) / total.where(total > 0, np.nan)


def _scenario_variance(response: xr.DataArray, how: PartitionDefinition) -> xr.DataArray:
    if how.scenario_within_models:
        return mean(variance(response, ["experiment_id"], how.scenario_ddof), ["source_id", "downscaling"])
    return variance(mean(response, ["source_id", "downscaling"]), ["experiment_id"], how.scenario_ddof)
