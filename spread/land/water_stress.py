"""How far dry soil closes the stomata."""

from __future__ import annotations

from abc import abstractmethod
from math import log

import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.network import Features, Network, features
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractWaterStress(eqx.Module):
    """Factor on photosynthesis from the state of the soil."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress.

        Parameters
        ----------
        state : State
            Before the step.
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        array
            0 (closed) to 1 (no stress).
        """


class NoStress(AbstractWaterStress):
    """Soil that never dries the leaves."""

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        return jnp.ones_like(state.water)


class LinearStress(AbstractWaterStress):
    """From 0 at the wilting point in a straight line to 1 at field capacity.

    Parameters
    ----------
    field_capacity : array
        Water at which stress begins [mm].
    wilting : array
        Share of it at which the stomata are closed.

    Notes
    -----
    DALEC-990 and -993 (Fang & Gentine 2024).
    """

    field_capacity: Cells = parameter(300.0, 1.0, 1e4, units="mm", source="CARDAMOM DALEC-1005 (wilting point)")
    wilting: Cells = parameter(0.1, 0.01, 0.5, units="1", source="DifferLand DALEC-993 f_wp")

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        return jnp.clip((state.water / self.field_capacity - self.wilting) / (1 - self.wilting), 0, 1)


class QuadraticStress(AbstractWaterStress):
    """From its lowest value in dry soil in a parabola to 1 at a threshold: the soil moisture factor of the P-model.

    Parameters
    ----------
    field_capacity : array
        Water that counts as moisture 1 [mm].
    threshold : array
        Moisture at which stress begins.
    dry : array
        Stress in dry soil: 0.733 times the mean ratio of actual to potential evapotranspiration.

    Notes
    -----
    Stocker et al. 2020, Geosci. Model Dev. 13, 1545.
    """

    field_capacity: Cells = parameter(300.0, 1.0, 1e4, units="mm", source="CARDAMOM DALEC-1005 (wilting point)")
    threshold: Cells = parameter(
        0.6, 0.3, 0.9, units="1", prior="uniform", source="Stocker et al. 2020 (0.6); spread: half as much around it"
    )
    dry: Cells = parameter(
        0.37, 0.0, 0.733, units="1", prior="uniform", source="Stocker et al. 2020 (a = 0, b = 0.733)"
    )

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        short = jnp.maximum(1 - state.water / (self.field_capacity * self.threshold), 0)
        return 1 - (1 - self.dry) * short**2


class PotentialStress(AbstractWaterStress):
    """Logistic in the water potential of the soil.

    Parameters
    ----------
    depth : array
        Depth of the soil that plants reach [m].
    porosity : array
        Share of it that water can fill.
    retention : array
        Exponent b of the retention curve.
    half : array
        Suction at which half of the conductance is lost [MPa].
    steepness : array
        Steepness of the loss.

    Notes
    -----
    ``psi = psi_p (W / W_saturated)^-b`` (Campbell 1974; Clapp & Hornberger 1978) and ``1 / (1 + exp(steepness (-psi /
    half - 1)))``, as in DALEC-1100 for one layer without ice. The suction ends at 1000 MPa, where soil is oven-dry
    (Fredlund & Xing 1994, Can. Geotech. J. 31, 521), not at 30 MPa, which is within the box of ``half``.
    """

    depth: Cells = parameter(2.0, 0.01, 20.0, units="m", source="CARDAMOM DALEC-1100 LY2_z")
    porosity: Cells = parameter(0.45, 0.2, 0.98, units="1", prior="uniform", source="CARDAMOM DALEC-1100 LY2_por")
    retention: Cells = parameter(4.5, 1.5, 10.0, units="1", source="CARDAMOM DALEC-1100 retention")
    half: Cells = parameter(2.0, 0.1, 30.0, units="MPa", source="CARDAMOM DALEC-1100 psi_50")
    steepness: Cells = parameter(8.0, 4.1, 50.0, units="1", source="CARDAMOM DALEC-1100 beta_lgr")

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        share = state.water / (1000 * self.depth * self.porosity)
        wet = share > _DRIEST
        logarithm = jnp.where(wet, jnp.log(jnp.where(wet, jnp.minimum(share, 1), 1)), _LOG_DRIEST)
        suction = jnp.exp(jnp.minimum(_LOG_ENTRY - self.retention * logarithm, _LOG_OVEN_DRY))
        return jax.nn.sigmoid(self.steepness * (1 - suction / self.half))


_LOG_ENTRY = log(1.17e-3)  # MPa: air enters, CARDAMOM DALEC-1100
_LOG_OVEN_DRY = log(1000.0)  # MPa
_DRIEST = 1e-5  # share of saturation: beyond oven-dry for any exponent above 1.2
_LOG_DRIEST = log(_DRIEST)


class NeuralStress(AbstractWaterStress):
    """What a network makes of the water that plants reach.

    Parameters
    ----------
    key : jax.Array
        Random key of the first weights.
    width : int
        Units of the hidden layer.

    Notes
    -----
    Sigmoid of a network, as in Fang & Gentine 2024, J. Adv. Model. Earth Syst. 16, e2024MS004308. The network sees
    ``ln(1 + W / 100 mm) - 1`` where theirs sees ``W / 1500 mm``: water of 1 to 10000 mm is then within reach of its
    first weights, and it comes nearer to a curve that ends at 450 mm.
    """

    network: Network

    def __init__(self, key: jax.Array, width: int = 10) -> None:
        self.network = Network((1, width, 1), key)

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        return jax.nn.sigmoid(self.network(_seen(state.water))[0])


class MonotoneNeuralStress(AbstractWaterStress):
    """What a network makes of the water that plants reach, where more water never closes the stomata.

    Parameters
    ----------
    key : jax.Array
        Random key of the first weights.
    width : int
        Units of the hidden layer.
    """

    network: Network

    def __init__(self, key: jax.Array, width: int = 10) -> None:
        self.network = Network((1, width, 1), key)

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Cells:
        """Water stress; see the interface."""
        return jax.nn.sigmoid(self.network.increasing(_seen(state.water))[0])


def _seen(water: Cells) -> Features:
    return features(jnp.log1p(water / 100) - 1)
