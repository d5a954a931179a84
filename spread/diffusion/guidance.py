"""Guidance: a denoiser that knows observations, so that any sampler draws from the posterior.

Observations are ``y = A x + noise``. Only :class:`MomentMatching` is exact for Gaussian data; the others are
approximations that are found in use, and are here to be compared with. Their errors are measured in
``tests/diffusion/test_guidance.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spread.diffusion.preconditioning import AbstractDenoiser
from spread.diffusion.shapes import Condition, Level, Sample, Values
from spread.errors import BadModel


class Observation(eqx.Module):
    """Values that were seen, how they come from a sample, and how uncertain they are.

    Parameters
    ----------
    operator : callable
        From a sample to what would be observed; one that is not linear is linearised at the denoised sample. For a
        matrix: ``jax.tree_util.Partial(jnp.matmul, matrix)``.
    values : array
        What was observed; NaN where nothing was.
    variance : array
        Variance of the independent errors [units of the values squared], above 0; broadcast against ``values``.
    """

    operator: Callable[[Sample], Values]
    values: Values
    variance: Float[Array, "*#observations"]

    def __check_init__(self) -> None:
        if isinstance(self.variance, float | int | np.ndarray | jax.Array) and not isinstance(
            self.variance, jax.core.Tracer
        ):
            least = np.min(np.asarray(self.variance))
            if not least > 0:
                raise BadModel(f"Observation: expected error variances above 0, got {least}")


Forward = Callable[[Values], Values]
"""A linear map from observations to observations."""


class AbstractGuidance(AbstractDenoiser):
    """A denoiser moved toward observations: ``D + sigma^2 J' A' W (y - A D)`` with ``J = dD/dx``.

    Implementations differ in ``W``, which stands for the inverse of the covariance of ``y - A D``.

    Parameters
    ----------
    denoiser : AbstractDenoiser
        The prior.
    observation : Observation
        What was seen.
    """

    denoiser: AbstractDenoiser
    observation: Observation

    @abstractmethod
    def weigh(self, misfit: Values, sigma: Level, unweighted: Forward, spread: Forward, variance: Values) -> Values:
        """``W`` applied to a misfit.

        Parameters
        ----------
        misfit : array
            ``y - A D``, 0 where nothing was observed.
        sigma : array
            Level of noise.
        unweighted : callable
            ``A A'``, a linear map of observations.
        spread : callable
            ``A (sigma^2 J') A'``, a linear map of observations.
        variance : array
            Variances of the errors, of the shape of the misfit.

        Returns
        -------
        array
            Shape of the misfit.
        """

    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample given the observations; see the interface."""
        sigma = jnp.asarray(sigma, x.dtype)
        clean, pull = jax.vjp(lambda noisy: self.denoiser.denoise(noisy, sigma, cond), x)
        values = jnp.asarray(self.observation.values, x.dtype)
        variance = jnp.broadcast_to(jnp.asarray(self.observation.variance, x.dtype), values.shape)
        seen = jnp.isfinite(values)
        # what was not observed has a misfit of 0 and rows of 0, and so no influence at all
        expected, push = jax.linearize(lambda sample: jnp.where(seen, self.observation.operator(sample), 0), clean)
        transposed = jax.linear_transpose(push, clean)
        weighted = self.weigh(
            jnp.where(seen, values, 0) - expected,
            sigma,
            lambda moved: push(transposed(moved)[0]),
            lambda moved: push(sigma**2 * pull(transposed(moved)[0])[0]),
            variance,
        )
        return clean + sigma**2 * pull(transposed(weighted)[0])[0]


class MomentMatching(AbstractGuidance):
    """Guidance with the covariance that the denoiser itself implies (MMPS); exact for Gaussian data. The default.

    Parameters
    ----------
    iterations : int, optional
        Most iterations of conjugate gradients; by default the system is solved directly, which calls the derivative of
        the denoiser once an observation and suits some hundred observations.

    Notes
    -----
    Rozet et al. 2024 (arXiv 2405.13712): ``W = (R + A V A')^-1`` with ``V = Cov(x0 | x) = sigma^2 dD/dx``. For other
    than Gaussian data the distribution of ``x0`` given ``x`` is replaced by a normal one with its two moments. Of two
    kinds far apart, observed vaguely, one then gets a weight of 0.41 instead of 0.34, and variances are 1.4 times too
    large (``tests/diffusion/test_guidance.py``).
    """

    iterations: int | None = eqx.field(default=None, static=True)

    def weigh(self, misfit: Values, sigma: Level, unweighted: Forward, spread: Forward, variance: Values) -> Values:
        """``W`` applied to a misfit; see the interface."""
        return _solved(lambda moved: variance * moved + spread(moved), misfit, self.iterations)


class ApproximatePiGDM(AbstractGuidance):
    """Approximate: the covariance of data with independent entries of the same variance, whatever the data are.

    Parameters
    ----------
    sigma_data : float
        Standard deviation of the data [units of the sample].
    iterations : int, optional
        As for :class:`MomentMatching`.

    Notes
    -----
    Pseudo-inverse guidance, Song et al. 2023: ``W = (R + r^2 A A')^-1`` with ``r^2 = sigma^2 sigma_data^2 / (sigma^2 +
    sigma_data^2)``. Only that covariance is taken over. Variance of the posterior on the test problem: 1.7 of the
    truth.
    """

    sigma_data: float = eqx.field(default=1.0, static=True)
    iterations: int | None = eqx.field(default=None, static=True)

    def weigh(self, misfit: Values, sigma: Level, unweighted: Forward, spread: Forward, variance: Values) -> Values:
        """``W`` applied to a misfit; see the interface."""
        share = sigma**2 * self.sigma_data**2 / (sigma**2 + self.sigma_data**2)
        return _solved(lambda moved: variance * moved + share * unweighted(moved), misfit, self.iterations)


class ApproximateSDA(AbstractGuidance):
    """Approximate: the covariance of the misfit is the errors' and a share of the noise.

    Parameters
    ----------
    gamma : float
        That share; 0.01 in the published code.

    Notes
    -----
    Score-based data assimilation, Rozet & Louppe 2023: ``W = (R + gamma sigma^2)^-1``; without its Langevin
    corrections. Variance of the posterior on the test problem: 0.2 of the truth with 0.01, 0.6 with 0.1.
    """

    gamma: float = eqx.field(default=1e-2, static=True)

    def weigh(self, misfit: Values, sigma: Level, unweighted: Forward, spread: Forward, variance: Values) -> Values:
        """``W`` applied to a misfit; see the interface."""
        return misfit / (variance + self.gamma * sigma**2)


class ApproximateDPS(AbstractGuidance):
    """Approximate: the denoised sample is taken for the clean one, without any uncertainty of its own.

    Parameters
    ----------
    zeta : float
        Factor of the gradient.

    Notes
    -----
    Diffusion posterior sampling, Chung et al. 2023: ``W = zeta R^-1``; without its normalisation of steps.
    Variance of the posterior on the test problem: 0.15 of the truth with 1; with few steps it diverges.
    """

    zeta: float = eqx.field(default=1.0, static=True)

    def weigh(self, misfit: Values, sigma: Level, unweighted: Forward, spread: Forward, variance: Values) -> Values:
        """``W`` applied to a misfit; see the interface."""
        return self.zeta * misfit / variance


class ClassifierFree(AbstractDenoiser):
    """A denoiser that moves away from what it would say without its condition.

    Parameters
    ----------
    denoiser : AbstractDenoiser
        One that was trained with and without the condition.
    unconditional : pytree
        The condition that stands for none.
    weight : float
        1 is the conditional denoiser, called once; 0 the unconditional one. Above 1 the spread of samples shrinks, and
        they are no longer samples of a distribution that the denoiser knows.

    Notes
    -----
    Ho & Salimans 2022 (arXiv 2207.12598), whose weight is one less.
    """

    denoiser: AbstractDenoiser
    unconditional: Condition
    weight: float = eqx.field(default=1.0, static=True)

    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample; see the interface."""
        if self.weight == 1:
            return self.denoiser.denoise(x, sigma, cond)
        without = self.denoiser.denoise(x, sigma, self.unconditional)
        if self.weight == 0:
            return without
        return without + self.weight * (self.denoiser.denoise(x, sigma, cond) - without)


def _solved(product: Forward, misfit: Values, iterations: int | None) -> Values:
    if iterations is not None:
        # below a hundred roundings of the type nothing is gained
        tolerance = 100 * float(jnp.finfo(misfit.dtype).eps)
        return jax.scipy.sparse.linalg.cg(product, misfit, tol=tolerance, maxiter=iterations)[0]
    units = jnp.eye(misfit.size, dtype=misfit.dtype).reshape(-1, *misfit.shape)
    columns = jax.vmap(product)(units).reshape(misfit.size, misfit.size)
    return jnp.linalg.solve(columns.T, misfit.ravel()).reshape(misfit.shape)
