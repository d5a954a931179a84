"""The global-mean warming behind the demo: forcing pathways and a three-layer energy-balance model per climate model.

Parameters come from the bundled `energy_balance.json` and `forcing_knots.json`, which `calibrate.py` fitted. It is
neither an emulator to do science with nor the coupled component of spread; it only makes the demo archive warm as
real models did.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

__all__ = [
    "EnergyBalance",
    "Response",
    "co2",
    "energy_balances",
    "forcing",
    "idealised_forcing",
    "integrate",
    "warming",
]

HERE = Path(__file__).parent
SCENARIOS = ("ssp126", "ssp245", "ssp370", "ssp585")
START, END = 1850, 2130
RAMP = (2015.0, 2080.0)
VOLCANIC_DECAY = 1.2


@dataclass(frozen=True)
class EnergyBalance:
    """Three-layer energy-balance model with deep-ocean efficacy, and how strongly the model feels each forcing.

    Parameters
    ----------
    capacity : tuple of float
        Heat capacity of the three layers [W yr m-2 K-1].
    exchange : tuple of float
        Feedback of the top layer, then the two exchange coefficients downwards [W m-2 K-1].
    efficacy : float
        Efficacy of deep-ocean heat uptake [1].
    forcing_4xco2 : float
        Effective radiative forcing of four times CO2 [W m-2].
    scale : tuple of float
        Factor on greenhouse gases and the rest, on aerosol, on volcanoes [1].
    ramp : tuple of float
        Extra forcing that each of `SCENARIOS` reaches in 2080 [W m-2]: what the shared forcing lacks for this model.

    Source
    ------
    Cummins, Stephenson and Stott 2020, doi:10.1175/JCLI-D-19-0589.1, equations 1-4.
    """

    capacity: tuple[float, ...]
    exchange: tuple[float, ...]
    efficacy: float
    forcing_4xco2: float
    scale: tuple[float, ...]
    ramp: tuple[float, ...]

    def matrix(self) -> np.ndarray:
        """Rate of change of the layer temperatures per kelvin, (3, 3) [yr-1]."""
        c1, c2, c3 = self.capacity
        k1, k2, k3 = self.exchange
        deep = self.efficacy * k3
        return np.array(
            [[-(k1 + k2) / c1, k2 / c1, 0.0], [k2 / c2, -(k2 + deep) / c2, deep / c2], [0.0, k3 / c3, -k3 / c3]]
        )


@dataclass(frozen=True)
class Response:
    """What `integrate` returns; leading dimension is the step.

    Parameters
    ----------
    temperature : ndarray
        Step means of the layer temperatures (step, 3, ...) [K].
    imbalance : ndarray
        Step means of the net downward flux at the top of the atmosphere (step, ...) [W m-2].
    final : ndarray
        Layer temperatures at the end (3, ...) [K].
    """

    temperature: np.ndarray
    imbalance: np.ndarray
    final: np.ndarray


def _expm(matrix: np.ndarray) -> np.ndarray:
    """Matrix exponential by scaling and squaring of a Taylor series; enough for these small, well-scaled matrices."""
    squarings = max(0, int(np.ceil(np.log2(max(np.abs(matrix).sum(1).max(), 1e-300)))) + 4)
    small, term = matrix / 2.0**squarings, np.eye(len(matrix))
    total = term.copy()
    for order in range(1, 13):
        term = term @ small / order
        total += term
    for _ in range(squarings):
        total = total @ total
    return total


def integrate(model: EnergyBalance, forcing: np.ndarray, step: float = 1.0 / 12.0) -> Response:
    """Integrate the model exactly for a forcing that is constant within each step, from equilibrium.

    Parameters
    ----------
    model : EnergyBalance
    forcing : ndarray
        Effective radiative forcing (step, ...) [W m-2].
    step : float
        Length of a step [yr].

    Returns
    -------
    Response
        Step means, so that the imbalance sums exactly to the change of heat content.
    """
    forcing = np.asarray(forcing, float)
    flat = forcing.reshape(len(forcing), -1)
    generator = np.zeros((7, 7))
    generator[:3, :3] = model.matrix()
    generator[0, 6] = 1.0 / model.capacity[0]
    generator[3:6, :3] = np.eye(3)
    propagator = _expm(generator * step)
    advance, push = propagator[:3, :3], propagator[:3, 6:] * flat[:, None, :]
    state = np.zeros((len(flat) + 1, 3, flat.shape[1]))
    for n in range(len(flat)):
        state[n + 1] = advance @ state[n] + push[n]
    mean = (propagator[3:6, :3] @ state[:-1] + propagator[3:6, 6:] * flat[:, None, :]) / step
    k1, _, k3 = model.exchange
    imbalance = flat - k1 * mean[:, 0] + (1.0 - model.efficacy) * k3 * (mean[:, 1] - mean[:, 2])
    shape = forcing.shape[1:]
    return Response(mean.reshape(-1, 3, *shape), imbalance.reshape(-1, *shape), state[-1].reshape(3, *shape))


@cache
def _knots() -> dict:
    """Fitted description of the forcing pathways, as `calibrate.py` wrote it."""
    return json.loads((HERE / "forcing_knots.json").read_text())


def energy_balance_of(row: dict) -> EnergyBalance:
    """Read a row of `energy_balance.json`."""
    capacity, exchange, scale, ramp = (tuple(row[key]) for key in ("capacity", "exchange", "scale", "ramp"))
    return EnergyBalance(capacity, exchange, row["efficacy"], row["forcing_4xco2"], scale, ramp)


@cache
def energy_balances() -> dict[str, EnergyBalance]:
    """Fitted energy balance of every model, by source_id."""
    table = json.loads((HERE / "energy_balance.json").read_text())["models"]
    return {name: energy_balance_of(row) for name, row in table.items()}


def volcanic(year: np.ndarray, eruptions: list[list[float]], background: list[list[float]]) -> np.ndarray:
    """Volcanic forcing: a quiet background and, after each eruption, a peak that decays with `VOLCANIC_DECAY`.

    Parameters
    ----------
    year : ndarray
        Decimal years.
    eruptions : list
        Pairs of decimal year and peak forcing [W m-2, positive downwards].
    background : list
        Knot years and knot values [W m-2].

    Returns
    -------
    ndarray
        Forcing [W m-2] in the shape of `year`.
    """
    total = np.interp(year, background[0], background[1])
    for start, peak in eruptions:
        age = np.clip(year - start, 0.0, None)
        total = total + np.where(year >= start, peak * np.exp(-age / VOLCANIC_DECAY), 0.0)
    return total


def _interpolated(component: dict, scenario: str, year: np.ndarray) -> np.ndarray:
    """A piecewise-linear pathway: shared historical knots, then those of the scenario."""
    years = component["historical_years"] + component["scenario_years"]
    return np.interp(year, years, component["historical"] + component[scenario])


@cache
def _components(first: int, last: int) -> np.ndarray:
    """Forcing components at the middle of each month, (month, 3, scenario) [W m-2]."""
    year, knots = first + (np.arange(12 * (last - first + 1)) + 0.5) / 12.0, _knots()
    fire = volcanic(year, knots["volcanic"]["eruptions"], knots["volcanic"]["background"])
    return np.stack(
        [
            np.stack([_interpolated(knots["greenhouse"], s, year), _interpolated(knots["aerosol"], s, year), fire], 1)
            for s in SCENARIOS
        ],
        2,
    )


def forcing(model: EnergyBalance) -> np.ndarray:
    """Effective radiative forcing of the historical period and each of `SCENARIOS`, relative to 1850.

    Returns
    -------
    ndarray
        (month, scenario) [W m-2], January 1850 to December 2130.
    """
    year = START + (np.arange(12 * (END - START + 1)) + 0.5) / 12.0
    ramp = np.clip((year - RAMP[0]) / (RAMP[1] - RAMP[0]), 0.0, 1.0)
    scaled = np.einsum("tcs,c->ts", _components(START, END), np.array(model.scale))
    return scaled + ramp[:, None] * np.array(model.ramp)


@cache
def _temperature(source_id: str) -> np.ndarray:
    """Surface warming of a model relative to its mean of 1850-1900, (month, scenario) [K]."""
    model = energy_balances()[source_id]
    surface = integrate(model, forcing(model)).temperature[:, 0]
    return surface - surface[: 12 * 51].mean(0)


def warming(source_id: str, experiment_id: str, first: int, last: int) -> np.ndarray:
    """Monthly noise-free warming of a model relative to its mean of 1850-1900.

    Parameters
    ----------
    source_id : str
        A model of `energy_balance.json`.
    experiment_id : str
        `historical` or one of `SCENARIOS`.
    first, last : int
        First and last calendar year, within 1850..2130.

    Returns
    -------
    ndarray
        (month,) [K].
    """
    column = SCENARIOS.index(experiment_id) if experiment_id in SCENARIOS else SCENARIOS.index("ssp245")
    return _temperature(source_id)[12 * (first - START) : 12 * (last - START + 1), column]


def co2(experiment_id: str, year: np.ndarray) -> np.ndarray:
    """Atmospheric CO2 of a historical or scenario run, interpolated between decades [ppm]."""
    return _interpolated(_knots()["co2"], experiment_id if experiment_id in SCENARIOS else "ssp245", year)


def idealised_forcing(model: EnergyBalance, experiment_id: str, years: int) -> np.ndarray:
    """Forcing of abrupt-4xCO2, 1pctCO2 or piControl, (month,) [W m-2]; 1pctCO2 rises linearly as CO2 compounds."""
    year = (np.arange(12 * years) + 0.5) / 12.0
    fraction = {
        "abrupt-4xCO2": np.ones_like(year),
        "1pctCO2": np.minimum(year * np.log(1.01) / np.log(4.0), 1.0),
        "piControl": np.zeros_like(year),
    }
    return model.forcing_4xco2 * fraction[experiment_id]
