"""Which pools the others depend on, read from the operations of a step.

Wood, roots, litter and soil carbon take what leaves build and give nothing back to them: given leaves and water, their
step is linear. This is not assumed but found for the bricks at hand, so that a brick through which wood holds up
leaves, or in which litter decays at a rate that depends on litter, is treated as what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

Pools = Sequence[Any]
Sets = list[frozenset[int]]

_TRANSPARENT = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "custom_jvp_call")
"""Operations that hold others; all the rest are taken to let each result depend on all that goes in."""


def following(step: Callable[[Pools], Pools], pools: Pools) -> tuple[int, ...]:
    """Pools that only follow the others.

    Parameters
    ----------
    step : callable
        Pools before a step to pools after it.
    pools : sequence of arrays
        An example: shapes and dtypes count.

    Returns
    -------
    tuple of int
        Positions of a group of pools that change no pool outside of it, of which no two depend on each other, and
        whose step is affine: its derivative with respect to the group depends on no pool of the group.
    """
    depends = sources(jax.make_jaxpr(step)(list(pools)).jaxpr)
    group = _one_way(depends)
    while group:
        outside = [depends[i] for i in range(len(pools)) if i not in group]
        feeding = group & set().union(*outside)
        if not feeding:
            feeding = group & _bending(step, pools, sorted(group))
        if not feeding:
            break
        group -= feeding
    return tuple(sorted(group))


def _one_way(depends: Sets) -> set[int]:
    """Pools that no other pool both depends on and acts on, over however many steps."""
    reached = list(depends)
    for _ in depends:
        reached = [found.union(*(depends[i] for i in found)) for found in reached]
    return {i for i, found in enumerate(reached) if not any(i in reached[j] for j in found if j != i)}


def _bending(step: Callable[[Pools], Pools], pools: Pools, group: list[int]) -> frozenset[int]:
    """Pools on which the derivative of the step with respect to a group depends."""

    def tangents(given: Pools, directions: Pools) -> Pools:
        def of_group(part: Pools) -> Pools:
            whole = list(given)
            for position, value in zip(group, part, strict=True):
                whole[position] = value
            return step(whole)

        moved: Pools = jax.jvp(of_group, ([given[i] for i in group],), (list(directions),))[1]
        return moved

    units = [jnp.ones_like(pools[i]) for i in group]
    found = sources(jax.make_jaxpr(tangents)(list(pools), units).jaxpr)
    return frozenset().union(*found) & frozenset(range(len(pools)))


def sources(jaxpr: Jaxpr, given: Sets | None = None) -> Sets:
    """Inputs on which each output of a jaxpr depends.

    Parameters
    ----------
    jaxpr : jax.extend.core.Jaxpr
        The operations.
    given : list of sets, optional
        What each input itself depends on; by default its own position.

    Returns
    -------
    list of sets
        One for each output.
    """
    given = [frozenset({i}) for i in range(len(jaxpr.invars))] if given is None else given
    known = dict(zip(jaxpr.invars, given, strict=True))

    def of(value: Any) -> frozenset[int]:
        return frozenset() if isinstance(value, Literal) else known.get(value, frozenset())

    for equation in jaxpr.eqns:
        taken = [of(value) for value in equation.invars]
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        inner = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
        if equation.primitive.name in _TRANSPARENT and inner is not None and len(inner.invars) == len(taken):
            found = sources(inner, taken)
        else:
            found = [frozenset().union(*taken)] * len(equation.outvars)
        known.update(zip(equation.outvars, found, strict=True))
    return [of(value) for value in jaxpr.outvars]
