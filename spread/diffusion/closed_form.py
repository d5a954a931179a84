"""What a sampler makes of Gaussian data, in closed form: the variance it returns, relative to that of the data.

For Gaussian data the exact denoiser multiplies each mode by ``w = v / (v + sigma^2)``, so that a sampler is a product
of factors. Written in float64 NumPy from the papers' formulas, apart from :mod:`spread.diffusion.samplers`, to test
those and to choose schedules before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spread.diffusion.samplers import AbstractSampler, Ancestral, DPMSolver2M, Euler, Heun
from spread.diffusion.schedules import Schedule
from spread.errors import BadModel

Numbers = NDArray[np.float64]


def linear_response(sampler: AbstractSampler, schedule: Schedule, variance: ArrayLike) -> Numbers:
    """Variance of what a sampler returns over that of the data, for Gaussian data of zero mean.

    Parameters
    ----------
    sampler : AbstractSampler
        One of this package.
    schedule : Schedule
        Its levels.
    variance : array_like
        Variances of the modes of the data, above 0 [units of the sample squared].

    Returns
    -------
    numpy.ndarray
        Shape of ``variance``; 1 where the sampler is exact.

    Raises
    ------
    BadModel
        For a sampler whose closed form is not known, or a variance that is not above 0.

    Notes
    -----
    The start is ``N(0, sigma_max^2)``, not the data with that noise. An exact flow to ``sigma_min`` with a last step to
    0 gives ``v / (v + sigma_min^2)``.
    """
    modes = np.asarray(variance, np.float64)
    if not np.all(modes > 0):
        raise BadModel(f"linear_response: expected variances above 0, got {modes.min()}")
    levels = np.asarray(schedule.levels)
    return response_of_levels(sampler, levels.reshape(-1, *[1] * modes.ndim), modes)


def response_of_levels(sampler: AbstractSampler, levels: Numbers, variance: Numbers) -> Numbers:
    """:func:`linear_response` of many schedules at once.

    Parameters
    ----------
    sampler : AbstractSampler
        One of this package.
    levels : numpy.ndarray
        Levels along the first axis; the others broadcast against ``variance``.
    variance : numpy.ndarray
        Variances of the modes.

    Returns
    -------
    numpy.ndarray
        Ratios of variances, of the shape to which both broadcast.

    Raises
    ------
    BadModel
        For a sampler whose closed form is not known.
    """
    closed = _CLOSED.get(type(sampler))
    if closed is not None:
        return (closed(levels, variance) * levels[0]) ** 2 / variance
    if isinstance(sampler, Ancestral):
        return _ancestral(levels, variance, sampler.eta) / variance
    known = ", ".join(kind.__name__ for kind in _CLOSED)
    raise BadModel(f"linear_response: expected one of {known}, Ancestral, got {type(sampler).__name__}")


def _shrink(sigma: Numbers, variance: Numbers) -> Numbers:
    return variance / (variance + sigma**2)


def _euler(levels: Numbers, variance: Numbers) -> Numbers:
    # the slope of a mode is x sigma / (v + sigma^2)
    return np.prod(1 - (levels[:-1] - levels[1:]) * levels[:-1] / (variance + levels[:-1] ** 2), axis=0)


def _heun(levels: Numbers, variance: Numbers) -> Numbers:
    gain = np.ones(np.broadcast_shapes(levels.shape[1:], variance.shape))
    for sigma, after in pairwise(levels):
        step = sigma - after
        here, there = (s / (variance + s**2) for s in (sigma, after))
        second = 1 - step * here / 2 - step * there / 2 * (1 - step * here)
        gain = gain * np.where(after > 0, second, _shrink(sigma, variance))
    return gain


def _two_steps(levels: Numbers, variance: Numbers) -> Numbers:
    # x and the denoised sample of the step before, as multiples of the start
    gain = np.ones(np.broadcast_shapes(levels.shape[1:], variance.shape))
    before = np.zeros_like(gain)
    for index in range(len(levels) - 1):
        sigma, after = levels[index], levels[index + 1]
        middle = clean = _shrink(sigma, variance) * gain
        if index > 0 and np.all(after > 0):
            r = np.log(levels[index - 1] / sigma) / np.log(sigma / after)
            middle = (1 + 1 / (2 * r)) * clean - before / (2 * r)
        gain, before = after / sigma * gain + (1 - after / sigma) * middle, clean
    return gain


def _ancestral(levels: Numbers, variance: Numbers, eta: float) -> Numbers:
    spread = np.broadcast_to(levels[0] ** 2, np.broadcast_shapes(levels.shape[1:], variance.shape))
    for sigma, after in pairwise(levels):
        added = eta**2 * after**2 * (sigma**2 - after**2) / sigma**2
        kept = np.sqrt(after**2 - added) / sigma
        shrink = _shrink(sigma, variance)
        spread = (shrink + kept * (1 - shrink)) ** 2 * spread + added
    return spread


_CLOSED: dict[type[AbstractSampler], Callable[[Numbers, Numbers], Numbers]] = {
    Euler: _euler, Heun: _heun, DPMSolver2M: _two_steps,
}  # fmt: skip
