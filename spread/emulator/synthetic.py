"""A synthetic climate whose distribution is known: to try emulators, baselines and scores on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator.samples import Samples

__all__ = ["MODEL", "SyntheticClimate"]

Floats = NDArray[np.float64]

MODEL = "synthetic"
"""In the place of a ``source_id``."""


@dataclass(frozen=True)
class SyntheticClimate:
    """A cycle of the year, a pattern in proportion to warming, and Gaussian weather with a red spectrum.

    Parameters
    ----------
    lat, lon : int
        Size of the grid.
    years : int
        Length of a run.
    warming : float
        At the end of a run [K]; it rises evenly from year to year.
    redness : float
        Amplitude of zonal wavenumber k goes as ``(1 + k)**-redness``, alike at neighbouring latitudes.

    Notes
    -----
    Nothing in it is fitted to a climate model. Months are independent, given the warming.
    """

    lat: int = 8
    lon: int = 12
    years: int = 40
    warming: float = 1.0
    redness: float = 1.0

    @property
    def latitudes(self) -> Floats:
        """Centres [degrees]."""
        return -90 + (np.arange(self.lat) + 0.5) * 180 / self.lat

    @property
    def area(self) -> Floats:
        """Shares of the sphere, ``(lat, lon)``."""
        edges = np.sin(np.deg2rad(np.linspace(-90, 90, self.lat + 1)))
        return np.repeat(np.diff(edges)[:, None] / 2 / self.lon, self.lon, axis=1)

    @property
    def day(self) -> Floats:
        """Part of the year of every month, ``(time,)``."""
        return (np.arange(12 * self.years) % 12 + 0.5) / 12

    @property
    def year(self) -> NDArray[np.int64]:
        """Of every month, from 2001 on, ``(time,)``."""
        return 2001 + np.arange(12 * self.years) // 12

    @property
    def forced(self) -> Floats:
        """Warming of every month [K], ``(time,)``."""
        return self.warming * (np.arange(12 * self.years) // 12 + 1.0) / self.years

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the weather [K], ``(time, lat, 1)``: larger far from the equator, and in its winter."""
        sine = np.sin(np.deg2rad(self.latitudes))[None, :, None]
        return 0.5 + 1.5 * sine**2 * (1 + 0.3 * np.sign(sine) * np.cos(2 * np.pi * self.day)[:, None, None])

    @property
    def mean(self) -> Floats:
        """Expected temperature [K], ``(time, lat, lon)``."""
        sine = np.sin(np.deg2rad(self.latitudes))[None, :, None]
        season = np.cos(2 * np.pi * self.day)[:, None, None]
        around = np.cos(np.deg2rad(np.arange(self.lon) * 360 / self.lon))[None, None, :]
        pattern = 1 + 0.5 * sine**2 + 0.2 * around - 0.2 * sine * season
        return 300 - 40 * sine**2 - 12 * sine * season + pattern * self.forced[:, None, None]

    def weather(self, members: int, seed: int) -> Floats:
        """Draw standardised departures from the mean.

        Parameters
        ----------
        members : int
            How many runs.
        seed : int
            Of the draw.

        Returns
        -------
        ndarray
            Unit variance, ``(member, time, lat, lon)``.
        """
        noise = np.random.default_rng(seed).standard_normal((members, 12 * self.years, self.lat, self.lon))
        return np.asarray(np.einsum("ij,...jk,kl->...il", self._north(), noise, self._round()))

    def draw(self, members: int, seed: int) -> NDArray[np.float32]:
        """Draw runs: what a perfect emulator does.

        Parameters
        ----------
        members : int
            How many.
        seed : int
            Of the draw.

        Returns
        -------
        ndarray
            Temperature [K], ``(member, time, lat, lon)``.
        """
        return (self.mean + self.deviation * self.weather(members, seed)).astype(np.float32)

    def samples(self, runs: int, seed: int) -> Samples:
        """Runs as maps to learn from.

        Parameters
        ----------
        runs : int
            How many.
        seed : int
            Of the draw.

        Returns
        -------
        Samples
            Of one model and one scenario.
        """
        steps = 12 * self.years
        tas = self.draw(runs, seed).reshape(-1, self.lat, self.lon)
        nothing = np.zeros(runs * steps, np.int64)
        return Samples(
            tas, nothing, nothing, np.repeat(np.arange(runs), steps), np.tile(self.year, runs), np.tile(self.day, runs),
            np.tile(12 * 2001 + np.arange(steps), runs), np.tile(self.forced, runs), (MODEL,), ("ssp245",),
            tuple(f"{MODEL}.ssp245.r{run + 1}i1p1f1" for run in range(runs)), self.latitudes,
            np.arange(self.lon) * 360 / self.lon, self.area,
        )  # fmt: skip

    def _round(self) -> Floats:
        """Symmetric circulant root of the covariance along a circle of latitude, rows of unit length."""
        amplitude = (1.0 + np.arange(self.lon // 2 + 1)) ** -self.redness
        row = np.fft.irfft(amplitude, self.lon)
        row /= np.sqrt(np.sum(row**2))
        return np.stack([np.roll(row, shift) for shift in range(self.lon)])

    def _north(self) -> Floats:
        """Mixes neighbouring latitudes, rows of unit length."""
        at = np.arange(self.lat)
        root = np.exp(-np.abs(at[:, None] - at[None, :]) / 1.5)
        return np.asarray(root / np.sqrt(np.sum(root**2, axis=1, keepdims=True)))
