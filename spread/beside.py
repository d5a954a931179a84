"""Simulated runs beside the models of a study: from run folders to anomalies and changes, marked as simulated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spread import ensemble
from spread.errors import Failure, NotFound, one_line
from spread.study import Study

STORE = "simulated.zarr"
"""In the folder of a run of the land model."""


def open_runs(folders: Sequence[str | Path]) -> dict[str, xr.Dataset]:
    """Open simulated runs, lazily.

    Parameters
    ----------
    folders : sequence of str or Path
        As ``spread land run --out`` writes them.

    Returns
    -------
    dict of str to Dataset
        By what legends and tables call them: ``spread-land`` where there is one, else with the folder's name.

    Raises
    ------
    NotFound
        With every folder that holds no run, or the same one twice.
    """
    found: dict[str, xr.Dataset] = {}
    breaches = []
    places = [Path(folder).absolute() for folder in folders]
    for place in places:
        if not (place / STORE).is_dir():
            breaches.append(f"run {place}: expected a folder with {STORE}; `spread land run --out {place}` writes one")
            continue
        try:
            ds = xr.open_zarr(place / STORE, consolidated=False, decode_times=False)
        except Exception as error:  # zarr raises what it likes
            breaches.append(f"run {place}: cannot be read: {one_line(error)}")
            continue
        if str(ds.attrs.get("simulated")) != "true":
            breaches.append(f"run {place}: {STORE} is no simulation of spread, it lacks the attribute simulated")
            continue
        source = str(ds.attrs.get("source_id", "simulated"))
        name = source if len(places) == 1 else f"{source} {place.name}"
        if name in found:
            breaches.append(f"run {place}: another run has the same name; give one folder another name")
        found[name] = ds
    if breaches:
        raise NotFound("; ".join(breaches))
    return found


def compared(study: Study, runs: dict[str, xr.Dataset], frequency: str) -> tuple[xr.Dataset | str, list[Failure]]:
    """Anomalies and changes of simulated runs, against the study's base period.

    Parameters
    ----------
    study : Study
        What is asked of the models beside which they stand.
    runs : dict of str to Dataset
        From :func:`open_runs`.
    frequency : str
        That of the models' members: ``mon`` or ``yr``.

    Returns
    -------
    xarray.Dataset or str, list of Failure
        ``anomaly`` on ``source_id, experiment_id, member_id, season, year, region`` and ``change`` on ``...,
        period, season, region``, NaN where a run lacks years, or why there is none; and what was left out.
    """
    from spread.simulate import as_member  # brings JAX

    members, failures, facts = [], [], {}
    for name, ds in runs.items():
        ds = ds.assign_attrs(source_id=name)
        if study.variable_id not in ds:
            failures.append(Failure(name, "simulated", f"the run has no {study.variable_id}"))
            continue
        facts[name] = _facts(ds)
        for draw in range(ds.sizes["draw"]) if "draw" in ds.dims else (None,):
            try:
                member: xr.DataArray | Failure = as_member(ds, study.variable_id, study.regions, frequency, draw)
            except NotFound as error:
                member = Failure(name, "simulated", str(error).removeprefix("simulated member: "))
            if isinstance(member, Failure):
                failures.append(Failure(member.dataset, "simulated", member.reason))
                continue
            members.append(member)
    failures = list({(f.dataset.split(".")[0], f.reason): f for f in reversed(failures)}.values())  # not draw by draw
    if not members:
        return "; ".join(failure.sentence for failure in failures), failures
    yearly = ensemble.yearly_means(ensemble.assemble(members), study.seasons)
    asked = (study.base_period, study.anomaly_kind, study.required_years)
    anomalies = ensemble.anomalies(yearly, *asked)
    change = ensemble.changes(yearly, study.periods, *asked)
    failures += _without_base(anomalies, study)
    if not np.isfinite(anomalies["anomaly"]).any():
        return "; ".join(failure.sentence for failure in failures), failures
    keep = ("present", "version", "zstore", "fixes", "calendar")
    made = xr.Dataset({"anomaly": anomalies["anomaly"], "change": change["change"], "base": anomalies["base"]})
    dropped = [n for n in made.coords if n not in (*made.dims, *keep)]
    return made.drop_vars(dropped).assign_attrs(runs=_json(facts), base_period=anomalies.attrs["base_period"]), failures


def _json(facts: dict[str, Any]) -> str:
    import json

    return json.dumps(facts)


def _facts(ds: xr.Dataset) -> dict[str, Any]:
    """Where a run comes from, for tables."""
    kept = ("bricks", "parameters_digest", "forcing_fixes", "spread_version", "jax_version", "synthetic", "forcing")
    return {n: str(ds.attrs[n]) for n in kept if n in ds.attrs} | {"draws": int(ds.sizes.get("draw", 0))}


def _without_base(anomalies: xr.Dataset, study: Study) -> list[Failure]:
    """Runs that have no anomaly because they lack the base period."""
    failures = []
    first, last = study.base_period
    present = anomalies["present"].any(["experiment_id", "member_id"])
    bases = anomalies["base"].notnull()
    there = bases.any([d for d in bases.dims if d != "source_id"])
    for name in anomalies["source_id"].values[present.values & ~there.values]:
        run = anomalies.sel(source_id=name)
        months = run["first_month"].where(run["present"]).min()
        failures.append(
            Failure(
                str(name), "simulated",
                f"lacks years of the base period {first}-{last} (it begins in {int(months) // 12}); "
                "choose a base_period within the run",
            )
        )  # fmt: skip
    return failures
