"""Forced warming at the times of maps: the energy balance of a model under a scenario or any other forcing."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from spread.coupled import ForcedResponse, Forcing, forced_warming, scenario_forcing
from spread.coupled.fitted import response_of

__all__ = ["response_from", "warming_at"]

FIRST = 1850
"""Year in whose equilibrium CMIP6 runs start."""


def response_from(estimate: Sequence[float]) -> ForcedResponse:
    """The forced response of a fit's parameters, as :attr:`spread.coupled.Fit.estimate` has them."""
    with jax.enable_x64(True):
        return response_of(jnp.asarray(np.asarray(estimate, np.float64)))


def warming_at(
    response: ForcedResponse, forcing: str | Forcing, year: NDArray[np.integer], day: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Forced warming of a model at some times.

    Parameters
    ----------
    response : ForcedResponse
        Of the model.
    forcing : str or Forcing
        ``historical`` or an SSP by name; or forcing from 1850 or before on, such as that of a pathway.
    year, day : ndarray
        Calendar years and parts of them, ``(time,)``.

    Returns
    -------
    ndarray
        Relative to 1850-1900 [K], straight between the middles of years, ``(time,)``.

    Raises
    ------
    NotFound
        For a scenario or years without forcing.
    """
    if isinstance(forcing, str):
        own = scenario_forcing(forcing)
        last = min(max(int(np.max(year)) + 1, 1901), int(own.years[-1]))
        forcing = scenario_forcing(forcing, np.arange(FIRST, last + 1))
    warming = forced_warming(response, forcing)
    return np.interp(np.asarray(year) + np.asarray(day), forcing.years + 0.5, warming)
