"""Search for the fixed point of a cycle, every cell at its own pace.

A cell costs as many cycles as it needs itself: the search holds a row of lanes, and a lane whose cell is done takes the
next one. Pools that follow the others linearly are left out of it and found at the end by one linear system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from spread.land.linear import eliminated, kept_rows, unit_matrix
from spread.land.newton import Kind, LogarithmicNewton
from spread.land.shapes import Cells

LANES = 64
"""Cells that are searched at a time: enough to fill the vectors of a core, few enough that the last ones are few."""

SETTLING = 8
"""Cycles that a cell which is not found is run, from the state after the warm-up."""

NEAR = 1e-5
"""Newton's method doubles the digits: a step from a residual below this leads to one within 1e-6, which is checked."""

TRIES = 3
"""How often a cell for which that check fails is searched again."""

Cycle = Callable[[Any, Any], list[Any]]
"""Pools after the cycle from those before, for some cells, given by number; None for all of them."""


class Search(NamedTuple):
    """What is looked for, and for how long; all of it static.

    Parameters
    ----------
    follow : tuple of int
        Pools that follow the others, see :func:`spread.land.dependence.following`.
    kinds : tuple
        What each pool is.
    rounds, warm_up : int
        As in :func:`spread.land.spinup.spun_up`.
    tolerance : float
        Largest relative change over a cycle.
    """

    follow: tuple[int, ...]
    kinds: tuple[Kind, ...]
    rounds: int
    warm_up: int
    tolerance: float

    @property
    def lead(self) -> tuple[int, ...]:
        """Pools that do not follow."""
        return tuple(i for i in range(len(self.kinds)) if i not in self.follow)


def balanced(cycle: Cycle, begin: Cells, search: Search) -> tuple[Cells, Cells, Cells]:
    """Pools that the cycle leads to, the largest relative change that is left, and how many cycles it took.

    Parameters
    ----------
    cycle : callable
        The map.
    begin : array
        Pools ``(pool, cells)``.
    search : Search
        How.
    """
    lead, cells = jnp.array(search.lead, int), begin.shape[1]
    before = jax.lax.fori_loop(0, max(search.warm_up - 1, 0), lambda _, x: jnp.stack(cycle(None, list(x))), begin)
    after = jnp.stack(cycle(None, list(before)))
    change = relative(before[lead], after[lead])
    start = (after, change, jnp.full(cells, float(search.warm_up)), jnp.zeros(cells, bool), jnp.zeros((), int))

    def unfinished(carried: Any) -> Any:
        _, worst, _, lost, tries = carried
        return (tries < TRIES) & jnp.any((worst > search.tolerance) & ~lost)

    def again(carried: Any) -> Any:
        pools, worst, cycles, lost, tries = carried
        todo = (worst > search.tolerance) & ~lost
        near = jnp.where(tries == 0, NEAR, search.tolerance)
        pools, ran, lost = _searched(cycle, pools, worst, todo, lost, near, search)
        pools, worst = _followed(cycle, pools, search)
        return pools, worst, cycles + ran + 1, lost, tries + 1

    pools, worst, cycles, _, _ = jax.lax.while_loop(unfinished, again, start)
    return pools, worst, cycles


class _Lanes(NamedTuple):
    """What each lane holds: its place in the queue, its pools, how often it went, and what its search remembers."""

    place: Cells
    pools: Cells
    turn: Cells
    memory: Any


def _searched(
    cycle: Cycle, pools: Cells, worst: Cells, todo: Cells, lost: Cells, near: Cells, search: Search
) -> tuple[Cells, Cells, Cells]:
    """Pools that lead, found for the cells that are to do; how many cycles each took; which were not found."""
    cells, lead = pools.shape[1], jnp.array(search.lead, int)
    width, amount = min(LANES, cells), jnp.sum(todo)
    queue = jnp.argsort(jnp.where(todo, -worst, jnp.inf))  # the worst first: they take longest
    newton = LogarithmicNewton(tuple(search.kinds[i] for i in search.lead))

    def cell_of(place: Cells) -> Cells:
        return queue[jnp.minimum(place, cells - 1)]

    def on(carried: Any) -> Any:
        lanes, following_up, found, ran, lost = carried
        active, cell = lanes.place < amount, cell_of(lanes.place)
        whole = list(pools[:, cell])
        for row, position in enumerate(search.lead):
            whole[position] = lanes.pools[row]
        once, columns = columns_of(lambda x: cycle(cell, x), whole, search.lead)
        once, matrix = once[lead], jnp.swapaxes(columns[:, lead], 0, 1)
        left = relative(lanes.pools, once)
        there, sure, memory = newton.step(lanes.pools, once, matrix, lanes.memory)
        settling = lanes.turn >= search.rounds
        there = jnp.where(settling, once, there)
        good = left <= search.tolerance
        given_up = lanes.turn + 1 >= search.rounds + SETTLING
        done = active & (good | (sure & ~settling & (left <= near)) | given_up)
        slot = jnp.where(done, cell, cells)
        found = found.at[:, slot].set(jnp.where(good, lanes.pools, there), mode="drop")
        ran = ran.at[jnp.where(active, cell, cells)].add(1, mode="drop")
        lost = lost.at[slot].set(~good & given_up, mode="drop")
        there = jnp.where(lanes.turn + 1 == search.rounds, pools[lead][:, cell], there)
        taken = following_up + jnp.cumsum(done)
        place = jnp.where(done, taken - 1, lanes.place)
        fresh = pools[lead][:, cell_of(place)]
        memory = jax.tree.map(lambda new, old: jnp.where(done, new, old), newton.begin(lanes.pools), memory)
        lanes = _Lanes(place, jnp.where(done, fresh, there), jnp.where(done, 0, lanes.turn + 1), memory)
        return lanes, taken[-1], found, ran, lost

    place = jnp.arange(width)
    first = pools[lead][:, cell_of(place)]
    lanes = _Lanes(place, first, jnp.zeros(width, int), newton.begin(first))
    begin = (lanes, jnp.asarray(width), pools[lead], jnp.zeros(cells), lost)
    _, _, found, ran, lost = jax.lax.while_loop(lambda carried: jnp.any(carried[0].place < amount), on, begin)
    return pools.at[lead].set(found), ran, lost


def _followed(cycle: Cycle, pools: Cells, search: Search) -> tuple[Cells, Cells]:
    """Pools that follow, solved for; and what a cycle would change."""
    if not search.follow:
        return pools, relative(pools, jnp.stack(cycle(None, list(pools))))
    follow = jnp.array(search.follow, int)
    once, columns = columns_of(lambda x: cycle(None, x), list(pools), search.follow)
    matrix = jnp.swapaxes(columns[:, follow], 0, 1)
    kept = kept_rows(matrix)
    system = jnp.where(kept[:, None], unit_matrix(matrix), unit_matrix(matrix) - matrix)
    step, _ = eliminated(system, jnp.where(kept, 0, once[follow] - pools[follow]))
    # Rounding may take an empty pool just below zero
    step = jnp.where(jnp.isfinite(step), jnp.maximum(step, -pools[follow]), 0)
    moved = jnp.sum(matrix * step, axis=1)  # the cycle is linear in these pools
    pools = pools.at[follow].add(step)
    return pools, relative(pools, once.at[follow].add(moved))


def relative(before: Cells, after: Cells) -> Cells:
    """Largest change of a pool, relative to the pool, or to 1 where it is smaller."""
    return jnp.max(jnp.abs(after - before) / jnp.maximum(jnp.abs(before), 1), axis=0)


def columns_of(cycle: Callable[[Any], list[Any]], pools: list[Any], group: tuple[int, ...]) -> tuple[Cells, Cells]:
    """A map of pools, and its derivatives with respect to some of them.

    Parameters
    ----------
    cycle : callable
        The map.
    pools : list of arrays
        Where.
    group : tuple of int
        Which pools.

    Returns
    -------
    once, columns : array
        ``(pool, cells)`` and ``(group, pool, cells)``. Only what depends on the group is computed for each of it.
    """

    def of_group(part: list[Any]) -> list[Any]:
        whole = list(pools)
        for position, value in zip(group, part, strict=True):
            whole[position] = value
        return cycle(whole)

    def push(unit: Cells) -> tuple[list[Any], list[Any]]:
        tangents = [jnp.broadcast_to(unit[n], jnp.shape(pools[i])) for n, i in enumerate(group)]
        pushed: tuple[list[Any], list[Any]] = jax.jvp(of_group, ([pools[i] for i in group],), (tangents,))
        return pushed

    once, columns = jax.vmap(push, out_axes=(None, 0))(jnp.eye(len(group), dtype=jnp.result_type(pools[0])))
    return jnp.stack(once), jnp.stack(columns, axis=1)
