"""The state that a year of weather, repeated for ever, leads to; with its gradient.

The annual map ``F`` takes the state at the start of a cycle of forcing to that at its end, and a spun-up state is a
fixed point of it. Soil carbon takes 1e4 years to come near it, but given how much is assimilated the map is linear in
carbon, so that its derivative, a small matrix for each cell, leads there at once (semi-analytic spin-up: Xia et al.
2012, Geosci. Model Dev. 5, 1259). What is not linear, assimilation by leaves that it built and water, is left to
repeated steps of Newton's method on the whole state.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.model import LandModel
from spread.land.run import advanced, prepared
from spread.land.shapes import Cells
from spread.land.state import State

TOLERANCE = 1e-6
"""Largest change of a pool over a cycle, relative to the pool, or to 1 g m-2 or 1 mm where it is smaller."""


class Spinup(eqx.Module):
    """A spun-up state and how good it is.

    Parameters
    ----------
    state : State
        At the start of the cycle.
    residual : array
        Largest ``|F(x) - x|`` over the pools, relative to the pool or 1, ``(cells,)``.
    cycles : array
        Number of cycles that were run, those for derivatives counted once for each pool.
    """

    state: State
    residual: Cells
    cycles: Cells

    @property
    def converged(self) -> Cells:
        """Where the residual is within :data:`TOLERANCE`."""
        return self.residual <= TOLERANCE


def spun_up(model: LandModel, state: State, forcing: Forcing, site: Site, rounds: int = 25, warm_up: int = 4) -> Spinup:
    """Find the state that repeated forcing leads to.

    Parameters
    ----------
    model : LandModel
        Bricks with their parameters.
    state : State
        To begin from. A pool that no process changes keeps what it has here.
    forcing : Forcing
        One cycle, of a year or more; each field ``(time, cells)`` or ``(time,)``.
    site : Site
        The place.
    rounds : int
        Most steps of Newton's method; the search ends when all cells are within :data:`TOLERANCE`.
    warm_up : int
        Cycles that are run before, for leaves and water to settle, and one after each step.

    Returns
    -------
    Spinup
        Its state can be differentiated with respect to model, forcing and site, in both modes: the last step of
        Newton's method is linearised where the search ended, so that the derivative is ``(I - dF/dx)^-1 dF/dp`` (the
        implicit function theorem), at the cost of one cycle and one small linear system a cell.

    Notes
    -----
    Bare ground, where nothing grows for want of leaves, is a fixed point too; cycles that are run between the steps of
    Newton's method lead away from it where it is unstable. Where both bare ground and a canopy are stable, the search
    may end in another of them than a run from the same state would. A cell whose snow never melts has none. Whether a
    cell was found is in :attr:`Spinup.converged`; that takes float64 where soil turns over slowly.
    """
    return _found(*prepared(model, state, forcing, site), rounds, warm_up)


@eqx.filter_jit
def _found(model: LandModel, state: State, forcing: Forcing, site: Site, rounds: int, warm_up: int) -> Spinup:
    still = jax.lax.stop_gradient((model, state, forcing, site))

    def cycle(x: State) -> State:
        return advanced(still[0], x, still[2], still[3], (), 1)[0]

    def unfinished(carried: tuple[State, Cells, Cells]) -> Any:
        _, change, turn = carried
        return (turn < rounds) & jnp.any(change > TOLERANCE)

    def search(carried: tuple[State, Cells, Cells]) -> tuple[State, Cells, Cells]:
        x, _, turn = carried
        once, matrix = _tangent(cycle, x)
        x = _chosen(*_corrected(x, once, matrix), once)
        after = cycle(x)
        return after, residual(after, cycle(after)), turn + 1

    x = jax.lax.fori_loop(0, warm_up, lambda _, x: cycle(x), still[1])
    begin = (x, jnp.full(jnp.shape(x.soil), jnp.inf, x.soil.dtype), jnp.zeros((), int))
    x, _, turns = jax.lax.while_loop(unfinished, search, begin)
    x = jax.lax.stop_gradient(x)
    once, matrix = jax.lax.stop_gradient(_tangent(cycle, x))
    kept = _kept(matrix)
    x = _unstacked(jnp.where(kept, _stacked(state), _stacked(x)), x)
    found, _ = _corrected(x, advanced(model, x, forcing, site, (), 1)[0], matrix)
    # Rounding may take an empty pool just below zero
    found = jax.tree.map(lambda y, before: jnp.where((y < 0) & (before >= 0), before, y), found, x)
    size = len(jax.tree.leaves(state))
    cycles = warm_up + turns * (size + 3) + size + 2
    return Spinup(found, residual(x, once), cycles)


def residual(before: State, after: State) -> Cells:
    """Largest change of a pool, relative to the pool, or to 1 where it is smaller."""
    one, other = _stacked(before), _stacked(after)
    return jnp.max(jnp.abs(other - one) / jnp.maximum(jnp.abs(one), 1), axis=0)


def _stacked(state: State) -> Cells:
    return jnp.stack(jax.tree.leaves(state))


def _unstacked(values: Cells, like: State) -> State:
    return jax.tree.unflatten(jax.tree.structure(like), list(values))


def _tangent(cycle: Any, x: State) -> tuple[State, Cells]:
    """The cycle from ``x``, and its derivative ``(pool, pool, cells)``: one tangent for each pool serves all cells."""
    size = len(jax.tree.leaves(x))
    units = jnp.eye(size, dtype=x.soil.dtype).reshape(size, size, *[1] * x.soil.ndim)
    units = jnp.broadcast_to(units, (size, size, *x.soil.shape))

    def push(unit: Cells) -> tuple[State, State]:
        return jax.jvp(cycle, (x,), (_unstacked(unit, x),))

    once, columns = jax.vmap(push, out_axes=(None, 0))(units)
    return once, jnp.stack(jax.tree.leaves(columns))


def _kept(matrix: Cells) -> Cells:
    """Pools that a cycle returns as they were, whatever they and the others are."""
    size = matrix.shape[0]
    unit = jnp.eye(size).reshape(size, size, *[1] * (matrix.ndim - 2))
    return jnp.all(matrix == unit, axis=1)


def _corrected(x: State, once: State, matrix: Cells) -> tuple[State, Cells]:
    """A step of Newton's method for ``F(x) - x = 0``; pools that are kept stay. And where the map is stable."""
    size = matrix.shape[0]
    unit = jnp.eye(size, dtype=matrix.dtype).reshape(size, size, *[1] * (matrix.ndim - 2))
    system = unit - matrix + unit * _kept(matrix)[:, None]
    step, pivots = solved(system, _stacked(once) - _stacked(x))
    return _unstacked(_stacked(x) + step, x), jnp.all(pivots > 0, axis=0)


def _chosen(jump: State, stable: Cells, once: State) -> State:
    """Where Newton's method leads to, and a tenth of what the cycle leaves of a pool that it would take below zero.

    Where the map is not stable Newton's method would lead to a state that no run keeps, between bare ground and a
    canopy: there the cycle itself leads on.
    """
    there, here = _stacked(jump), _stacked(once)
    there = jnp.where((there < 0) & (here >= 0), 0.1 * here, there)
    return _unstacked(jnp.where(stable & jnp.all(jnp.isfinite(there), axis=0), there, here), once)


def solved(matrix: Cells, right: Cells) -> tuple[Cells, Cells]:
    """Solve a small linear system in every cell.

    Parameters
    ----------
    matrix : array
        ``(n, n, *cells)``.
    right : array
        ``(n, *cells)``.

    Returns
    -------
    solution, pivots : array
        ``(n, *cells)``.

    Notes
    -----
    Elimination without pivoting, over all cells at once: where a map does not decrease in any pool, it is stable just
    where the pivots of ``I - dF/dx``, an M-matrix, are positive (Berman & Plemmons 1994, ch. 6).
    """
    size = matrix.shape[0]
    rows = [jnp.concatenate([matrix[i], right[i][None]]) for i in range(size)]
    pivots = []
    for k in range(size):
        pivots.append(rows[k][k])
        rows[k] = rows[k] / rows[k][k]
        rows = [row if i == k else row - row[k] * rows[k] for i, row in enumerate(rows)]
    return jnp.stack([row[-1] for row in rows]), jnp.stack(pivots)
