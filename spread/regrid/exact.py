"""Engine ``exact``: between rectilinear grids, cell by cell along each axis, exact between parallels and meridians."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid
from spread.regrid.weights import Floats, Integers, Links, used

VERSION = "1"

_SLIVER = 1e-12  # part of the narrower cell below which an overlap is rounding: edges are known to 1e-13 degrees


def conservative(source: Grid, target: Grid) -> Links:
    """Common areas of the cells of two rectilinear grids.

    Parameters
    ----------
    source, target : Grid
        Rectilinear, rows and columns in any order, longitudes in any range.

    Returns
    -------
    Links
        Areas between parallels and meridians [sr].

    Raises
    ------
    ValueError
        If a grid is not rectilinear.
    """
    if not (source.rectilinear and target.rectilinear):
        raise ValueError("engine 'exact' needs rectilinear grids; engine 'spherical' takes any")
    lat_t, lat_s, south, north = _overlaps(_rising(target.lat_bounds), _rising(source.lat_bounds))
    columns = np.flatnonzero(~source.repeated[0])
    lon_t, lon_s, west, east = _round(_rising(target.lon_bounds), _rising(source.lon_bounds)[columns])
    lon_s = columns[lon_s]
    height, width = _height(south, north), np.deg2rad(east - west)
    rows = lat_t[:, None] * target.shape[1] + lon_t
    cells = lat_s[:, None] * source.shape[1] + lon_s
    return Links(
        rows.ravel(), cells.ravel(), (height[:, None] * width).ravel(), np.where(used(source), areas(source), 0.0),
        areas(target), VERSION,
    )  # fmt: skip


def areas(grid: Grid) -> Floats:
    """Areas of the cells of a rectilinear grid, flattened row by row ``(n,)`` [sr]."""
    lat, lon = _rising(grid.lat_bounds), _rising(grid.lon_bounds)
    return np.outer(_height(lat[:, 0], lat[:, 1]), np.deg2rad(lon[:, 1] - lon[:, 0])).ravel()


def _height(south: Floats, north: Floats) -> Floats:
    """Difference of the sines of latitudes [degrees], without the cancellation that costs polar rows four digits."""
    south, north = np.deg2rad(south), np.deg2rad(north)
    return 2.0 * np.cos((south + north) / 2.0) * np.sin((north - south) / 2.0)


def _rising(bounds: Floats) -> Floats:
    return np.sort(bounds, axis=1)


def _overlaps(target: Floats, source: Floats) -> tuple[Integers, Integers, Floats, Floats]:
    """Pairs of intervals ``(n, 2)`` that have something in common, and what."""
    order = np.argsort(source[:, 0], kind="stable")
    low, high = source[order].T
    first = np.searchsorted(np.maximum.accumulate(high), target[:, 0], side="right")
    last = np.searchsorted(low, target[:, 1], side="left")
    count = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(target)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    begin, end = np.maximum(target[rows, 0], low[place]), np.minimum(target[rows, 1], high[place])
    narrower = np.minimum(target[rows, 1] - target[rows, 0], high[place] - low[place])
    keep = end - begin > _SLIVER * narrower
    return rows[keep], order[place[keep]], begin[keep], end[keep]


def _round(target: Floats, source: Floats) -> tuple[Integers, Integers, Floats, Floats]:
    """The same for longitudes: every source cell is there again each 360 degrees."""
    first = int(np.floor((target.min() - source.max()) / 360.0))
    last = int(np.ceil((target.max() - source.min()) / 360.0))
    found = [_overlaps(target, source + 360.0 * turn) for turn in range(first, last + 1)]
    rows, cells, begin, end = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows, cells, begin, end


def bilinear(source: Grid, target: Grid) -> Links:
    """Weights linear in latitude and in longitude between the centres of a rectilinear grid.

    Parameters
    ----------
    source : Grid
        Rectilinear.
    target : Grid
        Any; its cells are taken at their centres.

    Returns
    -------
    Links
        Up to four weights a target cell.

    Raises
    ------
    ValueError
        If the source is not rectilinear.

    Notes
    -----
    Longitudes go round where the source does. Between the last row and the pole, and in the outer half of the cells at
    the end of a regional grid, the value is that of the last row or column; beyond the cells there is none.
    """
    if not source.rectilinear:
        raise ValueError("engine 'exact' needs a rectilinear source; engine 'spherical' takes any")
    lat, lon = (target.lat[:, None], target.lon[None, :]) if target.rectilinear else (target.lat, target.lon)
    bounds = _rising(source.lat_bounds)
    rows = _between(lat, source.lat, float(bounds.min()), float(bounds.max()))
    columns = np.flatnonzero(~source.repeated[0])
    edges = _rising(source.lon_bounds)[columns]
    # the span may begin anywhere and go across longitude 0: everything is counted eastward from the western end
    centre = source.lon[columns]
    west, width = _span(edges)
    at, centre = (lon - west) % 360.0, (centre - west) % 360.0
    if width > 360.0 - 1e-6:
        order = np.argsort(centre)
        ring = np.r_[centre[order[-1]] - 360.0, centre[order], centre[order[0]] + 360.0]
        low, high, share, there = _between(at, ring, -360.0, 720.0)
        ringed = columns[np.r_[order[-1], order, order[0]]]
        across = (ringed[low], ringed[high], share, there)
    else:
        at = np.where(at > 360.0 - 1e-9, at - 360.0, at)
        low, high, share, there = _between(at, centre, 0.0, width)
        across = (columns[low], columns[high], share, there)
    return _corners_of(rows, across, source, target)


_Between = tuple[NDArray[np.int64], NDArray[np.int64], Floats, NDArray[np.bool_]]


def _corners_of(rows: _Between, across: _Between, source: Grid, target: Grid) -> Links:
    """The four cells round each target centre, with the product of their shares along both axes."""
    there = np.broadcast_to(rows[3] & across[3], target.shape) & ~target.void
    cells = np.flatnonzero(there.ravel())
    found, values = [], []
    for row, down in ((rows[0], 1.0 - rows[2]), (rows[1], rows[2])):
        for column, along in ((across[0], 1.0 - across[2]), (across[1], across[2])):
            found.append(np.broadcast_to(row * source.shape[1] + column, target.shape).ravel()[cells])
            values.append(np.broadcast_to(down * along, target.shape).ravel()[cells])
    from spread.regrid.spherical import areas as great_circle_areas

    return Links(
        np.tile(cells, 4), np.concatenate(found), np.concatenate(values), np.where(used(source), areas(source), 0.0),
        areas(target) if target.rectilinear else great_circle_areas(target), VERSION,
    )  # fmt: skip


def _span(edges: Floats) -> tuple[float, float]:
    """Western end and width [degrees] of columns, of which each may be given a turn away from its neighbours."""
    west = np.sort(edges[:, 0] % 360.0)
    total = float((edges[:, 1] - edges[:, 0]).sum())
    if total > 360.0 - 1e-6 or west.size == 1:
        return float(edges[0, 0]), min(total, 360.0)
    gap = np.diff(np.r_[west, west[0] + 360.0])
    start = float(west[(int(np.argmax(gap)) + 1) % west.size])
    return start, total


def _between(at: Floats, centres: Floats, low: float, high: float) -> _Between:
    """Neighbours of points on an axis, the share of the second, and whether the point is between the ends."""
    order = np.argsort(centres, kind="stable")
    sorted_ = centres[order]
    with np.errstate(invalid="ignore"):
        there = (at >= low - 1e-9) & (at <= high + 1e-9)
    at = np.clip(np.where(there, at, sorted_[0]), sorted_[0], sorted_[-1])
    if sorted_.size == 1:
        alone = np.zeros(at.shape, dtype=np.int64) + order[0]
        return alone, alone, np.zeros(at.shape), there
    above = np.clip(np.searchsorted(sorted_, at, side="right"), 1, sorted_.size - 1)
    share = (at - sorted_[above - 1]) / (sorted_[above] - sorted_[above - 1])
    return order[above - 1], order[above], share, there
