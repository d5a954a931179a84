"""The state that a run starts from: where its reference weather, repeated for ever, leads to."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from spread.drivers import as_drivers
from spread.errors import NotConforming
from spread.land import LandModel, State
from spread.land.run import advanced, prepared
from spread.land.spinup import TOLERANCE, residual, spun_up
from spread.simulate.blocks import block_by_block, cells_of_a_block, columns_of, shared_out, without_device
from spread.simulate.labels import Arrays
from spread.simulate.parameters import number_of_draws
from spread.simulate.states import SPUN, arrays_of

SHORTEST = 359.5
"""Days that a whole year has at least, in every calendar."""


@dataclass(frozen=True)
class SpinUp:
    """How the initial state is made: cycles through the first whole years of the reference forcing.

    Parameters
    ----------
    years : int
        How many years are cycled.
    cycles : int, optional
        How often; 0 leaves the state as it is given. By default for ever: the fixed point is solved for, see
        :func:`spread.land.spinup.spun_up`.
    """

    years: int = 10
    cycles: int | None = None


UNSPUN = SpinUp(cycles=0)
"""No spin-up: a run starts from the state as it is given."""


def spun_up_states(
    reference: xr.Dataset, model: LandModel, state: State | None = None, spin_up: SpinUp | None = None, *,
    blocks_a_task: int = 8, executor: Executor | None = None, dtype: str = "float32",
) -> xr.Dataset:  # fmt: skip
    """Spin up every cell and draw, for runs that share where they start.

    Parameters
    ----------
    reference : xarray.Dataset
        As :func:`spread.drivers.drivers` takes it, or returned by it; its first whole years are cycled, and its mean is
        the reference climate.
    model : LandModel
        With draws or without.
    state : State, optional
        To begin from; by default the middle of the prior.
    spin_up : SpinUp, optional
        How; by default to the fixed point of ten years.
    blocks_a_task, executor
        How cells are shared out; the result does not depend on it.
    dtype : str
        Of the states that are returned; they are found in float64.

    Returns
    -------
    xarray.Dataset
        A state with its reference climate and :data:`~spread.simulate.states.SPUN`, on ``cell, draw``; the ``state`` of
        :func:`spread.simulate.simulate`. Attributes say how it was made and for how many cells and draws it was found.

    Raises
    ------
    NotConforming
        Where the reference has no whole year, or gaps.
    """
    state, spin_up = State() if state is None else state, SpinUp() if spin_up is None else spin_up
    weather = as_drivers(reference)
    columns = max(number_of_draws(model), 1)
    per_block, steps = cells_of_a_block(weather.sizes["cell"], columns), cycle_of(weather, spin_up.years)
    made = shared_out(
        spin_cells, (weather,), per_block, blocks_a_task, executor, without_device(model), without_device(state),
        columns, per_block, spin_up, steps, dtype,
    )  # fmt: skip
    way = "to the fixed point" if spin_up.cycles is None else f"{spin_up.cycles} cycles"
    return xr.Dataset(
        {name: (("cell", "draw"), values[0]) for name, values in made.items()},
        coords={"place": weather["place"].variable},
        attrs={
            "spin_up": f"{way} of the first {len(np.unique(weather['year'].values[slice(*steps)]))} whole years",
            "spun_up_found": int(made["spun_up"].sum()), "spun_up_of": made["spun_up"].size,
        },
    )  # fmt: skip


def cycle_of(reference: xr.Dataset, years: int) -> tuple[int, int]:
    """First step, and the one after the last, of the first whole years."""
    year, days = reference["year"].values, reference["days"].values
    names, first, group = np.unique(year, return_index=True, return_inverse=True)
    whole = np.bincount(group, weights=days) >= SHORTEST
    if not whole.any():
        raise NotConforming("spin-up", ["reference weather: expected a whole year or more, got less; or no spin-up"])
    begin = int(np.argmax(whole))
    end = min(begin + years, len(names))
    end = begin + int(np.argmin(np.append(whole[begin:end], False)))
    return int(first[begin]), int(first[end]) if end < len(names) else len(year)


def spin_cells(
    reference: xr.Dataset, model: LandModel, state: State, columns: int, per_block: int, spin_up: SpinUp,
    steps: tuple[int, int], dtype: str,
) -> Arrays:  # fmt: skip
    """Spin up some cells block by block, in this process; what a worker does."""

    def of_block(cells: xr.Dataset) -> Arrays:
        drawn, forcing, site, start = columns_of(cells, cells, model, state, columns, "float64")
        cycle = jax.tree.map(lambda field: field[steps[0] : steps[1]], forcing)
        if spin_up.cycles is None:
            found = spun_up(drawn, start, cycle, site)
            end, left = found.state, found.residual
        else:
            given = prepared(drawn, start, cycle, site)
            before = end = given[1]
            for _ in range(spin_up.cycles):
                before, end = end, advanced(given[0], end, given[2], given[3], (), 1)[0]
            left = residual(before, end)
        shape = (cells.sizes["cell"], columns)
        made: dict[str, Any] = arrays_of(end, site, shape)
        known = dict(zip(SPUN, (jnp.asarray(left <= TOLERANCE), left), strict=True))
        made |= {name: np.asarray(value).reshape(1, *shape) for name, value in known.items()}
        return {name: values.astype(dtype) for name, values in made.items()}

    with jax.enable_x64(True):
        return block_by_block(of_block, (reference,), per_block)
