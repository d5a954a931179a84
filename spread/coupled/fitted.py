"""What a fit of a forced response found, and the range of warming that it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from spread.coupled.energy_balance import EnergyBalance
from spread.coupled.forcing import Forcing
from spread.coupled.response import RCMIP_4XCO2, ForcedResponse, forcing_groups, relative_to_base, surface_temperature

__all__ = ["PARAMETERS", "Fit", "forced_warming_range", "response_of"]

PARAMETERS = (
    "log feedback",
    "log heat_capacity 1",
    "log heat_capacity 2",
    "log heat_capacity 3",
    "log heat_exchange 1",
    "log heat_exchange 2",
    "log efficacy",
    "log forcing_4xco2",
    "log well_mixed over forcing_4xco2",
    "log aerosol",
    "log volcanic",
    "offset",
)
"""What a fit estimates, in order; the offset [K] is the temperature of the data without forcing."""


def response_of(theta: jax.Array) -> ForcedResponse:
    """Forced response of a vector of `PARAMETERS`.

    Parameters
    ----------
    theta : array
        (..., 12); the axes before the last become trailing axes of no field but leading ones, for ``jax.vmap``.

    Returns
    -------
    ForcedResponse
    """
    value = jnp.exp(theta[..., :-1])
    energy_balance = EnergyBalance(
        value[..., 0], value[..., 1:4], value[..., 4:6], value[..., 6], forcing_4xco2=value[..., 7]
    )
    return ForcedResponse(energy_balance, value[..., 8] * value[..., 7] / RCMIP_4XCO2, value[..., 9], value[..., 10])


DISCREPANCY = 0.15
"""What a linear energy balance and a forcing shared by all models miss, as a share of the warming since training [1]:
root mean square over 32 CMIP6 models of the error of ssp585 in 2081-2098 that parameters do not explain, trained to
2050; 0.11 and 0.18 in halves of them (measured with spread 0.1 on the Atlas data of Iturbide et al. 2020)."""

_many = jax.jit(jax.vmap(surface_temperature, in_axes=(0, None)))


@dataclass(frozen=True)
class Fit:
    """Mode and covariance of the parameters of one model.

    Parameters
    ----------
    estimate : ndarray
        Of `PARAMETERS` (12,).
    covariance : ndarray
        Of the estimate, by the curvature of the posterior at its mode (12, 12).
    prior_mean, prior_deviation : ndarray
        (12,).
    noise : dict
        Deviation [K, W m-2] and lag-1 autocorrelation of the residuals, for ``warming`` and ``imbalance``.
    misfit : dict
        Root-mean-square residual of what was fitted [K, W m-2].
    converged : bool
        Whether the search ended by itself.
    train : tuple of int
        Calendar years that it may have used.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    prior_mean: np.ndarray
    prior_deviation: np.ndarray
    noise: dict[str, tuple[float, float]]
    misfit: dict[str, float]
    converged: bool
    train: tuple[int, int]

    @property
    def response(self) -> ForcedResponse:
        """The response at the mode, in float64."""
        with jax.enable_x64(True):
            return response_of(jnp.asarray(self.estimate))

    @property
    def informed(self) -> dict[str, float]:
        """Share of the prior variance that the data took away, by parameter: 0 where they said nothing [1]."""
        share = 1.0 - np.diag(self.covariance) / self.prior_deviation**2
        return dict(zip(PARAMETERS, share.tolist(), strict=True))

    def draws(self, number: int, seed: int = 0) -> np.ndarray:
        """Vectors of `PARAMETERS` from the Gaussian at the mode, (number, 12)."""
        return np.random.default_rng(seed).multivariate_normal(
            self.estimate, self.covariance, number, method="cholesky"
        )


def forced_warming_range(
    found: Fit,
    forcing: Forcing,
    base: tuple[int, int] = (1850, 1900),
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    number: int = 300,
    seed: int = 0,
    discrepancy: float = DISCREPANCY,
) -> np.ndarray:
    """Quantiles of forced warming over what a fit leaves open.

    Parameters
    ----------
    found : Fit
    forcing : Forcing
    base : tuple of int
        First and last year that warming is relative to.
    quantiles : sequence of float
        Within 0-1.
    number : int
        Draws from the covariance.
    seed : int
        Of the draws.
    discrepancy : float
        Deviation of the structural error, as a share of the warming since the last year of training [1]; at 0 the range
        is that of the parameters alone.

    Returns
    -------
    ndarray
        (quantile, time) [K].

    Notes
    -----
    Internal variability is not part of the range. The parameters alone leave it too narrow: of 32 real models trained
    to 2050, their 5-95 % range held the warming of 2081-2100 in 53 %; see `DISCREPANCY`.
    """
    with jax.enable_x64(True):
        groups = jnp.asarray(forcing_groups(forcing))
        warming = np.asarray(_many(response_of(jnp.asarray(found.draws(number, seed))), groups))
    warming = relative_to_base(warming, forcing, base)
    later = np.flatnonzero(forcing.years > found.train[1])
    if later.size and later[0] > 0:
        error = discrepancy * np.random.default_rng([seed, 1]).standard_normal((number, 1))
        warming[:, later] += error * (warming[:, later] - warming[:, later[:1] - 1])
    return np.quantile(warming, np.asarray(quantiles, float), axis=0)
