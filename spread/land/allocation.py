"""Where assimilated carbon goes."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.parameters import parameter
from spread.land.photosynthesis import Assimilation
from spread.land.shapes import Cells
from spread.land.state import State


class Shares(eqx.Module):
    """Shares of gross production, not negative; the integrator divides them by their sum, which is above 0.

    Parameters
    ----------
    respiration : array
        Respired by plants at once.
    labile, foliar, root, wood : array
        Built into the pools.
    """

    respiration: Cells
    labile: Cells
    foliar: Cells
    root: Cells
    wood: Cells


class AbstractAllocation(eqx.Module):
    """Shares of gross production."""

    @abstractmethod
    def __call__(self, assimilation: Assimilation, state: State, forcing: Forcing, site: Site) -> Shares:
        """Allocate.

        Parameters
        ----------
        assimilation : Assimilation
            Of the same step.
        state : State
            Before the step.
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        Shares
            Of ``assimilation.gpp``.
        """


class DALECAllocation(AbstractAllocation):
    """Fixed shares, each of what the ones before it left: respiration, leaves, labile, roots; the rest is wood.

    Parameters
    ----------
    respiration, foliar, labile, root : array
        Share of what is left.

    Notes
    -----
    Bloom & Williams 2015, Biogeosciences 12, 1299.
    """

    respiration: Cells = parameter(0.5, 0.2, 0.8, units="1", source="CARDAMOM DALEC-1005 f_auto")
    foliar: Cells = parameter(0.1, 0.01, 0.5, units="1", source="CARDAMOM DALEC-1005 f_fol")
    labile: Cells = parameter(0.15, 0.01, 0.5, units="1", source="CARDAMOM DALEC-1005 f_lab")
    root: Cells = parameter(0.4, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 f_roo")

    def __call__(self, assimilation: Assimilation, state: State, forcing: Forcing, site: Site) -> Shares:
        """Allocate; see the interface."""
        grown = 1 - self.respiration
        beyond_leaves = grown * (1 - self.foliar)
        beyond_labile = beyond_leaves * (1 - self.labile)
        return Shares(
            respiration=self.respiration,
            labile=beyond_leaves * self.labile,
            foliar=grown * self.foliar,
            root=beyond_labile * self.root,
            wood=beyond_labile * (1 - self.root),
        )
