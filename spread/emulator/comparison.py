"""An emulator's maps beside those of a run that it has not seen, and what all scores take from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spread.emulator.seasons import KNOTS
from spread.errors import BadModel

__all__ = ["Comparison"]

Floats = NDArray[np.float64]

_CHUNK = 64
"""Steps that are worked on at once, so that the members of a chunk stay in the processor's cache."""


@dataclass(frozen=True)
class Comparison:
    """Maps of an emulator, and the truth: a run of the model itself under the same forcing.

    Parameters
    ----------
    emulated : ndarray
        Temperature [K], ``(member, time, lat, lon)``.
    truth : ndarray
        Temperature [K], ``(time, lat, lon)``.
    area : ndarray
        Shares of the Earth's area, sum 1, ``(lat, lon)``.
    day : ndarray
        Part of the year, 0 to 1, ``(time,)``.
    year : ndarray
        Calendar year, ``(time,)``; each with the same number of steps, but for a leap day.
    warming : ndarray, optional
        Forced global warming [K], ``(time,)``. Where it is given, anomalies are departures from a line in it, fitted
        to every run, cell and month, and not only from the month's mean: the forced trend is not variability.

    Raises
    ------
    BadModel
        With every breach.
    """

    emulated: NDArray[np.floating]
    truth: NDArray[np.floating]
    area: Floats
    day: Floats
    year: NDArray[np.integer]
    warming: Floats | None = None

    def __post_init__(self) -> None:
        breaches = self._of_shape() or self._of_values()
        if breaches:
            raise BadModel("comparison: " + "; ".join(breaches))

    @property
    def members(self) -> int:
        """How many the emulator has."""
        return len(self.emulated)

    @cached_property
    def years(self) -> NDArray[np.integer]:
        """Calendar years, rising."""
        return np.unique(self.year)

    @cached_property
    def in_year(self) -> NDArray[np.intp]:
        """Steps of every year, in order, ``(year, step)``; the 366th day of a leap year is left out."""
        order = np.argsort(self.year, kind="stable")
        first, count = np.unique(self.year[order], return_index=True, return_counts=True)[1:]
        return np.asarray(order[first[:, None] + np.arange(count.min())])

    @cached_property
    def month(self) -> NDArray[np.intp]:
        """Month of every step, 0 to 11, ``(time,)``."""
        return np.minimum((np.asarray(self.day, np.float64) * KNOTS).astype(np.intp), KNOTS - 1)

    @cached_property
    def runs(self) -> NDArray[np.float32]:
        """The members and then the truth, less its mean for single precision's sake, ``(member + 1, time, cell)``."""
        offset = np.mean(self.truth, axis=0, dtype=np.float64)
        made = np.empty((self.members + 1, *self.truth.shape), np.float32)
        for member, run in enumerate([*self.emulated, self.truth]):
            np.subtract(run, offset, out=made[member], casting="unsafe")
        return made.reshape(self.members + 1, len(self.truth), -1)

    @cached_property
    def cells(self) -> NDArray[np.float32]:
        """Shares of the area, ``(cell,)``."""
        return np.asarray(self.area, np.float32).ravel()

    @cached_property
    def anomalies(self) -> NDArray[np.float32]:
        """Departures of every run from its own climatology, ``(member + 1, time, cell)``."""
        made = np.empty_like(self.runs)
        for month in np.unique(self.month):
            steps = np.flatnonzero(self.month == month)
            columns = [np.ones(len(steps))]
            if self.warming is not None and np.ptp(self.warming[steps]) > 0 and len(steps) > 2:
                columns.append(self.warming[steps] - self.warming[steps].mean())
            base = np.linalg.qr(np.stack(columns, axis=1))[0].astype(np.float32)
            for run in range(len(self.runs)):
                values = self.runs[run, steps]
                made[run, steps] = values - base @ (base.T @ values)
        return made

    @cached_property
    def distances(self) -> tuple[Floats, Floats]:
        """Of all pairs of runs: area means of absolute differences, and inner products of differences from the truth.

        Returns
        -------
        tuple of ndarray
            Each ``(member + 1, member + 1, time)`` [K], [K2].
        """
        count, times = len(self.runs), len(self.truth)
        absolute, inner = np.zeros((count, count, times)), np.empty((count, count, times))
        root = np.sqrt(self.cells)
        for start in range(0, times, _CHUNK):
            now = slice(start, start + _CHUNK)
            piece = np.ascontiguousarray(self.runs[:, now])
            for run in range(count - 1):
                gap = np.abs(piece[run + 1 :] - piece[run]) @ self.cells
                absolute[run, run + 1 :, now] = absolute[run + 1 :, run, now] = gap
            apart = ((piece - piece[-1]) * root).transpose(1, 0, 2).astype(np.float64)
            inner[:, :, now] = np.moveaxis(apart @ apart.transpose(0, 2, 1), 0, -1)
        return absolute, inner

    @cached_property
    def global_mean(self) -> Floats:
        """Of anomalies [K], ``(member + 1, time)``."""
        return (self.anomalies @ self.cells).astype(np.float64)

    def by_year(self, values: NDArray[np.floating]) -> Floats:
        """Means over the steps of every year.

        Parameters
        ----------
        values : ndarray
            ``(..., time)``.

        Returns
        -------
        ndarray
            ``(..., year)``.
        """
        return np.asarray(values[..., self.in_year].mean(axis=-1), np.float64)

    def _of_shape(self) -> list[str]:
        shape, found = np.shape(self.truth), []
        if len(shape) != 3 or 0 in shape:
            return [f"truth: expected (time, lat, lon), got {shape}"]
        if np.ndim(self.emulated) != 4 or np.shape(self.emulated)[1:] != shape or not len(self.emulated):
            found.append(
                f"emulated: expected (member, {', '.join(map(str, shape))}) as the truth, got {np.shape(self.emulated)}"
            )
        if np.shape(self.area) != shape[1:]:
            found.append(f"area: expected {shape[1:]}, got {np.shape(self.area)}")
        given = {"day": self.day, "year": self.year, "warming": self.day if self.warming is None else self.warming}
        found += [
            f"{name}: expected one for each of {shape[0]} steps, got {np.shape(values)}"
            for name, values in given.items() if np.shape(values) != shape[:1]
        ]  # fmt: skip
        return found

    def _of_values(self) -> list[str]:
        found = []
        for name, values in (("emulated", self.emulated), ("truth", self.truth)):
            absent = int(np.size(values) - np.isfinite(values).sum())
            if absent:
                found.append(
                    f"{name}: {absent} values are absent or infinite; scores of the rest would not be those of the run"
                )
        if not np.isclose(np.sum(self.area), 1.0, rtol=1e-6, atol=0) or np.min(self.area) < 0:
            found.append(f"area: expected shares of 0 or more with the sum 1, got the sum {np.sum(self.area):.6g}")
        steps = np.unique(self.year, return_counts=True)[1]
        if np.ptp(steps) > 1:
            found.append(
                f"year: expected whole years, got {steps.min()} to {steps.max()} steps in them; leave out short ones"
            )
        return found
