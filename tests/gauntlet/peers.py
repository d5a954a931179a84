"""Peers in the gauntlet: the recipe of the Pangeo gallery, the same behind xMIP, and plain intake-esm.

The recipe is written anew from its description: ``pangeo-gallery/cmip6``, ``global_mean_surface_temp.ipynb``. A peer is
measured against its own number on the clean data, so that its weights (cosine of latitude, months of equal length) count
neither for nor against it.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.judge import Answer

LONGEST = 20.0
"""Seconds a peer may take for one case."""

Datasets = Mapping[tuple[str, str], Any]  # by model and experiment


@dataclass(frozen=True)
class Request:
    """What a peer is asked, ready to travel to another process.

    Parameters
    ----------
    collection : str
        Path of the intake-esm collection; empty for the clean datasets.
    options : dict
        Options of gcsfs.
    variable_id, scenario_id, member_id : str
        What is wanted; the recipe takes ``member_id`` whatever the model has.
    base, late : tuple of int
        Periods.
    """

    collection: str
    options: dict[str, Any]
    variable_id: str
    scenario_id: str
    base: tuple[int, int]
    late: tuple[int, int]
    member_id: str = "r1i1p1f1"


def _experiments(request: Request) -> list[str]:
    return (["historical"] if request.base[0] < 2015 else []) + [request.scenario_id]


def global_mean(ds: Any, variable_id: str) -> Any:
    """The recipe's global mean: weighted with the cosine of latitude, over all dimensions but time."""
    import numpy as np

    lat = ds["lat"] if "lat" in ds.coords or "lat" in ds else ds["latitude"]
    weight = np.cos(np.deg2rad(lat))
    weight = weight / weight.mean()
    other = set(ds[variable_id].dims) - {"time"}
    return (ds[[variable_id]] * weight).mean(other)


def recipe_change(datasets: Datasets, request: Request) -> dict[str, float]:
    """Steps 4 to 7 of the recipe, then the change between two periods of its yearly series."""
    import dask
    import xarray as xr

    yearly: dict[str, list[Any]] = {}
    for (source_id, _), ds in datasets.items():
        means = global_mean(ds, request.variable_id)
        means = means.assign_coords(year=means["time"].dt.year)
        means = means.swap_dims({"time": "year"}).drop_vars("time").coarsen(year=12).mean()
        yearly.setdefault(source_id, []).append(means.reset_coords(drop=True)[[request.variable_id]])
    joined = {source_id: xr.concat(runs, "year", join="outer") for source_id, runs in yearly.items()}
    (computed,) = dask.compute(joined)
    both = xr.concat(list(computed.values()), dim=xr.IndexVariable("source_id", list(computed)), join="outer")
    series = both[request.variable_id]
    late, base = (series.sel(year=slice(*period)).mean("year") for period in (request.late, request.base))
    change = late - base
    return {str(source_id): float(change.sel(source_id=source_id)) for source_id in series["source_id"].values}


def _drop_bounds(ds: Any) -> Any:
    return ds.drop_vars([name for name in ds.variables if "bounds" in str(name) or "_bnds" in str(name)])


def _opened(request: Request) -> dict[tuple[str, str], Any]:
    """Steps 1 to 3 of the recipe: search, one dataset of each model and experiment, open consolidated."""
    import fsspec
    import intake
    import xarray as xr

    collection = intake.open_esm_datastore(request.collection)
    found = collection.search(
        require_all_on=["source_id"], experiment_id=_experiments(request), variable_id=[request.variable_id],
        member_id=request.member_id,
    )  # fmt: skip
    opened = {}
    for (source_id, experiment_id), rows in found.df.groupby(["source_id", "experiment_id"]):
        assert len(rows) == 1, f"{len(rows)} datasets of {source_id}, {experiment_id}"
        store = fsspec.get_mapper(rows.zstore.values[0], **request.options)
        ds = xr.open_zarr(store, consolidated=True, use_cftime=True)
        opened[source_id, experiment_id] = ds
    return opened


def gallery(request: Request, clean: Datasets | None = None) -> dict[str, float]:
    """The recipe of the Pangeo gallery."""
    datasets = _opened(request) if clean is None else clean
    return recipe_change({key: _drop_bounds(ds) for key, ds in datasets.items()}, request)


def xmip(request: Request, clean: Datasets | None = None) -> dict[str, float]:
    """The recipe behind xMIP's ``combined_preprocessing``."""
    from xmip.preprocessing import combined_preprocessing

    datasets = _opened(request) if clean is None else clean
    return recipe_change({key: combined_preprocessing(ds) for key, ds in datasets.items()}, request)


def intake_esm(request: Request, clean: Datasets | None = None) -> dict[str, float]:
    """Plain intake-esm: ``to_dataset_dict``, then years by their date instead of their position."""
    import intake
    import numpy as np

    if clean is None:
        collection = intake.open_esm_datastore(request.collection)
        found = collection.search(
            require_all_on=["source_id"], experiment_id=_experiments(request), variable_id=[request.variable_id]
        )
        read = found.to_dataset_dict(
            xarray_open_kwargs={"consolidated": True, "use_cftime": True}, storage_options=request.options,
            progressbar=False,
        )  # fmt: skip
        datasets = {(key.split(".")[2], key.split(".")[3]): ds for key, ds in read.items()}
    else:
        datasets = dict(clean)
    means: dict[tuple[str, str], Any] = {}
    for key, ds in datasets.items():
        lat = ds["lat"] if "lat" in ds.coords else ds["latitude"]
        field = ds[request.variable_id]
        other = [d for d in field.dims if d not in ("time", "member_id", "dcpp_init_year")]
        monthly = field.weighted(np.cos(np.deg2rad(lat)).fillna(0.0)).mean(other)
        monthly = monthly.mean([d for d in monthly.dims if d != "time"])
        means[key] = monthly.groupby("time.year").mean().compute()
    change = {}
    for source_id in {source_id for source_id, _ in means}:
        first = "historical" if request.base[0] < 2015 else request.scenario_id
        if (source_id, first) in means and (source_id, request.scenario_id) in means:
            late = means[source_id, request.scenario_id].sel(year=slice(*request.late)).mean()
            change[source_id] = float(late - means[source_id, first].sel(year=slice(*request.base)).mean())
    return change


PEERS: dict[str, Callable[..., dict[str, float]]] = {
    "Pangeo gallery recipe": gallery,
    "xMIP + recipe": xmip,
    "intake-esm": intake_esm,
}


def absent() -> dict[str, str]:
    """Peers that cannot run here, and why."""
    return {} if importlib.util.find_spec("xmip") else {"xMIP + recipe": "xmip is not installed"}


def request_of(case: Any, collection: Path | str, options: Mapping[str, Any]) -> Request:
    """What a peer is asked of a case."""
    from gauntlet.ensemble import LATE

    return Request(str(collection), dict(options["gs"]), case.variable_id, case.scenario_id, case.base, LATE)


def clean_answer(name: str, case: Any, cleaned: Mapping[str, Any]) -> dict[str, float]:
    """What a peer makes of the clean datasets of a case."""
    request = request_of(case, "", {"gs": {}})
    wanted = _experiments(request)
    datasets = {tuple(key.rsplit(".", 1)): ds for key, ds in cleaned.items() if key.rsplit(".", 1)[1] in wanted}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PEERS[name](request, datasets)  # type: ignore[arg-type]


def _serve(pipe: Any) -> None:
    """Answer requests until the other side hangs up."""
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    import logging

    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from gauntlet.score import hurried

    with hurried():
        while True:
            try:
                name, request = pipe.recv()
            except EOFError:
                return
            try:
                pipe.send(json.dumps({"numbers": PEERS[name](request)}))
            except Exception as error:  # the score counts it
                pipe.send(json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}))


class Worker:
    """A process that runs peers, killed and replaced where a case takes too long."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None

    def ask(self, name: str, request: Request, seconds: float = LONGEST) -> Answer:
        """Run a peer; an answer that does not come in time is one that hangs."""
        if self._process is None:
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        self._pipe.send((name, request))
        started = time.monotonic()
        try:
            if self._pipe.poll(seconds):
                said = json.loads(self._pipe.recv())
                return Answer(numbers=said.get("numbers", {}), error=said.get("error", ""))
        except EOFError:
            self.close()
            return Answer(error="the process died")
        self.close()
        return Answer(hung=True, error=f"no answer within {time.monotonic() - started:.0f} s")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
