"""Big leaf: enzymes and light limit a canopy whose stomata follow the air."""

from __future__ import annotations

from math import cos, radians
from typing import ClassVar

import jax.numpy as jnp

from spread.land.daylight import day_length, noon_height
from spread.land.forcing import Forcing, Site
from spread.land.guarded import ratio, smooth_minimum
from spread.land.parameters import parameter
from spread.land.photosynthesis import leaf
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.shapes import Cells

_1100 = "CARDAMOM DALEC-1100"


class FarquharMedlyn(AbstractPhotosynthesis):
    """Enzyme kinetics of C3 leaves scaled to a canopy, with the optimal stomatal conductance of Medlyn.

    Parameters
    ----------
    carboxylation : array
        Capacity of carboxylation Vcmax of the leaves at the top of the canopy, at 25 degC [umol m-2 s-1].
    electron_ratio : array
        Capacity of electron transport over that of carboxylation.
    slope : array
        Slope g1 of the stomatal conductance [hPa0.5].
    heat, cold : array
        Temperature above and below which half of the capacity is lost [degC].
    sensitivity : array
        Factor Q10 of the capacity for 10 K.
    respiration : array
        Dark respiration over the capacity of carboxylation; it lowers the conductance, and it is not in ``gpp``.
    reflectance : array
        Reflectance of leaves for photosynthetic light.
    clumping : array
        Clumping of leaf area.

    Notes
    -----
    Farquhar et al. 1980, Planta 149, 78, and Medlyn et al. 2011, Glob. Change Biol. 17, 2134, for the mean weather of
    the hours of daylight, in the manner of DALEC-1100 (Liu et al. 2021; Levine et al. 2023). Other than there:

    - light and capacity fall through the canopy together, so that its sum is that of a leaf at the top times
      ``(1 - exp(-k L)) / k`` (Sellers et al. 1992, Remote Sens. Environ. 42, 187). A canopy then absorbs no more light
      than there is, and little leaf area assimilates in proportion to it, not to its square.
    - Gamma* and K are those of Bernacchi et al. 2001, which fall with temperature everywhere; the parabola of DALEC for
      Gamma* rises again below 9 degC.
    - the two limits meet in a rounded corner (Collatz et al. 1991), and the light of a day falls in its daylight.

    Extinction is that of leaves in all directions for the sun at noon, at most 89 degrees from the zenith. The vapour
    pressure deficit counts as at least 0.5 hPa.
    """

    gives_conductance: ClassVar[bool] = True

    carboxylation: Cells = parameter(50.0, 1.0, 150.0, units="umol m-2 s-1", source=f"{_1100} Vcmax25")
    electron_ratio: Cells = parameter(
        1.67, 1.0, 3.0, units="1", source="Medlyn et al. 2002, Plant Cell Environ. 25, 1167 (1.67); DALEC-1100 has e"
    )
    slope: Cells = parameter(
        11.0, 5.66, 18.31, units="hPa0.5", source=f"{_1100} Med_g1, 1.79 to 5.79 kPa0.5; Lin et al. 2015"
    )
    heat: Cells = parameter(38.0, -24.15, 44.85, units="degC", prior="uniform", source=f"{_1100} Tupp")
    cold: Cells = parameter(0.0, -60.15, 12.85, units="degC", prior="uniform", source=f"{_1100} Tdown")
    sensitivity: Cells = parameter(2.0, 1.0, 5.0, units="1", source=f"{_1100} q10canopy")
    respiration: Cells = parameter(0.015, 0.005, 0.025, units="1", source=f"{_1100} canopyRdsf; Collatz et al. 1991")
    reflectance: Cells = parameter(0.1, 0.05, 0.5, units="1", source=f"{_1100} leaf_refl_par")
    clumping: Cells = parameter(0.7, 0.35, 1.0, units="1", source=f"{_1100} clumping; Braghiere et al. 2019")

    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate; see the interface."""
        pressure = 1e-6 * leaf.surface_pressure(site.elevation)  # Pa for each ppm
        gamma = leaf.compensation_point(forcing.tas, 1e6 * pressure) / pressure  # ppm
        kinetic = leaf.michaelis_menten(forcing.tas, 1e6 * pressure) / pressure
        dry = leaf.root_of_deficit(forcing)
        inside = jnp.maximum(forcing.co2 * self.slope / (self.slope + dry), gamma)
        gain = inside - gamma

        seconds = 3600 * day_length(site.lat, forcing.doy)
        photons = ratio(1e6 * leaf.PHOTONS * forcing.rsds, seconds)
        extinction = self.clumping * _SPHERICAL / jnp.maximum(noon_height(site.lat, forcing.doy), _LOWEST_SUN)
        excited = _ELECTRONS * (1 - self.reflectance) * extinction * photons

        capacity = self._capacity(forcing.tas)
        transport = smooth_minimum(excited, self.electron_ratio * capacity, _CURVATURE)
        by_enzyme = stress * capacity * gain / (inside + kinetic)
        by_light = transport * gain / (4 * (inside + 2 * gamma))
        gross = smooth_minimum(by_enzyme, by_light)
        net = jnp.maximum(gross - self.respiration * capacity, 0)

        leaves = leaf.intercepted(leaf_area, extinction) / extinction
        open_to = leaf.DIFFUSIVITY_RATIO * (1 + self.slope / dry) * net / forcing.co2  # mol m-2 s-1 of leaf
        return Assimilation(
            1e-6 * leaf.CARBON_MASS * seconds * leaves * gross,
            seconds / leaf.DAY * leaves * open_to,
        )

    def _capacity(self, tas: Cells) -> Cells:
        """Capacity of carboxylation at a temperature [umol m-2 s-1]."""
        hot = 1 + jnp.exp(_STEEPNESS * (tas - self.heat))
        icy = 1 + jnp.exp(_STEEPNESS * (self.cold - tas))
        return self.carboxylation * jnp.exp(0.1 * (tas - 25) * jnp.log(self.sensitivity)) / (hot * icy)


_STEEPNESS = 0.3  # K-1, Collatz et al. 1991
_ELECTRONS, _CURVATURE = 0.3, 0.9  # mol mol-1, 1: electrons for each photon, and its corner, DALEC-1100
_SPHERICAL = 0.5  # leaf area projected on the beam, leaves in all directions
_LOWEST_SUN = cos(radians(89))
