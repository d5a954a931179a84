"""Aggregated canopy model: the photosynthesis of DALEC."""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.daylight import day_length
from spread.land.forcing import Forcing, Site
from spread.land.guarded import ratio
from spread.land.parameters import parameter
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.shapes import Cells


class ACM1(AbstractPhotosynthesis):
    """Aggregated canopy model, version 1.

    Parameters
    ----------
    efficiency : array
        Canopy efficiency: leaf nitrogen times its yield [gC m-2 d-1 at the model's scale].

    Notes
    -----
    Williams et al. 1997, Ecol. Appl. 7, 882, with the coefficients of Fox et al. 2009, Agric. For. Meteorol. 149,
    1597, as in DALEC (Williams et al. 2005, Bloom & Williams 2015).
    """

    efficiency: Cells = parameter(20.0, 5.0, 50.0, units="1", source="CARDAMOM DALEC-1005")

    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate; see the interface."""
        span = jnp.maximum(forcing.tasmax - forcing.tasmin, 0)  # below -0.76 K the conductance would change sign
        conductance = _PSI**_B1 / (_B2 * _RESISTANCE + 0.5 * span)
        p = leaf_area * self.efficiency * jnp.exp(_A2 * forcing.tasmax) / conductance
        # Drawdown u = ca - ci: the smaller root of u^2 - b u + p (ca - theta) = 0, without cancelling
        over = forcing.co2 - _THETA
        b = over + _K + p
        u = 2 * p * over / (b + jnp.sqrt((over - p) ** 2 + _K * (_K + 2 * (over + p))))
        diffusion = conductance * u
        square = leaf_area**2
        light = _C1 * square / (_C2 + square) * forcing.rsds
        both = ratio(light * diffusion, light + diffusion)
        return Assimilation(stress * both * (_D1 * day_length(site.lat, forcing.doy) + _D2))


_A2, _B1, _B2, _C1, _C2, _D1, _D2 = 0.011136, 0.789798, 0.37836, 7.19298, 2.1001, 0.0156935, 0.0453194
_THETA, _K = 4.22273, 208.868
_PSI, _RESISTANCE = 2.0, 1.0
"""Coefficients of ACM v1 (Fox et al. 2009); soil to leaf water potential [MPa] and hydraulic resistance as in DALEC."""
