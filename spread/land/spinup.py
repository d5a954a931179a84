"""The state that a year of weather, repeated for ever, leads to; with its gradient.

The annual map ``F`` takes the state at the start of a cycle of forcing to that at its end, and a spun-up state is a
fixed point of it. Soil carbon takes 1e4 years to come near it. But pools that only follow leaves and water, such as
soil carbon, follow them linearly: their fixed point is one small linear system away (semi-analytic spin-up: Xia et al.
2012, Geosci. Model Dev. 5, 1259), and a search is left for leaves and water alone (:mod:`spread.land.balance`).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land.balance import Search, balanced, columns_of, relative
from spread.land.dependence import following
from spread.land.forcing import Forcing, Site
from spread.land.linear import eliminated, kept_rows, unit_matrix
from spread.land.model import LandModel
from spread.land.network import is_network
from spread.land.newton import Kind
from spread.land.run import advanced, prepared
from spread.land.shapes import Cells
from spread.land.state import CARBON, State

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
        How often the cycle was run for each cell, with or without derivatives.
    """

    state: State
    residual: Cells
    cycles: Cells

    @property
    def converged(self) -> Cells:
        """Where the residual is within :data:`TOLERANCE`."""
        return self.residual <= TOLERANCE


def spun_up(model: LandModel, state: State, forcing: Forcing, site: Site, rounds: int = 20, warm_up: int = 3) -> Spinup:
    """Find the state that repeated forcing leads to.

    Parameters
    ----------
    model : LandModel
        Bricks with their parameters.
    state : State
        To begin from. A pool that no process changes keeps what it has here.
    forcing : Forcing
        One cycle, of whole years; each field ``(time, cells)`` or ``(time,)``.
    site : Site
        The place.
    rounds : int
        Most steps of the search for a cell; one that is not found by then follows the cycle itself for a while.
    warm_up : int
        Cycles that are run before, 1 or more: leaves and water settle, and show whether plants live.

    Returns
    -------
    Spinup
        Its state can be differentiated with respect to model, forcing and site, in both modes, by the implicit function
        theorem: ``(I - dF/dx)^-1 dF/dp``, at the cost of one cycle and one small linear system a cell. It is 0 for a
        cell that was not found.

    Notes
    -----
    Bare ground, where nothing grows for want of leaves, is mostly a stable fixed point beside that of a canopy; the
    search leaves the border between them as a run would, but near it may end on the other side. A cell whose snow never
    melts has no fixed point, and in some dry places canopy and water swing from year to year for ever. Whether a cell
    was found is in :attr:`Spinup.converged`; one that was not found has leaves and water of some cycles from the given
    state, and the slow pools that these would lead to. That takes float64 where soil turns over slowly.
    """
    return _found(*prepared(model, state, forcing, site), rounds, warm_up)


@eqx.filter_jit
def _found(model: LandModel, state: State, forcing: Forcing, site: Site, rounds: int, warm_up: int) -> Spinup:
    leaves, tree = jax.tree.flatten(state)
    numbers, rest = eqx.partition((model, forcing, site), eqx.is_inexact_array)

    def step(pools: Any) -> list[Any]:
        first = jax.tree.map(lambda field: field[0], forcing)
        return jax.tree.leaves(model.step(jax.tree.unflatten(tree, pools), first, site)[0])

    def cycle(numbers: Any, pools: Any) -> list[Any]:
        bricks, weather, place = eqx.combine(numbers, rest)
        return jax.tree.leaves(advanced(bricks, jax.tree.unflatten(tree, list(pools)), weather, place, (), 1)[0])

    search = Search(following(step, leaves), _kinds(state), rounds, warm_up, TOLERANCE)
    cells = jnp.size(leaves[0])

    def of_some(numbers: Any) -> Any:
        return lambda which, pools: cycle(numbers if which is None else _chosen(numbers, which, cells), pools)

    @jax.custom_jvp
    def fixed(numbers: Any, begin: Cells) -> tuple[Cells, Cells, Cells]:
        return balanced(of_some(numbers), begin, search)

    @fixed.defjvp
    def _fixed_jvp(given: Any, moved: Any) -> Any:
        found = fixed(*given)
        matrix = _derivative(lambda pools: cycle(given[0], pools), found[0], search.follow)
        pushed = jax.jvp(lambda numbers: jnp.stack(cycle(numbers, found[0])), (given[0],), (moved[0],))[1]
        kept = kept_rows(matrix)
        fixed_there = found[1] <= TOLERANCE
        system = jnp.where(kept[:, None] | ~fixed_there, unit_matrix(matrix), unit_matrix(matrix) - matrix)
        change, _ = eliminated(system, jnp.where(kept, moved[1], jnp.where(fixed_there, pushed, 0)))
        return found, (change, jnp.zeros_like(found[1]), jnp.zeros_like(found[2]))

    # One cell without an axis is a row of one
    stack, worst, cycles = fixed(numbers, jnp.stack(leaves).reshape(len(leaves), cells))
    shape = jnp.shape(leaves[0])
    stack, worst, cycles = (x.reshape(*x.shape[:-1], *shape) for x in (stack, worst, cycles))
    return Spinup(jax.tree.unflatten(tree, list(stack)), worst, cycles)


def _derivative(cycle: Any, pools: Cells, follow: tuple[int, ...]) -> Cells:
    """Of the cycle, ``(pool, pool, cells)``. Pools that follow are apart: their tangents pass by photosynthesis."""
    lead = tuple(i for i in range(len(pools)) if i not in follow)
    columns: dict[int, Cells] = {}
    for group in (lead, follow):
        if group:
            _, part = columns_of(cycle, list(pools), group)
            columns |= {i: part[n] for n, i in enumerate(group)}
    return jnp.stack([columns[i] for i in range(len(pools))], axis=1)


def _kinds(state: State) -> tuple[Kind, ...]:
    names = [str(path[0]).removeprefix(".") for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    return tuple("carbon" if name in CARBON else "memory" if name == "memory" else "water" for name in names)


def _chosen(given: Any, which: Cells, cells: int) -> Any:
    """Some cells of model, forcing and site; what is the same for all of them stays."""

    def taken(rank: int) -> Any:
        def of(leaf: Any) -> Any:
            if is_network(leaf) or jnp.ndim(leaf) != rank or jnp.shape(leaf)[-1] != cells:
                return leaf
            return jnp.take(leaf, which, axis=-1, mode="clip")

        return of

    model, forcing, site = given
    return tuple(
        jax.tree.map(taken(rank), part, is_leaf=is_network) for rank, part in ((1, model), (2, forcing), (1, site))
    )


def residual(before: State, after: State) -> Cells:
    """Largest change of a pool, relative to the pool, or to 1 where it is smaller."""
    return relative(*(jnp.stack(jax.tree.leaves(state)) for state in (before, after)))
