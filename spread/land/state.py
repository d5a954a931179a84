"""Pools of the land model, and the fluxes that a step applied."""

from __future__ import annotations

import equinox as eqx

from spread.land.parameters import parameter
from spread.land.shapes import Cells, Memory

CARBON = ("labile", "foliar", "root", "wood", "litter", "soil")
"""Carbon pools [gC m-2], in the order of the linear map of a step."""

_BLOOM = "CARDAMOM DALEC-1005; Bloom & Williams 2015, Bloom et al. 2020"


class State(eqx.Module):
    """Pools of carbon [gC m-2] and water [mm], each ``(cells,)``.

    Parameters
    ----------
    labile, foliar, root, wood, litter, soil : array
        Carbon pools [gC m-2].
    snow : array
        Water equivalent of snow [mm].
    water : array
        Water that plants reach [mm].
    deep : array
        Water that they do not [mm].
    memory : pytree
        What the phenology brick keeps.

    Notes
    -----
    The boxes are priors of the initial state, so that ``draw(State(), key, cells)`` draws one.
    """

    labile: Cells = parameter(100.0, 1.0, 2000.0, units="g m-2", source=_BLOOM)
    foliar: Cells = parameter(100.0, 1.0, 2000.0, units="g m-2", source=_BLOOM)
    root: Cells = parameter(100.0, 1.0, 2000.0, units="g m-2", source=_BLOOM)
    wood: Cells = parameter(5000.0, 1.0, 1e5, units="g m-2", source=_BLOOM)
    litter: Cells = parameter(200.0, 1.0, 2000.0, units="g m-2", source=_BLOOM)
    soil: Cells = parameter(10000.0, 1.0, 2e5, units="g m-2", source=_BLOOM)
    snow: Cells = parameter(0.0, 0.0, 500.0, units="mm", prior="uniform", source="spread: seasonal snow of most land")
    water: Cells = parameter(200.0, 1.0, 1e4, units="mm", source=_BLOOM)
    deep: Cells = parameter(200.0, 1.0, 1e4, units="mm", source=_BLOOM)
    memory: Memory = None


class Fluxes(eqx.Module):
    """What a step applied, by CMIP6 name, each ``(cells,)``; pools are those after the step.

    Parameters
    ----------
    gpp, ra, npp, rh, fFire : array
        Gross production, respiration of plants, their difference, heterotrophic respiration, combustion [gC m-2 d-1].
    nep, nbp : array
        ``gpp - ra - rh`` and the same less ``fFire``: uptake is positive [gC m-2 d-1].
    lai : array
        Leaf area index, mean of the states before and after the step [1].
    evspsbl, mrro : array
        Evapotranspiration with sublimation, and runoff with drainage [mm d-1].
    mrso, snw : array
        Soil water and snow [mm].
    cVeg, cLitter, cSoil : array
        Carbon of plants, litter and soil [gC m-2].
    """

    gpp: Cells
    ra: Cells
    npp: Cells
    rh: Cells
    fFire: Cells
    nep: Cells
    nbp: Cells
    lai: Cells
    evspsbl: Cells
    mrro: Cells
    mrso: Cells
    snw: Cells
    cVeg: Cells
    cLitter: Cells
    cSoil: Cells
