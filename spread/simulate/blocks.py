"""Cells cut into blocks, shared out among workers, and run by one compiled program.

Blocks depend on nothing but the order of the cells, and every block has the same shape: a result is the same to the
last bit, however blocks are shared out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from spread.drivers import UNITS
from spread.errors import NotConforming
from spread.land import Forcing, LandModel, Site, State
from spread.simulate.labels import Arrays
from spread.simulate.parameters import parameter_values, with_parameters

BLOCK = 1024
"""Columns, each a cell with a draw of parameters, that one compiled program runs at a time."""


def cells_of_a_block(cells: int, columns: int) -> int:
    """Cells that are run at a time."""
    return max(1, BLOCK // columns) if cells * columns > BLOCK else cells


def without_device[M: eqx.Module](module: M) -> M:
    """The same with NumPy arrays, to be sent to workers."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, module)


def shared_out(
    worker: Callable[..., Arrays], data: Sequence[xr.Dataset], per_block: int, blocks_a_task: int,
    executor: Executor | None, *work: Any,
) -> Arrays:  # fmt: skip
    """Call a worker on some blocks of cells after the other, or at once, and put the results together.

    Parameters
    ----------
    worker : callable
        Takes part of each dataset, then ``work``; gives arrays ``(time, cell, draw)``.
    data : sequence of xarray.Dataset
        On ``cell``.
    per_block, blocks_a_task : int
        Cells of a block, and blocks of a call.
    executor : concurrent.futures.Executor, optional
        Where calls run; in this process otherwise.
    *work
        For the worker, the same each time.
    """
    length = per_block * blocks_a_task
    tasks = [tuple(_only(ds, e, length) for ds in data) for e in range(0, data[0].sizes["cell"], length)]
    if executor is None:
        parts = [worker(*cells, *work) for cells in tasks]
    else:
        promises = [executor.submit(worker, *cells, *work) for cells in tasks]
        parts = [promise.result() for promise in promises]
    return _joined(parts)


def block_by_block(run: Callable[..., Arrays], data: Sequence[xr.Dataset], per_block: int) -> Arrays:
    """Run block after block in this process; the last one is filled up with its last cell.

    Raises
    ------
    NotConforming
        Where weather has gaps.
    """
    data = [ds.compute(scheduler="synchronous") for ds in data]
    unknown = [str(n) for n in UNITS if not np.isfinite(data[0][n].values).all()]
    if unknown:
        raise NotConforming(
            "forcing", [f"{name}: expected values in all steps of a cell, got gaps" for name in unknown]
        )
    parts = []
    for start in range(0, data[0].sizes["cell"], per_block):
        made = run(*(_padded(_only(ds, start, per_block), per_block) for ds in data))
        there = min(per_block, data[0].sizes["cell"] - start)
        parts.append({name: values[:, :there] for name, values in made.items()})
    return _joined(parts)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _only(ds: xr.Dataset, start: int, count: int) -> xr.Dataset:
    return ds.isel(cell=slice(start, start + count))


def _padded(ds: xr.Dataset, cells: int) -> xr.Dataset:
    """The last cell again and again, so that every block has the same shape and the same program runs it."""
    return ds.isel(cell=np.minimum(np.arange(cells), ds.sizes["cell"] - 1))


def columns_of(
    weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State, columns: int, dtype: str
) -> tuple[LandModel, Forcing, Site, State]:
    """Model, forcing, site and state of the columns of some cells, each cell as often as there are draws.

    Parameters
    ----------
    weather, before : xarray.Dataset
        Drivers of the run, and of the reference climate.
    model : LandModel
        With draws or without.
    state : State
        Fields of shape ``()``.
    columns : int
        Draws, at least 1.
    dtype : str
        Of everything.
    """
    cells = weather.sizes["cell"]
    forcing, past = (kernel_forcing(w, columns, dtype) for w in (weather, before))
    lat, elevation = (np.repeat(weather[n].values, columns).astype(dtype) for n in ("lat", "elevation"))
    site = Site.of(jnp.asarray(lat), jnp.asarray(elevation), past)

    def spread_out(leaf: Any) -> Any:
        return jnp.tile(jnp.asarray(leaf, dtype), cells) if np.ndim(leaf) else jnp.asarray(leaf, dtype)

    drawn = with_parameters(model, {path: spread_out(value) for path, value in parameter_values(model).items()})
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, dtype), (cells * columns,)), state)
    return drawn, forcing, site, start


def kernel_forcing(weather: xr.Dataset, columns: int, dtype: str) -> Forcing:
    """Drivers as the kernel takes them, each cell as often as there are draws."""

    def column(name: str) -> Any:
        values = weather[name].values
        wide = np.repeat(values, columns, axis=1) if values.ndim == 2 else values[:, None]
        return jnp.asarray(wide, dtype)

    return Forcing(**{name: column(name) for name in (*UNITS, "doy", "days")})
