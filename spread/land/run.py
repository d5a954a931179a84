"""Run the land model over a sequence of forcing, with gradients whose memory does not grow with the whole sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from spread.errors import BadModel, did_you_mean
from spread.land.devices import axes, is_network, shared
from spread.land.forcing import Forcing, Site
from spread.land.invariants import hoisted
from spread.land.model import LandModel
from spread.land.shapes import Steps
from spread.land.state import Fluxes, State

OUTPUTS = tuple(Fluxes.__annotations__)
"""Everything that a run can return, by CMIP6 name."""

MEMORY_SHARE = 4
"""Residuals of a gradient may take one part in so many of the memory that is free; the rest is for what uses it."""


def run(
    model: LandModel,
    state: State,
    forcing: Forcing,
    site: Site,
    outputs: Sequence[str] = OUTPUTS,
    block: int | None = None,
) -> tuple[State, dict[str, Steps]]:
    """Run from a state through a sequence of forcing.

    Parameters
    ----------
    model : LandModel
        Bricks with parameters of shape ``(cells,)`` or ``()``.
    state : State
        Before the first step; its dtype is that of the run.
    forcing : Forcing
        Each field ``(time, cells)`` or ``(time,)``.
    site : Site
        Each field ``(cells,)`` or ``()``.
    outputs : sequence of str
        Names of :class:`~spread.land.state.Fluxes`; what is not asked for is not kept.
    block : int, optional
        Steps between the states that a gradient keeps; 1 keeps the state of every step. By default what
        :func:`block_length` finds for the memory that is free.

    Returns
    -------
    state : State
        After the last step.
    fluxes : dict
        ``(time, cells)`` for each output.

    Raises
    ------
    BadModel
        For an output that is not there, and forcing whose fields differ in length.

    Notes
    -----
    A gradient runs through three levels: blocks, whose first states are kept; the steps of a block, whose states are
    kept while it is worked on; and a step, whose inner values are computed again (Griewank & Walther 2000). On a host
    with several JAX devices the cells are shared out among them; results are the same to rounding (compiled for
    several devices, operations are fused otherwise). See :func:`spread.land.devices.use_cores` for the cores of a CPU.

    A derivative is that of the steps as they are computed. Where one step empties the bucket that sets water stress and
    all leaves fall within a year, leaves and water of monthly steps can be chaotic: 2 of 1000 draws from the priors had
    slopes above 1e6 after 20 years, one of 1e17, which are true and of no use.
    """
    steps = _checked(forcing, outputs)
    cells = cells_of(model, state, forcing, site)
    dtype = jnp.result_type(state.soil)
    if block is None:
        block = block_length(steps, max(cells, 1) * dtype.itemsize * len(jax.tree.leaves(state)))
    given = prepared(model, state, forcing, site)
    found: tuple[State, dict[str, Steps]] = shared(advanced, given, (tuple(outputs), block), cells)
    return found


def prepared(model: LandModel, state: State, forcing: Forcing, site: Site) -> tuple[LandModel, State, Forcing, Site]:
    """Everything in the dtype of the state, and all of the state, which is carried, in the shape of the cells."""
    cells, dtype = cells_of(model, state, forcing, site), jnp.result_type(state.soil)
    shape = (cells,) if cells else ()
    if state.memory is None:
        begun = model.phenology.memory(shape)
        state = eqx.tree_at(lambda s: s.memory, state, begun, is_leaf=lambda leaf: leaf is None)
    state = jax.tree.map(lambda value: jnp.broadcast_to(jnp.asarray(value, dtype), shape), state)
    return _cast(model, dtype), state, _cast(forcing, dtype), _cast(site, dtype)


def block_length(steps: int, state_bytes: int, free: int | None = None) -> int:
    """Steps between kept states: every step where there is room, else about the square root of all.

    Parameters
    ----------
    steps : int
        Length of the run.
    state_bytes : int
        Size of a state of all cells.
    free : int, optional
        Memory that is free [bytes]; by default that of the machine.

    Returns
    -------
    int
        Length of a block, 1 to ``steps``. Kept are ``steps / block + block`` states, least at the square root.
    """
    if free is None:
        import psutil

        free = psutil.virtual_memory().available
    if steps * state_bytes <= free / MEMORY_SHARE:
        return 1
    return max(1, math.isqrt(steps))


def cells_of(*trees: Any) -> int:
    """Number of cells: the longest last axis of states, sites and parameters; 0 where all are scalars.

    Raises
    ------
    BadModel
        Where there are several lengths beside 1.
    """
    ranked = ((axes(tree), leaf) for tree in trees for leaf in jax.tree.leaves(tree, is_leaf=is_network))
    lengths = {np.shape(leaf)[-1] for rank, leaf in ranked if not is_network(leaf) and np.ndim(leaf) == rank}
    if len(lengths - {1}) > 1:
        raise BadModel(
            f"land model: parameters, state, forcing and site have {sorted(lengths)} cells: give all the same"
        )
    return max(lengths, default=0)


def _checked(forcing: Forcing, outputs: Sequence[str]) -> int:
    breaches = [
        f"no output is called {name!r}: {did_you_mean(name, OUTPUTS)}" for name in outputs if name not in OUTPUTS
    ]
    lengths = {name: np.shape(value)[0] if np.ndim(value) else 0 for name, value in vars(forcing).items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        breaches.append(f"every field of the forcing needs the same number of steps on its first axis, not {lengths}")
    if breaches:
        raise BadModel("land run: " + "; ".join(breaches))
    return lengths["tasmin"]


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype) if isinstance(leaf, _NUMBERS) else leaf, tree)


def _apart(tree: Any) -> Any:
    """Keep the reading and writing of sequences out of the loops over cells, which do not vectorise around an index."""
    return jax.lax.optimization_barrier(tree)


_NUMBERS = (jax.Array, np.ndarray, np.generic, float, int)


@eqx.filter_jit
def advanced(
    model: LandModel, state: State, forcing: Forcing, site: Site, outputs: tuple[str, ...], block: int
) -> tuple[State, dict[str, Steps]]:
    """Scan over the steps: as :func:`run`, for arrays of one dtype and a state of the shape of the cells."""
    arrays, static = eqx.partition((model, site), eqx.is_array)

    def whole_step(fixed: Any, carried: State, weather: Forcing) -> tuple[State, dict[str, Any]]:
        bricks, place = eqx.combine(fixed, static)
        weather = _apart(weather)
        after, fluxes = bricks.step(carried, weather, place)
        shape = jnp.shape(after.soil)
        return after, _apart({name: jnp.broadcast_to(getattr(fluxes, name), shape) for name in outputs})

    step = jax.checkpoint(hoisted(whole_step, arrays, state, jax.tree.map(lambda x: x[0], forcing)))
    # No unroll: on a CPU the fusions of an unrolled step compute it again and again (4 to 10 times slower)
    advance = partial(jax.lax.scan, step)
    steps = forcing.tasmin.shape[0]
    blocks = steps // block
    if block == 1 or blocks < 2:
        return advance(state, forcing)
    whole = jax.tree.map(lambda x: x[: blocks * block].reshape(blocks, block, *x.shape[1:]), forcing)
    rest = jax.tree.map(lambda x: x[blocks * block :], forcing)
    state, fluxes = jax.lax.scan(jax.checkpoint(advance), state, whole)
    fluxes = jax.tree.map(lambda x: x.reshape(blocks * block, *x.shape[2:]), fluxes)
    state, last = advance(state, rest)
    return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), fluxes, last)
