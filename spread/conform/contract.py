"""What *conformed* means; every breach is listed, and any breach rejects the dataset.

No value of the field is read here: what only the values can show (a plausible range, complete cells) is checked where
they are read, in reduce.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from spread.calendars import ALIASES
from spread.conform.bounds import SPHERE
from spread.conform.times import breaches_of_order
from spread.vocabulary import FACETS, VARIABLES, Row, Variable

_IDENTITY = ("source_id", "experiment_id", "variable_id", "table_id", "variant_label")

_COVERED = {"rectilinear": 1e-3, "curvilinear": 2e-2}
"""How far the cells' areas may be from the whole Earth: bounds are exact, corners inferred on coarse curvilinear grids
are not (97 % on 6 x 8 cells, 99.8 % on 90 x 180); published areas differ by the radius taken, 0.01 %."""


def not_who_it_says(ds: xr.Dataset, row: Row) -> list[str]:
    """Compare what a store says of itself with the catalog's row.

    Parameters
    ----------
    ds : xarray.Dataset
        As opened, with the attributes of the store.
    row : Row
        What the catalog says it is.

    Returns
    -------
    list of str
        One text for each facet that differs; a facet that the store does not give is not judged.

    Notes
    -----
    ES-DOC errata 6356eb3c and c36c71da: 1373 and 234 datasets were published under the wrong source_id.
    """
    found = []
    for facet in _IDENTITY:
        said = str(ds.attrs.get(facet, "")).strip()
        # the member of a decadal prediction has its start year before the variant label
        wanted = row.member_id.rsplit("-", 1)[-1] if facet == "variant_label" else getattr(row, facet)
        if said and said != wanted:
            found.append(f"{facet}: the catalog says {wanted!r}, the store {said!r}")
    return found + (_another_variable(ds[row.variable_id].attrs, row.variable_id) if row.variable_id in ds else [])


def _another_variable(attrs: Mapping[Hashable, Any], variable_id: str) -> list[str]:
    """Compare what a field says of itself with the table: another variable's name, or another extreme of the day."""
    wanted = VARIABLES[variable_id]
    others = {v.standard_name: v.variable_id for v in VARIABLES.values() if v.standard_name != wanted.standard_name}
    said = str(attrs.get("standard_name", "")).strip()
    found = []
    if said in others:
        found.append(
            f"standard_name: expected {wanted.standard_name!r} for {variable_id}, got {said!r} ({others[said]})"
        )
    methods = str(attrs.get("cell_methods", ""))
    extremes = [
        m for m in ("maximum", "minimum") if re.search(rf"\btime: {m}\b", methods) and m not in wanted.cell_methods
    ]
    if extremes:
        found.append(f"cell_methods: expected {wanted.cell_methods!r} for {variable_id}, got {methods!r}")
    return found


def breaches(ds: xr.Dataset, variable: Variable, whole: bool = True) -> list[str]:
    """List everything in which a dataset is not conformed.

    Parameters
    ----------
    ds : xarray.Dataset
        A dataset after all other steps.
    variable : Variable
        What its data variable should be.
    whole : bool
        Whether its cells must cover the Earth.

    Returns
    -------
    list of str
        One sentence a breach; empty where the dataset conforms.
    """
    found: list[str] = []
    field = ds[variable.variable_id]
    horizontal = ("y", "x") if ds["lat"].ndim == 2 else ("lat", "lon")
    if field.dims != ("time", *horizontal):
        found.append(f"dimensions: expected {('time', *horizontal)}, got {field.dims}")
    if field.dtype.kind != "f":
        found.append(f"{variable.variable_id}: expected floating-point values, got {field.dtype}")
    if field.attrs.get("units") != variable.units:
        found.append(f"units: expected {variable.units!r}, got {field.attrs.get('units')!r}")
    if ds.attrs.get("calendar") not in ALIASES.values():
        found.append(f"calendar: expected one of CF's, got {ds.attrs.get('calendar')!r}")
    if ds.attrs["frequency"] == "day":
        found += breaches_of_order(ds["day_number"].values, ds.attrs["calendar"])
    else:
        found += breaches_of_order(ds["month_number"].values)
    lon = ds["lon"].values
    void = np.isnan(lon) & (ds["cell_area"].values == 0.0) if lon.ndim == 2 else False  # as make_grid leaves them
    if not ((lon >= 0.0) & (lon < 360.0) | void).all():
        found.append("lon: expected 0 <= lon < 360")
    if ds["lat"].ndim == 1 and ds["lat"].size > 1:
        rising = np.diff(ds["lat"].values)
        if not ((rising > 0).all() or (rising < 0).all()):
            found.append("lat: expected rising or falling throughout")
    area = ds["cell_area"].values
    if not (np.isfinite(area).all() and (area >= 0).all()):
        found.append("cell_area: expected finite areas, none negative")
    elif whole and abs(area.sum() / SPHERE - 1.0) > _COVERED["rectilinear" if ds["lat"].ndim == 1 else "curvilinear"]:
        found.append(f"cell_area: cells cover {100 * area.sum() / SPHERE:.1f} % of the Earth, expected all of it")
    found += [f"attribute {facet}: missing" for facet in (*FACETS, "version") if not ds.attrs.get(facet)]
    return found
