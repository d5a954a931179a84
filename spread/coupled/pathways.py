"""What-if pathways of CO2 equivalent: a scenario that rises by another factor, or peaks in another year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spread.coupled.co2_equivalent import CO2_1750, co2_concentration, co2_forcing
from spread.coupled.forcing import Forcing, scenario_forcing

__all__ = ["Pathway", "pathway"]


@dataclass(frozen=True)
class Pathway:
    """A pathway of CO2 equivalent, its forcing, and what to beware of.

    Parameters
    ----------
    experiment_id : str
        The scenario that it departs from.
    years : ndarray
        (time,).
    co2e : ndarray
        CO2 equivalent of anthropogenic forcing (time,) [ppm].
    forcing : Forcing
        By agent; what differs from the scenario is added to CO2.
    flags : tuple of str
        In which respects the pathway is an extrapolation; empty where in none.
    """

    experiment_id: str
    years: np.ndarray
    co2e: np.ndarray
    forcing: Forcing
    flags: tuple[str, ...]


def pathway(
    experiment_id: str,
    years: Sequence[int] | np.ndarray | None = None,
    scale: float = 1.0,
    peak: int | None = None,
    decline: float = 0.0,
    start: int = 2015,
    training: tuple[float, float] | None = None,
) -> Pathway:
    """Change the CO2 equivalent of a scenario from a year on.

    Parameters
    ----------
    experiment_id : str
        An SSP.
    years : sequence of int, optional
        Calendar years that follow each other; 1850-2100 by default.
    scale : float
        Factor on the change of CO2 equivalent since ``start`` [1], 0 or more.
    peak : int, optional
        Year after which CO2 equivalent no longer follows the scenario.
    decline : float
        Rate at which its excess over 1750 decays after the peak [yr-1]; it stays where it is at 0.
    start : int
        Last year that is as in the scenario.
    training : tuple of float, optional
        Lowest and highest CO2 equivalent that an emulator or a fit has seen [ppm].

    Returns
    -------
    Pathway

    Raises
    ------
    NotFound
        For a scenario or years that are not there.
    ValueError
        For what cannot be: a negative factor or rate, a year out of range; all at once.
    """
    asked = np.arange(1850, 2101) if years is None else np.asarray(years, int)
    forcing = scenario_forcing(experiment_id, asked)
    wrong = []
    if not (np.isfinite(scale) and scale >= 0):
        wrong.append(f"scale must be a factor of 0 or more, not {scale}")
    if not (np.isfinite(decline) and decline >= 0):
        wrong.append(f"decline must be a rate of 0 or more a year, not {decline}")
    if not asked[0] <= start <= asked[-1]:
        wrong.append(f"start {start} must be within {asked[0]}-{asked[-1]}")
    if peak is not None and not start <= peak <= asked[-1]:
        wrong.append(f"peak {peak} must be within {start}-{asked[-1]}")
    if decline > 0 and peak is None:
        wrong.append("decline needs a peak year from which it runs")
    if wrong:
        raise ValueError(f"pathway from {experiment_id}: " + "; ".join(wrong))
    own = co2_concentration(forcing.anthropogenic)
    at = start - asked[0]
    changed = np.where(asked > start, own[at] + scale * (own - own[at]), own)
    if peak is not None:
        top = changed[peak - asked[0]] - CO2_1750
        changed = np.where(asked > peak, CO2_1750 + top * np.exp(-decline * np.maximum(asked - peak, 0)), changed)
    difference = np.where(changed == own, 0.0, co2_forcing(changed) - forcing.anthropogenic)
    flags = _flags(experiment_id, asked, changed, changed != own, training)
    return Pathway(experiment_id, asked, changed, replace(forcing, co2=forcing.co2 + difference), flags)


def _flags(
    experiment_id: str,
    years: np.ndarray,
    co2e: np.ndarray,
    changed: np.ndarray,
    training: tuple[float, float] | None,
) -> tuple[str, ...]:
    flags = []
    if changed.any():
        flags.append(
            f"CO2 equivalent leaves {experiment_id} from {years[changed.argmax()]} while its aerosol and other agents"
            " stay: scenarios never varied the one without the other, so that this is an extrapolation"
        )
    outside = np.zeros(years.shape, bool) if training is None else (co2e < training[0]) | (co2e > training[1])
    if training is not None and outside.any():
        flags.append(
            f"CO2 equivalent is outside the {training[0]:.0f}-{training[1]:.0f} ppm of training"
            f" in {outside.sum()} years from {years[outside.argmax()]} ({co2e.min():.0f}-{co2e.max():.0f} ppm)"
        )
    return tuple(flags)
