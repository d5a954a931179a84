"""Differentiable carbon and water of land: one file a process, bricks to swap, an integrator that owns mass.

Cells are the last axis and time, where there is one, the first. Carbon is in gC m-2 and gC m-2 d-1, water in mm and
mm d-1, temperature in degC, radiation in MJ m-2 d-1, vapour pressure deficit in hPa, CO2 in ppm.
"""

from spread.land.forcing import Forcing, Site
from spread.land.model import LandModel
from spread.land.parameters import Parameter, draw, from_real, parameter, parameters_of, to_real
from spread.land.state import Fluxes, State

__all__ = [
    "Fluxes", "Forcing", "LandModel", "Parameter", "Site", "State", "draw", "from_real", "parameter", "parameters_of",
    "to_real",
]  # fmt: skip
