"""Edges of cells along one axis of a rectilinear grid: sound ones are taken, faulty mended, missing inferred."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def axis_edges(centres: Floats, bounds: ArrayLike | None, name: str) -> tuple[Floats, str]:
    """Bounds ``(n, 2)`` of one axis, and a note on where they come from."""
    given = None if bounds is None else np.asarray(bounds, dtype=np.float64)
    if given is None or given.shape != (centres.size, 2) or not np.isfinite(given).all():
        if centres.size == 1:
            raise ValueError(f"{name}: a single cell needs bounds")
        return infer_edges(centres, name), f"{name} bounds inferred from centres"
    ordered = np.sort(given, axis=1)
    if centres.size == 1:
        return ordered, "bounds from the dataset"
    fault = _fault(centres, ordered, name)
    if fault:
        return infer_edges(centres, name), f"{name} bounds rebuilt from centres ({fault})"
    if centres[-1] > centres[0] and (given[:, 0] > given[:, 1]).all():
        return ordered, f"{name} bounds put in rising order"
    return ordered, "bounds from the dataset"


def _fault(centres: Floats, bounds: Floats, name: str) -> str:
    """What is wrong with sorted bounds of an axis; empty where nothing is."""
    order = np.argsort(centres)
    centres, bounds = centres[order], bounds[order]
    width = bounds[:, 1] - bounds[:, 0]
    slack = 1e-3 * np.median(np.diff(centres))
    if (width <= slack).any():
        return "cells of no width"
    if ((centres < bounds[:, 0] - slack) | (centres > bounds[:, 1] + slack)).any():
        return "centres outside their cells"
    # Gaussian latitudes lie off the middle, those at a pole on an edge. Longitudes do neither: half a cell off their
    # bounds, they are those of another grid (ES-DOC errata 0165ae5a, EC-Earth3)
    if name == "lon" and (np.abs(centres - bounds.mean(axis=1)) > 0.25 * width).all():
        return "centres half a cell off their cells"
    if (np.abs(bounds[1:, 0] - bounds[:-1, 1]) > slack).any():
        return "cells that overlap or leave gaps"
    # Gaussian latitudes lie off the middle of their cells by a twentieth of the width, but for the rows at the poles
    middle = (np.abs(centres - bounds.mean(axis=1)) > 0.15 * width)[1:-1]
    if name == "lat" and middle.any() and not _halfway(centres, bounds, slack):
        return "centres away from the middle of their cells"
    if name == "lat" and (bounds[0, 0] < -90.0 - slack or bounds[-1, 1] > 90.0 + slack):
        return "cells beyond the poles"
    if name == "lon" and is_global(centres) and abs(width.sum() - 360.0) > slack:
        return f"cells that cover {width.sum():g} of 360 degrees"
    return ""


def _halfway(centres: Floats, bounds: Floats, slack: float) -> bool:
    """Tell whether inner edges lie halfway between sorted centres, as they do where the spacing changes."""
    return bool((np.abs(bounds[1:, 0] - (centres[:-1] + centres[1:]) / 2.0) <= slack).all())


def is_global(lon: Floats) -> bool:
    """Tell whether regular longitudes go once round the Earth."""
    spacing = np.diff(np.sort(lon))
    return bool(abs(np.median(spacing) * lon.size - 360.0) < 0.5 * np.median(spacing))


def infer_edges(centres: Floats, name: str) -> Floats:
    """Edges halfway between centres; latitude ends at the poles, longitude closes the circle.

    Parameters
    ----------
    centres : numpy.ndarray
        1-D cell centres [degrees], rising or falling.
    name : str
        ``lat`` or ``lon``.

    Returns
    -------
    numpy.ndarray
        ``(n, 2)`` edges in rising order [degrees].

    Raises
    ------
    ValueError
        If the centres are neither rising nor falling.
    """
    values = np.unwrap(centres, period=360.0) if name == "lon" else centres
    step = np.diff(values)
    if not ((step > 0).all() or (step < 0).all()):
        raise ValueError(f"{name} must rise or fall throughout")
    middle = values[:-1] + step / 2
    first, last = values[0] - step[0] / 2, values[-1] + step[-1] / 2
    if name == "lat":
        # a global axis ends at the poles: a last edge beyond one is cut, one within half a cell of it is moved onto it
        def at_pole(edge: float, cell: float) -> float:
            return float(np.sign(edge) * 90.0) if abs(edge) > 90.0 - 0.5 * abs(cell) else edge

        first, last = at_pole(first, step[0]), at_pole(last, step[-1])
    elif is_global(values):
        gap = (values[0] + np.sign(step[0]) * 360.0 - values[-1]) / 2
        first, last = values[0] - gap, values[-1] + gap
    edges = np.concatenate([[first], middle, [last]])
    return np.sort(np.stack([edges[:-1], edges[1:]], axis=1), axis=1)
