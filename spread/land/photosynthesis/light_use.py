"""Light use efficiency of MOD17."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.parameters import parameter
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.photosynthesis.leaf import intercepted
from spread.land.shapes import Cells

Biome = Literal["ENF", "EBF", "DNF", "DBF", "MF", "CSH", "OSH", "WSA", "SAV", "GRA", "CRO"]

BIOMES: dict[Biome, tuple[float, float, float, float, float]] = {
    "ENF": (1.211, -8.0, 8.31, 6.5, 30.0),
    "EBF": (1.405, -8.0, 9.09, 10.0, 40.0),
    "DNF": (1.227, -8.0, 10.44, 6.5, 35.0),
    "DBF": (1.526, -6.0, 9.94, 6.5, 29.0),
    "MF": (1.226, -7.0, 9.50, 6.5, 29.0),
    "CSH": (1.495, -8.0, 8.61, 6.5, 43.0),
    "OSH": (1.027, -8.0, 8.80, 6.5, 44.0),
    "WSA": (1.498, -8.0, 11.39, 6.5, 35.0),
    "SAV": (1.454, -8.0, 11.39, 6.5, 36.0),
    "GRA": (1.215, -8.0, 12.02, 6.5, 42.0),
    "CRO": (1.300, -8.0, 12.02, 6.5, 45.0),
}
"""Efficiency [g MJ-1], frozen and warm [degC], humid and dry [hPa] of the biomes of the University of Maryland.

Table of biome properties of MOD17 collection 5.1 (MERRA), as in the file MOD17_BPLUT_C5.1_MERRA_NASA.csv of
github.com/arthur-e/MOD17. That of collection 6 differs.
"""

_BOX = "MOD17 C5.1 biome table; spread: box around its range"


class MOD17(AbstractPhotosynthesis):
    """Light absorbed times an efficiency that cold nights and dry air lower.

    Parameters
    ----------
    efficiency : array
        Largest efficiency of light use [gC MJ-1 of photosynthetic radiation].
    frozen, warm : array
        Lowest temperature of the day at which production is 0, and from which it is not lowered [degC].
    humid, dry : array
        Vapour pressure deficit up to which production is not lowered, and at which it is 0 [hPa].
    extinction : array
        Extinction of light by leaf area.

    Notes
    -----
    Running et al. 2004, BioScience 54, 547; Zhao et al. 2005, Remote Sens. Environ. 95, 164. It does not see CO2. The
    satellite's absorbed fraction is ``1 - exp(-extinction L)`` here.
    """

    efficiency: Cells = parameter(1.3, 0.5, 2.5, units="g MJ-1", source=_BOX)
    frozen: Cells = parameter(-8.0, -12.0, -4.0, units="degC", prior="uniform", source=_BOX)
    warm: Cells = parameter(10.0, 5.0, 15.0, units="degC", prior="uniform", source=_BOX)
    humid: Cells = parameter(6.5, 3.0, 12.0, units="hPa", source=_BOX)
    dry: Cells = parameter(38.0, 20.0, 60.0, units="hPa", source=_BOX)
    extinction: Cells = parameter(
        0.5, 0.3, 0.8, units="1", prior="uniform", source="Zhang et al. 2014, Front. Earth Sci."
    )

    @classmethod
    def of(cls, biome: Biome) -> MOD17:
        """The scheme with the published parameters of a biome, such as ``"ENF"``; see :data:`BIOMES`."""
        return cls(*map(jnp.asarray, BIOMES[biome]))

    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate; see the interface."""
        warmth = jnp.clip((forcing.tasmin - self.frozen) / (self.warm - self.frozen), 0, 1)
        moisture = jnp.clip((self.dry - forcing.vpd) / (self.dry - self.humid), 0, 1)
        light = _PHOTOSYNTHETIC * forcing.rsds * intercepted(leaf_area, self.extinction)
        return Assimilation(stress * self.efficiency * warmth * moisture * light)


_PHOTOSYNTHETIC = 0.45  # of shortwave radiation, Running et al. 2004
