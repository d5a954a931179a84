"""Engine ``spherical``: cells of any shape, as polygons with great-circle sides in three dimensions.

Nothing is special at poles, at the date line or along the fold of a tripolar grid, because no longitude is compared.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from spread.grids import Grid, polygon_area, unit_vectors
from spread.regrid.weights import Floats, Integers, Links, used

VERSION = "1"

_SLIVER = 1e-12  # part of the smaller cell below which a common area is rounding
_BLOCK = 1 << 18  # pairs that a thread takes at a time


def conservative(source: Grid, target: Grid) -> Links:
    """Common areas of the cells of two grids of any kind.

    Parameters
    ----------
    source, target : Grid
        Rectilinear cells are taken as quadrilaterals of great circles, as ESMF takes them.

    Returns
    -------
    Links
        Areas of polygons with great-circle sides [sr].

    Raises
    ------
    ValueError
        If cells are 180 degrees wide or more, which have no great-circle sides.
    """
    counted, wanted = np.flatnonzero(used(source)), np.flatnonzero(~target.void.ravel())
    subjects, clips = polygons(source)[counted], polygons(target)[wanted]
    pieces, piece_of, bad = convex_pieces(clips)
    first, second = near_pairs(*circles(pieces), *circles(subjects))
    common = _common_areas(first, second, pieces, subjects)
    source_area, target_area = np.zeros(source.void.size), np.zeros(target.void.size)
    source_area[counted], target_area[wanted] = polygon_area(subjects), polygon_area(clips)
    smaller = np.minimum(source_area[counted][second], target_area[wanted][piece_of[first]])
    keep = common > _SLIVER * smaller
    notes = (f"{bad} target cells cross themselves and get nothing",) if bad else ()
    rows, columns = wanted[piece_of[first[keep]]], counted[second[keep]]
    return Links(rows, columns, common[keep], source_area, target_area, VERSION, notes)


def areas(grid: Grid) -> Floats:
    """Areas of cells with great-circle sides, flattened row by row ``(n,)`` [sr]; 0 where void."""
    return np.nan_to_num(polygon_area(polygons(grid)))


def polygons(grid: Grid) -> Floats:
    """Corners of all cells as unit vectors ``(n, v, 3)``, anticlockwise; NaN where void."""
    if grid.rectilinear:
        width = float(np.abs(grid.lon_bounds[:, 1] - grid.lon_bounds[:, 0]).max())
        if width >= 180.0:
            raise ValueError(f"engine 'spherical' needs cells narrower than 180 degrees, got {width:g}; use 'exact'")
    points = unit_vectors(*grid.corners())
    for k in range(points.shape[1]):  # corners that are one but for rounding become one: those at a pole
        same = np.linalg.norm(points[:, k] - points[:, k - 1], axis=-1) < 1e-13
        points[same, k] = points[same, k - 1]
    clockwise = polygon_area(points) < 0.0
    points[clockwise] = points[clockwise][:, ::-1]
    points[grid.void.ravel()] = np.nan
    return points


def circles(points: Floats) -> tuple[Floats, Floats]:
    """Centre ``(n, 3)`` of each polygon ``(n, v, 3)`` and the greatest distance of a corner from it (chord)."""
    centre = points.sum(1)
    centre /= np.linalg.norm(centre, axis=-1, keepdims=True)
    return centre, np.linalg.norm(points - centre[:, None], axis=-1).max(1)


def convex_pieces(points: Floats) -> tuple[Floats, Integers, int]:
    """Cut polygons that are not convex into triangles.

    Parameters
    ----------
    points : numpy.ndarray
        ``(n, v, 3)``, anticlockwise; corners may repeat.

    Returns
    -------
    tuple
        Convex polygons ``(m, v, 3)``; which polygon each is of, ``(m,)``; how many could not be cut.
    """
    vertices = points.shape[1]
    following = np.roll(points, -1, axis=1)
    for _ in range(vertices - 2):  # the next corner that is another
        same = (following == points).all(-1)
        following[same] = np.roll(following, -1, axis=1)[same]
    preceding = np.roll(points, 1, axis=1)
    for _ in range(vertices - 2):
        same = (preceding == points).all(-1)
        preceding[same] = np.roll(preceding, 1, axis=1)[same]
    reflex = (points * np.cross(points - preceding, following - points)).sum(-1) < 0.0
    dented = np.flatnonzero(reflex.any(1))
    if not dented.size:
        return points, np.arange(len(points)), 0
    whole = np.flatnonzero(~reflex.any(1))
    pieces, of, bad = [points[whole]], [whole], 0
    for cell in dented:
        fan = _fan(points[cell], np.flatnonzero(reflex[cell]))
        bad += fan is None
        if fan is not None:
            pieces.append(fan)
            of.append(np.full(len(fan), cell))
    return np.concatenate(pieces), np.concatenate(of), bad


def _fan(polygon: Floats, corners: Integers) -> Floats | None:
    """Triangles, padded to as many corners, from the first corner that sees all the others."""
    vertices = len(polygon)
    for corner in corners:
        turned = np.roll(polygon, -int(corner), axis=0)
        triangles = np.stack([turned[[0, k, k + 1]] for k in range(1, vertices - 1)])
        area = polygon_area(triangles)
        if (area >= 0.0).all():
            return triangles[area > 0.0][:, [0, 1, *[2] * (vertices - 2)]]
    return None


def near_pairs(centre: Floats, radius: Floats, other: Floats, other_radius: Floats) -> tuple[Integers, Integers]:
    """Pairs of circles on the sphere that may touch.

    Parameters
    ----------
    centre, radius, other, other_radius : numpy.ndarray
        ``(n, 3)`` and ``(n,)``, ``(m, 3)`` and ``(m,)``: unit vectors and chords.

    Returns
    -------
    tuple of numpy.ndarray
        Index of the first and of the second of each pair, sorted by the first.

    Notes
    -----
    Circles are taken in classes of like size, so that a few large ones do not make everything near everything.
    """
    from scipy.spatial import cKDTree

    found = []
    trees = [(cells, cKDTree(other[cells])) for cells in _classes(other_radius)]
    for mine in _classes(radius):
        tree = cKDTree(centre[mine])
        for theirs, their_tree in trees:
            reach = float(radius[mine].max() + other_radius[theirs].max())
            pairs = tree.sparse_distance_matrix(their_tree, reach, output_type="ndarray")
            one, two = mine[pairs["i"]], theirs[pairs["j"]]
            touch = pairs["v"] <= radius[one] + other_radius[two]
            found.append((one[touch], two[touch]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first, second = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((second, first))
    return first[order], second[order]


def _classes(radius: Floats) -> list[Integers]:
    """Indices of circles whose sizes differ by a factor of two at most."""
    size = np.floor(np.log2(np.maximum(radius, 1e-12))).astype(np.int64)
    return [np.flatnonzero(size == value) for value in np.unique(size)]


def _common_areas(first: Integers, second: Integers, clips: Floats, subjects: Floats) -> Floats:
    """Areas of all pairs; each by itself, so that they do not depend on the number of threads."""
    from spread.regrid.clipping import common_areas

    out = np.zeros(first.size)
    clips, subjects = np.ascontiguousarray(clips), np.ascontiguousarray(subjects)

    def work(start: int) -> None:
        part = slice(start, start + _BLOCK)
        common_areas(first[part], second[part], clips, subjects, out[part])

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(work, range(0, first.size, _BLOCK)))
    return out
