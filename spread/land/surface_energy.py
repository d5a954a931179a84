"""Energy that a surface can spend on evaporation, and the constants of moist air.

Allen et al. 1998, FAO Irrigation and Drainage Paper 56; the numbers of its equations are given. Its worked example 18
is a test.
"""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.daylight import sunset_angle
from spread.land.forcing import Forcing, Site
from spread.land.guarded import ratio, root
from spread.land.shapes import Cells

LATENT_HEAT = 2.45
"""Heat that evaporates water [MJ kg-1] (FAO-56, annex 3)."""

_STEFAN_BOLTZMANN = 4.903e-9  # MJ K-4 m-2 d-1 (FAO-56, eq. 39)
_SOLAR_CONSTANT = 0.0820  # MJ m-2 min-1 (FAO-56, eq. 21)


def saturation_pressure(temperature: Cells) -> Cells:
    """Saturation vapour pressure over water [hPa] at a temperature [degC] (eq. 11)."""
    warm = jnp.maximum(temperature, -100.0)  # colder than any air, and far from the pole of the fit at -237.3
    return 6.108 * jnp.exp(17.27 * warm / (warm + 237.3))


def saturation_slope(temperature: Cells) -> Cells:
    """Slope of the saturation vapour pressure [hPa K-1] at a temperature [degC] (eq. 13)."""
    return 4098.0 * saturation_pressure(temperature) / (jnp.maximum(temperature, -100.0) + 237.3) ** 2


def air_pressure(elevation: Cells) -> Cells:
    """Pressure of the standard atmosphere [hPa] at a height [m] (eq. 7)."""
    return 1013.0 * (jnp.clip(1 - 0.0065 * elevation / 293.0, 0.5, 1.1)) ** 5.26


def psychrometric_constant(elevation: Cells) -> Cells:
    """Psychrometric constant [hPa K-1] at a height [m] (eq. 8)."""
    return 0.665e-3 * air_pressure(elevation)


def extraterrestrial_radiation(lat: Cells, doy: Cells) -> Cells:
    """Radiation at the top of the atmosphere, mean of a day.

    Parameters
    ----------
    lat : array
        Latitude [degrees_north].
    doy : array
        Day of the year [d].

    Returns
    -------
    array
        0 in the polar night [MJ m-2 d-1].

    Notes
    -----
    Eqs. 21-25.
    """
    angle = 2 * jnp.pi * doy / 365
    declination = 0.409 * jnp.sin(angle - 1.39)
    phi = jnp.deg2rad(lat)
    sunset = sunset_angle(lat, declination)
    height = sunset * jnp.sin(phi) * jnp.sin(declination) + jnp.cos(phi) * jnp.cos(declination) * jnp.sin(sunset)
    return 24 * 60 / jnp.pi * _SOLAR_CONSTANT * (1 + 0.033 * jnp.cos(angle)) * jnp.maximum(height, 0)


def net_radiation(albedo: Cells, forcing: Forcing, site: Site) -> Cells:
    """Net radiation of a surface near the temperature of the air.

    Parameters
    ----------
    albedo : array
        Share of shortwave radiation that is reflected.
    forcing : Forcing
        Weather of the step.
    site : Site
        The place.

    Returns
    -------
    array
        [MJ m-2 d-1], 0 where the surface loses more than it gets: no energy is left to evaporate water.

    Notes
    -----
    Eqs. 37-40. What tells clouds, the ratio to the radiation of a clear sky, is kept between 0.3 and 1 as in
    ASCE-EWRI 2005, which leaves the polar night defined.
    """
    clear = (0.75 + 2e-5 * site.elevation) * extraterrestrial_radiation(site.lat, forcing.doy)
    clearness = jnp.clip(ratio(forcing.rsds, jnp.maximum(clear, forcing.rsds)), 0.3, 1.0)
    saturated = 0.5 * (saturation_pressure(forcing.tasmax) + saturation_pressure(forcing.tasmin))
    vapour = 0.1 * jnp.maximum(saturated - forcing.vpd, 0)  # kPa
    emitted = 0.5 * _STEFAN_BOLTZMANN * ((forcing.tasmax + 273.16) ** 4 + (forcing.tasmin + 273.16) ** 4)
    longwave = emitted * jnp.maximum(0.34 - 0.14 * root(vapour), 0) * (1.35 * clearness - 0.35)
    return jnp.maximum((1 - albedo) * forcing.rsds - longwave, 0)


def equilibrium_share(temperature: Cells, elevation: Cells) -> Cells:
    """Share of net radiation that evaporates water from a wet surface into saturated air, 0 to 1."""
    slope = saturation_slope(temperature)
    return slope / (slope + psychrometric_constant(elevation))
