"""States of all cells and draws as data: what a run ends with, and what the next one starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from spread.errors import NotConforming
from spread.land import LandModel, Site, State

PREFIX = "state_"
"""Of the variables that hold a state: ``state_soil``, and ``state_memory_warmth`` for what a phenology keeps."""

REFERENCE = {"reference_tas": "tas", "reference_pr": "pr"}
"""The reference climate of decomposition, which goes with a state from run to run."""

SPUN = ("spun_up", "spin_up_residual")
"""Whether a cell and draw was spun up, and how much of a pool a cycle would still change."""

ABOUT: dict[str, dict[str, Any]] = {
    "spun_up": {
        "long_name": "whether the initial state is one that the reference weather leads back to", "units": "1",
        "flag_values": [0.0, 1.0], "flag_meanings": "not_found found",
    },
    "spin_up_residual": {
        "long_name": "largest change of a pool over a cycle of spin-up, relative to the pool", "units": "1",
    },
    "reference_tas": {"long_name": "mean temperature of the reference climate", "units": "degC"},
    "reference_pr": {"long_name": "mean precipitation of the reference climate", "units": "mm d-1"},
}  # fmt: skip


def is_still(name: str) -> bool:
    """Whether a variable of a simulation has no time: part of a state, or what is known of it."""
    return name.startswith(PREFIX) or name in ABOUT


def about(name: str) -> dict[str, Any]:
    """Attributes of a variable that has no time."""
    if name in ABOUT:
        return dict(ABOUT[name])
    pool = name.removeprefix(PREFIX)
    if pool.startswith("memory"):
        return {"long_name": f"{pool.replace('_', ' ')} of the phenology after the last step"}
    units = "mm" if pool in ("snow", "water", "deep") else "g m-2"
    return {"long_name": f"{pool} after the last step", "units": units}


def arrays_of(state: State, site: Site, shape: tuple[int, int]) -> dict[str, Any]:
    """A state and its reference climate as arrays ``(1, cell, draw)``."""
    made = dict(zip(_names(state), jax.tree.leaves(state), strict=True))
    made |= {name: getattr(site, field) for name, field in REFERENCE.items()}
    return {name: np.asarray(jnp.broadcast_to(value, (shape[0] * shape[1],))).reshape(1, *shape)
            for name, value in made.items()}  # fmt: skip


def state_from(cells: xr.Dataset, model: LandModel, dtype: str) -> State:
    """The state of some cells from variables on ``cell, draw``; memory that is not there begins as the brick has it."""
    width = cells[f"{PREFIX}soil"].size
    begun = State(memory=model.phenology.memory((width,)))
    values = {n: cells[n].values.reshape(width) for n in _names(begun) if n in cells}
    leaves = [
        jnp.asarray(values.get(name, leaf), dtype)
        for name, leaf in zip(_names(begun), jax.tree.leaves(begun), strict=True)
    ]
    made: State = jax.tree.unflatten(jax.tree.structure(begun), leaves)
    return made


def at_cells(kept: xr.Dataset, weather: xr.Dataset, columns: int) -> xr.Dataset:
    """The state of a simulation at the cells of some forcing.

    Parameters
    ----------
    kept : xarray.Dataset
        As :func:`spread.simulate.simulate` gives it with ``keep_state``.
    weather : xarray.Dataset
        Drivers.
    columns : int
        Draws of parameters, at least 1.

    Returns
    -------
    xarray.Dataset
        The state, its reference climate and what is known of its spin-up on ``cell, draw``.

    Raises
    ------
    NotConforming
        Where it is no such dataset, or of other cells or draws.
    """
    pools = [name for name in _names(State()) if name not in kept]
    if pools:
        raise NotConforming("state", [f"expected a run made with keep_state=True, lacking {', '.join(pools)}"])
    found, breaches = {}, []
    number = kept.sizes.get("draw", 1)
    if number != columns:
        breaches.append(f"draws: expected {columns}, as the model has, got {number}; give both runs the same draws")
    if "cell" in kept.dims and not np.array_equal(kept["place"].values, weather["place"].values):
        breaches.append("cells: expected those of the forcing, got others; give both runs the same mask")
    place = weather["place"].values.astype(int)
    if "cell" not in kept.dims and kept[f"{PREFIX}soil"].size // number <= place.max(initial=0):
        breaches.append("cells: expected the grid of the forcing, got a smaller one")
    if breaches:
        raise NotConforming("state", breaches)
    for name in (str(n) for n in kept.data_vars if str(n).startswith(PREFIX) or n in ABOUT):
        flat = kept[name].transpose(*(d for d in ("draw",) if d in kept[name].dims), ...).values.reshape(number, -1)
        flat = flat if "cell" in kept[name].dims else flat[:, place]
        if not np.isfinite(flat).all():
            breaches.append(f"{name}: expected values in all cells of the forcing, got gaps")
        found[name] = (("cell", "draw"), flat.T)
    if breaches:
        raise NotConforming("state", breaches)
    return xr.Dataset(found)


def values_of(state: Any) -> Mapping[str, Any]:
    """Arrays of a state that is data, for a digest."""
    return {str(n): state[n].values for n in sorted(map(str, state.data_vars)) if str(n).startswith(PREFIX)}


def _names(state: State) -> list[str]:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    return [PREFIX + "_".join(str(getattr(k, "name", getattr(k, "key", k))) for k in path) for path in paths]
