"""Linear operators on a field: what turns a map into a few numbers (NumPy only).

An operator is a matrix of weights, one row an output and one column a cell. All rows are applied to a chunk in one
pass, in float64 and in a fixed order, so a result depends neither on the chunks nor on the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid
from spread.study import Region

Floats = NDArray[np.float64]

_SLAB = 1 << 18  # values turned to float64 at a time: 2 MB, which a processor's cache holds


def region_weights(
    grid: Grid, regions: Sequence[Region], area: Floats, land: Floats | None, domain: str = "all"
) -> Floats:
    """Weights of area means over regions.

    Parameters
    ----------
    grid : Grid
        The cells.
    regions : sequence of Region
        The regions.
    area : numpy.ndarray
        ``(rows, columns)`` cell areas [m2].
    land : numpy.ndarray or None
        ``(rows, columns)`` land share of each cell, 0..1.
    domain : str
        Where the variable is defined: on ``all`` of a cell, or only on its ``land`` or ``ocean`` part.

    Returns
    -------
    numpy.ndarray
        ``(regions, rows, columns)``; each region's weights add up to 1.

    Raises
    ------
    ValueError
        If a region has no area on this grid, or needs a land share that is not there.
    """
    made, breaches = [], []
    for region in regions:
        if {region.surface, domain} == {"land", "ocean"}:
            breaches.append(f"region {region.name!r} is {region.surface}, and the variable is defined on {domain} only")
            continue
        weights = area * grid.share_in_box(region.lat, region.lon)
        for surface in {region.surface, domain} - {"all"}:
            if land is None:
                raise ValueError(f"region {region.name!r} needs the land share of cells, and there is none")
            weights = weights * (land if surface == "land" else 1.0 - land)
        total = weights.sum()
        if not total > 0.0:
            breaches.append(f"region {region.name!r} holds no {region.surface} cell of this grid")
            continue
        made.append(weights / total)
    if breaches:
        raise ValueError("; ".join(breaches))
    return np.stack(made)


@dataclass(frozen=True)
class Applied:
    """What one pass over a field gives.

    Parameters
    ----------
    sums, present : numpy.ndarray
        ``(time, outputs)``: the weighted sum of finite cells, and the sum of their weights.
    low, high : numpy.ndarray
        ``(time,)``: lowest and highest value, whatever its weight; NaN where no cell has one.
    """

    sums: Floats
    present: Floats
    low: Floats
    high: Floats


def apply_weights(field: NDArray[np.floating], weights: Floats) -> Applied:
    """Weighted sums of a field over its cells, leaving out what is not finite.

    A few steps at a time are turned to float64 while they are in the processor's cache, and each output reads only the
    stretch of cells that it has weights on, so that a further region costs its own share of the globe. Steps and
    outputs are summed by themselves, by NumPy: a matrix product may group its sums by how many there are.

    Parameters
    ----------
    field : numpy.ndarray
        ``(time, rows, columns)``, any float type.
    weights : numpy.ndarray
        ``(outputs, rows, columns)``.

    Returns
    -------
    Applied
        Sums, weights that are there, and extremes.
    """
    steps = field.shape[0]
    flat = field.reshape(steps, -1)
    rows = np.ascontiguousarray(weights.reshape(weights.shape[0], -1), dtype=np.float64)
    stretches = [_stretch(row) for row in rows]
    whole = np.array([np.einsum("c->", row) for row in rows])
    sums, present = np.zeros((steps, rows.shape[0])), np.empty((steps, rows.shape[0]))
    low, high = np.full(steps, np.nan), np.full(steps, np.nan)
    before: NDArray[np.bool_] | None = None  # the absent cells of the step before, where it had any
    cells = np.zeros((max(2, _SLAB // max(1, flat.shape[1])), flat.shape[1]))
    several = np.empty(cells.shape[0])
    for start in range(0, steps if flat.shape[1] else 0, cells.shape[0]):
        slab = flat[start : start + cells.shape[0]]
        np.copyto(cells[: len(slab)], slab)
        for row, values in enumerate(slab):
            step = start + row
            low[step], high[step] = values.min(), values.max()  # NaN as soon as one cell is
            if np.isfinite(low[step]) and np.isfinite(high[step]):
                present[step], before = whole, None
                continue
            absent = ~np.isfinite(values)
            low[step], high[step] = np.fmin.reduce(values), np.fmax.reduce(values)
            cells[row, absent] = 0.0
            # the sea of a land field is the same in every step
            same = before is not None and np.array_equal(absent, before)
            present[step], before = present[step - 1] if same else _weight_left(rows, whole, absent), absent
        for output, stretch in enumerate(stretches):
            # always as many rows at once, for NumPy sums a single one in another order
            np.einsum("tc,c->t", cells[:, stretch], rows[output, stretch], out=several)
            sums[start : start + len(slab), output] = several[: len(slab)]
    return Applied(sums, present, low, high)


def _stretch(row: Floats) -> slice:
    """The shortest run of cells outside which a row of weights is zero."""
    used = np.flatnonzero(row)
    return slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0)


def _weight_left(rows: Floats, whole: Floats, absent: NDArray[np.bool_]) -> Floats:
    """Sum of each row's weights but for absent cells: exactly the whole where none of them counts."""
    there = (~absent).astype(np.float64)
    left = np.array([np.einsum("c,c->", there, row) for row in rows])
    return np.where((rows[:, absent] != 0.0).any(axis=1), left, whole)
