"""How litter and soil decompose."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractDecomposition(eqx.Module):
    """Rates of heterotrophic respiration and of litter that becomes soil."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of decomposition.

        Parameters
        ----------
        state : State
            Before the step.
        forcing : Forcing
            Weather of the step.
        site : Site
            The place; its reference climate is where the factor of temperature and moisture is 1.

        Returns
        -------
        dict
            Rates on edges from litter and soil, to each other or to ``rh`` [d-1], not negative.
        """


class ExponentialDecomposition(AbstractDecomposition):
    """Rates that grow exponentially with temperature and in a straight line with precipitation.

    Parameters
    ----------
    litter, soil : array
        Rate of respiration in the reference climate [d-1].
    humification : array
        Rate at which litter becomes soil there [d-1].
    temperature : array
        Logarithmic growth of the rates [K-1]; Q10 is ``exp(10 temperature)``.
    moisture : array
        Share of the rates that follows precipitation, 0 to 1.

    Notes
    -----
    ``F = exp(temperature (T - T_ref)) (1 + moisture (P / P_ref - 1))``: Bloom et al. 2020, Biogeosciences 17, 6393.
    """

    litter: Cells = parameter(2e-3, 1e-4, 1e-2, units="d-1", source="CARDAMOM DALEC-1005 t_lit")
    soil: Cells = parameter(3e-5, 1e-7, 1e-3, units="d-1", source="CARDAMOM DALEC-1005 t_som")
    humification: Cells = parameter(1e-3, 1e-5, 1e-2, units="d-1", source="CARDAMOM DALEC-1005 decomposition rate")
    temperature: Cells = parameter(0.04, 0.018, 0.08, units="K-1", source="CARDAMOM DALEC-1005 temp_factor")
    moisture: Cells = parameter(0.3, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 moisture factor")

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of decomposition; see the interface."""
        wet = site.pr > 0
        moist = jnp.where(wet, forcing.pr / jnp.where(wet, site.pr, 1), 1)  # no reference: no dependence
        factor = jnp.exp(self.temperature * (forcing.tas - site.tas)) * (1 + self.moisture * (moist - 1))
        return {
            ("litter", "rh"): factor * self.litter,
            ("litter", "soil"): factor * self.humification,
            ("soil", "rh"): factor * self.soil,
        }
