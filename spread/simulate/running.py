"""A forcing dataset in, CF data of a simulated member out, on one process or many workers.

Cells are cut into blocks that depend on nothing but their order, and every block is
run by the same compiled program: a result is the same to the last bit, however blocks are shared out among workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.drivers import UNITS, as_drivers
from spread.errors import NotConforming
from spread.land import Forcing, LandModel, Site, State
from spread.land.run import run
from spread.simulate.labels import CARBON_WATER, CLOSURE, FROM_KERNEL, POOLS, Arrays, attributes, labelled
from spread.simulate.parameters import number_of_draws, parameter_values, with_parameters

BLOCK = 1024
"""Columns, each a cell with a draw of parameters, that one compiled program runs at a time."""

_RUN = (*FROM_KERNEL, "snw")


@dataclass(frozen=True)
class SpinUp:
    """How the initial state is made: cycles through the first years of the reference forcing.

    Parameters
    ----------
    years : int
        How many years are cycled.
    cycles : int
        How often; 0 leaves the state as it is given.
    """

    years: int = 10
    cycles: int = 0


def simulate(
    forcing: xr.Dataset,
    model: LandModel | None = None,
    state: State | None = None,
    *,
    reference: xr.Dataset | None = None,
    spin_up: SpinUp | None = None,
    facets: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    blocks_a_task: int = 8,
    dtype: str = "float32",
) -> xr.Dataset:
    """Run the land model over a dataset of weather.

    Parameters
    ----------
    forcing : xarray.Dataset
        As :func:`spread.drivers.drivers` takes it, or returned by it. It is not modified.
    model : LandModel, optional
        Bricks with parameters of shape ``()``, or ``(draw,)``: then every draw is run on every cell.
    state : State, optional
        Before the first step, fields of shape ``()``; by default the middle of the prior.
    reference : xarray.Dataset, optional
        Weather whose mean is the reference climate of each place, and through which the spin-up goes; by default the
        forcing itself. A counterfactual gives the weather that it changes.
    spin_up : SpinUp, optional
        By default the run starts from ``state`` as it is.
    facets : mapping, optional
        CMIP6 facets that differ from those of a land model run by itself, such as ``experiment_id``.
    executor : concurrent.futures.Executor, optional
        Where blocks run, such as that of :func:`spread.cluster.connected`; this process otherwise.
    blocks_a_task : int
        Blocks that one call runs; the result does not depend on it.
    dtype : str
        ``float32`` or ``float64``.

    Returns
    -------
    xarray.Dataset
        :data:`FROM_KERNEL` in the units of CMIP6 on ``time``, ``draw`` (where parameters were drawn) and the places
        of the forcing, NaN where it has none, and :data:`CLOSURE`. Times are undecoded numbers with bounds.

    Raises
    ------
    NotConforming
        For forcing that cannot be read.
    BadModel
        For parameters whose draws differ in number.
    """
    model = LandModel() if model is None else model
    state = State() if state is None else state
    spin_up = SpinUp() if spin_up is None else spin_up
    weather = as_drivers(forcing)
    before = weather if reference is None else same_places(as_drivers(reference), weather)
    draws = number_of_draws(model)
    columns = max(draws, 1)
    per_block = max(1, BLOCK // columns) if weather.sizes["cell"] * columns > BLOCK else weather.sizes["cell"]
    edges = range(0, weather.sizes["cell"], per_block * blocks_a_task)
    tasks = [(_only(weather, e, per_block * blocks_a_task), _only(before, e, per_block * blocks_a_task)) for e in edges]
    plain = jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, (model, state))
    work = (*plain, columns, per_block, spin_up, dtype, reference is not None)
    if executor is None:
        parts = [run_cells(*cells, *work) for cells in tasks]
    else:
        promises = [executor.submit(run_cells, *cells, *work) for cells in tasks]
        parts = [promise.result() for promise in promises]
    whole = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    return labelled(whole, forcing, weather, draws).assign_attrs(attributes(model, state, weather, draws, facets))


def _only(weather: xr.Dataset, start: int, count: int) -> xr.Dataset:
    return weather.isel(cell=slice(start, start + count))


def same_places(reference: xr.Dataset, weather: xr.Dataset) -> xr.Dataset:
    """The reference, which must have the cells of the forcing."""
    if not np.array_equal(reference["place"].values, weather["place"].values):
        raise NotConforming("reference", ["cells: expected those of the forcing, got others; give both the same mask"])
    return reference


def run_cells(
    weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State, columns: int, per_block: int,
    spin_up: SpinUp, dtype: str, apart: bool,
) -> Arrays:  # fmt: skip
    """Run some cells block by block, in this process; what a worker does.

    Returns
    -------
    dict
        ``(time, cell, draw)`` in the units of CMIP6, pools as means of steps; with :data:`CLOSURE`.
    """
    weather = weather.compute(scheduler="synchronous")
    before = before.compute(scheduler="synchronous") if apart else weather
    unknown = [str(n) for n in UNITS if not np.isfinite(weather[n].values).all()]
    if unknown:
        raise NotConforming(
            "forcing", [f"{name}: expected values in all steps of a cell, got gaps" for name in unknown]
        )
    parts = []
    with jax.enable_x64(dtype == "float64"):
        for start in range(0, weather.sizes["cell"], per_block):
            now, past = (_padded(_only(w, start, per_block), per_block) for w in (weather, before))
            made = _run_block(now, past, model, state, columns, spin_up, dtype)
            there = min(per_block, weather.sizes["cell"] - start)
            parts.append({n: v.reshape(len(v), per_block, columns)[:, :there] for n, v in made.items()})
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _padded(weather: xr.Dataset, cells: int) -> xr.Dataset:
    """The last cell again and again, so that every block has the same shape and the same program runs it."""
    return weather.isel(cell=np.minimum(np.arange(cells), weather.sizes["cell"] - 1))


def _run_block(
    weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State, columns: int, spin_up: SpinUp, dtype: str
) -> Arrays:
    width = weather.sizes["cell"] * columns
    forcing, past = (kernel_forcing(w, columns, dtype) for w in (weather, before))
    lat, elevation = (np.repeat(weather[n].values, columns).astype(dtype) for n in ("lat", "elevation"))
    site = Site.of(jnp.asarray(lat), jnp.asarray(elevation), past)
    cells = weather.sizes["cell"]

    def spread_out(leaf: Any) -> Any:
        return jnp.tile(jnp.asarray(leaf, dtype), cells) if np.ndim(leaf) else jnp.asarray(leaf, dtype)

    drawn = with_parameters(model, {path: spread_out(value) for path, value in parameter_values(model).items()})
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, dtype), (width,)), state)
    years = before["year"].values
    cycle = jax.tree.map(lambda leaf: leaf[: int(np.sum(years < years[0] + spin_up.years))], past)
    for _ in range(spin_up.cycles):
        start, _ = run(drawn, start, cycle, site, outputs=())
    _, fluxes = run(drawn, start, forcing, site, outputs=_RUN)
    kept = {name: np.asarray(value) for name, value in fluxes.items()}
    first = {name: np.asarray(total(start)) for name, total in CARBON_WATER.items()}
    days = np.asarray(weather["days"].values)[:, None]
    return _finished(kept, first, np.asarray(forcing.pr, np.float64), days)


def _finished(kept: Arrays, first: Arrays, rain: NDArray[np.float64], days: NDArray[np.float64]) -> Arrays:
    """CMIP6 units, means of the steps' two ends, and what is left of both budgets."""
    ends = {n: np.concatenate([np.broadcast_to(first[n], kept[n].shape[1:])[None], kept[n]]) for n in first}
    gained = {
        name: np.sum([np.diff(ends[pool].astype(np.float64), axis=0) for pool in pools], axis=0)
        for name, (pools, _) in CLOSURE.items()
    }
    brought = {
        "carbon_closure": kept["nbp"] * days,
        "water_closure": (rain - kept["evspsbl"].astype(np.float64) - kept["mrro"]) * days,
    }
    factor = {"carbon_closure": 1e-3, "water_closure": 1.0}
    made: Arrays = {
        name: ((ends[name][:-1] + ends[name][1:]) / 2 if name in POOLS else kept[name]) * kept[name].dtype.type(scale)
        for name, scale in FROM_KERNEL.items()
    }
    return made | {name: (gained[name] - brought[name]) * factor[name] for name in CLOSURE}


def kernel_forcing(weather: xr.Dataset, columns: int, dtype: str) -> Forcing:
    """Drivers as the kernel takes them, each cell as often as there are draws."""

    def column(name: str) -> Any:
        values = weather[name].values
        wide = np.repeat(values, columns, axis=1) if values.ndim == 2 else values[:, None]
        return jnp.asarray(wide, dtype)

    return Forcing(**{name: column(name) for name in (*UNITS, "doy", "days")})
