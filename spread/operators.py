"""Linear operators on a field: what turns a map into a few numbers (NumPy only).

An operator is a matrix of weights, one row an output and one column a cell. All rows are applied to a chunk in one
pass, in float64 and in a fixed order, so a result depends neither on the chunks nor on the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid
from spread.study import Region

Floats = NDArray[np.float64]

_SLAB = 1 << 21  # values turned to float64 at a time: 16 MB, so that a chunk is never held twice


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


def apply_weights(field: NDArray[np.floating], weights: Floats) -> tuple[Floats, Floats]:
    """Weighted sums of a field over its cells, leaving out what is not finite.

    Parameters
    ----------
    field : numpy.ndarray
        ``(time, rows, columns)``, any float type.
    weights : numpy.ndarray
        ``(outputs, rows, columns)``.

    Returns
    -------
    sums, present : numpy.ndarray
        ``(time, outputs)``: the weighted sum, and the sum of the weights of finite cells.
    """
    steps = field.shape[0]
    flat = field.reshape(steps, -1)
    rows = np.ascontiguousarray(weights.reshape(weights.shape[0], -1), dtype=np.float64)
    used = np.flatnonzero(rows.any(axis=0))
    whole = rows.sum(axis=1)
    sums, present = np.empty((steps, rows.shape[0])), np.empty((steps, rows.shape[0]))
    stride = max(1, _SLAB // max(1, flat.shape[1]))
    for start in range(0, steps, stride):
        slab = flat[start : start + stride].astype(np.float64)
        finite = np.isfinite(slab)
        complete = finite[:, used].all(axis=1)
        slab[~finite] = 0.0
        # each step by itself and by NumPy: a matrix product may group its sums by the number of steps or the processor
        for step in range(slab.shape[0]):
            sums[start + step] = np.einsum("c,rc->r", slab[step], rows)
            if complete[step]:
                present[start + step] = whole
            elif step and not complete[step - 1] and (finite[step] == finite[step - 1]).all():
                present[start + step] = present[start + step - 1]  # the sea of a land field is the same in every step
            else:
                lacking = rows[:, ~finite[step]].any(axis=1)
                partly = np.einsum("c,rc->r", finite[step].astype(np.float64), rows)
                present[start + step] = np.where(lacking, partly, whole)
    return sums, present
