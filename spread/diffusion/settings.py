"""Which sampler, how many steps, between which levels: chosen by the closed form, not by habit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jax
import numpy as np

from spread.diffusion.closed_form import Numbers, response_of_levels
from spread.diffusion.preconditioning import AbstractDenoiser
from spread.diffusion.samplers import AbstractSampler, DPMSolver2M, Heun
from spread.diffusion.schedules import Schedule, karras
from spread.diffusion.shapes import Condition, Sample
from spread.errors import BadModel

# Searched: sigma_min as a share of the smallest standard deviation (a last step to 0 loses sigma_min^2 / v of the
# variance, 10 % at 0.3), sigma_max as a multiple of the largest (a start of zero mean keeps 1 / sigma_max of the data's
# mean, in standard deviations), and rho (50 is nearly log-uniform).
_SMALLEST = tuple(np.geomspace(0.03, 0.4, 16).tolist())
_LARGEST = (40.0, 60.0, 80.0)
_RHO = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 50.0)

MODES = 61
"""Variances between the smallest and the largest at which the tolerance is held."""

NARROWEST = 10.0
"""Least ratio of largest to smallest variance that is searched; what is conditional varies less than the data, too."""

MOST_STEPS = 400
"""Where the search ends."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class Settings:
    """A sampler with the schedule that suits it.

    Parameters
    ----------
    sampler : AbstractSampler
        The sampler.
    schedule : Schedule
        Its levels.
    worst : float
        Largest error of the variance of a mode, as a share.
    """

    sampler: AbstractSampler
    schedule: Schedule
    worst: float

    @property
    def evaluations(self) -> int:
        """How often the denoiser is called for a sample."""
        return self.sampler.evaluations(self.schedule)

    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, cond: Condition = None, key: jax.Array | None = None
    ) -> Sample:
        """One sample; see :meth:`spread.diffusion.samplers.AbstractSampler.sample`."""
        return self.sampler.sample(denoiser, noise, self.schedule, cond, key)


@cache
def production(
    smallest: float = 1e-3, largest: float = 1.0, tolerance: float = 0.02,
    samplers: tuple[AbstractSampler, ...] = (DPMSolver2M(), Heun()),
) -> Settings:  # fmt: skip
    """The cheapest settings with which the variance of every mode of Gaussian data is right to a tolerance.

    Parameters
    ----------
    smallest, largest : float
        Variances of the modes of the data, both included [units of the sample squared]. Data that are whitened need 1
        and 1.
    tolerance : float
        Largest error of a mode's variance, as a share.
    samplers : tuple of AbstractSampler
        Those to choose among.

    Returns
    -------
    Settings
        With the fewest calls of the denoiser; the more exact of equals.

    Raises
    ------
    BadModel
        For numbers that make no sense, or where 400 steps are too few.

    Notes
    -----
    See :func:`spread.diffusion.closed_form.linear_response`. A learned denoiser adds its own error to this one, and
    data that are not Gaussian another. The start is at least 40 standard deviations wide although less would do for the
    variance: a sampler that starts from a mean of zero misses a conditional mean of one standard deviation of the data
    by 1/40 of the conditional standard deviation, and the power of posterior samples by 1.3 % at most.
    """
    if not (0 < smallest <= largest and tolerance > 0 and samplers):
        raise BadModel(
            "production: expected 0 < smallest <= largest, a tolerance above 0 and a sampler, got "
            f"{smallest}, {largest}, {tolerance} and {len(samplers)} samplers"
        )
    found = [settings for sampler in samplers if (settings := _cheapest(sampler, smallest, largest, tolerance))]
    if not found:
        raise BadModel(
            f"production: no schedule of {MOST_STEPS} steps or fewer holds {tolerance:g} for variances from "
            f"{smallest:g} to {largest:g}; whiten the data or raise the tolerance"
        )
    return min(found, key=lambda settings: (settings.evaluations, settings.worst))


def _cheapest(sampler: AbstractSampler, smallest: float, largest: float, tolerance: float) -> Settings | None:
    # at one variance alone the errors of few steps may cancel by chance
    modes = np.geomspace(min(smallest, largest / NARROWEST), largest, MODES)
    ranges = [
        (low * smallest**0.5, high * largest**0.5, rho)
        for low in _SMALLEST for high in _LARGEST for rho in _RHO
    ]  # fmt: skip

    def best(steps: int) -> tuple[float, int]:
        worst = np.abs(response_of_levels(sampler, _levels(steps, ranges), modes) - 1).max(axis=-1)
        index = int(np.argmin(worst))
        return float(worst[index]), index

    # a coarse search upward, then every number below: errors fall with the number of steps, though not evenly
    for upper in (10, 16, 24, 36, 54, 80, 120, 180, 270, MOST_STEPS):
        if best(upper)[0] <= tolerance:
            break
    else:
        return None
    for steps in range(max(3, upper * 2 // 3), upper + 1):
        worst, index = best(steps)
        if worst <= tolerance:
            return Settings(sampler, karras(steps, *ranges[index]), worst)
    return None


def _levels(steps: int, ranges: list[tuple[float, float, float]]) -> Numbers:
    low, high, rho = np.asarray(ranges).T
    ramp = np.linspace(0, 1, steps)[:, None]
    positive = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    return np.concatenate([positive, np.zeros((1, len(ranges)))])[:, :, None]
