"""How soil sheds water: runoff from the surface, drainage, and flow from the deep layer."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractSoilWater(eqx.Module):
    """Shares of the water of a layer that leave it in a step; the integrator moves them.

    A share is one of a bucket as it stands at that moment: water that ran off does not evaporate, and water that
    evaporated does not drain. A method returns None where the process is absent.
    """

    def runoff(self, liquid: Cells, state: State, forcing: Forcing, site: Site) -> Cells | None:
        """Share of rain and melt ``liquid`` [mm in the step] that runs off before it enters the soil, 0 to 1."""
        return None

    @abstractmethod
    def drainage(self, water: Cells, forcing: Forcing) -> Cells:
        """Share of the upper layer ``water`` [mm, after evapotranspiration] that leaves it in the step, 0 to 1."""

    def percolation(self, water: Cells, forcing: Forcing) -> Cells | None:
        """Share of that drainage that enters the deep layer instead of running off, 0 to 1."""
        return None

    def baseflow(self, deep: Cells, forcing: Forcing) -> Cells | None:
        """Share of the deep layer ``deep`` [mm, with what percolated] that leaves it in the step, 0 to 1."""
        return None


class OneLayer(AbstractSoilWater):
    """One layer that drains the faster the fuller it is; the deep layer stays as it is.

    Parameters
    ----------
    capacity : array
        Storage of which half would drain in 30 days [mm].

    Notes
    -----
    See :func:`quadratic_drainage`.
    """

    capacity: Cells = parameter(1000.0, 1.0, 1e5, units="mm", source="CARDAMOM DALEC-1005 Q1")

    def drainage(self, water: Cells, forcing: Forcing) -> Cells:
        """Share that leaves; see the interface."""
        return quadratic_drainage(water, self.capacity, forcing.days)


class TwoLayers(AbstractSoilWater):
    """A layer that plants reach and one below it; both drain the faster the fuller they are.

    Parameters
    ----------
    capacity, deep_capacity : array
        Storage of which half would drain in 30 days [mm].
    descending : array
        Share of the drainage of the upper layer that enters the lower one; the rest runs off.

    Notes
    -----
    Bloom et al. 2020, Biogeosciences 17, 6393, with the exact solution of :func:`quadratic_drainage`, which no layer
    over-drains.
    """

    capacity: Cells = parameter(1000.0, 1.0, 1e5, units="mm", source="CARDAMOM DALEC-1005 Q1")
    deep_capacity: Cells = parameter(1000.0, 1.0, 1e5, units="mm", source="CARDAMOM DALEC-1005 PUW_Qmax")
    descending: Cells = parameter(0.5, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 h2o_xfer")

    def drainage(self, water: Cells, forcing: Forcing) -> Cells:
        """Share that leaves; see the interface."""
        return quadratic_drainage(water, self.capacity, forcing.days)

    def percolation(self, water: Cells, forcing: Forcing) -> Cells:
        """Share that descends; see the interface."""
        return self.descending

    def baseflow(self, deep: Cells, forcing: Forcing) -> Cells:
        """Share that leaves; see the interface."""
        return quadratic_drainage(deep, self.deep_capacity, forcing.days)


def quadratic_drainage(water: Cells, capacity: Cells, days: Cells) -> Cells:
    """Share of a bucket that drains where the flow grows with the square of the storage.

    Parameters
    ----------
    water : array
        Storage [mm], not negative.
    capacity : array
        Storage of which half would drain in 30 days [mm].
    days : array
        Length of the step [d].

    Returns
    -------
    array
        0 to 1.

    Notes
    -----
    Exact solution of ``dW/dt = -W^2 / (capacity 30 d)``. DALEC-1005 takes ``W^2 / capacity`` in each step of a month,
    to which this tends where the storage is small.
    """
    emptied = water * days / (30.0 * capacity)
    return emptied / (1 + emptied)
