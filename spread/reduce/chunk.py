"""What one read of a chunk gives: area sums and extremes of its months, sums of its seasons on the grid of the maps.

A store may be cut in space too; then each piece of a month gives its share, and :func:`whole_months` adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spread import cores
from spread.errors import NotConforming
from spread.operators import SeasonSums, Sparse, apply_weights, season_years
from spread.plausibility import some_of
from spread.vocabulary import Variable

Floats = NDArray[np.float64]

COMPLETE = 1.0 - 1e-10
"""Share of the weight that must be finite: less than any one cell may be missing."""


@dataclass(frozen=True)
class ChunkSums:
    """Small float64 partial results of the months of one chunk.

    Parameters
    ----------
    area : numpy.ndarray
        ``(time, 2, outputs + 1)``: weighted sums and the weights of finite cells, the whole domain last; behind
        them the lowest and the highest value of each month.
    maps : dict
        By season ``(years, 1 or 2, cells)``, see :meth:`spread.operators.SeasonSums.close`.
    """

    area: Floats
    maps: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class MapWork:
    """Which maps a chunk gives.

    Parameters
    ----------
    seasons : tuple of str
        Of which seasons.
    calendar, frequency : str
        Those of the run.
    whole : bool
        True where a chunk holds all cells.
    """

    seasons: tuple[str, ...]
    calendar: str
    frequency: str
    whole: bool = True


def chunk_sums(
    values: NDArray[np.floating],
    months: NDArray[np.integer],
    weights: Floats,
    who: str,
    variable: Variable,
    matrix: Sparse | None = None,
    work: MapWork | None = None,
) -> ChunkSums:
    """Apply every operator to a chunk in one pass.

    Parameters
    ----------
    values : numpy.ndarray
        ``(time, rows, columns)`` the chunk.
    months : numpy.ndarray
        ``(time,)`` month numbers.
    weights : numpy.ndarray
        ``(outputs, rows, columns)`` of area means.
    who : str
        The dataset, for errors.
    variable : Variable
        With the plausible range.
    matrix : Sparse, optional
        From these cells to those of the maps.
    work : MapWork, optional
        Which maps.

    Returns
    -------
    ChunkSums
        What the chunk gives.

    Raises
    ------
    NotConforming
        If a value is beyond the plausible range.
    """
    cores.enter()
    maps = []
    if matrix is not None and work is not None:
        maps = [
            SeasonSums(season_years(months, work.calendar, season, work.frequency), matrix, part=not work.whole)
            for season in work.seasons
        ]
    applied = apply_weights(values, weights, maps)
    low, high = applied.low, applied.high
    plausible = variable.plausible
    with np.errstate(invalid="ignore"):
        bad = (low < plausible[0]) | (high > plausible[1])
    if bad.any():
        worst = low[bad].min() if (low[bad] < plausible[0]).any() else high[bad].max()
        raise NotConforming(who, ["values: " + _implausible(months[bad], float(worst), plausible, variable.units)])
    extremes = np.stack([np.where(np.isnan(low), np.inf, low), np.where(np.isnan(high), -np.inf, high)], axis=1)
    area = np.concatenate([np.stack([applied.sums, applied.present], axis=1), extremes[..., None]], axis=2)
    return ChunkSums(area, {sums.when.season: sums.close() for sums in maps})


def whole_months(parts: Sequence[ChunkSums], months: NDArray[np.integer], who: str, variable: Variable) -> ChunkSums:
    """Join the pieces of months, in their order, and refuse what no unit and no factor could explain.

    Parameters
    ----------
    parts : sequence of ChunkSums
        The chunks of the same months, which together hold all cells.
    months, who, variable
        As in :func:`chunk_sums`.

    Returns
    -------
    ChunkSums
        Of the whole field: sums add up, of extremes the lowest and the highest remain.

    Raises
    ------
    NotConforming
        If a month's mean over the domain is beyond the plausible range.
    """
    area = parts[0].area
    if len(parts) > 1:
        stacked = np.stack([part.area for part in parts])
        area = stacked.sum(axis=0)
        area[:, 0, -1], area[:, 1, -1] = stacked[:, :, 0, -1].min(axis=0), stacked[:, :, 1, -1].max(axis=0)
    _check_domain_mean(area, months, who, variable)
    return ChunkSums(area, {season: np.sum([p.maps[season] for p in parts], axis=0) for season in parts[0].maps}
                     if len(parts) > 1 else parts[0].maps)  # fmt: skip


def _check_domain_mean(area: Floats, months: NDArray[np.integer], who: str, variable: Variable) -> None:
    plausible = variable.plausible_mean
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = area[:, 0, -2] / area[:, 1, -2]
        # a land field may lack lakes in every month
        least = COMPLETE if variable.domain == "all" else 0.5
        bad = (area[:, 1, -2] >= least) & ((mean < plausible[0]) | (mean > plausible[1]))
    if bad.any():
        worst = float(mean[bad][np.argmax(np.abs(mean[bad] - np.mean(plausible)))])
        hint = "; the values look 1000 times too small" if plausible[0] < 1e3 * worst < plausible[1] else ""
        where = "globe" if variable.domain == "all" else variable.domain
        said = _implausible(months[bad], worst, plausible, variable.units)
        raise NotConforming(who, [f"mean over the {where}: {said}{hint}"])


def _implausible(months: NDArray[np.integer], worst: float, plausible: tuple[float, float], units: str) -> str:
    shown = some_of(months)
    hint = ""
    if units == "K" and -100.0 < worst < 70.0 and len(months) > 6 and worst != 0.0:
        hint = "; the values look like degrees Celsius"
    return f"{worst:g} {units} is beyond the plausible {plausible[0]:g}..{plausible[1]:g} {units} in {shown}{hint}"
