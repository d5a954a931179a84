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


class AbstractMoisture(eqx.Module):
    """How the water of the soil limits decomposition."""

    @abstractmethod
    def __call__(self, fullness: Cells) -> Cells:
        """Factor on the rates, 0 to 1, at a fullness of the pores of 0 to 1."""


class Ramp(AbstractMoisture):
    """In a straight line from a floor in dry soil to 1 where water is no longer short.

    Parameters
    ----------
    dry : array
        Factor in dry soil.
    enough : array
        Fullness from which on the factor is 1.

    Notes
    -----
    As in RothC (Coleman & Jenkinson 1996), which falls to 0.2 in dry soil from 44 % of its largest deficit on.
    """

    dry: Cells = parameter(0.2, 0.01, 1.0, units="1", source="RothC: 0.2")
    enough: Cells = parameter(0.56, 0.2, 1.0, units="1", prior="uniform", source="RothC: 0.56; DALEC-1100 thetas_opt")

    def __call__(self, fullness: Cells) -> Cells:
        """Factor; see the interface."""
        return self.dry + (1 - self.dry) * jnp.minimum(fullness / self.enough, 1)


class Bell(AbstractMoisture):
    """Largest at an optimum: dry soil lacks water and wet soil lacks oxygen.

    Parameters
    ----------
    optimum : array
        Fullness at which the factor is 1.
    width : array
        Distance from there at which it is ``exp(-1/2)``.

    Notes
    -----
    The shape of the curves of Moyano et al. 2012, Biogeosciences 9, 1173, with a normal curve for theirs.
    """

    optimum: Cells = parameter(0.6, 0.2, 1.0, units="1", prior="uniform", source="CARDAMOM DALEC-1100 thetas_opt")
    width: Cells = parameter(0.3, 0.1, 1.0, units="1", source="spread: from the curves of Moyano et al. 2012")

    def __call__(self, fullness: Cells) -> Cells:
        """Factor; see the interface."""
        return jnp.exp(-0.5 * ((fullness - self.optimum) / self.width) ** 2)


class Q10Decomposition(AbstractDecomposition):
    """Rates that grow by a factor with each 10 K and follow the water of the soil.

    Parameters
    ----------
    litter, soil : array
        Rate of respiration in the mean temperature of the reference climate with moisture at its best [d-1].
    humification : array
        Rate at which litter becomes soil there [d-1].
    q10 : array
        Factor for 10 K.
    saturation : array
        Water that fills the pores of the layer that plants reach [mm].
    moisture : equinox.Module
        How water limits them.

    Notes
    -----
    Lloyd & Taylor 1994, Funct. Ecol. 8, 315, and DALEC-1100 for its form with moisture of the soil.
    """

    litter: Cells = parameter(4e-3, 1e-4, 1e-2, units="d-1", source="CARDAMOM DALEC-1005 t_lit")
    soil: Cells = parameter(5e-5, 1e-7, 1e-3, units="d-1", source="CARDAMOM DALEC-1005 t_som")
    humification: Cells = parameter(2e-3, 1e-5, 1e-2, units="d-1", source="CARDAMOM DALEC-1005 decomposition rate")
    q10: Cells = parameter(
        1.5, 1.2, 3.0, units="1", source="Mahecha et al. 2010: 1.4; Davidson & Janssens 2006: up to about 3"
    )
    saturation: Cells = parameter(400.0, 20.0, 5000.0, units="mm", source="spread: pores of 40 % in 0.05 to 12 m")
    moisture: AbstractMoisture = eqx.field(default_factory=Ramp)

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of decomposition; see the interface."""
        warm = jnp.exp(0.1 * jnp.log(self.q10) * (forcing.tas - site.tas))
        factor = warm * self.moisture(jnp.minimum(state.water / self.saturation, 1))
        return {
            ("litter", "rh"): factor * self.litter,
            ("litter", "soil"): factor * self.humification,
            ("soil", "rh"): factor * self.soil,
        }
