"""Data whose denoiser is known exactly: Gaussian, and mixtures of Gaussians, with their densities and posteriors.

What samplers, guidance and training are tested on before anything is learned; a Gaussian is also the baseline that a
learned denoiser has to beat.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spread.diffusion.preconditioning import AbstractDenoiser
from spread.diffusion.shapes import Condition, Level, Sample
from spread.errors import BadModel


class Gaussian(AbstractDenoiser):
    """Normal data, of independent entries or with a covariance given by its eigenvectors.

    Parameters
    ----------
    mean : array
        Mean, of the shape of a sample.
    variance : array
        Variances [units of the sample squared], not negative: of the entries, broadcast against ``mean``; with
        ``basis``, of the modes.
    basis : array, optional
        Orthonormal modes, one a column, for samples of one axis. What they do not span has no variance.
    """

    mean: Sample
    variance: Float[Array, "*modes"]
    basis: Float[Array, "cells modes"] | None = None

    def __check_init__(self) -> None:
        if self.basis is not None and self.basis.shape != (*jnp.shape(self.mean), *jnp.shape(self.variance)):
            raise BadModel(
                "Gaussian: expected a basis with a row for each entry of the mean and a column for each variance, "
                f"{(*jnp.shape(self.mean), *jnp.shape(self.variance))}, got {self.basis.shape}"
            )

    @classmethod
    def of(cls, mean: Float[Array, " cells"], covariance: Float[Array, "cells cells"]) -> Gaussian:
        """Normal data with any covariance.

        Parameters
        ----------
        mean : array
            One axis.
        covariance : array
            Symmetric; eigenvalues that rounding made negative count as 0.

        Returns
        -------
        Gaussian
            With the eigenvectors as basis.
        """
        variance, basis = jnp.linalg.eigh((covariance + covariance.T) / 2)
        return cls(mean, jnp.maximum(variance, 0), basis)

    def covariance(self) -> Float[Array, "cells cells"]:
        """Covariance of the entries, flattened in C order."""
        if self.basis is None:
            return jnp.diag(jnp.broadcast_to(self.variance, self.mean.shape).ravel())
        return _product(self.basis * self.variance, self.basis.T)

    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample; see the interface. ``cond`` is not looked at."""
        share = self.variance / (self.variance + jnp.asarray(sigma, x.dtype) ** 2)
        if self.basis is None:
            return self.mean + share * (x - self.mean)
        return self.mean + _product(self.basis, share * _product(self.basis.T, x - self.mean))

    def log_density(self, x: Sample, sigma: Level | float = 0.0) -> Float[Array, ""]:
        """Logarithm of the density of a sample with noise.

        Parameters
        ----------
        x : array
            One sample.
        sigma : array, optional
            Noise; above 0 where a variance is 0 or the basis does not span all cells.

        Returns
        -------
        array
            Natural logarithm.
        """
        noisy = self.variance + sigma**2
        anomaly = x - self.mean
        if self.basis is None:
            noisy = jnp.broadcast_to(noisy, anomaly.shape)
            return -0.5 * jnp.sum(anomaly**2 / noisy + jnp.log(2 * jnp.pi * noisy))
        along = _product(self.basis.T, anomaly)
        density = -0.5 * jnp.sum(along**2 / noisy + jnp.log(2 * jnp.pi * noisy))
        missing = self.basis.shape[0] - self.basis.shape[1]
        if missing:
            outside = jnp.sum(anomaly**2) - jnp.sum(along**2)
            density -= 0.5 * (outside / sigma**2 + missing * jnp.log(2 * jnp.pi * sigma**2))
        return density

    def draw(self, key: jax.Array) -> Sample:
        """One sample of the data."""
        if self.basis is None:
            return self.mean + jnp.sqrt(self.variance) * jax.random.normal(key, self.mean.shape, self.mean.dtype)
        noise = jax.random.normal(key, self.variance.shape, self.mean.dtype)
        return self.mean + _product(self.basis, jnp.sqrt(self.variance) * noise)

    def posterior(
        self, operator: Float[Array, "observations cells"], values: Float[Array, " observations"],
        variance: Float[Array, "*#observations"] | float,
    ) -> Gaussian:  # fmt: skip
        """What is known of a sample of one axis after ``values = operator @ x + noise``.

        Parameters
        ----------
        operator : array
            One row for each observation.
        values : array
            Observations.
        variance : array
            Variance of their independent errors, above 0.

        Returns
        -------
        Gaussian
            Mean and covariance of the Kalman update.
        """
        prior = self.covariance()
        gain = _gain(prior, operator, variance)
        mean = self.mean + _product(gain, values - _product(operator, self.mean))
        return Gaussian.of(mean, prior - _product(gain, _product(operator, prior)))

    def log_evidence(
        self, operator: Float[Array, "observations cells"], values: Float[Array, " observations"],
        variance: Float[Array, "*#observations"] | float,
    ) -> Float[Array, ""]:  # fmt: skip
        """Logarithm of the density of observations as :meth:`posterior` takes them."""
        spread = _product(_product(operator, self.covariance()), operator.T) + _diagonal(values, variance)
        misfit = values - _product(operator, self.mean)
        factor = jax.scipy.linalg.cholesky(spread, lower=True)
        scaled = jax.scipy.linalg.solve_triangular(factor, misfit, lower=True)
        return -0.5 * jnp.sum(scaled**2 + jnp.log(2 * jnp.pi)) - jnp.sum(jnp.log(jnp.diag(factor)))


class GaussianMixture(AbstractDenoiser):
    """Data of several kinds, each normal.

    Parameters
    ----------
    log_weights : array
        Natural logarithms of the shares of the components; they need not be normalised.
    components : Gaussian
        Its arrays have a first axis of components.
    """

    log_weights: Float[Array, " components"]
    components: Gaussian

    @classmethod
    def of(cls, weights: Any, *components: Gaussian) -> GaussianMixture:
        """A mixture of components that are all given in the same manner, with or without a basis."""
        stacked: Gaussian = jax.tree.map(lambda *leaves: jnp.stack(leaves), *components)
        return cls(jnp.log(jnp.asarray(weights, stacked.mean.dtype)), stacked)

    @property
    def weights(self) -> Float[Array, " components"]:
        """Shares of the components; their sum is 1."""
        return jax.nn.softmax(self.log_weights)

    def responsibilities(self, x: Sample, sigma: Level | float = 0.0) -> Float[Array, " components"]:
        """Probability that a noisy sample came from each component."""
        densities = jax.vmap(lambda component: component.log_density(x, sigma))(self.components)
        return jax.nn.softmax(self.log_weights + densities)

    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample; see the interface. ``cond`` is not looked at."""
        sigma = jnp.asarray(sigma, x.dtype)
        clean = jax.vmap(lambda component: component.denoise(x, sigma))(self.components)
        shares = self.responsibilities(x, sigma).reshape(-1, *[1] * x.ndim)
        return jnp.sum(shares * clean, axis=0)

    def log_density(self, x: Sample, sigma: Level | float = 0.0) -> Float[Array, ""]:
        """Logarithm of the density of a sample with noise; see :meth:`Gaussian.log_density`."""
        densities = jax.vmap(lambda component: component.log_density(x, sigma))(self.components)
        return jax.nn.logsumexp(jax.nn.log_softmax(self.log_weights) + densities)

    def draw(self, key: jax.Array) -> Sample:
        """One sample of the data."""
        which, of = jax.random.split(key)
        chosen = jax.random.categorical(which, self.log_weights)
        return jax.tree.map(lambda leaf: leaf[chosen], self.components).draw(of)

    def posterior(
        self, operator: Float[Array, "observations cells"], values: Float[Array, " observations"],
        variance: Float[Array, "*#observations"] | float,
    ) -> GaussianMixture:  # fmt: skip
        """What is known after observations; see :meth:`Gaussian.posterior`."""
        evidence = jax.vmap(lambda component: component.log_evidence(operator, values, variance))(self.components)
        after = jax.vmap(lambda component: component.posterior(operator, values, variance))(self.components)
        return GaussianMixture(jax.nn.log_softmax(self.log_weights + evidence), after)


def _product(one: Array, other: Array) -> Array:
    # GPUs would otherwise round the factors of a product of float32 matrices to 10 bits
    return jnp.matmul(one, other, precision=jax.lax.Precision.HIGHEST)


def _diagonal(values: Array, variance: Array | float) -> Array:
    return jnp.diag(jnp.broadcast_to(jnp.asarray(variance, values.dtype), values.shape))


def _gain(prior: Array, operator: Array, variance: Array | float) -> Array:
    seen = _product(operator, prior)
    spread = _product(seen, operator.T) + _diagonal(operator[:, 0], variance)
    return jax.scipy.linalg.solve(spread, seen, assume_a="pos").T
