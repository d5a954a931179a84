"""Schedules: the levels of noise through which a sampler goes, from the largest down."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

import jax
import numpy as np

from spread.errors import BadModel

RHO = 7.0
"""How much more densely small levels are placed than large ones; Karras et al. 2022, Table 1 and Fig. 13."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class Schedule:
    """Strictly decreasing levels of noise.

    Parameters
    ----------
    levels : tuple of float
        Standard deviations of the noise [units of the sample]. All are above 0 but the last, which may be 0: then the
        last step returns the denoised sample.

    Raises
    ------
    BadModel
        For levels that do not decrease, are not finite or not positive, or are fewer than two.

    Notes
    -----
    Plain numbers, not arrays: a sampler makes its coefficients of them in float64, and a schedule is part of what is
    compiled.
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        levels = tuple(float(level) for level in self.levels)
        breaches = []
        if len(levels) < 2:
            breaches.append(f"expected two levels or more, got {len(levels)}")
        wrong = [level for level in levels[:-1] if not (isfinite(level) and level > 0)]
        if wrong:
            breaches.append(f"expected finite levels above 0 before the last, got {wrong[:4]}")
        if levels and not (isfinite(levels[-1]) and levels[-1] >= 0):
            breaches.append(f"expected a last level that is 0 or above, got {levels[-1]}")
        rising = [pair for pair in pairwise(levels) if not pair[1] < pair[0]]
        if rising and not wrong:
            breaches.append(f"expected levels that decrease, got {rising[0][0]} before {rising[0][1]}; sort them")
        if breaches:
            raise BadModel("schedule: " + "; ".join(breaches))
        object.__setattr__(self, "levels", levels)

    @property
    def steps(self) -> int:
        """Number of steps: one less than levels."""
        return len(self.levels) - 1

    @property
    def ends_at_zero(self) -> bool:
        """Whether the last step returns the denoised sample."""
        return self.levels[-1] == 0

    @property
    def sigma_max(self) -> float:
        """Standard deviation of the noise at the start."""
        return self.levels[0]


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = RHO, *, to_zero: bool = True) -> Schedule:
    """Levels that are evenly spaced in ``sigma^(1/rho)``.

    Parameters
    ----------
    steps : int
        Positive levels; with ``to_zero`` also the number of steps.
    sigma_min, sigma_max : float
        Smallest and largest positive level [units of the sample].
    rho : float
        Larger values place more levels at small noise.
    to_zero : bool
        Whether a last step to 0 follows.

    Returns
    -------
    Schedule
        ``steps`` positive levels, and 0 where asked for.

    Raises
    ------
    BadModel
        For numbers of which no schedule can be made.

    Notes
    -----
    Karras et al. 2022, Eq. 5.
    """
    _check(steps, sigma_min, sigma_max)
    if not rho > 0:
        raise BadModel(f"schedule: expected rho above 0, got {rho}")
    return _schedule(np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps) ** rho, to_zero)


def log_uniform(steps: int, sigma_min: float, sigma_max: float, *, to_zero: bool = True) -> Schedule:
    """Levels with the same ratio between neighbours: the limit of :func:`karras` for large ``rho``.

    Parameters
    ----------
    steps, sigma_min, sigma_max, to_zero
        As :func:`karras` takes them.

    Returns
    -------
    Schedule
        ``steps`` positive levels, and 0 where asked for.

    Raises
    ------
    BadModel
        For numbers of which no schedule can be made.
    """
    _check(steps, sigma_min, sigma_max)
    return _schedule(np.exp(np.linspace(np.log(sigma_max), np.log(sigma_min), steps)), to_zero)


def _check(steps: int, sigma_min: float, sigma_max: float) -> None:
    breaches = []
    if steps < 2:
        breaches.append(f"expected two steps or more, got {steps}")
    if not 0 < sigma_min < sigma_max < float("inf"):
        breaches.append(f"expected 0 < sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
    if breaches:
        raise BadModel("schedule: " + "; ".join(breaches))


def _schedule(levels: np.ndarray, to_zero: bool) -> Schedule:
    return Schedule((*levels.tolist(), 0.0) if to_zero else tuple(levels.tolist()))
