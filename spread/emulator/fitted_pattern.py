"""Pattern scaling of one model with what it leaves: the part that all baselines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator.pattern_scaling import DAILY_HARMONICS, MONTHLY_HARMONICS, PatternScaling, basis
from spread.emulator.samples import Samples
from spread.emulator.seasons import KNOTS
from spread.errors import BadModel

__all__ = ["Fitted", "month"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """Pattern scaling of one model, its residuals, and their standard deviation in every month.

    Parameters
    ----------
    pattern : PatternScaling
        The mean.
    harmonics : int
        Of the year.
    deviation : ndarray
        Standard deviation of residuals [K], whatever the warming, ``(month, cell)``.
    residuals : ndarray
        Of the training maps [K], ``(sample, cell)``.
    day, warming : ndarray
        Of the training maps, ``(sample,)``.
    tas : ndarray
        The training maps [K], ``(sample, cell)``.
    """

    pattern: PatternScaling
    harmonics: int
    deviation: Floats
    residuals: NDArray[np.float32]
    day: Floats
    warming: Floats
    tas: NDArray[np.floating]

    @classmethod
    def of(cls, samples: Samples, model: int) -> Fitted:
        """Fit to the samples of one model."""
        mine = samples.where(samples.model == model)
        harmonics = MONTHLY_HARMONICS if samples.frequency == "mon" else DAILY_HARMONICS
        pattern = PatternScaling.fit(mine.cells, mine.warming, mine.day, harmonics)
        residuals = (mine.cells - response(pattern, harmonics, mine.warming, mine.day)).astype(np.float32)
        months = month(mine.day)
        absent = sorted(set(range(KNOTS)) - {int(m) for m in np.unique(months)})
        if absent:
            raise BadModel(
                f"baselines: {samples.models[model]} has no training maps of months {absent}, counted from 0"
            )
        deviation = np.stack(
            [np.sqrt(np.mean(np.square(residuals[months == m], dtype=np.float64), axis=0)) for m in range(KNOTS)]
        )
        # each month's line takes two numbers from its residuals; daily data have many for every coefficient
        count = np.bincount(months, minlength=KNOTS) if samples.frequency == "mon" else np.full(KNOTS, np.inf)
        factor = np.sqrt(1 / (1 - 2 / np.maximum(count, 3)))
        return cls(pattern, harmonics, deviation * factor[:, None], residuals, mine.day, mine.warming, mine.cells)

    def mean(self, warming: Floats, day: Floats) -> Floats:
        """Of pattern scaling [K], ``(time, cell)``."""
        return response(self.pattern, self.harmonics, warming, day)


def month(day: Floats) -> NDArray[np.intp]:
    """Of parts of a year, 0 to 11."""
    return np.minimum((np.asarray(day, np.float64) * KNOTS).astype(np.intp), KNOTS - 1)


def response(pattern: PatternScaling, harmonics: int, warming: Floats, day: Floats) -> Floats:
    """Mean maps [K], ``(time, cell)``: :meth:`PatternScaling.response` of many steps, in double precision."""
    of_year = basis(day, harmonics)
    level, slope = (np.asarray(each, np.float64) for each in (pattern.mean, pattern.pattern))
    return np.asarray(of_year @ level + np.asarray(warming, np.float64)[:, None] * (of_year @ slope))
