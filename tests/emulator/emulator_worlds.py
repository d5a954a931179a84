"""Synthetic models whose distribution is known, as samples, and small emulators of them; nothing here is a climate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from spread.emulator import Emulator, Prepared, Recipe, Samples, prepare, train
from spread.emulator.training import started

RECIPE = Recipe(steps=40, batch=32, width=16, depth=1, modes=12)
"""Trains in a second."""


@dataclass(frozen=True)
class World:
    """Gaussian maps about a cycle of the year and a pattern in proportion to warming, of several synthetic models.

    Parameters
    ----------
    models, scenarios : tuple of str
        Scenarios differ in their warming: the first reaches 1.5 K, the next 2.5 K more, and so on.
    years, runs : int
        Of each scenario.
    lat, lon : int
        Size of the grid.
    growth : float
        Of the logarithm of the variance, per kelvin.
    seed : int
        Of the weather.
    """

    models: tuple[str, ...] = ("ALPHA", "BETA")
    scenarios: tuple[str, ...] = ("ssp126", "ssp585")
    years: int = 40
    runs: int = 1
    lat: int = 4
    lon: int = 6
    growth: float = 0.1
    seed: int = 0

    @property
    def latitudes(self):
        return -90 + (np.arange(self.lat) + 0.5) * 180 / self.lat

    @property
    def longitudes(self):
        return (np.arange(self.lon) + 0.5) * 360 / self.lon

    @property
    def area(self):
        edges = np.sin(np.deg2rad(np.linspace(-90, 90, self.lat + 1)))
        return np.repeat(np.diff(edges)[:, None] / 2 / self.lon, self.lon, axis=1)

    def mean(self, model, warming, day):
        """Expected maps [K], ``(time, cell)``."""
        lat, lon = (np.deg2rad(grid.ravel()) for grid in np.meshgrid(self.latitudes, self.longitudes, indexing="ij"))
        cycle = -10 * np.outer(np.cos(2 * np.pi * day), np.sin(lat))
        pattern = (1 + 0.1 * model) * (1 + 0.5 * np.sin(lat) ** 2 + 0.2 * np.cos(lon))
        return 290 + model - 30 * np.sin(lat) ** 2 + cycle + np.outer(warming, pattern)

    def deviation(self, model, warming, day):
        """Standard deviation of the weather [K], ``(time, cell)``."""
        lat = np.repeat(np.deg2rad(self.latitudes), self.lon)
        of_season = 1 + 0.4 * np.outer(np.cos(2 * np.pi * day), np.sign(lat) * np.sin(lat) ** 2)
        return (0.5 + 0.2 * model + np.sin(lat) ** 2) * of_season * np.exp(0.5 * self.growth * warming)[:, None]

    def correlation(self, model):
        """Of any two cells: it falls with their distance on the sphere, faster in later models."""
        lat, lon = (np.deg2rad(grid.ravel()) for grid in np.meshgrid(self.latitudes, self.longitudes, indexing="ij"))
        place = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
        apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
        return np.exp(-apart * (1 + model))

    def samples(self) -> Samples:
        """All runs of all models."""
        random, steps = np.random.default_rng(self.seed), 12 * self.years
        day, year = (np.arange(steps) % 12 + 0.5) / 12, 2015 + np.arange(steps) // 12
        parts, runs = [], []
        for m, model in enumerate(self.models):
            root = np.linalg.cholesky(self.correlation(m))
            for s, scenario in enumerate(self.scenarios):
                for member in range(self.runs):
                    warming = 0.5 + (1 + 2.5 * s) * (np.arange(steps) // 12) / self.years
                    weather = random.standard_normal((steps, len(root))) @ root.T
                    tas = self.mean(m, warming, day) + self.deviation(m, warming, day) * weather
                    parts.append({
                        "tas": tas.astype(np.float32).reshape(steps, self.lat, self.lon), "model": np.full(steps, m),
                        "scenario": np.full(steps, s), "run": np.full(steps, len(runs)), "year": year, "day": day,
                        "step": 12 * 2015 + np.arange(steps), "warming": warming,
                    })  # fmt: skip
                    runs.append(f"{model}.{scenario}.r{member + 1}i1p1f1")
        return Samples(
            **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, models=self.models,
            scenarios=self.scenarios, runs=tuple(runs), lat=self.latitudes, lon=self.longitudes, area=self.area,
        )  # fmt: skip


@cache
def prepared(world: World = World(), recipe: Recipe = RECIPE) -> Prepared:
    return prepare(world.samples(), recipe, synthetic=True)


@cache
def gaussian(world: World = World(), recipe: Recipe = RECIPE) -> Emulator:
    """Before the first step of training, which is the exact denoiser of normal data."""
    made = prepared(world, recipe)
    return made.emulator(started(made.space, made.facts, recipe)[0].best)


@cache
def training(world: World = World(), recipe: Recipe = RECIPE):
    """Emulator, last state and losses of a training of a few steps: no longer linear, though not good."""
    return train(prepared(world, recipe))


def trained(world: World = World(), recipe: Recipe = RECIPE) -> Emulator:
    """With the last network, whether or not it was the best on the years kept back."""
    return prepared(world, recipe).emulator(training(world, recipe)[1].training.average)
