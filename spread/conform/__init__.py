"""Conform: from a dataset as published to one that keeps a contract, or a rejection with its reasons.

The steps run in order; each returns the dataset and a list of the fixes it applied. Nothing is computed on the field,
the input is not modified.
"""

from __future__ import annotations

import xarray as xr

from spread.calendars import spans
from spread.conform.bounds import conform_bounds, grid_of
from spread.conform.contract import breaches, not_who_it_says
from spread.conform.names import conform_names
from spread.conform.quirks import apply_quirks
from spread.conform.times import conform_times, incomplete_months
from spread.conform.units import conform_units
from spread.errors import NotConforming
from spread.vocabulary import VARIABLES, Row

STEPS = ("names", "units", "times", "bounds", "quirks", "contract")
"""The order of the steps."""

__all__ = ["STEPS", "conform", "grid_of"]


def conform(
    ds: xr.Dataset,
    row: Row,
    areacella: xr.DataArray | None = None,
    sftlf: xr.DataArray | None = None,
    *,
    whole: bool = True,
) -> xr.Dataset:
    """Conform one dataset.

    Parameters
    ----------
    ds : xarray.Dataset
        As opened: undecoded time, lazy field.
    row : Row
        Which dataset it is.
    areacella, sftlf : xarray.DataArray, optional
        The model's cell areas and land fraction, in memory.
    whole : bool
        Whether the cells must cover the Earth; a run over a region does not.

    Returns
    -------
    xarray.Dataset
        Dimensions ``time, lat, lon`` (or ``time, y, x``); the field in canonical units, lazy; coordinates with bounds,
        ``cell_area``, ``land_fraction``, ``month_number``, for daily means ``day_number``; attributes: facets,
        ``version``, ``calendar``, ``frequency``, ``fixes`` and ``missing_periods`` (lists of str).

    Raises
    ------
    NotConforming
        With every breach of the contract.
    """
    variable = VARIABLES[row.variable_id]
    if row.variable_id not in {str(name).strip() for name in ds.variables}:
        raise NotConforming(row.name, [f"variable: expected {row.variable_id!r}, got {sorted(map(str, ds.data_vars))}"])
    fixes: list[str] = []
    found = not_who_it_says(ds, row)
    for step in (
        lambda d: conform_names(d, row.variable_id),
        lambda d: conform_units(d, variable),
        conform_times,
        lambda d: conform_bounds(d, areacella, sftlf),
        lambda d: (d, []) if found else apply_quirks(d, row),  # cures build on what the other steps made
    ):
        try:
            ds, applied = step(ds)
        except ValueError as error:
            found.append(str(error))
        else:
            fixes += applied
    if found:
        raise NotConforming(row.name, found)
    ds = ds.assign_attrs({facet: value for facet, value in row.facets().items() if value})
    found = breaches(ds, variable, whole)
    if found:
        raise NotConforming(row.name, found)
    return ds.assign_attrs(fixes=fixes, missing_periods=spans(incomplete_months(ds)))
