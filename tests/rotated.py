"""A synthetic regular grid whose pole lies elsewhere."""

import numpy as np
from synthetic import regular


def rotated(rows=18, columns=36, pole=(39.25, 198.0)):
    """Centres and corners of a global grid whose pole lies elsewhere [degrees]."""
    tilt, turn = np.radians(90.0 - pole[0]), np.radians(pole[1])

    def turned(lat, lon):
        lat, lon = np.radians(lat), np.radians(lon)
        x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        x, z = np.cos(tilt) * x + np.sin(tilt) * z, np.cos(tilt) * z - np.sin(tilt) * x
        x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
        return np.degrees(np.arcsin(np.clip(z, -1, 1))), np.degrees(np.arctan2(y, x)) % 360.0

    lat, lon, lat_bounds, lon_bounds = regular(rows, columns)
    centres = turned(*np.meshgrid(lat, lon, indexing="ij"))
    corner = (
        np.broadcast_to(lat_bounds[:, None, [0, 0, 1, 1]], (rows, columns, 4)),
        np.broadcast_to(lon_bounds[None, :, [0, 1, 1, 0]], (rows, columns, 4)),
    )
    return *centres, *turned(*corner)
