"""Coupled components with one clock: the global energy balance of each CMIP6 model, and the forcing that drives it.

:func:`scenario_forcing` gives effective radiative forcing, :func:`co2e` the CO2 equivalent of it, :func:`pathway` a
what-if; :func:`cummins` and :func:`fit` give a model's response, :func:`forced_warming` its forced global warming.
"""

from spread.coupled.co2_equivalent import co2_concentration, co2_forcing, co2e
from spread.coupled.cummins import cummins, cummins_members
from spread.coupled.energy_balance import (
    EnergyBalance,
    EnergyBalanceState,
    HeatFluxes,
    check_energy_balance,
    equilibrium_climate_sensitivity,
    heat_content,
    initial_state,
    run,
    timescales,
    transient_climate_response,
)
from spread.coupled.fitted import Fit, forced_warming_range
from spread.coupled.fitting import Run, fit
from spread.coupled.forcing import Forcing, scenario_forcing, scenarios
from spread.coupled.parameters import parameters_of
from spread.coupled.pathways import Pathway, pathway
from spread.coupled.response import ForcedResponse, forced_response, forced_warming, idealised_fraction

__all__ = [
    "EnergyBalance",
    "EnergyBalanceState",
    "Fit",
    "ForcedResponse",
    "Forcing",
    "HeatFluxes",
    "Pathway",
    "Run",
    "check_energy_balance",
    "co2_concentration",
    "co2_forcing",
    "co2e",
    "cummins",
    "cummins_members",
    "equilibrium_climate_sensitivity",
    "fit",
    "forced_response",
    "forced_warming",
    "forced_warming_range",
    "heat_content",
    "idealised_fraction",
    "initial_state",
    "parameters_of",
    "pathway",
    "run",
    "scenario_forcing",
    "scenarios",
    "timescales",
    "transient_climate_response",
]
