"""A synthetic tripolar grid: latitudes up to a joint, north of it a bipolar cap (Murray 1996, J. Comput. Phys. 126).

In the polar stereographic plane the cap is a disc; its columns are the circles that part the two poles on the rim, its
rows the arcs through both. The last row meets itself, mirrored, along the line between the poles.
"""

from __future__ import annotations

import numpy as np

JOINT = 65.0  # latitude where the cap begins [degrees north]
POLE = 80.0  # longitude of one of the two northern poles [degrees east]; the other lies opposite


def _cap(turn, height):
    """Latitude, longitude [degrees] in the cap: ``turn`` round its rim 0..360, ``height`` 0 there, 1 on the fold."""
    rim = np.tan(np.radians(90.0 - JOINT) / 2.0)
    turn, height = np.broadcast_arrays(np.radians(turn), np.asarray(height, dtype=float))
    half = turn / 2.0
    # (rim + z) / (rim - z) = |cot(turn / 2)| e^(iv), cleared of its poles
    along = np.exp(1j * np.where(np.sin(turn) >= 0.0, 1.0, -1.0) * np.pi / 2.0 * (1.0 - height))
    top, bottom = np.abs(np.cos(half)) * along, np.abs(np.sin(half))
    z = rim * (top - bottom) / (top + bottom)
    return 90.0 - 2.0 * np.degrees(np.arctan(np.abs(z))), np.degrees(np.angle(z)) + POLE


def tripolar(rows=60, columns=72, cap=12, south=-90.0):
    """Centres ``(y, x)`` and corners ``(y, x, 4)`` [degrees] of a synthetic tripolar grid, columns even in number."""
    edges = np.linspace(0.0, 360.0, columns + 1)
    lat_edges, cap_edges = np.linspace(south, JOINT, rows - cap + 1), np.linspace(0.0, 1.0, cap + 1)

    def place(turn, low, high):
        lat, lon = np.broadcast_arrays(low[:, None], POLE + turn[None, :])
        cap_lat, cap_lon = _cap(turn[None, :], high[:, None])
        return np.concatenate([lat, cap_lat]), np.concatenate([lon, cap_lon]) % 360.0

    def middle(values):
        return (values[:-1] + values[1:]) / 2.0

    lat, lon = place(middle(edges), middle(lat_edges), middle(cap_edges))
    corners = [
        place(turn, low, high)
        for turn, low, high in (
            (edges[:-1], lat_edges[:-1], cap_edges[:-1]), (edges[1:], lat_edges[:-1], cap_edges[:-1]),
            (edges[1:], lat_edges[1:], cap_edges[1:]), (edges[:-1], lat_edges[1:], cap_edges[1:]),
        )
    ]  # fmt: skip
    return lat, lon, np.stack([c[0] for c in corners], -1), np.stack([c[1] for c in corners], -1)


def with_halo(*arrays):
    """The same with the columns and the row that ORCA grids repeat: one on either side, and the fold's mirrored."""
    made = []
    for array in arrays:
        folded = np.concatenate([array, array[-1:, ::-1]])
        made.append(np.concatenate([folded[:, -1:], folded, folded[:, :1]], axis=1))
    return made
