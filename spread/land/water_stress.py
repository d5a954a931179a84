"""How far dry soil closes the stomata."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
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
