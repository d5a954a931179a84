"""Functions whose value and derivative are finite everywhere: no 0/0 hides under a ``where``.

A ``where`` that discards a NaN still multiplies its derivative by zero, which is NaN. Each function here therefore
replaces the argument before the dangerous operation.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from spread.land.shapes import Cells

SMALLEST = 1e-18
"""Denominators below are taken as 0: the square of their inverse, which a derivative needs, overflows float32."""


def ratio(numerator: Cells, denominator: Cells) -> Cells:
    """``numerator / denominator`` for a denominator that is not negative, and 0 where that is below 1e-18."""
    there = denominator > SMALLEST
    return jnp.where(there, numerator, 0) / jnp.where(there, denominator, 1)


def root(value: Cells) -> Cells:
    """Square root of what is above 0, else 0; the derivative at 0 is taken as 0."""
    there = value > 0
    return jnp.where(there, jnp.sqrt(jnp.where(there, value, 1)), 0)


@jax.custom_jvp
def lost_share(exposure: Cells) -> Cells:
    """``1 - exp(-exposure)``, exact for small exposures; 0 to 1 for an exposure that is not negative.

    Notes
    -----
    In float32 a series of 8 terms below 0.5 (its first term left out is 1e-8 of the value), which a loop over cells can
    hold in registers, unlike ``expm1``.
    """
    if jnp.result_type(exposure) != jnp.float32:
        return -jnp.expm1(-exposure)
    series = jnp.ones_like(exposure)
    for n in range(8, 1, -1):
        series = 1 - exposure / n * series
    return jnp.where(exposure < 0.5, exposure * series, 1 - jnp.exp(-exposure))


@lost_share.defjvp
def _lost_share_jvp(primals: tuple[Cells], tangents: tuple[Cells]) -> tuple[Cells, Cells]:
    share = lost_share(*primals)
    return share, (1 - share) * tangents[0]


@jax.custom_jvp
def arccos(cosine: Cells) -> Cells:
    """Angle [rad] of a cosine between -1 and 1, both excluded.

    Notes
    -----
    In float32 the polynomial of Abramowitz & Stegun 4.4.46, exact to 2e-8, a tenth of the rounding of the result;
    the library's function goes through ``atan2``, one cell at a time.
    """
    if jnp.result_type(cosine) != jnp.float32:
        return jnp.arccos(cosine)
    size = jnp.abs(cosine)
    polynomial = jnp.full_like(size, _ARCCOS[0])
    for coefficient in _ARCCOS[1:]:
        polynomial = polynomial * size + coefficient
    angle = jnp.sqrt(1 - size) * polynomial
    return jnp.where(cosine < 0, jnp.pi - angle, angle)


_ARCCOS = (
    -0.0012624911, 0.0066700901, -0.0170881256, 0.0308918810, -0.0501743046, 0.0889789874, -0.2145988016, 1.5707963050,
)  # fmt: skip
"""Coefficients of A&S 4.4.46, highest power first."""


@arccos.defjvp
def _arccos_jvp(primals: tuple[Cells], tangents: tuple[Cells]) -> tuple[Cells, Cells]:
    return arccos(*primals), -tangents[0] / jnp.sqrt((1 - primals[0]) * (1 + primals[0]))


def mean_light(depth: Cells) -> Cells:
    """``(1 - exp(-depth)) / depth``, 1 at 0: mean of a light that fades through a depth that is not negative."""
    thick = depth > 1e-3
    safe = jnp.where(thick, depth, 1)
    return jnp.where(thick, lost_share(safe) / safe, 1 - depth / 2 * (1 - depth / 3 * (1 - depth / 4)))


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
    Collatz et al. 1991, Agric. For. Meteorol. 54, 107, co-limit photosynthesis in this way, with the same curvature.
    """
    larger, smaller = jnp.maximum(one, other), jnp.minimum(one, other)
    r = ratio(smaller, larger)  # the root in units of the larger: nothing overflows
    return 2 * smaller / (1 + r + jnp.sqrt((1 - r) ** 2 + 4 * (1 - curvature) * r))
