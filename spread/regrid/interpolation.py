"""Bilinear and nearest weights between the centres of cells of any shape (engine ``spherical``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid, unit_vectors
from spread.grids.corners import folded, periodic
from spread.regrid.spherical import VERSION, areas, circles, near_pairs, polygons
from spread.regrid.weights import Floats, Integers, Links, used

_INSIDE = 1e-9  # how far outside a quadrilateral, in its own coordinates 0..1, a point still counts as inside
_STEPS = 20  # of Newton's method; convex quadrilaterals need five or six
_TIE = 1e-9  # difference of distances (chords) that is rounding


def bilinear(source: Grid, target: Grid) -> Links:
    """Weights bilinear in the quadrilaterals between the centres of a curvilinear grid.

    Parameters
    ----------
    source : Grid
        Curvilinear; columns that close a circle and the fold of a tripolar grid are joined.
    target : Grid
        Any; its cells are taken at their centres.

    Returns
    -------
    Links
        Up to four weights a target cell.

    Raises
    ------
    ValueError
        If the source is unstructured: its cells have no neighbours by index.

    Notes
    -----
    A quadrilateral and the point are seen in the gnomonic plane that touches the sphere at the point, where great
    circles are straight, and the two bilinear coordinates are found by Newton's method. Where a point is inside the
    cells but between no four centres (round a pole, along a coast of void cells, in the outer half of the cells at the
    end), it takes the nearest cell.
    """
    if source.shape[0] == 1:
        raise ValueError("bilinear needs a source with rows and columns; an unstructured one has conservative, nearest")
    points = unit_vectors(*source.centres())
    quads = _between_centres(source, points)
    wanted, at = _centres(target)
    pair_at, pair_quad = near_pairs(at, np.zeros(len(at)), *circles(points[quads]))
    inside, s, t = _coordinates(at[pair_at], points[quads[pair_quad]])
    pair_at, pair_quad, s, t = pair_at[inside], pair_quad[inside], s[inside], t[inside]
    found, first = np.unique(pair_at, return_index=True)  # a point on a common side is in both: the first takes it
    s, t, cells = s[first], t[first], quads[pair_quad[first]]
    share = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], axis=1)
    left = np.setdiff1d(np.arange(len(at)), found)
    rows, columns = _nearest(source, points, at[left])
    notes = (f"{rows.size} target cells between no four centres take the nearest cell",) if rows.size else ()
    return Links(
        np.r_[np.repeat(wanted[found], 4), wanted[left[rows]]], np.r_[cells.ravel(), columns],
        np.r_[share.ravel(), np.ones(rows.size)], np.where(used(source), areas(source), 0.0), areas(target), VERSION,
        notes,
    )  # fmt: skip


def nearest(source: Grid, target: Grid) -> Links:
    """Weights that take the cell whose centre is nearest on the sphere.

    Parameters
    ----------
    source, target : Grid
        Any.

    Returns
    -------
    Links
        One weight a target cell; none where the nearest cell does not reach the point.

    Notes
    -----
    Of cells equally near the one with the lowest index is taken.
    """
    points = unit_vectors(*source.centres())
    wanted, at = _centres(target)
    rows, columns = _nearest(source, points, at)
    return Links(
        wanted[rows], columns, np.ones(rows.size), np.where(used(source), areas(source), 0.0), areas(target), VERSION
    )


def _centres(target: Grid) -> tuple[Integers, Floats]:
    """Cells that have a centre, and these as unit vectors."""
    wanted = np.flatnonzero(~target.void.ravel())
    lat, lon = target.centres()
    return wanted, unit_vectors(lat[wanted], lon[wanted])


def _between_centres(source: Grid, points: Floats) -> Integers:
    """Quadrilaterals ``(n, 4)`` of neighbouring cells, round the circle and across the fold."""
    index = np.arange(len(points))
    repeated = np.flatnonzero(source.repeated.ravel())
    if repeated.size:  # a cell of a halo stands for the one that it repeats
        index[repeated] = _nearest(source, points, points[repeated])[1]
    index = index.reshape(source.shape)
    seen = points.reshape(*source.shape, 3)
    round_, over = periodic(seen), folded(seen)
    if over:
        index = np.concatenate([index, index[-1:, ::-1]])
    if round_:
        index = np.concatenate([index, index[:, :1]], axis=1)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    return quads[~source.void.ravel()[quads].any(1)]


def _coordinates(at: Floats, quads: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Tell which points ``(n, 3)`` are in their quadrilaterals ``(n, 4, 3)``, and where: 0..1 along two sides."""
    # two axes of the plane that touches the sphere at each point
    pole = np.where(np.abs(at[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    east = np.cross(pole, at)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    north = np.cross(at, east)
    depth = np.einsum("nkc,nc->nk", quads, at)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.einsum("nkc,nc->nk", quads, east) / depth
        y = np.einsum("nkc,nc->nk", quads, north) / depth
        s, t = np.full(len(at), 0.5), np.full(len(at), 0.5)
        for _ in range(_STEPS):
            f, g = _mapped(x, s, t), _mapped(y, s, t)
            fs, ft, gs, gt = *_slopes(x, s, t), *_slopes(y, s, t)
            by = fs * gt - ft * gs
            s, t = s - (f * gt - g * ft) / by, t - (g * fs - f * gs) / by
        size = np.abs(x).max(1) + np.abs(y).max(1)
        solved = np.hypot(_mapped(x, s, t), _mapped(y, s, t)) <= 1e-9 * size
        inside = solved & (depth > 0.0).all(1) & (np.abs(s - 0.5) <= 0.5 + _INSIDE) & (np.abs(t - 0.5) <= 0.5 + _INSIDE)
    return inside, np.clip(s, 0.0, 1.0), np.clip(t, 0.0, 1.0)


def _mapped(x: Floats, s: Floats, t: Floats) -> Floats:
    return (1 - s) * (1 - t) * x[:, 0] + s * (1 - t) * x[:, 1] + s * t * x[:, 2] + (1 - s) * t * x[:, 3]


def _slopes(x: Floats, s: Floats, t: Floats) -> tuple[Floats, Floats]:
    return (1 - t) * (x[:, 1] - x[:, 0]) + t * (x[:, 2] - x[:, 3]), (1 - s) * (x[:, 3] - x[:, 0]) + s * (
        x[:, 2] - x[:, 1]
    )


def _nearest(source: Grid, points: Floats, at: Floats) -> tuple[Integers, Integers]:
    """Points ``(n, 3)`` that some cell reaches, and the cell of each."""
    from scipy.spatial import cKDTree

    cells = np.flatnonzero(used(source))
    if not (cells.size and len(at)):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    distance, which = cKDTree(points[cells]).query(at, k=min(8, cells.size))
    distance, which = distance.reshape(len(at), -1), cells[which.reshape(len(at), -1)]
    equal = distance <= distance[:, :1] + _TIE
    chosen = np.where(equal, which, points.shape[0]).min(1)
    # a cell reaches as far as its farthest corner lies from its centre
    reach = np.linalg.norm(polygons(source)[chosen] - points[chosen][:, None], axis=-1).max(1)
    reached = np.flatnonzero(distance[:, 0] <= reach + _TIE)
    return reached, chosen[reached]
