"""Derive the bundled land fraction and coastline from Natural Earth polygons; a maintainer's script, not run-time code.

npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
python -m spread.natural_earth.derive package
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

SUBSAMPLES = 8


def read_rings(path: Path) -> list[np.ndarray]:
    """Decode every polygon ring of the `land` object of a quantised TopoJSON file.

    Parameters
    ----------
    path : Path
        `land-50m.json` or `land-110m.json` of world-atlas.

    Returns
    -------
    list of ndarray
        Closed rings, (n, 2) longitude, latitude [degrees].

    Source
    ------
    TopoJSON specification 1.0, sections 2.1.2 (transforms) and 2.1.4 (arc indexes).
    """
    topology = json.loads(path.read_text())
    scale, shift = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    arcs = [np.cumsum(np.array(arc, float), axis=0) * scale + shift for arc in topology["arcs"]]

    def ring(indexes: list[int]) -> np.ndarray:
        pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indexes]
        return np.concatenate([pieces[0]] + [piece[1:] for piece in pieces[1:]])

    rings = []
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        rings += [ring(indexes) for polygon in polygons for indexes in polygon]
    return rings


def unwrapped(ring: np.ndarray) -> np.ndarray:
    """Make longitudes continuous along a ring, and close a ring that encircles a pole along that pole.

    world-atlas stitches the antimeridian cuts of Natural Earth: its rings jump from 180 to -180.
    """
    lon = ring[0, 0] + np.concatenate([[0], np.cumsum((np.diff(ring[:, 0]) + 180) % 360 - 180)])
    ring = np.stack([lon, ring[:, 1]], 1)
    if abs(lon[-1] - lon[0]) < 180:
        return ring
    pole = 90.0 * np.sign(ring[:, 1].mean())
    return np.concatenate([ring, [[lon[-1], pole], [lon[0], pole], ring[0]]])


def inside(rings: list[np.ndarray], lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Say which points of a rectilinear set of samples lie on land, by the even-odd rule along each latitude.

    Parameters
    ----------
    rings : list of ndarray
        Closed rings, (n, 2) longitude, latitude [degrees], possibly crossing the antimeridian.
    lat : ndarray
        Sample latitudes (nlat,) [degrees north].
    lon : ndarray
        Sample longitudes (nlon,), ascending within -180..180 [degrees east].

    Returns
    -------
    ndarray
        bool (nlat, nlon).
    """
    shifts = [np.array([shift, 0.0]) for shift in (-360.0, 0.0, 360.0)]
    closed = [unwrapped(ring) + shift for ring in rings for shift in shifts]
    start, end = np.concatenate([ring[:-1] for ring in closed]), np.concatenate([ring[1:] for ring in closed])
    out = np.zeros((lat.size, lon.size), bool)
    for row, y in enumerate(lat):
        crosses = (start[:, 1] <= y) != (end[:, 1] <= y)
        (x0, y0), (x1, y1) = start[crosses].T, end[crosses].T
        x = np.sort(x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        out[row] = np.searchsorted(x, lon) % 2 == 1
    return out


def fraction_1deg(rings: list[np.ndarray], subsamples: int = SUBSAMPLES) -> np.ndarray:
    """Sample the polygons inside each 1-degree cell.

    Returns
    -------
    ndarray
        Land area [%], uint8 (180, 360), latitude -90..90, longitude 0..360.
    """
    step = 1.0 / subsamples
    lat = -90 + step * (np.arange(180 * subsamples) + 0.5)
    lon = -180 + step * (np.arange(360 * subsamples) + 0.5)
    land = inside(rings, lat, lon).reshape(180, subsamples, 360, subsamples).mean((1, 3))
    return np.roll(np.rint(100 * land).astype(np.uint8), -180, axis=1)


def coast(rings: list[np.ndarray]) -> list[list[list[float]]]:
    """Turn rings into lines split where they cross the antimeridian.

    Returns
    -------
    list
        Lines of [lon, lat] pairs [degrees], rounded to 0.01, longitudes -180..180.
    """
    lines = []
    for ring in rings:
        line = [ring[0]]
        for (x0, y0), (x1, y1) in pairwise(ring):
            if abs(x1 - x0) > 180:
                side = np.copysign(180.0, x0)
                ahead = x1 + 2 * side - x0
                y = y0 + (y1 - y0) * ((side - x0) / ahead if ahead else 0.0)
                lines.append([*line, np.array([side, y])])
                line = [np.array([-side, y])]
            line.append(np.array([x1, y1]))
        lines.append(line)
    return [np.round(line, 2).tolist() for line in lines]


def main() -> None:
    """Write the two bundled files beside this script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="folder of the unpacked world-atlas npm package")
    package, here = parser.parse_args().package, Path(__file__).parent
    percent = fraction_1deg(read_rings(package / "land-50m.json"))
    np.savez_compressed(here / "land_fraction_1deg.npz", percent=percent)
    lines = coast(read_rings(package / "land-110m.json"))
    (here / "coastline_110m.json").write_text(json.dumps(lines, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
