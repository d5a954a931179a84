"""Demands on an emulator, as data: what has to hold within the range of training, and what outside of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spread.emulator.baselines import GAUSSIAN
from spread.emulator.scorecard import Gate, Row

__all__ = ["BEYOND_CRPS", "Q99", "SPECTRUM", "SPREAD_SKILL", "gates"]

SPREAD_SKILL = (0.95, 1.05)
"""Spread over error of a calibrated ensemble."""

SPECTRUM = 0.10
"""Largest departure of the ratio of power from one, at every wavenumber, beyond the error of the truth's own power."""

Q99 = 0.70
"""Largest error of the 99th percentile over that of the Gaussian baseline."""

BEYOND_CRPS = 1.01
"""Largest score outside the range of training over that of the Gaussian baseline."""


def gates(
    rows: Sequence[Row],
    in_range: bool,
    spectrum_error: NDArray[np.float64],
    q99_variance: float,
    flagged: Mapping[str, float],
) -> list[Gate]:
    """Hold every candidate against the demands.

    Parameters
    ----------
    rows : sequence of Row
        Of candidates and baselines.
    in_range : bool
        Whether training held the warming of the test.
    spectrum_error : ndarray
        Relative error over years of the truth's own power, ``(wavenumber,)``.
    q99_variance : float
        Of the truth's own 99th percentile [K2].
    flagged : mapping of str to float
        Share of steps that a candidate itself flags.

    Returns
    -------
    list of Gate
    """
    gaussian = next(row for row in rows if row.name == GAUSSIAN)
    oracle = next((row for row in rows if row.kind == "oracle"), None)
    made = []
    for row in rows:
        if row.kind != "candidate":
            continue
        if in_range:
            made += [
                _crps(row, gaussian, oracle),
                _spread(row),
                _spectrum(row, spectrum_error),
                _q99(row, gaussian, q99_variance),
            ]
        else:
            made += [_beyond(row, gaussian), _flag(row, flagged.get(row.name, 0.0))]
        made.append(_copied(row))
    return made


def _crps(row: Row, gaussian: Row, oracle: Row | None) -> Gate:
    mine, theirs = row.scores["crps"], gaussian.scores["crps"]
    slack = float(np.hypot(np.nan_to_num(mine.member_error), np.nan_to_num(theirs.member_error)))
    value, limit = float(mine.value), float(theirs.value) + slack
    sentence = (
        f"fCRPS {value:.4f} K, at most {float(theirs.value):.4f} of {gaussian.name} + {slack:.4f} of the members drawn"
    )
    if oracle is not None and oracle.scores["crps"].value < theirs.value:
        gap = float((theirs.value - mine.value) / (theirs.value - oracle.scores["crps"].value))
        sentence += f"; {gap:.0%} of the way to the oracle"
    return Gate("fCRPS", row.name, value, (-math.inf, limit), value <= limit, sentence)


def _spread(row: Row) -> Gate:
    value = float(row.scores["ssr"].value)
    low, high = SPREAD_SKILL
    return Gate(
        "SSR", row.name, value, SPREAD_SKILL, low <= value <= high, f"spread / error {value:.3f}, {low} to {high}"
    )


def _spectrum(row: Row, error: NDArray[np.float64]) -> Gate:
    ratio = row.scores["spectrum"].value
    there = np.isfinite(ratio)
    ratio = np.where(there, ratio, 1.0)
    allowed = SPECTRUM + np.nan_to_num(error)
    at = int(np.argmax(np.abs(ratio - 1) - allowed))
    limit = (1 - float(allowed[at]), 1 + float(allowed[at]))
    beyond = int(np.sum(np.abs(ratio - 1) > allowed))
    sentence = (
        f"power at wavenumber {at} is {ratio[at]:.3f} of the truth's, {limit[0]:.3f} to {limit[1]:.3f};"
        f" outside at {beyond} of {there.sum()} wavenumbers"
    )
    return Gate("spectrum", row.name, float(ratio[at]), limit, beyond == 0, sentence)


def _q99(row: Row, gaussian: Row, variance: float) -> Gate:
    mine, theirs = float(row.scores["q99"].value), float(gaussian.scores["q99"].value)
    value = mine / theirs if theirs > 0 else math.nan
    own, base = (math.sqrt(max(each**2 - np.nan_to_num(variance), 0.0)) for each in (mine, theirs))
    without = f"{own / base:.2f}" if base > 0 else "not known"
    sentence = (
        f"q99 error {mine:.3f} K is {value:.2f} of {theirs:.3f} K of {gaussian.name}, at most {Q99};"
        f" {without} with the truth's own sampling error taken out of both"
    )
    return Gate("q99", row.name, value, (0.0, Q99), value <= Q99, sentence)


def _beyond(row: Row, gaussian: Row) -> Gate:
    value, theirs = float(row.scores["crps"].value), float(gaussian.scores["crps"].value)
    limit = BEYOND_CRPS * theirs
    sentence = f"fCRPS {value:.4f} K, at most {BEYOND_CRPS} x {theirs:.4f} = {limit:.4f} of {gaussian.name}"
    return Gate("fCRPS beyond", row.name, value, (-math.inf, limit), value <= limit, sentence)


def _flag(row: Row, share: float) -> Gate:
    return Gate(
        "flag", row.name, share, (1.0, 1.0), share == 1.0, f"{share:.0%} of steps flagged as outside of training, all"
    )


def _copied(row: Row) -> Gate:
    value = float(row.scores["copied"].value)
    return Gate(
        "copied", row.name, value, (0.0, 0.0), value == 0.0, f"{value:.1%} of maps are known maps, none allowed"
    )
