"""Steps of Newton's method for pools that grow and die by factors."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax.numpy as jnp

from spread.land.linear import eliminated, kept_rows, unit_matrix
from spread.land.shapes import Cells

Kind = Literal["carbon", "water", "memory"]
"""A pool of carbon or water is not negative; a memory may be."""

REACH = 3.0
"""Largest step in the logarithm of a pool."""

RISE, FALL = 1.5, 6.0
"""The same where no fixed point is in sight and the cycle itself says where to go."""

BARE = 12.0
"""The same towards bare ground."""

HURRY = 6.0
"""Cycles that such a step stands for."""

REMNANT = 1e-4
"""Share that is left of a pool which Newton's method would take below zero."""

_SMALLEST = 1e-30


class Remembered(NamedTuple):
    """What the search of a cell remembers: how far it may go, and where it went last."""

    reach: Cells
    last: Cells


class LogarithmicNewton(NamedTuple):
    """Newton's method for ``log F(x) - log x = 0``, kept on the way that the cycles would take.

    Parameters
    ----------
    kinds : tuple
        What each pool is; a memory is taken as it is, without logarithm.

    Notes
    -----
    The map is stable where the pivots of ``I - dF/dx`` are positive, see :func:`spread.land.linear.eliminated`. Where
    they are not, as between bare ground and a canopy, Newton's method would lead to a state that no run keeps; there
    the step goes where the cycle goes, several cycles at once. Where pools swing back and forth, steps become shorter.
    """

    kinds: tuple[Kind, ...]

    def begin(self, pools: Cells) -> Remembered:
        """Memory of a search that begins."""
        return Remembered(jnp.full(pools.shape[1:], REACH, pools.dtype), jnp.zeros_like(pools))

    def step(self, pools: Cells, once: Cells, matrix: Cells, memory: Remembered) -> tuple[Cells, Cells, Remembered]:
        """One step.

        Parameters
        ----------
        pools, once : array
            Before and after the cycle, ``(pool, cells)``.
        matrix : array
            Derivative of the cycle, ``(pool, pool, cells)``.
        memory : Remembered
            Of the step before.

        Returns
        -------
        pools : array
            Where to go on.
        sure : array
            Whether Newton's method led there.
        memory : Remembered
            For the next step.
        """
        logarithmic = jnp.array([kind != "memory" for kind in self.kinds])[:, None]
        kept, unit = kept_rows(matrix), unit_matrix(matrix)
        x, after = jnp.maximum(pools, _SMALLEST), jnp.maximum(once, _SMALLEST)
        gain = jnp.where(kept, 0, jnp.where(logarithmic, jnp.log(after) - jnp.log(x), once - pools))
        elastic = matrix * jnp.where(logarithmic, x, 1)[None] / jnp.where(logarithmic, after, 1)[:, None]
        newton, stable = _solved(jnp.where(kept[:, None], unit, unit - elastic), gain)
        plain, attracted = _solved(jnp.where(kept[:, None], unit, unit - matrix), jnp.where(kept, 0, once - pools))
        floor = REMNANT * x
        down = jnp.where(logarithmic, jnp.log(jnp.maximum(x + plain, floor) / x), plain)
        along = self._along(gain, elastic)
        limits = jnp.where(logarithmic, 1, jnp.inf)
        change = jnp.where(
            stable, _within(newton, -memory.reach * limits, memory.reach * limits),
            jnp.where(
                attracted, _within(down, -BARE * limits, memory.reach * limits),
                _within(along, -FALL * limits, RISE * limits),
            ),
        )  # fmt: skip
        to_and_fro = (change * memory.last < 0) & (jnp.abs(change) > 0.3 * jnp.abs(memory.last))
        turned = jnp.any(to_and_fro & (jnp.abs(memory.last) > 0.05) & logarithmic, axis=0)
        largest = jnp.max(jnp.where(logarithmic, jnp.abs(memory.last), 0), axis=0)
        reach = jnp.where(turned, jnp.maximum(0.5 * largest, 1e-3), jnp.minimum(2 * memory.reach, REACH))
        there = jnp.where(logarithmic, x * jnp.exp(change), pools + change)
        there = jnp.where(kept, pools, jnp.where(jnp.isfinite(there), there, once))
        return there, stable, Remembered(reach, jnp.where(jnp.isfinite(change), change, 0))

    def _along(self, gain: Cells, elastic: Cells) -> Cells:
        """Several cycles at once for carbon; for what is not carbon as far as it will go by itself."""
        carbon = jnp.array([kind == "carbon" for kind in self.kinds])[:, None]
        own = jnp.stack([elastic[i, i] for i in range(len(self.kinds))])
        return jnp.where(carbon, HURRY * gain, gain / jnp.maximum(1 - own, 1 / HURRY))


def _solved(system: Cells, right: Cells) -> tuple[Cells, Cells]:
    step, pivots = eliminated(system, right)
    return step, jnp.all(pivots > 0, axis=0) & jnp.all(jnp.isfinite(step), axis=0)


def _within(values: Cells, low: Cells, high: Cells) -> Cells:
    return jnp.minimum(jnp.maximum(values, low), high)
