"""P-model: photosynthesis of leaves that are optimal for their climate."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.parameters import parameter
from spread.land.photosynthesis import leaf
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.shapes import Cells


class PModel(AbstractPhotosynthesis):
    """Light use of C3 leaves that weigh the costs of carboxylation, transpiration and electron transport.

    Parameters
    ----------
    quantum_yield : array
        Reference quantum yield [mol mol-1]; the yield at a temperature is this times ``0.352 + 0.022 T - 0.00034 T2``.
    cost_ratio : array
        Cost of carboxylation over that of transpiration, at 25 degC.
    capacity_cost : array
        Cost of electron transport c*.
    extinction : array
        Extinction of light by leaf area.

    Notes
    -----
    Prentice et al. 2014, Ecol. Lett. 17, 82; Wang et al. 2017, Nat. Plants 3, 734; Stocker et al. 2020, Geosci. Model
    Dev. 13, 1545, whose set-up BRC gives the default yield, at the mean temperature of the step. Water stress
    multiplies. The conductance follows from assimilation and the drawdown of CO2, ``1.6 A / (ca - ci)``. The vapour
    pressure deficit counts as at least 0.5 hPa.
    """

    gives_conductance: ClassVar[bool] = True

    quantum_yield: Cells = parameter(
        0.081785, 0.02, 0.125, units="mol mol-1", source="Stocker et al. 2020 (BRC); 1/8 is the maximum of theory"
    )
    cost_ratio: Cells = parameter(
        146.0, 50.0, 500.0, units="1", source="Stocker et al. 2020 (146), Wang et al. 2017 (240); spread: twice as wide"
    )
    capacity_cost: Cells = parameter(
        0.41, 0.25, 0.55, units="1", prior="uniform", source="Wang et al. 2017 (0.41); spread: within a third"
    )
    extinction: Cells = parameter(
        0.5,
        0.3,
        0.8,
        units="1",
        prior="uniform",
        source="Stocker et al. 2020 (0.5); Zhang et al. 2014, Front. Earth Sci.",
    )

    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate; see the interface."""
        tas = forcing.tas
        pressure = leaf.surface_pressure(site.elevation)
        ambient = 1e-6 * forcing.co2 * pressure
        gamma = leaf.compensation_point(tas, pressure)
        cost = leaf.michaelis_menten(tas, pressure) + gamma
        xi = jnp.sqrt(self.cost_ratio * cost / (leaf.DIFFUSIVITY_RATIO * leaf.relative_viscosity(tas)))
        dry = 10 * leaf.root_of_deficit(forcing)  # Pa0.5
        over = ambient - gamma  # below 0 no capacity pays, and nothing is assimilated
        drawdown = over * dry / (xi + dry)
        inside = over - drawdown
        factor = inside / (inside + 3 * gamma)
        warm = jnp.maximum(0.352 + 0.022 * tas - 3.4e-4 * tas**2, 0)  # Bernacchi et al. 2003
        use = self.quantum_yield * warm * factor * leaf.limited_by_capacity(factor, self.capacity_cost)
        light = leaf.PHOTONS * forcing.rsds * leaf.intercepted(leaf_area, self.extinction)
        carbon = stress * use * light  # mol m-2 d-1
        gives = carbon > 0  # where there is assimilation the drawdown is above 0
        gradient = jnp.where(gives, drawdown, 1) / pressure
        conductance = leaf.DIFFUSIVITY_RATIO * carbon / (leaf.DAY * gradient)
        return Assimilation(leaf.CARBON_MASS * carbon, conductance)
