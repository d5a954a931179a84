"""Snow: what falls frozen, and how it melts."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.integrator import Rates
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractSnow(eqx.Module):
    """Share of precipitation that falls as snow, and rates at which the pack melts and sublimates."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> tuple[Cells | None, Rates]:
        """Snowfall and melt.

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
        frozen : array or None
            Share of precipitation that falls as snow, 0 to 1; None where no snow ever falls.
        rates : dict
            On ``("snow", "water")`` (melt) and ``("snow", "evspsbl")`` (sublimation) [d-1], not negative. They act on
            the pack with the snow that fell in the step.
        """


class NoSnow(AbstractSnow):
    """All precipitation is rain, and a pack that was there stays."""

    def __call__(self, state: State, forcing: Forcing, site: Site) -> tuple[Cells | None, Rates]:
        """Nothing falls and nothing melts."""
        return None, {}
