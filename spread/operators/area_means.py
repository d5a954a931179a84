"""Area means: operators that turn a map into a few numbers (NumPy only).

An operator is a matrix of weights, one row an output and one column a cell. All rows are applied to a chunk in one
pass, in float64 and in a fixed order, so a result depends neither on the chunks nor on the other rows.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid, share_in_polygons
from spread.operators.season_sums import SeasonSums
from spread.regions import Region

Floats = NDArray[np.float64]

_KEPT = 3  # operators: as many grids as are read at a time, for each is as large as a map for every output

_NARROW = 0.4  # share of the columns from which a run of whole rows is summed faster than a box

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
        if region.polygons:
            weights = area * share_in_polygons(grid, region.polygons)
        else:
            weights = area * grid.share_in_box(region.lat, region.lon)
        for surface in {region.surface, domain} - {"all"}:
            if land is None:
                raise ValueError(f"region {region.name!r} needs the land share of cells, and there is none")
            weights = weights * (land if surface == "land" else 1.0 - land)
        total = weights.sum()
        if not total > 0.0:
            kind = "" if region.surface == "all" else f"{region.surface} "
            breaches.append(f"region {region.name!r} holds no {kind}cell of this grid")
            continue
        made.append(weights / total)
    if breaches:
        raise ValueError("; ".join(breaches))
    return np.stack(made)


@dataclass(frozen=True)
class Operator:
    """Weights of a study's outputs on one grid, and what tells them from others.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(outputs, rows, columns)``.
    digest : str
        Hash of the weights.
    """

    weights: Floats
    digest: str


_recent: OrderedDict[str, Operator] = OrderedDict()
_recent_lock = threading.Lock()


def operator(grid: Grid, regions: Sequence[Region], area: Floats, land: Floats | None, domain: str = "all") -> Operator:
    """The weights of :func:`region_weights`, made once for the runs of a model that follow each other.

    Parameters
    ----------
    grid, regions, area, land, domain
        As there.

    Returns
    -------
    Operator
        Shared: not to be written to.

    Raises
    ------
    ValueError
        As there.
    """
    # a region's repr leaves out its polygons
    asked = hashlib.sha256(repr(([region.model_dump_json() for region in regions], domain, grid.shape)).encode())
    for array in (grid.lat, grid.lon, grid.lat_bounds, grid.lon_bounds, area, land):
        asked.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    key = asked.hexdigest()
    with _recent_lock:
        if key in _recent:
            _recent.move_to_end(key)
            return _recent[key]
    weights = region_weights(grid, regions, area, land, domain)
    weights.flags.writeable = False
    made = Operator(weights, hashlib.sha256(weights.tobytes()).hexdigest())
    with _recent_lock:
        _recent[key] = made
        while len(_recent) > _KEPT:
            _recent.popitem(last=False)
    return made


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


def apply_weights(field: NDArray[np.floating], weights: Floats, maps: Sequence[SeasonSums] = ()) -> Applied:
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
    maps : sequence of SeasonSums
        Of the same months; each step is handed to them in turn, times its length, while it is in the cache.

    Returns
    -------
    Applied
        Sums, weights that are there, and extremes.
    """
    steps = field.shape[0]
    flat = field.reshape(steps, -1)
    rows = np.ascontiguousarray(weights, dtype=np.float64)
    same_as = _same_rows(rows)
    patches = {output: _patch(rows[output]) for output in sorted(set(same_as))}
    rows = rows.reshape(rows.shape[0], -1)
    whole = np.array([np.einsum("c->", row) for row in rows])
    sums, present = np.zeros((steps, rows.shape[0])), np.empty((steps, rows.shape[0]))
    low, high = np.full(steps, np.nan), np.full(steps, np.nan)
    before: NDArray[np.bool_] | None = None  # the absent cells of the step before, where it had any
    cells = np.zeros((max(2, _SLAB // max(1, flat.shape[1])), flat.shape[1]))
    map_of_cells = cells.reshape(-1, *field.shape[1:])
    several, weighted = np.empty(cells.shape[0]), np.empty(flat.shape[1] if maps else 0)
    for start in range(0, steps if flat.shape[1] else 0, cells.shape[0]):
        slab = flat[start : start + cells.shape[0]]
        np.copyto(cells[: len(slab)], slab)
        for row, values in enumerate(slab):
            step = start + row
            low[step], high[step] = values.min(), values.max()  # NaN as soon as one cell is
            absent: NDArray[np.bool_] | None = None
            if np.isfinite(low[step]) and np.isfinite(high[step]):
                present[step] = whole
            else:
                absent = ~np.isfinite(values)
                low[step], high[step] = np.fmin.reduce(values), np.fmax.reduce(values)
                cells[row, absent] = 0.0
                # the sea of a land field is the same in every step
                same = before is not None and np.array_equal(absent, before)
                present[step] = present[step - 1] if same else _weight_left(rows, whole, absent)
            before = absent
            if maps:
                np.multiply(cells[row], maps[0].when.lengths[step], out=weighted)
                for season in maps:
                    season.take(step, weighted, absent)
        for output, (where, of) in patches.items():
            # always as many rows at once, for NumPy sums a single one in another order
            if of.ndim == 1:
                np.einsum("tc,c->t", cells[:, where[0]], of, out=several)
            else:
                np.einsum("tyx,yx->t", map_of_cells[:, where[0], where[1]], of, out=several)
            sums[start : start + len(slab), output] = several[: len(slab)]
    return Applied(sums[:, same_as], present, low, high)


def _same_rows(rows: Floats) -> list[int]:
    """For each output the first that has the same weights: none is summed twice."""
    first: dict[bytes, int] = {}
    return [first.setdefault(hashlib.sha256(row.tobytes()).digest(), output) for output, row in enumerate(rows)]


def _patch(row: Floats) -> tuple[tuple[slice, ...], Floats]:
    """Where an output has weights, and these: a run of cells, or a box where that is far less."""
    used = np.flatnonzero(row)
    if not used.size:
        return (slice(0, 0),), np.empty(0)
    run = slice(int(used[0]), int(used[-1]) + 1)
    columns = np.flatnonzero(row.any(axis=0))
    width = int(columns[-1]) + 1 - int(columns[0])
    if width > _NARROW * row.shape[1]:
        return (run,), row.reshape(-1)[run]
    box = (
        slice(run.start // row.shape[1], (run.stop - 1) // row.shape[1] + 1),
        slice(int(columns[0]), int(columns[0]) + width),
    )
    return box, np.ascontiguousarray(row[box])


def _weight_left(rows: Floats, whole: Floats, absent: NDArray[np.bool_]) -> Floats:
    """Sum of each row's weights but for absent cells: exactly the whole where none of them counts."""
    there = (~absent).astype(np.float64)
    left = np.array([np.einsum("c,c->", there, row) for row in rows])
    return np.where((rows[:, absent] != 0.0).any(axis=1), left, whole)
