"""Scores of variability: how large, at which scales, with which memory, and in which season."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.emulator.comparison import Comparison
from spread.emulator.estimates import Floats, Score
from spread.emulator.scores import Members, weighted

__all__ = [
    "cycle_amplitude", "cycle_phase", "global_mean_deviation", "global_mean_memory", "local_deviation",
    "spectrum_of_truth", "spectrum_ratio",
]  # fmt: skip

DAYS = 365.25
"""In a year: phases are said in days."""

Counts = NDArray[np.integer]

NO_POWER = 1e-6
"""Share of the truth's power below which a wavenumber is not there to be compared: a model whose grid is coarser than
the common one has none at the smallest scales."""


def spectrum_ratio(given: Comparison) -> Score:
    """Power of the emulator's anomalies over that of the truth's, by zonal wavenumber.

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        An array, from wavenumber 0 to half the number of longitudes; NaN where the truth has no power.
    """
    power = _power(given)

    def value(members: Members, counts: Counts) -> Floats:
        mean = np.einsum("ryk,y->rk", power, counts / counts.sum())
        known = mean[-1] > NO_POWER * mean[-1].sum()
        return np.where(known, mean[members].mean(axis=0) / np.where(known, mean[-1], 1.0), np.nan)

    return Score("spectrum ratio", "", value, given.members, len(given.years))


def spectrum_of_truth(given: Comparison) -> Score:
    """Power of the truth's anomalies by zonal wavenumber [K2]: its error over years is how well one run knows it.

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
    """
    power = _power(given, truth_only=True)[0]

    def value(members: Members, counts: Counts) -> Floats:
        return np.asarray(counts @ power / counts.sum())

    return Score("spectrum of the truth", "K2", value, 1, len(given.years))


def _power(given: Comparison, truth_only: bool = False) -> Floats:
    """Means by year and wavenumber, over latitudes by area, ``(run, year, wavenumber)``."""
    rows, count = np.asarray(given.area, np.float64).sum(axis=1), given.truth.shape[2]
    chosen = given.anomalies[-1:] if truth_only else given.anomalies
    made = []
    for run in chosen:
        waves = np.fft.rfft(run.reshape(len(run), len(rows), count), axis=-1) / count
        power = np.einsum("tlk,l->kt", waves.real**2 + waves.imag**2, rows)
        made.append(given.by_year(power).T)
    return np.stack(made)


def global_mean_deviation(given: Comparison) -> Score:
    """Standard deviation of the global mean's anomalies over the truth's.

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
    """
    square = given.by_year(given.global_mean**2)

    def value(members: Members, counts: Counts) -> float:
        mean = weighted(square, counts)
        return float(np.sqrt(mean[members].mean() / mean[-1]))

    return Score("global-mean sd ratio", "", value, given.members, len(given.years))


def global_mean_memory(given: Comparison) -> Score:
    """Autocorrelation of the global mean's anomalies from step to step, less the truth's.

    Parameters
    ----------
    given : Comparison
        Maps and truth, whose years follow each other.

    Returns
    -------
    Score
        The steps from one year to the next are left out, so that years can be drawn.
    """
    inside = given.global_mean[:, given.in_year]
    both = (inside[..., 1:] * inside[..., :-1]).sum(axis=-1)
    ends = ((inside[..., 1:] ** 2).sum(axis=-1) + (inside[..., :-1] ** 2).sum(axis=-1)) / 2

    def value(members: Members, counts: Counts) -> float:
        up, down = both @ counts, ends @ counts
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(up[members].sum() / down[members].sum() - up[-1] / down[-1])

    return Score("lag-1 difference", "", value, given.members, len(given.years))


def local_deviation(given: Comparison) -> Score:
    """Error of the map of standard deviations of anomalies, root mean square over cells by area [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        Of the mean over members of each one's own map.
    """
    square = np.stack([np.square(run[given.in_year], dtype=np.float64).mean(axis=1) for run in given.anomalies])
    area = np.asarray(given.area, np.float64).ravel()

    def value(members: Members, counts: Counts) -> float:
        maps = np.sqrt((counts / counts.sum()) @ square)
        return root_mean_square(maps[members].mean(axis=0) - maps[-1], area)

    return Score("sd-map RMSE", "K", value, given.members, len(given.years))


def root_mean_square(values: Floats, area: Floats) -> float:
    """Over cells by area."""
    return float(np.sqrt(values**2 @ area))


def cycle_amplitude(given: Comparison) -> Score:
    """Error of the amplitude of the annual harmonic, root mean square over cells by area [K].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        Of the mean over members and years.
    """
    of_year, area = _harmonic(given), np.asarray(given.area, np.float64).ravel()

    def value(members: Members, counts: Counts) -> float:
        mine, true = _cycles(of_year, members, counts)
        return root_mean_square(np.abs(mine) - np.abs(true), area)

    return Score("cycle amplitude RMSE", "K", value, given.members, len(given.years))


def cycle_phase(given: Comparison) -> Score:
    """Shift of the annual harmonic, positive where the emulator is late, mean by area and squared amplitude [days].

    Parameters
    ----------
    given : Comparison
        Maps and truth.

    Returns
    -------
    Score
        Cells without seasons, whose phase means nothing, weigh nothing.
    """
    of_year, area = _harmonic(given), np.asarray(given.area, np.float64).ravel()

    def value(members: Members, counts: Counts) -> float:
        mine, true = _cycles(of_year, members, counts)
        return float(np.angle((true * mine.conj()) @ area) / (2 * np.pi) * DAYS)

    return Score("cycle phase", "days", value, given.members, len(given.years))


def _harmonic(given: Comparison) -> Floats:
    """Twice the cosine and sine coefficients of every year, ``(2, run, year, cell)``."""
    angle = 2 * np.pi * np.asarray(given.day, np.float64)
    steps, made = given.in_year, np.empty((2, len(given.runs), len(given.years), given.runs.shape[-1]))
    waves = (2 * np.stack([np.cos(angle), np.sin(angle)]) / steps.shape[1]).astype(np.float32)
    for run in range(made.shape[1]):
        for year, of in enumerate(steps):
            made[:, run, year] = waves[:, of] @ given.runs[run, of]
    return made


def _cycles(of_year: Floats, members: Members, counts: Counts) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Mean of the members and the truth; the phase of each is minus that of the maximum."""
    cosine, sine = (counts / counts.sum()) @ of_year
    mean = cosine - 1j * sine
    return mean[members].mean(axis=0), mean[-1]
