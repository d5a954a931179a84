"""How roots and wood die."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractTurnover(eqx.Module):
    """Rates at which living pools other than leaves lose carbon to litter and soil."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of turnover.

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
        dict
            Rates on edges from living pools [d-1], not negative.
        """


class ConstantTurnover(AbstractTurnover):
    """Roots become litter and wood becomes soil, at constant rates.

    Parameters
    ----------
    root, wood : array
        Rate [d-1].

    Notes
    -----
    Williams et al. 2005, Glob. Change Biol. 11, 89.
    """

    root: Cells = parameter(2e-3, 1e-4, 1e-2, units="d-1", source="CARDAMOM DALEC-1005 t_roo")
    wood: Cells = parameter(1e-4, 2.5e-5, 1e-3, units="d-1", source="CARDAMOM DALEC-1005 t_woo")

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of turnover; see the interface."""
        return {("root", "litter"): self.root, ("wood", "soil"): self.wood}
