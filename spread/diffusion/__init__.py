"""One diffusion core for emulation, assimilation and downscaling.

``denoiser.denoise(x, sigma, cond)`` is what is learned or known; ``sampler.sample(denoiser, noise, schedule, cond)``
draws; a guidance such as :class:`MomentMatching` is a denoiser that knows observations. All take one sample of any
shape, and batches are made by :func:`in_blocks` or ``jax.vmap``.
"""

from spread.diffusion.blocks import in_blocks
from spread.diffusion.closed_form import linear_response
from spread.diffusion.exact import Gaussian, GaussianMixture
from spread.diffusion.guidance import (
    AbstractGuidance,
    ApproximateDPS,
    ApproximatePiGDM,
    ApproximateSDA,
    ClassifierFree,
    MomentMatching,
    Observation,
)
from spread.diffusion.preconditioning import AbstractDenoiser, Preconditioned
from spread.diffusion.samplers import AbstractSampler, Ancestral, DPMSolver2M, Euler, Heun
from spread.diffusion.schedules import Schedule, karras, log_uniform
from spread.diffusion.settings import Settings, production
from spread.diffusion.training import Noise, Training, denoising_loss, fit, rows

__all__ = [
    "AbstractDenoiser", "AbstractGuidance", "AbstractSampler", "Ancestral", "ApproximateDPS", "ApproximatePiGDM",
    "ApproximateSDA", "ClassifierFree", "DPMSolver2M", "Euler", "Gaussian", "GaussianMixture", "Heun", "MomentMatching",
    "Noise", "Observation", "Preconditioned", "Schedule", "Settings", "Training", "denoising_loss", "fit", "in_blocks",
    "karras", "linear_response", "log_uniform", "production", "rows",
]  # fmt: skip
