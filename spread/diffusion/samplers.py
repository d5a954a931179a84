"""Samplers: from noise to a sample, by the denoiser alone.

The first noise is an argument, so that two runs which differ in what they are conditioned on can share it: their
difference is then the effect of the condition and hardly that of chance.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from spread.diffusion.preconditioning import AbstractDenoiser
from spread.diffusion.schedules import Schedule
from spread.diffusion.shapes import Condition, Sample
from spread.errors import BadModel


class AbstractSampler(eqx.Module):
    """How the levels of a schedule are gone through."""

    @abstractmethod
    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, schedule: Schedule, cond: Condition = None,
        key: jax.Array | None = None,
    ) -> Sample:  # fmt: skip
        """One sample.

        Parameters
        ----------
        denoiser : AbstractDenoiser
            What knows the data.
        noise : array
            Standard normal numbers of the shape of a sample; their type is that of the computation.
        schedule : Schedule
            The levels; the start is ``schedule.sigma_max * noise``.
        cond : pytree, optional
            Handed to the denoiser as it is.
        key : jax.Array, optional
            Random key of the noise that a stochastic sampler adds on its way; others do not look at it.

        Returns
        -------
        array
            Shape of ``noise``.

        Raises
        ------
        BadModel
            Where a stochastic sampler has no key.
        """

    @abstractmethod
    def evaluations(self, schedule: Schedule) -> int:
        """How often the denoiser is called for a sample."""


class Euler(AbstractSampler):
    """First-order steps of the probability-flow equation (DDIM without added noise).

    Notes
    -----
    ``dx/dsigma = (x - D(x, sigma)) / sigma``: Karras et al. 2022, Eq. 1 and 3; Song, Meng & Ermon 2021.
    """

    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, schedule: Schedule, cond: Condition = None,
        key: jax.Array | None = None,
    ) -> Sample:  # fmt: skip
        """One sample; see the interface."""

        def step(x: Sample, levels: tuple[jax.Array, jax.Array]) -> tuple[Sample, None]:
            now, after = levels
            return x + (after - now) * _slope(denoiser, x, now, cond), None

        return lax.scan(step, _start(noise, schedule), _pairs(noise, schedule.levels))[0]

    def evaluations(self, schedule: Schedule) -> int:
        """One a step."""
        return schedule.steps


class Heun(AbstractSampler):
    """Second-order steps: the slope is the mean of those at both ends; a step to 0 is one of Euler.

    Notes
    -----
    Karras et al. 2022, Algorithm 1. A Euler step to 0 returns the denoised sample.
    """

    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, schedule: Schedule, cond: Condition = None,
        key: jax.Array | None = None,
    ) -> Sample:  # fmt: skip
        """One sample; see the interface."""

        def step(x: Sample, levels: tuple[jax.Array, jax.Array]) -> tuple[Sample, None]:
            now, after = levels
            slope = _slope(denoiser, x, now, cond)
            ahead = _slope(denoiser, x + (after - now) * slope, after, cond)
            return x + (after - now) * (slope + ahead) / 2, None

        positive = schedule.levels[:-1] if schedule.ends_at_zero else schedule.levels
        x = lax.scan(step, _start(noise, schedule), _pairs(noise, positive))[0]
        if schedule.ends_at_zero:
            return denoiser.denoise(x, jnp.asarray(positive[-1], x.dtype), cond)
        return x

    def evaluations(self, schedule: Schedule) -> int:
        """Two a step, but one for a step to 0."""
        return 2 * schedule.steps - schedule.ends_at_zero


class DPMSolver2M(AbstractSampler):
    """Second-order steps that remember the last denoised sample, so that each calls the denoiser once.

    Notes
    -----
    DPM-Solver++(2M), Lu et al. 2022 (arXiv 2211.01095), Algorithm 2 with ``alpha = 1``: steps in ``ln sigma``, the
    denoised sample extrapolated to the middle of the step. The first step and one to 0 are of first order.
    """

    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, schedule: Schedule, cond: Condition = None,
        key: jax.Array | None = None,
    ) -> Sample:  # fmt: skip
        """One sample; see the interface."""

        def step(carry: tuple[Sample, Sample], now: tuple[jax.Array, ...]) -> tuple[tuple[Sample, Sample], None]:
            x, before = carry
            sigma, kept, extrapolated = now
            clean = denoiser.denoise(x, sigma, cond)
            middle = clean + extrapolated * (clean - before)
            return (kept * x + (1 - kept) * middle, clean), None

        start = _start(noise, schedule)
        table = tuple(jnp.asarray(column, noise.dtype) for column in _multistep(schedule))
        return lax.scan(step, (start, jnp.zeros_like(start)), table)[0][0]

    def evaluations(self, schedule: Schedule) -> int:
        """One a step."""
        return schedule.steps


class Ancestral(AbstractSampler):
    """Steps that go too far down and add fresh noise: those of DDPM for ``eta = 1``, of :class:`Euler` for 0.

    Parameters
    ----------
    eta : float
        Share of the noise of DDPM that is added, 0 to 1.

    Notes
    -----
    Ho et al. 2020, Eq. 6-7, and Song, Meng & Ermon 2021, Eq. 16, with ``alpha = 1``: given the clean sample, ``x`` at
    the next level is normal about ``x0 + (down / sigma) (x - x0)`` with standard deviation ``up``, ``down^2 + up^2``
    being the next level squared.
    """

    eta: float = eqx.field(default=1.0, static=True)

    def __check_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise BadModel(f"Ancestral: expected eta from 0 to 1, got {self.eta}")

    def sample(
        self, denoiser: AbstractDenoiser, noise: Sample, schedule: Schedule, cond: Condition = None,
        key: jax.Array | None = None,
    ) -> Sample:  # fmt: skip
        """One sample; see the interface."""
        if key is None:
            raise BadModel("Ancestral: expected a random key, got None; give sample(..., key=) or take another sampler")

        def step(x: Sample, now: tuple[jax.Array, ...]) -> tuple[Sample, None]:
            index, sigma, kept, up = now
            clean = denoiser.denoise(x, sigma, cond)
            return clean + kept * (x - clean) + up * step_noise(key, index, noise), None

        levels = np.asarray(schedule.levels)
        now, after = levels[:-1], levels[1:]
        up = self.eta * after * np.sqrt(1 - (after / now) ** 2)
        kept = np.sqrt(after**2 - up**2) / now
        table = (jnp.arange(schedule.steps), *(jnp.asarray(column, noise.dtype) for column in (now, kept, up)))
        return lax.scan(step, _start(noise, schedule), table)[0]

    def evaluations(self, schedule: Schedule) -> int:
        """One a step."""
        return schedule.steps


def step_noise(key: jax.Array, index: jax.Array | int, like: Sample) -> Sample:
    """Noise that :class:`Ancestral` adds in a step: of the key and the number of the step only."""
    return jax.random.normal(jax.random.fold_in(key, index), like.shape, like.dtype)


def _start(noise: Sample, schedule: Schedule) -> Sample:
    return jnp.asarray(schedule.sigma_max, noise.dtype) * noise


def _pairs(noise: Sample, levels: tuple[float, ...]) -> tuple[jax.Array, jax.Array]:
    table = jnp.asarray(np.asarray(levels), noise.dtype)
    return table[:-1], table[1:]


def _slope(denoiser: AbstractDenoiser, x: Sample, sigma: jax.Array, cond: Condition) -> Sample:
    return (x - denoiser.denoise(x, sigma, cond)) / sigma


def _multistep(schedule: Schedule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each step its level, the share of x that is kept, and how far the denoised sample is extrapolated."""
    levels = np.asarray(schedule.levels)
    now, after = levels[:-1], levels[1:]
    extrapolated = np.zeros(schedule.steps)
    second = slice(1, schedule.steps - schedule.ends_at_zero)
    width = np.log(now[: second.stop] / after[: second.stop])
    extrapolated[second] = width[1:] / (2 * width[:-1])
    return now, after / now, extrapolated
