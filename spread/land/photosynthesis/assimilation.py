"""What every scheme of photosynthesis takes and gives."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx

from spread.land.forcing import Forcing, Site
from spread.land.shapes import Cells


class Assimilation(eqx.Module):
    """What photosynthesis gives.

    Parameters
    ----------
    gpp : array
        Gross primary production [gC m-2 d-1], not negative.
    conductance : array, optional
        Stomatal conductance of the canopy to water vapour for each square metre of ground, mean over the 24 hours
        [mol m-2 s-1], not negative; None where the brick has none.
    """

    gpp: Cells
    conductance: Cells | None = None


class AbstractPhotosynthesis(eqx.Module):
    """Gross primary production from leaf area, stress and weather.

    A brick whose assimilation has a conductance says so: ``gives_conductance = True``.
    """

    gives_conductance: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, leaf_area: Cells, stress: Cells, forcing: Forcing, site: Site) -> Assimilation:
        """Assimilate.

        Parameters
        ----------
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
        Assimilation
            0 where leaf area, light or ``stress`` is 0.
        """
