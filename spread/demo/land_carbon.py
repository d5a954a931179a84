"""A two-pool land carbon box per cell that conserves mass; it feeds the demo's carbon stores and is not spread.land."""

from dataclasses import dataclass

import numpy as np

from spread.demo.climate import climate, temperature
from spread.demo.energy_balance import co2
from spread.demo.grid import model_grid
from spread.demo.models import CARBON_EXPERIMENTS, PERIODS
from spread.demo.weather import generator

__all__ = ["Carbon", "carbon_run", "grow"]

USED_FRACTION = 0.5
Q10 = 1.8
# share of vegetation carbon that land use emits each year: knots to 2014, then to 2100
LAND_USE = {"historical": ([1850, 1950, 1995, 2014], [0.0010, 0.0024, 0.0024, 0.0019])}
LAND_USE["ssp126"] = ([2014, 2050, 2100], [0.0019, 0.0003, 0.0001])
LAND_USE["ssp585"] = ([2014, 2050, 2100], [0.0019, 0.0014, 0.0008])


@dataclass(frozen=True)
class Carbon:
    """Yearly carbon of the land; leading dimension is the year.

    Parameters
    ----------
    gpp, emission, nbp : ndarray
        Gross primary production, land-use emission and net uptake (year, cell) [kg m-2 yr-1].
    vegetation, soil : ndarray
        Pools at the end of each year, and first of all at the start (year + 1, cell) [kg m-2].
    """

    gpp: np.ndarray
    emission: np.ndarray
    nbp: np.ndarray
    vegetation: np.ndarray
    soil: np.ndarray


def grow(gpp: np.ndarray, decay: np.ndarray, turnover: np.ndarray, cleared: np.ndarray) -> Carbon:
    """Step the two pools year by year from the steady state of the first year, implicitly, so no pool turns negative.

    Parameters
    ----------
    gpp : ndarray
        Gross primary production (year, cell) [kg m-2 yr-1].
    decay : ndarray
        Rate of soil decay (year, cell) [yr-1].
    turnover : ndarray
        Rate of litterfall (cell,) [yr-1].
    cleared : ndarray
        Share of vegetation carbon emitted by land use (year,) [yr-1].

    Returns
    -------
    Carbon
        With nbp equal to the change of both pools: growth less decay, less what land use emits.
    """
    years = len(gpp)
    vegetation, soil = np.empty((years + 1, gpp.shape[1])), np.empty((years + 1, gpp.shape[1]))
    vegetation[0] = USED_FRACTION * gpp[0] / (turnover + cleared[0])
    soil[0] = turnover * vegetation[0] / decay[0]
    for year in range(years):
        vegetation[year + 1] = (vegetation[year] + USED_FRACTION * gpp[year]) / (1.0 + turnover + cleared[year])
        soil[year + 1] = (soil[year] + turnover * vegetation[year + 1]) / (1.0 + decay[year])
    emission = cleared[:, None] * vegetation[1:]
    return Carbon(gpp, emission, USED_FRACTION * gpp - decay * soil[1:] - emission, vegetation, soil)


def _annual(source_id: str, experiment_id: str, member_id: str) -> np.ndarray:
    """Annual mean temperature of a run (year, cell) [K]."""
    first, last = PERIODS[experiment_id]
    monthly = temperature(source_id, experiment_id, member_id, first, last)
    return monthly.reshape(-1, 12, monthly.shape[1]).mean(1)


def carbon_run(source_id: str, experiment_id: str, member_id: str) -> dict[str, np.ndarray]:
    """Yearly land carbon of a historical or scenario run, driven by the temperature of the same member.

    Parameters
    ----------
    source_id, experiment_id, member_id : str
        A model of `CARBON_MODELS`, an experiment of `CARBON_EXPERIMENTS`.

    Returns
    -------
    dict of ndarray
        gpp, nbp [kg m-2 yr-1] and cVeg [kg m-2], each (year, cell); NaN where the cell has no land.
    """
    if experiment_id not in CARBON_EXPERIMENTS:
        raise ValueError(f"land carbon: the demo has {CARBON_EXPERIMENTS}, not {experiment_id!r}")
    runs = ["historical"] if experiment_id == "historical" else ["historical", experiment_id]
    year = np.concatenate([np.arange(PERIODS[run][0], PERIODS[run][1] + 1) for run in runs])
    warm = np.concatenate([_annual(source_id, run, member_id) for run in runs])
    cleared = np.concatenate([np.interp(np.arange(PERIODS[r][0], PERIODS[r][1] + 1), *LAND_USE[r]) for r in runs])
    maps, grid, rng = climate(source_id), model_grid(source_id), generator(source_id, "land")
    moist = 1.0 - np.exp(-maps.rain.mean(0) / 2.2e-5)
    production = moist / (1.0 + np.exp(-(maps.mean - 278.0) / 5.0))
    land = grid.land.ravel() * grid.area.ravel()
    production *= rng.uniform(105.0, 130.0) * 1e12 / (land @ production)
    rise = warm - warm[:51].mean(0)
    fertilised = 1.0 + rng.uniform(0.35, 0.75) * np.log(co2(experiment_id, year + 0.5) / 284.3)
    suited = np.clip(1.0 + np.clip((290.0 - maps.mean) / 500.0, -0.02, 0.04) * rise, 0.2, 2.0)
    rate = Q10 ** ((maps.mean - 288.0 + np.concatenate([np.zeros((1, rise.shape[1])), rise[1:]])) / 10.0) / rng.uniform(
        18.0, 30.0
    )
    turnover = np.full(production.shape, 1.0 / rng.uniform(7.0, 11.0))
    carbon = grow(production * fertilised[:, None] * suited, rate, turnover, cleared)
    dry = np.where(grid.land.ravel() > 0.05, 0.0, np.nan)
    pools = 0.5 * (carbon.vegetation[:-1] + carbon.vegetation[1:])
    here = year >= PERIODS[experiment_id][0]
    return {"gpp": (carbon.gpp + dry)[here], "nbp": (carbon.nbp + dry)[here], "cVeg": (pools + dry)[here]}
