"""A forcing dataset in, CF data of a simulated member out, on one process or many workers.

A run may start from a state as it is given, from one that its reference weather leads to, or from the end of another
run. Its result is the same to the last bit, however blocks of cells are shared out among workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.drivers import as_drivers
from spread.errors import NotConforming
from spread.land import LandModel, Site, State
from spread.land.run import run
from spread.simulate.blocks import block_by_block, cells_of_a_block, columns_of, shared_out, without_device
from spread.simulate.labels import CARBON_WATER, CLOSURE, FROM_KERNEL, POOLS, Arrays, attributes, labelled
from spread.simulate.parameters import number_of_draws
from spread.simulate.spinning import UNSPUN, SpinUp, spun_up_states
from spread.simulate.states import PREFIX, REFERENCE, SPUN, arrays_of, at_cells, state_from

_RUN = (*FROM_KERNEL, "snw")


def simulate(
    forcing: xr.Dataset,
    model: LandModel | None = None,
    state: State | xr.Dataset | None = None,
    *,
    reference: xr.Dataset | None = None,
    spin_up: SpinUp | None = None,
    keep_state: bool = False,
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
    state : State or xarray.Dataset, optional
        Before the first step, fields of shape ``()``; by default the middle of the prior. Or a run that was made with
        ``keep_state``: this one goes on where it ended, cell by cell and draw by draw, in its reference climate, and
        both together are the same to the last bit as one run over the forcing of both.
    reference : xarray.Dataset, optional
        Weather whose mean is the reference climate of each place, and through which the spin-up goes; by default the
        forcing itself. A counterfactual gives the weather that it changes.
    spin_up : SpinUp, optional
        By default the run starts from ``state`` as it is. With ``SpinUp()`` it starts from the state that the first
        years of the reference weather, repeated for ever, lead to, found in float64 whatever the dtype of the run.
    keep_state : bool
        Whether to return the state after the last step too, for another run to go on from.
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
        of the forcing, NaN where it has none, and :data:`CLOSURE`. Times are undecoded numbers with bounds. After a
        spin-up also ``spun_up``, 1 where it was found and 0 where not, and ``spin_up_residual``: a cell and draw that
        was not found is run all the same, from the state that :func:`spread.land.spinup.spun_up` tells of. With
        ``keep_state`` also the variables of :mod:`spread.simulate.states`.

    Raises
    ------
    NotConforming
        For forcing that cannot be read, and a state of other cells or draws.
    BadModel
        For parameters whose draws differ in number.
    """
    model = LandModel() if model is None else model
    state = State() if state is None else state
    spin_up = UNSPUN if spin_up is None else spin_up
    weather = as_drivers(forcing)
    before = weather if reference is None else same_places(as_drivers(reference), weather)
    draws = number_of_draws(model)
    columns = max(draws, 1)
    if spin_up.cycles != 0 and not isinstance(state, xr.Dataset):
        spun = spun_up_states(
            before, model, state, spin_up, blocks_a_task=blocks_a_task, executor=executor, dtype=dtype
        )  # fmt: skip
        start, began = spun.drop_vars("place"), dict(spun.attrs)
    else:
        start, began = _given(state, spin_up, weather, columns)
    per_block = cells_of_a_block(weather.sizes["cell"], columns)
    first = State() if isinstance(state, xr.Dataset) else state
    now = weather.assign(start.data_vars)
    work = (without_device(model), without_device(first), columns, per_block, keep_state, dtype)
    if reference is None:
        whole = shared_out(run_cells, (now,), per_block, blocks_a_task, executor, *work)
    else:
        whole = shared_out(run_cells_apart, (now, before), per_block, blocks_a_task, executor, *work)
    whole |= {name: start[name].values[None] for name in SPUN if name in start}
    made = labelled(whole, forcing, weather, draws)
    return made.assign_attrs(attributes(model, state, weather, draws, facets) | began)


def _given(
    state: State | xr.Dataset, spin_up: SpinUp, weather: xr.Dataset, columns: int
) -> tuple[xr.Dataset, dict[str, Any]]:
    """States of the cells where they were given, and what the result says of them, in CMIP6's words."""
    if not isinstance(state, xr.Dataset):
        return xr.Dataset(), {"spin_up": "none"}
    if spin_up.cycles != 0:
        raise NotConforming("state", ["spin-up: expected none, as the run goes on from where another ended"])
    began = {n: state.attrs[n] for n in ("spin_up", "spun_up_found", "spun_up_of") if n in state.attrs}
    if "time_bnds" in state:
        began |= {
            "parent_experiment_id": state.attrs["experiment_id"], "parent_time_units": state["time"].attrs["units"],
            "branch_time_in_parent": float(state["time_bnds"].values[-1, 1]),
            "branch_time_in_child": float(weather["time_bnds"].values[0, 0]),
        }  # fmt: skip
    return at_cells(state, weather, columns), began


def same_places(reference: xr.Dataset, weather: xr.Dataset) -> xr.Dataset:
    """The reference, which must have the cells of the forcing."""
    if not np.array_equal(reference["place"].values, weather["place"].values):
        raise NotConforming("reference", ["cells: expected those of the forcing, got others; give both the same mask"])
    return reference


def run_cells(weather: xr.Dataset, *work: Any) -> Arrays:
    """Run some cells in a reference climate that is that of their weather; see :func:`run_cells_apart`."""
    return run_cells_apart(weather, None, *work)


def run_cells_apart(
    weather: xr.Dataset, before: xr.Dataset | None, model: LandModel, state: State, columns: int, per_block: int,
    keep_state: bool, dtype: str,
) -> Arrays:  # fmt: skip
    """Run some cells block by block, in this process; what a worker does.

    Returns
    -------
    dict
        ``(time, cell, draw)`` in the units of CMIP6, pools as means of steps; with :data:`CLOSURE`, and the state after
        the last step where it is asked for.
    """

    def of_block(now: xr.Dataset, past: xr.Dataset | None = None) -> Arrays:
        return _run_block(now, now if past is None else past, model, state, columns, keep_state, dtype)

    with jax.enable_x64(dtype == "float64"):
        return block_by_block(of_block, (weather,) if before is None else (weather, before), per_block)


def _run_block(
    weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State, columns: int, keep_state: bool, dtype: str
) -> Arrays:
    shape = (weather.sizes["cell"], columns)
    drawn, forcing, site, start = columns_of(weather, before, model, state, columns, dtype)
    if f"{PREFIX}soil" in weather:
        start = state_from(weather, model, dtype)
        climate = {field: jnp.asarray(weather[name].values.ravel(), dtype) for name, field in REFERENCE.items()}
        site = Site(site.lat, site.elevation, **climate)
    end, fluxes = run(drawn, start, forcing, site, outputs=_RUN)
    kept = {name: np.asarray(value) for name, value in fluxes.items()}
    first = {name: np.asarray(total(start)) for name, total in CARBON_WATER.items()}
    days = np.asarray(weather["days"].values)[:, None]
    made = _finished(kept, first, np.asarray(forcing.pr, np.float64), days)
    made = {name: values.reshape(len(values), *shape) for name, values in made.items()}
    return made | (arrays_of(end, site, shape) if keep_state else {})


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
