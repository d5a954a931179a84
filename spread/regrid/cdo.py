"""Engine ``cdo``: weights made by the Climate Data Operators in a process of its own, where they are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from spread.errors import NotFound
from spread.grids import Grid
from spread.regrid import exact, spherical
from spread.regrid.weights import Floats, Links, used

_OPERATORS = {"conservative": "gencon", "bilinear": "genbil", "nearest": "gennn"}


def links(source: Grid, target: Grid, method: str) -> Links:
    """Weights of ``cdo gencon``, ``genbil`` or ``gennn``.

    Parameters
    ----------
    source, target : Grid
        Rectilinear cells are bounded by parallels, others by great circles.
    method : str
        ``conservative``, ``bilinear`` or ``nearest``.

    Returns
    -------
    Links
        From the SCRIP file that cdo writes; areas are those of the same cells here, for cdo need not write them.

    Raises
    ------
    NotFound
        If there is no cdo, or it refuses the grids.
    """
    command = shutil.which("cdo")
    if command is None:
        raise NotFound(
            "engine 'cdo': expected the command cdo, which is not on the PATH; install it (apt, conda-forge), "
            "or take engine 'auto', which does not need it"
        )
    from_cell, to_cell = _south_first(source), _south_first(target)
    with tempfile.TemporaryDirectory(prefix="spread-cdo-") as name:
        folder = Path(name)
        for file, grid, order, counts in (
            ("source.txt", source, from_cell, used(source)),
            ("target.txt", target, to_cell, ~target.void.ravel()),
        ):
            (folder / file).write_text(description(_reordered(grid), counts[order]), encoding="ascii")
        arguments = [command, "-s", "-b", "F64", "-f", "nc", f"{_OPERATORS[method]},target.txt", "-const,1,source.txt"]
        # as shares of the target cell, from which common areas follow
        done = subprocess.run(
            [*arguments, "weights.nc"], cwd=folder, capture_output=True, text=True, check=False,
            env={**os.environ, "CDO_REMAP_NORM": "destarea"},
        )  # fmt: skip
        if done.returncode or not (folder / "weights.nc").is_file():
            said = " ".join(done.stderr.split())[-400:]
            raise NotFound(f"engine 'cdo': cdo {_OPERATORS[method]} made no weights: {said}; take engine 'auto'")
        rows, columns, values = _read(folder / "weights.nc")
    rows, columns = to_cell[rows], from_cell[columns]
    source_area, target_area = np.where(used(source), _areas(source), 0.0), _areas(target)
    if method == "conservative":
        values = values * target_area[rows]
    return Links(rows, columns, values, source_area, target_area, version(command))


def _south_first(grid: Grid) -> np.ndarray:
    """Cells in the order in which cdo gets them: of two rows that fall, or columns out of order, 2.1.1 loses cells."""
    cells = np.arange(grid.void.size).reshape(grid.shape)
    return (cells[np.argsort(grid.lat)][:, np.argsort(grid.lon)] if grid.rectilinear else cells).ravel()


def _reordered(grid: Grid) -> Grid:
    if not grid.rectilinear:
        return grid
    lat, lon = np.argsort(grid.lat), np.argsort(grid.lon)
    turns = np.round((grid.lon - grid.lon_bounds.mean(1)) / 360.0)[:, None]  # bounds go where their centres are
    return Grid(grid.lat[lat], grid.lon[lon], grid.lat_bounds[lat], (grid.lon_bounds + 360.0 * turns)[lon])


def version(command: str) -> str:
    """Version of a cdo command."""
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", done.stdout + done.stderr)
    return f"cdo {found[1]}" if found else "cdo of unknown version"


def _areas(grid: Grid) -> Floats:
    return exact.areas(grid) if grid.rectilinear else spherical.areas(grid)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.io import netcdf_file

    with netcdf_file(path, mmap=False) as file:
        rows = file.variables["dst_address"][:].astype(np.int64) - 1
        columns = file.variables["src_address"][:].astype(np.int64) - 1
        values = file.variables["remap_matrix"][:, 0].astype(np.float64)
    return rows, columns, values


def description(grid: Grid, counts: np.ndarray) -> str:
    """A grid as cdo reads it.

    Parameters
    ----------
    grid : Grid
        Any.
    counts : numpy.ndarray
        ``(n,)`` cells that are not masked.

    Returns
    -------
    str
        A grid description; numbers to the last bit.
    """
    rows, columns = grid.shape
    if grid.rectilinear:
        lat_b, lon_b = np.sort(grid.lat_bounds, axis=1), np.sort(grid.lon_bounds, axis=1)
        # centres a turn away from their bounds would be cells of their own
        lon = lon_b.mean(1) + (grid.lon - lon_b.mean(1) + 180.0) % 360.0 - 180.0
        lat, kind, vertices = grid.lat, "lonlat", 2
    else:
        kind = "curvilinear" if rows > 1 else "unstructured"
        lat_b, lon_b = grid.corners()
        lat, lon = grid.centres()
        vertices = lat_b.shape[1]
    lines = [f"gridtype = {kind}", f"gridsize = {rows * columns}"]
    if kind != "unstructured":
        lines += [f"xsize = {columns}", f"ysize = {rows}"]
    if kind != "lonlat":
        lines.append(f"nvertex = {vertices}")
    for key, values in (("xvals", lon), ("yvals", lat), ("xbounds", lon_b), ("ybounds", lat_b)):
        lines.append(f"{key} = {_numbers(np.nan_to_num(values).ravel())}")
    if not np.all(counts):
        lines.append(f"mask = {_numbers(np.asarray(counts, dtype=int))}")
    return "\n".join(lines) + "\n"


def _numbers(values: Iterable[float]) -> str:
    said = [repr(value.item()) for value in np.asarray(values)]
    return "\n ".join(" ".join(said[at : at + 6]) for at in range(0, len(said), 6))
