"""Light use that a network learns."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.network import Network, features
from spread.land.parameters import parameter
from spread.land.photosynthesis import leaf
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.shapes import Cells


class NeuralLightUse(AbstractPhotosynthesis):
    """Light absorbed times an efficiency that a network gives, never above the quantum limit.

    Parameters
    ----------
    key : jax.Array
        Random key of the first weights.
    width : int
        Units of each of two hidden layers.

    Notes
    -----
    The network sees temperature, radiation and vapour pressure deficit. From it come an efficiency between 0 and that
    of 8 photons for each molecule of CO2, and a half-saturation ``h`` between 0 and 1000 ppm of a factor
    ``CO2 / (CO2 + h)``, so that light, leaf area, stress and CO2 can only raise production, whatever is learned.
    """

    network: Network
    extinction: Cells = parameter(
        0.5, 0.3, 0.8, units="1", prior="uniform", source="Zhang et al. 2014, Front. Earth Sci."
    )

    def __init__(self, key: jax.Array, width: int = 10) -> None:
        self.network = Network((3, width, width, 2), key)
        self.extinction = jnp.asarray(0.5)

    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate; see the interface."""
        seen = features((forcing.tas - 10) / 15, (forcing.rsds - 15) / 10, (forcing.vpd - 10) / 10)
        yielded, half = jax.nn.sigmoid(self.network(seen))
        use = leaf.CARBON_MASS * _QUANTUM_LIMIT * yielded * forcing.co2 / (forcing.co2 + _HIGHEST_HALF * half)
        light = leaf.PHOTONS * forcing.rsds * leaf.intercepted(leaf_area, self.extinction)
        return Assimilation(stress * use * light)


_QUANTUM_LIMIT = 1 / 8  # mol mol-1: two photosystems, four electrons for each CO2
_HIGHEST_HALF = 1000.0  # ppm
