"""Compare the periods of a study over its members: the one order of the ensemble's steps, for answers and for plans."""

from __future__ import annotations

import xarray as xr

from spread.ensemble.members import assemble, join_historical
from spread.ensemble.seams import sound_seams
from spread.ensemble.spread import changes, incomplete_runs, keep_complete_models
from spread.ensemble.time_means import yearly_means
from spread.errors import Failure
from spread.study import Study


def compare(members: list[xr.DataArray], study: Study) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset, list[Failure]]:
    """Lay members side by side and compare the periods of a study.

    Parameters
    ----------
    members : list of xarray.DataArray
        Reduced members, in memory.
    study : Study
        What is asked.

    Returns
    -------
    monthly, yearly, change : xarray.Dataset
        The ensemble, its yearly means, and the change of each run.
    failures : list of Failure
        Runs and models that have no number, and why.
    """
    members, unjoined = sound_seams(members, study.historical, gaps=study.incomplete_periods == "allow")
    monthly = assemble(members, study.all_experiments)
    yearly = yearly_means(join_historical(monthly, study.historical), study.seasons)
    change = changes(yearly, study.periods, study.base_period, study.anomaly_kind, study.required_years)
    failures = incomplete_runs(change, study.base_period, study.variable_id)
    if study.require_all_experiments:
        change, incomparable = keep_complete_models(change, study.variable_id, study.experiments)
        failures += incomparable
    return monthly, yearly, change, unjoined + failures
