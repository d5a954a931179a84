"""How long the sun is up, and how high."""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.guarded import arccos
from spread.land.shapes import Cells


def declination(doy: Cells) -> Cells:
    """Declination of the sun [rad], as in ACM: ``-23.4 cos(2 pi (doy + 10) / 365)`` degrees."""
    return -jnp.deg2rad(23.4) * jnp.cos(2 * jnp.pi * (doy + 10) / 365)


def sunset_angle(lat: Cells, declination: Cells) -> Cells:
    """Hour angle of sunset.

    Parameters
    ----------
    lat : array
        Latitude [degrees_north].
    declination : array
        Declination of the sun [rad].

    Returns
    -------
    array
        0 in the polar night to pi [rad].

    Notes
    -----
    The derivative of arccos is infinite at the first and the last day of the polar night; there and beyond it is taken
    as 0.
    """
    latitude = jnp.deg2rad(lat)
    # The cosine of a pole may round below 0
    m = jnp.sin(latitude) / jnp.maximum(jnp.cos(latitude), 1e-7) * jnp.tan(declination)
    within = jnp.abs(m) < 1
    return jnp.where(within, arccos(-jnp.where(within, m, 0)), jnp.where(m > 0, jnp.pi, 0.0))


def day_length(lat: Cells, doy: Cells) -> Cells:
    """Hours between sunrise and sunset.

    Parameters
    ----------
    lat : array
        Latitude [degrees_north].
    doy : array
        Day of the year [d].

    Returns
    -------
    array
        0 in the polar night to 24 [h].
    """
    return 24 / jnp.pi * sunset_angle(lat, declination(doy))


def noon_height(lat: Cells, doy: Cells) -> Cells:
    """Cosine of the sun's zenith angle at noon; negative in the polar night.

    Parameters
    ----------
    lat : array
        Latitude [degrees_north].
    doy : array
        Day of the year [d].
    """
    return jnp.cos(jnp.deg2rad(lat) - declination(doy))
