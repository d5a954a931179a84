"""Functions whose value and derivative are finite everywhere: no 0/0 hides under a ``where``.

A ``where`` that discards a NaN still multiplies its derivative by zero, which is NaN. Each function here therefore
replaces the argument before the dangerous operation.
"""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.shapes import Cells


def ratio(numerator: Cells, denominator: Cells) -> Cells:
    """``numerator / denominator`` for a denominator that is not negative, and 0 where it is 0."""
    there = denominator > 0
    return jnp.where(there, numerator, 0) / jnp.where(there, denominator, 1)


def root(value: Cells) -> Cells:
    """Square root of what is above 0, else 0; the derivative at 0 is taken as 0."""
    there = value > 0
    return jnp.where(there, jnp.sqrt(jnp.where(there, value, 1)), 0)


def lost_share(exposure: Cells) -> Cells:
    """``1 - exp(-exposure)``, exact for small exposures; 0 to 1 for an exposure that is not negative."""
    return -jnp.expm1(-exposure)


def smooth_minimum(one: Cells, other: Cells, curvature: float = 0.98) -> Cells:
    """Smaller of two values that are not negative, with a rounded corner; never above either.

    Parameters
    ----------
    one, other : array
        Values, not negative.
    curvature : float
        1 is the sharp minimum, 0 half the harmonic mean. 0.98 lies 12 % below the corner where both are equal.

    Returns
    -------
    array
        Smaller root of ``curvature x^2 - (one + other) x + one other = 0``.

    Notes
    -----
    Collatz et al. 1991, eq. A1-A2, co-limit photosynthesis in this way, with the same curvature.
    """
    larger, smaller = jnp.maximum(one, other), jnp.minimum(one, other)
    r = ratio(smaller, larger)  # the root in units of the larger: nothing overflows
    return 2 * smaller / (1 + r + jnp.sqrt((1 - r) ** 2 + 4 * (1 - curvature) * r))
