"""Maps of temperature to learn from: plain arrays, and the contract that they keep."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spread.errors import BadModel

__all__ = ["FREQUENCIES", "Samples"]

FREQUENCIES = ("mon", "day")
"""Of the maps that an emulator learns from."""


@dataclass(frozen=True)
class Samples:
    """Maps of near-surface air temperature of some models' runs on one grid, in the order of time within each run.

    Parameters
    ----------
    tas : ndarray
        Temperature [K], ``(sample, lat, lon)``, without gaps.
    model, scenario, run : ndarray
        Numbers, from 0 on, of :attr:`models`, :attr:`scenarios` and :attr:`runs`, ``(sample,)``.
    year : ndarray
        Calendar year, ``(sample,)``.
    day : ndarray
        Middle of the step as a part of its year, 0 to 1, ``(sample,)``.
    step : ndarray
        Number of the step: months since year 0, or days since then in the calendar of the model, ``(sample,)``.
    warming : ndarray
        Forced global warming that the sample's model would have [K], ``(sample,)``.
    models, scenarios, runs : tuple of str
        ``source_id``, ``experiment_id``, and ``source_id.experiment_id.member_id``.
    lat, lon : ndarray
        Centres [degrees].
    area : ndarray
        Share of the Earth's area, sum 1, ``(lat, lon)``.
    frequency : str
        ``mon`` or ``day``.

    Raises
    ------
    BadModel
        With every breach.
    """

    tas: NDArray[np.floating]
    model: NDArray[np.integer]
    scenario: NDArray[np.integer]
    run: NDArray[np.integer]
    year: NDArray[np.integer]
    day: NDArray[np.float64]
    step: NDArray[np.integer]
    warming: NDArray[np.float64]
    models: tuple[str, ...]
    scenarios: tuple[str, ...]
    runs: tuple[str, ...]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    area: NDArray[np.float64]
    frequency: str = "mon"

    def __post_init__(self) -> None:
        breaches = [*self._of_shape(), *self._of_numbers()]
        if not breaches:
            breaches = self._of_values()
        if breaches:
            raise BadModel("samples: " + "; ".join(breaches))

    def __len__(self) -> int:
        return len(self.tas)

    @property
    def cells(self) -> NDArray[np.floating]:
        """The maps as rows, ``(sample, cell)``."""
        return self.tas.reshape(len(self.tas), -1)

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        """Some of the samples; names stay, numbered as they were."""
        names = ("tas", "model", "scenario", "run", "year", "day", "step", "warming")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def follows(self) -> NDArray[np.bool_]:
        """Whether a sample comes one step after the one before it, in the same run."""
        made = np.zeros(len(self), bool)
        made[1:] = (np.diff(self.run) == 0) & (np.diff(self.step) == 1)
        return made

    def _of_shape(self) -> list[str]:
        count, found = len(self.tas), []
        if self.tas.ndim != 3:
            return [f"tas: expected (sample, lat, lon), got {self.tas.shape}"]
        for name in ("model", "scenario", "run", "year", "day", "step", "warming"):
            if np.shape(getattr(self, name)) != (count,):
                found.append(f"{name}: expected one for each of {count} samples, got {np.shape(getattr(self, name))}")
        grid = self.tas.shape[1:]
        if (len(self.lat), len(self.lon)) != grid or np.shape(self.area) != grid:
            found.append(f"grid: maps are {grid}, latitudes, longitudes and areas say otherwise")
        if self.frequency not in FREQUENCIES:
            found.append(f"frequency: expected one of {', '.join(FREQUENCIES)}, got {self.frequency!r}")
        if count == 0:
            found.append("there is none; choose more years, runs or models")
        return found

    def _of_numbers(self) -> list[str]:
        found = []
        for name in ("model", "scenario", "run"):
            numbers, names = np.asarray(getattr(self, name)), getattr(self, f"{name}s")
            if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(names)):
                found.append(f"{name}: expected numbers below {len(names)}, got {numbers.min()} to {numbers.max()}")
        if not np.isclose(np.sum(self.area), 1.0, rtol=1e-9, atol=0) or np.min(self.area) < 0:
            found.append(f"area: expected shares of 0 or more with the sum 1, got the sum {np.sum(self.area):.6g}")
        return found

    def _of_values(self) -> list[str]:
        bad = ~np.isfinite(self.tas).all(axis=(1, 2)) | ~np.isfinite(self.warming) | ~np.isfinite(self.day)
        first = np.flatnonzero(bad)
        if not first.size:
            return []
        at = first[0]
        return [
            f"{first.size} maps have absent values, the first of {self.runs[self.run[at]]} in {self.year[at]},"
            f" {self.day[at]:.3f} of the year; mend or leave out those years"
        ]
