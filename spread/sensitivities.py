"""Climate sensitivity of a study's models: their idealised runs read, averaged over the globe, and compared.

The one answer of a report that needs other variables and experiments than the study: ``tas``, ``rsdt``, ``rsut`` and
``rlut`` of abrupt-4xCO2, 1pctCO2 and piControl.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import xarray as xr

from spread import catalog, ensemble
from spread.cache import ArrayCache
from spread.datasets import Progress, reduced_members, silent
from spread.errors import Failure, NotFound, SpreadError
from spread.regions import REGIONS
from spread.study import Study
from spread.vocabulary import Row

CONTROL, ABRUPT, RAMP = "piControl", "abrupt-4xCO2", "1pctCO2"
VARIABLES = ("tas", "rsdt", "rsut", "rlut")

_INPUT_FACTS = ("version", "zstore", "fixes", "area_source")


def climate_sensitivity(
    study: Study,
    models: Sequence[str],
    executor: Executor | None = None,
    progress: Progress = silent,
    cache: ArrayCache | None = None,
) -> tuple[xr.Dataset | str, list[Row], list[Failure]]:
    """ECS, effective forcing, feedback and TCR of models, from the catalog of a study.

    Parameters
    ----------
    study : Study
        With ``sensitivity``: which years are fitted.
    models : sequence of str
        ``source_id`` of the models of the study; those without idealised runs are not spoken of.
    executor, progress, cache
        As in :func:`spread.flow.run`.

    Returns
    -------
    xarray.Dataset or str
        What :func:`spread.ensemble.gregory` gives, with ``tcr`` and ``tcr_reason`` of :func:`spread.ensemble.tcr`, on
        ``source_id, member_id``; on ``input`` the name, version, store, fixes and areas of every dataset that was
        read. Or why there is none: no store of a variable can be used, or the catalog has no such runs.
    list of Row
        The datasets that were chosen.
    list of Failure
        What was left out.
    """
    assert study.sensitivity is not None
    runs: dict[str, xr.Dataset] = {}
    rows: list[Row] = []
    failures: list[Failure] = []
    try:
        asked = parts(study, models)
    except SpreadError as error:
        return str(error), rows, failures
    for part in asked:
        chosen, members, lost = reduced_members(part, executor, _named(progress, part.variable_id), cache)
        rows += chosen.rows
        failures += lost
        if not members:
            reasons = "; ".join(f.sentence for f in lost[:3])
            return f"sensitivity: no {part.variable_id} is left: {reasons}", rows, failures
        runs[part.variable_id] = ensemble.yearly_means(ensemble.assemble(members, part.experiments))
    found = _sensitivity(runs, study.sensitivity.fit)
    return found.merge(_inputs(runs), combine_attrs="override"), rows, failures


def parts(study: Study, models: Sequence[str]) -> list[Study]:
    """The studies that read the idealised runs, one for each variable.

    Parameters
    ----------
    study, models
        As in :func:`climate_sensitivity`.

    Returns
    -------
    list of Study
        Of global means, without maps.

    Raises
    ------
    NotFound
        If the catalog lacks a variable for all of the models.
    """
    collection = catalog.read(study.catalog, study.storage_options)
    return [_part(study, collection, variable_id, models) for variable_id in VARIABLES]


def _part(study: Study, collection: Any, variable_id: str, models: Sequence[str]) -> Study:
    table = catalog.search(collection, variable_id=variable_id, table_id="Amon")
    table = table[table["experiment_id"].isin((CONTROL, ABRUPT, RAMP))]
    there = [model for model in models if model in set(table["source_id"])]
    experiments = [name for name in (ABRUPT, RAMP, CONTROL) if name in set(table["experiment_id"])]
    if not there or CONTROL not in experiments or len(experiments) < 2:
        raise NotFound(
            f"sensitivity: the catalog has no {variable_id} of {ABRUPT} or {RAMP} with {CONTROL} for a model of the "
            "study; name a catalog that has, or leave out [sensitivity]"
        )
    return study.model_copy(
        update={
            "name": f"{study.name}-{variable_id}", "variable_id": variable_id, "table_id": "Amon",
            "experiments": tuple(experiments), "historical": None, "models": tuple(there), "exclude_models": (),
            "require_all_experiments": False, "seasons": ("annual",), "regions": (REGIONS["global"],), "maps": None,
        }
    )  # fmt: skip


def _named(progress: Progress, variable_id: str) -> Progress:
    return lambda stage, done, total: progress(f"{stage} {variable_id} of idealised runs", done, total)


def _sensitivity(runs: dict[str, xr.Dataset], fit: str) -> xr.Dataset:
    series = {name: ds[name].sel(season="annual", region="global", drop=True) for name, ds in runs.items()}
    series = dict(zip(series, xr.align(*series.values(), join="outer"), strict=True))
    net = ensemble.net_radiation(series["rsdt"], series["rsut"], series["rlut"])

    def of(array: xr.DataArray, experiment: str) -> xr.DataArray:
        # an experiment that no model has is NaN, and each model says so
        return array.reindex(experiment_id=[experiment]).isel(experiment_id=0, drop=True)

    made = ensemble.gregory(
        of(series["tas"], ABRUPT), of(net, ABRUPT), of(series["tas"], CONTROL), of(net, CONTROL), fit,
        rsdt=of(series["rsdt"], ABRUPT),
    )  # fmt: skip
    transient = ensemble.tcr(of(series["tas"], RAMP), of(series["tas"], CONTROL))
    synthetic = "true" if any(ds.attrs.get("synthetic") == "true" for ds in runs.values()) else "false"
    made = made.assign(tcr=transient["tcr"], tcr_reason=transient["reason"])
    return made.assign_attrs(synthetic=synthetic, tcr_years=transient.attrs["years"])


def _inputs(runs: dict[str, xr.Dataset]) -> xr.Dataset:
    """Every dataset that was read, so that the numbers can be followed to their stores."""
    table: dict[str, list[str]] = {f"input_{fact}": [] for fact in ("name", *_INPUT_FACTS)}
    for variable_id, ds in runs.items():
        for at in np.argwhere(ds["present"].values):
            run = [str(ds[dim].values[i]) for dim, i in zip(ensemble.RUN, at, strict=True)]
            table["input_name"].append(".".join((*run, variable_id)))
            for fact in _INPUT_FACTS:
                table[f"input_{fact}"].append(str(ds[fact].values[tuple(at)]))
    return xr.Dataset({name: ("input", np.array(values, dtype=str)) for name, values in table.items()})
