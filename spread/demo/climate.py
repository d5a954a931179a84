"""Monthly fields of the demo: a climatology, a season, a warming pattern times the energy balance, and weather.

Shapes follow what textbooks say of temperature and rain; they are not fields of the models whose names they bear.
Only the global-mean warming and the base state are those of the real models.
"""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from spread.demo.energy_balance import HERE, warming
from spread.demo.grid import model_grid
from spread.demo.weather import el_nino_index, generator, noise_modes, red_noise

__all__ = ["Climate", "climate", "rain", "temperature"]


@dataclass(frozen=True)
class Climate:
    """Fixed maps of a model, flat over its cells.

    Parameters
    ----------
    weights : ndarray
        Area shares (cell,), sum 1.
    mean, season : ndarray
        Annual mean (cell,) and departure of each month (12, cell) of temperature in 1850-1900 [K].
    pattern : ndarray
        Local warming per kelvin of global warming (cell,) [1]; its area mean is 1.
    fast, slow : ndarray
        Standard deviation of month-to-month weather (12, cell) and of slow weather (cell,) [K].
    el_nino : ndarray
        Temperature per unit of the index (cell,) [K].
    rain, rain_change : ndarray
        Precipitation of each month (12, cell) [kg m-2 s-1] and its change with global warming (cell,) [K-1].
    """

    weights: np.ndarray
    mean: np.ndarray
    season: np.ndarray
    pattern: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    el_nino: np.ndarray
    rain: np.ndarray
    rain_change: np.ndarray


def _bump(lat: np.ndarray, lon: np.ndarray, centre: tuple[float, float], width: tuple[float, float]) -> np.ndarray:
    """Gaussian bump of height 1 at a (latitude, longitude), widths in degrees."""
    away = (lon - centre[1] + 180.0) % 360.0 - 180.0
    return np.exp(-0.5 * (((lat - centre[0]) / width[0]) ** 2 + (away / width[1]) ** 2))


def _smooth(rng: np.random.Generator, source_id: str) -> np.ndarray:
    """A random smooth map of unit variance, (cell,)."""
    modes = noise_modes(source_id)
    return rng.standard_normal(len(modes)) @ modes


def _pattern(source_id: str, lat: np.ndarray, lon: np.ndarray, land: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Warming pattern: land and the Arctic warm more, the Southern Ocean and North Atlantic less; mean 1."""
    rng = generator(source_id, "pattern")
    contrast, arctic = rng.uniform(1.35, 1.6), rng.uniform(1.1, 1.9)
    southern, atlantic = rng.uniform(0.25, 0.45), rng.uniform(0.35, 0.8)
    shape = 1.0 + (contrast - 1.0) * land + arctic / (1.0 + np.exp(-(lat - 68.0) / 5.0))
    shape -= southern * (1.0 - land) * np.exp(-0.5 * ((lat + 57.0) / 9.0) ** 2)
    shape -= atlantic * (1.0 - land) * _bump(lat, lon, (54.0, 327.0), (8.0, 16.0))
    shape += 0.07 * _smooth(rng, source_id)
    return shape / (weights @ shape)


def _temperature_maps(
    source_id: str, lat: np.ndarray, lon: np.ndarray, land: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Annual mean (cell,) with the model's real global mean, and season (12, cell) [K]."""
    rng = generator(source_id, "climatology")
    sine = np.sin(np.deg2rad(lat))
    mean = 299.5 - 30.0 * sine**2 - 12.0 * sine**4 - 5.0 * land * np.abs(sine)
    mean -= 22.0 * land * (lat < -60.0) + 14.0 * land * _bump(lat, lon, (33.0, 88.0), (7.0, 14.0))
    mean -= 14.0 * land * _bump(lat, lon, (73.0, 320.0), (8.0, 14.0)) - 5.0 * (1 - land) * _bump(
        lat, lon, (64.0, 0.0), (8.0, 20.0)
    )
    mean += 0.9 * _smooth(rng, source_id)
    base = json.loads((HERE / "energy_balance.json").read_text())["models"][source_id]["base_state"]
    mean += base - weights @ mean
    month = np.arange(12)[:, None] + 0.5
    sea, shore = (2.5 + 2.0 * np.abs(sine)) * np.abs(sine), 1.5 * np.abs(sine) + 17.0 * np.abs(sine) ** 1.5
    cycle = sea * (1 - land) * np.cos(2 * np.pi * (month - 7.9) / 12) + shore * land * np.cos(
        2 * np.pi * (month - 6.8) / 12
    )
    season = np.tanh(lat / 8.0) * cycle
    days = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return mean, season - np.average(season, axis=0, weights=days)


def _rain_maps(source_id: str, lat: np.ndarray, lon: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precipitation (12, cell) [kg m-2 s-1] and its change (cell,) [K-1]: wet places wetter, the subtropics drier."""
    rng = generator(source_id, "rain")
    month, shifted = np.arange(12)[:, None] + 0.5, np.empty(0)
    shifted = lat + -5.0 - 7.0 * np.cos(2 * np.pi * (month - 7.5) / 12)
    shape = 0.35 + 2.2 * np.exp(-0.5 * (shifted / 8.0) ** 2) + 1.1 * np.exp(-0.5 * ((np.abs(lat) - 46.0) / 13.0) ** 2)
    shape = shape * (0.25 + 0.75 / (1.0 + np.exp((np.abs(lat) - 66.0) / 6.0))) * np.exp(0.25 * _smooth(rng, source_id))
    shape *= 1.0 - 0.6 * _bump(lat, lon, (23.0, 12.0), (9.0, 30.0))
    total = rng.uniform(2.7, 3.05) / 86400.0
    shape *= total / (shape.mean(0) @ weights)
    annual, sensitivity = shape.mean(0), rng.uniform(0.012, 0.028)
    change = np.clip(0.03 * (annual / total - 1.0), -0.04, 0.04) + 0.05 / (1.0 + np.exp(-(np.abs(lat) - 58.0) / 6.0))
    change += 0.012 * _smooth(rng, source_id)
    change += sensitivity - (weights * annual) @ change / (weights @ annual)
    return shape, np.clip(change, -0.07, 0.14)


@cache
def climate(source_id: str) -> Climate:
    """Fixed maps of a demo model."""
    grid = model_grid(source_id)
    (lat, lon), land, weights = grid.centres, grid.land.ravel(), grid.weights
    mean, season = _temperature_maps(source_id, lat, lon, land, weights)
    sine = np.sin(np.deg2rad(lat))
    winter = np.cos(2 * np.pi * (np.arange(12)[:, None] - 0.5) / 12) * np.tanh(lat / 20.0)
    fast = (0.25 + 0.75 * sine**2 + land * (0.35 + 1.5 * sine**2)) * (1.0 + 0.45 * winter * np.abs(sine))
    slow = 0.38 - 0.13 * land
    el_nino = 0.9 * _bump(lat, lon, (0.0, 225.0), (9.0, 38.0)) - 0.25 * _bump(lat, lon, (2.0, 140.0), (12.0, 18.0))
    el_nino += generator(source_id, "el nino").uniform(0.085, 0.11) - weights @ el_nino
    rainfall, change = _rain_maps(source_id, lat, lon, weights)
    return Climate(
        weights, mean, season, _pattern(source_id, lat, lon, land, weights), fast, slow, el_nino, rainfall, change
    )


def temperature(source_id: str, experiment_id: str, member_id: str, first: int, last: int) -> np.ndarray:
    """Monthly near-surface air temperature of one run.

    Parameters
    ----------
    source_id, experiment_id, member_id : str
    first, last : int
        First and last year.

    Returns
    -------
    ndarray
        (month, cell) [K].
    """
    maps, months = climate(source_id), 12 * (last - first + 1)
    modes, rng = noise_modes(source_id), generator(source_id, experiment_id, member_id, "tas")
    year = np.arange(months) % 12
    fast, slow = (red_noise(rng, months, len(modes), persistence) for persistence in (0.2, 0.88))
    field = (fast @ modes) * maps.fast[year] + (slow @ modes) * maps.slow
    field -= (field @ maps.weights)[:, None]
    field += np.outer(el_nino_index(rng, months), maps.el_nino)
    field += np.outer(warming(source_id, experiment_id, first, last), maps.pattern)
    return field + maps.mean + maps.season[year]


def rain(source_id: str, experiment_id: str, member_id: str, first: int, last: int) -> np.ndarray:
    """Monthly precipitation of one run.

    Parameters
    ----------
    source_id, experiment_id, member_id : str
    first, last : int
        First and last year.

    Returns
    -------
    ndarray
        (month, cell) [kg m-2 s-1], never negative.
    """
    maps, months, spread = climate(source_id), 12 * (last - first + 1), 0.45
    modes, rng = noise_modes(source_id), generator(source_id, experiment_id, member_id, "pr")
    noise = red_noise(rng, months, len(modes), 0.15) @ modes
    factor = np.exp(spread * noise - 0.5 * spread**2 * (modes**2).sum(0))
    change = 1.0 + np.outer(warming(source_id, experiment_id, first, last), maps.rain_change)
    return maps.rain[np.arange(months) % 12] * np.clip(change, 0.2, None) * factor
