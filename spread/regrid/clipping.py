"""Common areas of polygons on the sphere, compiled; imported when weights are made: Numba takes time to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NO_LENGTH = 1e-26  # square of the length [rad] of a side that is none: corners at a pole differ by 1e-17


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder may be written to: compiled anew in each process
        return njit(nogil=True)(function)


@_compiled
def common_areas(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    clips: NDArray[np.float64],
    subjects: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Area that each pair of polygons has in common [sr].

    Parameters
    ----------
    first, second : numpy.ndarray
        ``(n,)`` the pairs: index into ``clips`` and into ``subjects``.
    clips : numpy.ndarray
        ``(m, v, 3)`` convex polygons, anticlockwise.
    subjects : numpy.ndarray
        ``(k, w, 3)`` polygons, anticlockwise, convex or not.
    out : numpy.ndarray
        ``(n,)`` written to.

    Notes
    -----
    Sutherland and Hodgman (1974), Commun. ACM 17, with planes through the centre of the sphere for lines; areas as in
    :func:`spread.grids.polygon_area`. A side of ``a`` polygon cut by a plane meets it in one point at most, so ``n``
    corners become ``3 n / 2`` at most.
    """
    sides, corners = clips.shape[1], subjects.shape[1]
    most = corners
    for _ in range(sides):
        most = most + most // 2 + 1
    here, there = np.empty((most, 3)), np.empty((most, 3))
    for pair in range(first.size):
        clip, subject = clips[first[pair]], subjects[second[pair]]
        count = corners
        for k in range(corners):
            here[k, 0], here[k, 1], here[k, 2] = subject[k, 0], subject[k, 1], subject[k, 2]
        for side in range(sides):
            after = side + 1 if side + 1 < sides else 0
            ax, ay, az = clip[side, 0], clip[side, 1], clip[side, 2]
            dx, dy, dz = clip[after, 0] - ax, clip[after, 1] - ay, clip[after, 2] - az
            nx, ny, nz = ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx
            if nx * nx + ny * ny + nz * nz < _NO_LENGTH:
                continue
            kept = 0
            px, py, pz = here[count - 1, 0], here[count - 1, 1], here[count - 1, 2]
            before = nx * px + ny * py + nz * pz
            for k in range(count):
                qx, qy, qz = here[k, 0], here[k, 1], here[k, 2]
                now = nx * qx + ny * qy + nz * qz
                if (before >= 0.0) != (now >= 0.0):
                    s = before / (before - now)
                    x, y, z = px + s * (qx - px), py + s * (qy - py), pz + s * (qz - pz)
                    length = 1.0 / np.sqrt(x * x + y * y + z * z)
                    there[kept, 0], there[kept, 1], there[kept, 2] = x * length, y * length, z * length
                    kept += 1
                if now >= 0.0:
                    there[kept, 0], there[kept, 1], there[kept, 2] = qx, qy, qz
                    kept += 1
                px, py, pz, before = qx, qy, qz, now
            here, there = there, here
            count = kept
            if count < 3:
                break
        out[pair] = _area(here, count) if count > 2 else 0.0


@_compiled
def _area(points: NDArray[np.float64], count: int) -> float:  # pragma: no cover - compiled
    ax, ay, az = points[0, 0], points[0, 1], points[0, 2]
    total = 0.0
    for k in range(1, count - 1):
        bx, by, bz = points[k, 0], points[k, 1], points[k, 2]
        cx, cy, cz = points[k + 1, 0], points[k + 1, 1], points[k + 1, 2]
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        volume = ax * (uy * vz - uz * vy) + ay * (uz * vx - ux * vz) + az * (ux * vy - uy * vx)
        dots = ax * bx + ay * by + az * bz + bx * cx + by * cy + bz * cz + cx * ax + cy * ay + cz * az
        total += 2.0 * np.arctan2(volume, 1.0 + dots)
    return total
