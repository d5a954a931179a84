"""How much water the air asks for."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.guarded import root
from spread.land.parameters import parameter
from spread.land.photosynthesis import Assimilation
from spread.land.shapes import Cells


class AbstractEvapotranspiration(eqx.Module):
    """Demand for water; the integrator gives what there is.

    A brick that reads ``assimilation.conductance`` says so: ``needs_conductance = True``.
    """

    needs_conductance: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand.

        Parameters
        ----------
        assimilation : Assimilation
            Of the same step.
        leaf_area : array
            Leaf area index [1].
        stress : array
            Water stress, 0 (closed) to 1 (none).
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        array
            Transpiration and evaporation from the soil if water were there [mm d-1], not negative.
        """


class UnderlyingWUE(AbstractEvapotranspiration):
    """Transpiration by the underlying water use efficiency, evaporation by radiation.

    Parameters
    ----------
    efficiency : array
        Underlying water use efficiency [gC hPa0.5 kg-1].
    evaporation : array
        Evaporation for each unit of radiation [kg MJ-1].

    Notes
    -----
    ``E = GPP sqrt(VPD) / efficiency + evaporation rsds``: Zhou et al. 2014, Geophys. Res. Lett. 41, 5005, and Boese et
    al. 2017, Biogeosciences 14, 3015.
    """

    efficiency: Cells = parameter(8.0, 0.5, 30.0, units="g hPa0.5 kg-1", source="DifferLand DALEC-993 uWUE")
    evaporation: Cells = parameter(0.04, 0.01, 0.3, units="kg MJ-1", source="DifferLand DALEC-993 r")

    def __call__(
        self, assimilation: Assimilation, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site
    ) -> Cells:
        """Demand; see the interface."""
        return assimilation.gpp * root(forcing.vpd) / self.efficiency + self.evaporation * forcing.rsds
