"""Two conditions, the same noise: what differs between two maps is then the effect of the condition and little else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator.emulator import Emulator
from spread.errors import BadModel

__all__ = ["PairedDifference", "paired_difference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """The effect of a second condition over a first, with and without pairing.

    Parameters
    ----------
    effect : ndarray
        Mean difference of pairs that share their noise [K], ``(lat, lon)``.
    error : ndarray
        Standard error of that mean [K], ``(lat, lon)``.
    unpaired_effect, unpaired_error : ndarray
        Likewise of as many maps whose noise is independent.
    reduction : float
        Area-weighted mean variance of the unpaired difference over that of the paired one [1].
    global_reduction : float
        The same of global means [1].
    flags : int
        All flags of both conditions.
    """

    effect: Floats
    error: Floats
    unpaired_effect: Floats
    unpaired_error: Floats
    reduction: float
    global_reduction: float
    flags: int


def paired_difference(
    emulator: Emulator, model: str, first: tuple[str, float], second: tuple[str, float], day: float, members: int = 200,
    seed: int = 0,
) -> PairedDifference:  # fmt: skip
    """Draw maps under two conditions with the same noise, and with independent noise beside them.

    Parameters
    ----------
    emulator : Emulator
    model : str
        ``source_id``.
    first, second : tuple of str, float
        Scenario and forced warming [K] of either condition.
    day : float
        Part of the year, 0 to 1.
    members : int
        Pairs.
    seed : int
        Of the noise.

    Returns
    -------
    PairedDifference

    Raises
    ------
    BadModel
        For fewer than three pairs.

    Notes
    -----
    Common random numbers; Immorlano et al. 2025 (arXiv 2511.22970) call such differences treatment effects.
    """
    if members < 3:
        raise BadModel(f"paired difference: expected three pairs or more, got {members}")
    step = np.zeros(1, int)

    def maps(condition: tuple[str, float], from_member: int) -> tuple[Floats, int]:
        scenario, warming = condition
        made = emulator.sample(
            model, scenario, np.array([warming]), np.array([day]), step, members, seed, first_member=from_member
        )
        return made.tas[:, 0].astype(np.float64), int(made.flags[0])

    before, flags = maps(first, 0)
    after, more = maps(second, 0)
    other, _ = maps(second, members)
    area = np.asarray(emulator.facts.area).reshape(before.shape[1:])
    paired, unpaired = after - before, other - before

    def of_globe(difference: Floats) -> float:
        return float(np.tensordot(difference, area, axes=2).var(ddof=1))

    def local(difference: Floats) -> float:
        return float(np.sum(difference.var(axis=0, ddof=1) * area))

    return PairedDifference(
        paired.mean(axis=0), paired.std(axis=0, ddof=1) / members**0.5,
        unpaired.mean(axis=0), unpaired.std(axis=0, ddof=1) / members**0.5,
        local(unpaired) / max(local(paired), 1e-300), of_globe(unpaired) / max(of_globe(paired), 1e-300), flags | more,
    )  # fmt: skip
