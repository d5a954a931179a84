"""Faults that an emulator can have, seeded on purpose, and the named alarm that each has to set off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator import scores, variability
from spread.emulator.comparison import Comparison
from spread.emulator.copies import copied_share
from spread.emulator.estimates import Estimate, estimate
from spread.emulator.samples import Samples
from spread.emulator.synthetic import SyntheticClimate

__all__ = ["ALARMS", "FAULTS", "Alarm", "Fault", "alarms", "seeded"]

Maps = NDArray[np.floating]

ERRORS = 3.0
"""Standard errors, beyond its tolerance, that a score may be off before it is an alarm."""


@dataclass(frozen=True)
class Alarm:
    """When a score says that something is wrong.

    Parameters
    ----------
    ideal : float
        Value for a perfect emulator.
    tolerance : float
        Departure that does no harm.
    """

    ideal: float
    tolerance: float

    def rings(self, found: Estimate) -> bool:
        """Whether any value is off by more than tolerance and errors; no number is an alarm too."""
        off = np.abs(found.value - self.ideal)
        return bool(np.any(~np.isfinite(off) | (off > self.tolerance + ERRORS * found.error)))


ALARMS: Mapping[str, Alarm] = {
    "ssr": Alarm(1.0, 0.05),
    "spectrum": Alarm(1.0, 0.10),
    "global_sd": Alarm(1.0, 0.05),
    "phase": Alarm(0.0, 3.0),
    "copied": Alarm(0.0, 0.0),
}
"""Of scores with an ideal value; tolerances of ratios are those of the gates, that of the phase a tenth of a month."""

_SCORES = {
    "ssr": scores.spread_skill, "spectrum": variability.spectrum_ratio, "global_sd": variability.global_mean_deviation,
    "phase": variability.cycle_phase,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A way to be wrong.

    Parameters
    ----------
    name : str
        In a table.
    alarm : str
        Of :data:`ALARMS`, that has to ring.
    silent : tuple of str
        Alarms that cannot know of it: the reason why the first is needed.
    maps : callable
        Of climate, training, truth, members and seed: faulty maps, ``(member, time, lat, lon)``.
    """

    name: str
    alarm: str
    silent: tuple[str, ...]
    maps: Callable[[SyntheticClimate, Samples, Maps, int, int], Maps]


def alarms(emulated: Maps, test: Samples, train: Samples, seed: int = 0) -> dict[str, Estimate]:
    """All alarms that ring, with their scores.

    Parameters
    ----------
    emulated : ndarray
        Temperature [K], ``(member, time, lat, lon)``.
    test : Samples
        One run, the truth.
    train : Samples
        What was learned from.
    seed : int
        Of the bootstrap over years.

    Returns
    -------
    dict of str to Estimate
        Empty for an emulator that nothing is to be said against.
    """
    pair = Comparison(emulated, test.tas, test.area, test.day, test.year, test.warming)
    found = {name: estimate(score(pair), seed=seed) for name, score in _SCORES.items()}
    known, days = np.concatenate([train.tas, test.tas]), np.concatenate([train.day, test.day])
    nothing = np.asarray(np.nan)
    found["copied"] = Estimate(np.asarray(copied_share(emulated, test.day, known, days, test.area)), nothing, nothing)
    return {name: each for name, each in found.items() if ALARMS[name].rings(each)}


def seeded(fault: Fault, climate: SyntheticClimate, members: int = 20, seed: int = 0) -> dict[str, Estimate]:
    """Let a fault set off alarms on the synthetic climate.

    Parameters
    ----------
    fault : Fault
        Which.
    climate : SyntheticClimate
        Where.
    members : int
        Of the faulty emulator.
    seed : int
        Of training, truth and emulator.

    Returns
    -------
    dict of str to Estimate
        As :func:`alarms`.
    """
    together = climate.samples(3, 3 * seed)
    train, test = together.where(together.run < 2), together.where(together.run == 2)
    return alarms(fault.maps(climate, train, test.tas, members, 3 * seed + 1), test, train, seed)


def _perfect(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    return climate.draw(members, seed)


def _white(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    noise = np.random.default_rng(seed).standard_normal((members, *truth.shape))
    return climate.mean + climate.deviation * noise


def _blurred(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    drawn = climate.draw(3 * members, seed)
    return np.asarray(drawn.reshape(3, members, *truth.shape).mean(axis=0))


def _spread(factor: float) -> Callable[[SyntheticClimate, Samples, Maps, int, int], Maps]:
    def maps(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
        return climate.mean + factor * (climate.draw(members, seed) - climate.mean)

    return maps


def _spectrum(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    """Weather that is too smooth, with the right variance in every cell."""
    smooth = SyntheticClimate(climate.lat, climate.lon, climate.years, climate.warming, 1.4 * climate.redness)
    return climate.mean + climate.deviation * smooth.weather(members, seed)


def _training(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    """Every map is one of training, of the same month and nearly as warm, of 22 to choose from."""
    random, shape = np.random.default_rng(seed), (members, len(truth))
    runs = train.tas.reshape(-1, *truth.shape)
    year, month = np.divmod(np.arange(len(truth)), 12)
    near = np.clip(year, 5, climate.years - 6) + random.integers(-5, 6, size=shape)
    return np.asarray(runs[random.integers(len(runs), size=shape), 12 * near + month])


def _truth(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    return np.repeat(truth[None], members, axis=0)


def _shifted(climate: SyntheticClimate, train: Samples, truth: Maps, members: int, seed: int) -> Maps:
    """Every month is the one before it."""
    return np.roll(climate.draw(members, seed), 1, axis=1)


PERFECT = Fault("perfect", "", tuple(ALARMS), _perfect)
"""No fault at all."""

FAULTS = (
    Fault("white noise", "spectrum", ("ssr", "phase", "copied"), _white),
    Fault("blur: mean of three draws", "ssr", ("phase", "copied"), _blurred),
    Fault("spread x 0.8", "ssr", ("phase", "copied"), _spread(0.8)),
    Fault("spread x 1.25", "ssr", ("phase", "copied"), _spread(1.25)),
    Fault("spectrum too steep", "spectrum", ("ssr", "phase", "copied"), _spectrum),
    Fault("maps of training", "copied", ("ssr", "spectrum", "phase"), _training),
    Fault("the truth itself", "copied", ("spectrum", "phase"), _truth),
    Fault("season one month late", "phase", ("spectrum", "global_sd", "copied"), _shifted),
)
"""Each with the alarm that has to ring."""
