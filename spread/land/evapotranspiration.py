"""How much water the air asks for.

No demand of these bricks rises with CO2 alone. Production rises with CO2 and stomata close, so a transpiration in
proportion to production of the same step would rise where they close. Bricks therefore see the assimilation at one
CO2, :data:`REFERENCE_CO2`, and say themselves how far stomata close above it.

This holds for the demand of a step and for its evapotranspiration, from one state: with any of these bricks and any
photosynthesis. It does not hold over years, and should not: more CO2 grows more leaves, which evaporate more. With 560
instead of 380 ppm for ten years, evapotranspiration of the tenth year rises in 0 to 35 % of draws from the priors: in
none with MOD17 and Priestley-Taylor, which know no CO2, in 3 to 13 % with Penman-Monteith, in 7 to 21 % with the
underlying water use efficiency, in 20 to 35 % with Priestley-Taylor and another photosynthesis. Its median changes by
less than 1 %.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from spread.errors import BadModel
from spread.land.forcing import Forcing, Site
from spread.land.guarded import root
from spread.land.parameters import parameter
from spread.land.photosynthesis import Assimilation
from spread.land.shapes import Cells
from spread.land.surface_energy import (
    LATENT_HEAT,
    air_pressure,
    equilibrium_share,
    net_radiation,
    psychrometric_constant,
    saturation_slope,
)

REFERENCE_CO2 = 380.0
"""CO2 [ppm] of about 2005, the middle of the records that water use efficiency is estimated from (Pastorello et al.
2020, Sci. Data 7, 225: FLUXNET2015)."""

EXTINCTION = 0.5
"""Extinction of radiation in a canopy with leaves at random angles under an overhead sun (Monsi & Saeki 1953)."""


def _closure() -> Any:
    source = "FACE: -22 % conductance from 366 to 567 ppm is 0.57 (Ainsworth & Rogers 2007, Plant Cell Env. 30, 258)"
    return parameter(0.55, 0.0, 1.0, units="1", prior="uniform", source=source)


def _albedo() -> Any:
    source = "forest to bare soil: Monteith & Unsworth 2013, Principles of environmental physics"
    return parameter(0.18, 0.08, 0.30, units="1", prior="uniform", source=source)


def _ground() -> Any:
    return parameter(0.3, 0.01, 1.0, units="1", source="spread: dry to wet bare soil, as f_SM of Fisher et al. 2008")


def stomata(co2: Cells, closure: Cells) -> Cells:
    """Conductance at a CO2 [ppm] in units of that at :data:`REFERENCE_CO2`, which falls with CO2.

    ``closure`` 0 is none, 1 keeps the product of both, as in Medlyn et al. 2011 where production is saturated.
    """
    return jnp.exp(closure * jnp.log(REFERENCE_CO2 / jnp.maximum(co2, 1.0)))


class AbstractEvapotranspiration(eqx.Module):
    """Demand for water; the integrator gives what there is.

    A brick that reads ``assimilation.conductance`` says so: ``needs_conductance = True``. ``assimilation_co2`` is the
    CO2 [ppm] at which it is shown the assimilation; None is that of the step, as published, and demand then rises
    with CO2.
    """

    needs_conductance: ClassVar[bool] = False
    assimilation_co2: ClassVar[float | None] = REFERENCE_CO2

    @abstractmethod
    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand.

        Parameters
        ----------
        assimilation : Assimilation
            Of the same step, at a CO2 of ``assimilation_co2``.
        leaf_area : array
            Leaf area index [1].
        stress : array
            Water stress, 0 (closed) to 1 (none).
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        array
            Transpiration and evaporation from the soil if water were there [mm d-1], not negative.
        """


class UnderlyingWUE(AbstractEvapotranspiration):
    """Transpiration by the underlying water use efficiency, evaporation by radiation.

    Parameters
    ----------
    efficiency : array
        Underlying water use efficiency [gC hPa0.5 kg-1].
    evaporation : array
        Evaporation for each unit of radiation [kg MJ-1].
    closure : array
        How far stomata close with CO2; see :func:`stomata`.

    Notes
    -----
    ``E = GPP sqrt(VPD) / efficiency + evaporation rsds``: Zhou et al. 2014, Geophys. Res. Lett. 41, 5005, and Boese et
    al. 2017, Biogeosciences 14, 3015. ``efficiency`` is that at :data:`REFERENCE_CO2`; at another CO2 it is
    ``efficiency GPP / GPP_ref (CO2 / CO2_ref)^closure``.
    """

    efficiency: Cells = parameter(8.0, 0.5, 30.0, units="g hPa0.5 kg-1", source="DifferLand DALEC-993 uWUE")
    evaporation: Cells = parameter(0.04, 0.01, 0.3, units="kg MJ-1", source="DifferLand DALEC-993 r")
    closure: Cells = _closure()

    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand; see the interface."""
        open_ = stomata(forcing.co2, self.closure)
        return open_ * assimilation.gpp * root(forcing.vpd) / self.efficiency + self.evaporation * forcing.rsds


class PriestleyTaylor(AbstractEvapotranspiration):
    """Radiation sets the demand; leaves pass it on as far as water stress lets them, the ground in a fixed share.

    Parameters
    ----------
    coefficient : array
        Evaporation of a wet surface in units of the equilibrium evaporation.
    ground : array
        Share of it that the ground evaporates.
    albedo : array
        Share of shortwave radiation that is reflected.

    Notes
    -----
    Priestley & Taylor 1972, Mon. Weather Rev. 100, 81, shared out between leaves and ground by the light that leaves
    catch, as in Fisher et al. 2008, Remote Sens. Environ. 112, 901. It knows nothing of CO2.
    """

    coefficient: Cells = parameter(
        1.26, 1.0, 1.5, units="1", prior="uniform", source="Priestley & Taylor 1972: sites between 1.08 and 1.34"
    )
    ground: Cells = _ground()
    albedo: Cells = _albedo()

    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand; see the interface."""
        energy = net_radiation(self.albedo, forcing, site) * equilibrium_share(forcing.tas, site.elevation)
        through = jnp.exp(-EXTINCTION * leaf_area)
        return self.coefficient * energy / LATENT_HEAT * ((1 - through) * stress + through * self.ground)


class PenmanMonteith(AbstractEvapotranspiration):
    """Transpiration through the stomata of the assimilation, evaporation from the ground by radiation.

    Parameters
    ----------
    aerodynamic : array
        Conductance between canopy and air [m s-1].
    ground : array
        Evaporation from the ground as a share of that of a wet surface.
    albedo : array
        Share of shortwave radiation that is reflected.
    closure : array
        How far stomata close with CO2; see :func:`stomata`.

    Notes
    -----
    Monteith 1965, Symp. Soc. Exp. Biol. 19, 205; below the canopy Priestley & Taylor 1972 with 1.26, as in DALEC-1100.
    """

    needs_conductance: ClassVar[bool] = True

    aerodynamic: Cells = parameter(0.03, 1e-3, 10.0, units="m s-1", source="CARDAMOM DALEC-1100 ga")
    ground: Cells = _ground()
    albedo: Cells = _albedo()
    closure: Cells = _closure()

    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand; see the interface."""
        if assimilation.conductance is None:
            raise BadModel("PenmanMonteith needs an assimilation with a conductance: choose such a photosynthesis")
        net = net_radiation(self.albedo, forcing, site)
        through = jnp.exp(-EXTINCTION * leaf_area)
        pressure, kelvin = air_pressure(site.elevation), jnp.maximum(forcing.tas, -100.0) + 273.15
        # mol m-2 s-1 times the volume of a mole [m3 mol-1]
        leaves = stomata(forcing.co2, self.closure) * assimilation.conductance * _GAS * kelvin / (100 * pressure)
        density = 100 * pressure / (_DRY_AIR * kelvin)  # kg m-3
        drying = density * _HEAT_CAPACITY * forcing.vpd * self.aerodynamic * _SECONDS  # MJ m-2 d-1 hPa K-1
        slope, gamma = saturation_slope(forcing.tas), psychrometric_constant(site.elevation)
        # Both sides times the conductance of leaves: closed stomata are 0, not 1/0
        latent = leaves * (slope * (1 - through) * net + drying)
        latent = latent / ((slope + gamma) * leaves + gamma * self.aerodynamic)
        below = 1.26 * self.ground * through * net * slope / (slope + gamma)
        return (latent + below) / LATENT_HEAT


_GAS, _DRY_AIR = 8.314462618, 287.05
"""Gas constant [J mol-1 K-1] (CODATA 2018) and that of dry air [J kg-1 K-1] (ISO 2533)."""

_HEAT_CAPACITY, _SECONDS = 1.013e-3, 86400.0
"""Heat capacity of moist air [MJ kg-1 K-1] (FAO-56, eq. 8), and seconds in a day."""
