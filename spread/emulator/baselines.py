"""What an emulator has to beat: methods of a few lines, all given the same forced warming."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spread.emulator.covariance import MODES, Covariance
from spread.emulator.fitted_pattern import Fitted, month
from spread.emulator.samples import Samples
from spread.emulator.seasons import KNOTS, distance
from spread.errors import BadModel, NotFound, did_you_mean

__all__ = [
    "GAUSSIAN", "NEAREST", "PATTERN", "RESIDUALS", "WHITE_NOISE", "Baseline", "GaussianCovariance", "NearestWarming",
    "PatternOnly", "ResidualBootstrap", "WhiteNoise", "all_baselines",
]  # fmt: skip

Floats = NDArray[np.float64]

NEAREST = "nearest warming"
PATTERN = "pattern scaling"
WHITE_NOISE = "PS + white noise"
RESIDUALS = "PS + residual bootstrap"
GAUSSIAN = "PS + Gaussian covariance"

NEIGHBOURS = 10
"""Training maps of the season that the nearest-warming resample draws from; one would give all members the same map."""

HALF_SEASON = 0.5 / KNOTS
"""Days this near, as a part of the year, are of the same season; with monthly data that is the same month."""


class Baseline(Protocol):
    """A method that has been fitted and can be drawn from."""

    def sample(
        self, model: str, warming: Floats, day: Floats, step: NDArray[np.integer], members: int, seed: int
    ) -> NDArray[np.float32]:
        """Draw maps of one model.

        Parameters
        ----------
        model : str
            ``source_id``.
        warming : ndarray
            Forced global warming [K], ``(time,)``.
        day : ndarray
            Part of the year, 0 to 1, ``(time,)``.
        step : ndarray
            Number of the step, ``(time,)``: with seed, model and member it decides the noise of a map, whatever else is
            asked for beside it.
        members : int
            How many.
        seed : int
            Of the noise.

        Returns
        -------
        ndarray
            Temperature [K], ``(member, time, lat, lon)``.
        """
        ...


@dataclass(frozen=True)
class _OfModels(ABC):
    """What all methods keep."""

    fitted: Mapping[str, Fitted]
    shape: tuple[int, int]
    extra: Mapping[str, Covariance] = field(default_factory=lambda: MappingProxyType({}))

    def sample(
        self, model: str, warming: Floats, day: Floats, step: NDArray[np.integer], members: int, seed: int
    ) -> NDArray[np.float32]:
        """Draw maps of one model, as :meth:`Baseline.sample` says."""
        self._check(model, warming, day, step, members)
        made = np.empty((members, len(step), self.shape[0] * self.shape[1]), np.float32)
        for member in range(members):
            randoms = [_random(seed, model, member, int(each)) for each in step]
            made[member] = self._maps(model, np.asarray(warming, np.float64), np.asarray(day, np.float64), randoms)
        return made.reshape(members, len(step), *self.shape)

    @abstractmethod
    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        """Of one member, with a generator for every map, ``(time, cell)``."""

    def _check(self, model: str, warming: Floats, day: Floats, step: NDArray[np.integer], members: int) -> None:
        if model not in self.fitted:
            raise NotFound(f"baselines: they know no model {model!r}; {did_you_mean(model, list(self.fitted))}")
        wrong = [
            f"{name}: expected a number for each of {len(step)} steps, got {np.shape(values)}"
            for name, values in (("warming", warming), ("day", day))
            if np.shape(values) != np.shape(step) or not np.isfinite(values).all()
        ]
        if members < 1:
            wrong.append(f"members: expected one or more, got {members}")
        if wrong:
            raise BadModel("baselines: " + "; ".join(wrong))


def _random(seed: int, model: str, member: int, step: int) -> np.random.Generator:
    """Counter-based, so that every map has a stream of its own at little cost."""
    mask = 0xFFFFFFFF
    key = np.array(
        [((seed & mask) << 32) | zlib.crc32(model.encode()), ((member & mask) << 32) | (step & mask)], np.uint64
    )
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class NearestWarming(_OfModels):
    """A training map of the season, one of those whose forced warming is nearest."""

    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        known = self.fitted[model]
        season = {float(each): _of_season(known, float(each)) for each in np.unique(day)}
        chosen = np.empty(len(day), np.intp)
        for at, (heat, each, random) in enumerate(zip(warming, day, randoms, strict=True)):
            of = season[float(each)]
            apart = np.abs(known.warming[of] - heat)
            count = min(NEIGHBOURS, len(of))
            near = np.argpartition(apart, count - 1)[:count] if count < len(of) else np.arange(len(of))
            chosen[at] = of[np.sort(near)[random.integers(count)]]
        return known.tas[chosen]


def _of_season(known: Fitted, day: float) -> NDArray[np.intp]:
    found = np.flatnonzero(distance(known.day, day) <= HALF_SEASON + 1e-9)
    if not found.size:
        raise BadModel(f"baselines: no training map is within half a month of {day:.3f} of the year")
    return found


@dataclass(frozen=True)
class PatternOnly(_OfModels):
    """Pattern scaling alone: all members are the same."""

    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        return self.fitted[model].mean(warming, day)


@dataclass(frozen=True)
class WhiteNoise(_OfModels):
    """Pattern scaling and noise of the right standard deviation, independent from cell to cell."""

    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        known = self.fitted[model]
        noise = np.stack([random.standard_normal(known.deviation.shape[1]) for random in randoms])
        return known.mean(warming, day) + known.deviation[month(day)] * noise


@dataclass(frozen=True)
class ResidualBootstrap(_OfModels):
    """Pattern scaling and the residual of a training map of the season, whatever its warming."""

    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        known = self.fitted[model]
        season = {float(each): _of_season(known, float(each)) for each in np.unique(day)}
        chosen = [
            season[float(each)][random.integers(len(season[float(each)]))]
            for each, random in zip(day, randoms, strict=True)
        ]
        return known.mean(warming, day) + known.residuals[chosen]


@dataclass(frozen=True)
class GaussianCovariance(_OfModels):
    """Pattern scaling and Gaussian noise of the covariance of standardised residuals, one for all months.

    Notes
    -----
    After the idea of MESMER (Beusch, Gudmundsson and Seneviratne, 2020, Earth Syst. Dynam. 11), without its
    localisation and its memory from step to step.
    """

    def _maps(
        self, model: str, warming: Floats, day: Floats, randoms: list[np.random.Generator]
    ) -> NDArray[np.floating]:
        known = self.fitted[model]
        return known.mean(warming, day) + known.deviation[month(day)] * self.extra[model].draw(randoms)


def all_baselines(samples: Samples, modes: int = MODES) -> dict[str, Baseline]:
    """Fit every baseline on the same samples.

    Parameters
    ----------
    samples : Samples
        Training maps of one or several models; each model is fitted by itself.
    modes : int
        Most patterns of the Gaussian covariance.

    Returns
    -------
    dict of str to Baseline
        From the simplest on.

    Raises
    ------
    BadModel
        Where a model's maps do not tell the coefficients.
    """
    fitted = {samples.models[m]: Fitted.of(samples, int(m)) for m in np.unique(samples.model)}
    shape = (len(samples.lat), len(samples.lon))
    covariances = {}
    for name, known in fitted.items():
        deviation = known.deviation[month(known.day)]
        scaled = np.divide(known.residuals, deviation, out=np.zeros(deviation.shape), where=deviation > 0)
        covariances[name] = Covariance.fit(scaled, modes)
    return {
        NEAREST: NearestWarming(fitted, shape),
        PATTERN: PatternOnly(fitted, shape),
        WHITE_NOISE: WhiteNoise(fitted, shape),
        RESIDUALS: ResidualBootstrap(fitted, shape),
        GAUSSIAN: GaussianCovariance(fitted, shape, covariances),
    }
