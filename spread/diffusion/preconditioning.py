"""What a denoiser is, and how a network becomes one: the preconditioning of Karras et al. 2022 (EDM)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from spread.diffusion.shapes import Condition, Level, Sample


class AbstractDenoiser(eqx.Module):
    """The expected clean sample, given one with noise: the single interface of sampling, guidance and training.

    Notes
    -----
    A noisy sample is ``x = x0 + sigma n`` with ``n`` standard normal (variance exploding, no scaling of the signal).
    The score of the noisy density is ``(denoise(x, sigma) - x) / sigma^2`` (Tweedie; Karras et al. 2022, Eq. 3).
    """

    @abstractmethod
    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample.

        Parameters
        ----------
        x : array
            One noisy sample.
        sigma : array
            Standard deviation of its noise, above 0 [units of x].
        cond : pytree, optional
            What else is known.

        Returns
        -------
        array
            Shape of ``x``.
        """


def c_skip(sigma: Level, sigma_data: float = 1.0) -> Level:
    """Share of the noisy sample that goes past the network (Karras et al. 2022, Table 1)."""
    return sigma_data**2 / (sigma**2 + sigma_data**2)


def c_out(sigma: Level, sigma_data: float = 1.0) -> Level:
    """Factor of the output of the network (Karras et al. 2022, Table 1)."""
    return sigma * sigma_data / jnp.sqrt(sigma**2 + sigma_data**2)


def c_in(sigma: Level, sigma_data: float = 1.0) -> Level:
    """Factor that brings a noisy sample to unit variance (Karras et al. 2022, Table 1)."""
    return 1 / jnp.sqrt(sigma**2 + sigma_data**2)


def c_noise(sigma: Level) -> Level:
    """How the network is told the level of noise, ``ln(sigma) / 4`` (Karras et al. 2022, Table 1)."""
    return jnp.log(sigma) / 4


def loss_weight(sigma: Level, sigma_data: float = 1.0) -> Level:
    """Weight of a squared error of the denoiser, ``1 / c_out^2``: the network's own then counts evenly."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


class Preconditioned(AbstractDenoiser):
    """A denoiser made of a network that sees and makes numbers of unit variance, whatever the noise.

    Parameters
    ----------
    network : callable
        ``network(scaled, noise, cond)`` with one sample scaled to unit variance and :func:`c_noise`; returns the
        sample's shape. An equinox module, whose arrays are then the parameters.
    sigma_data : float
        Standard deviation of the data [units of x]; 1 for standardised data.

    Notes
    -----
    ``D(x, sigma) = c_skip x + c_out F(c_in x, c_noise)``, Karras et al. 2022, Eq. 7.
    """

    network: Callable[[Sample, Float[Array, ""], Condition], Sample]
    sigma_data: float = eqx.field(default=1.0, static=True)

    def denoise(self, x: Sample, sigma: Level, cond: Condition = None) -> Sample:
        """Expectation of the clean sample; see the interface."""
        sigma = jnp.asarray(sigma, x.dtype)
        made = self.network(c_in(sigma, self.sigma_data) * x, c_noise(sigma), cond)
        return c_skip(sigma, self.sigma_data) * x + c_out(sigma, self.sigma_data) * made
