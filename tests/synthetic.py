"""Small datasets, stores and members with known contents, for several tests."""

from __future__ import annotations

import json
from contextlib import contextmanager

import cftime
import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from spread.calendars import month_number
from spread.vocabulary import FACETS, Row

EARTH_RADIUS = 6.371e6
SPHERE = 4.0 * np.pi * EARTH_RADIUS**2


def total(grid) -> float:
    """Share of the sphere that the cells of a grid cover."""
    return grid.area().sum() / SPHERE


def row(**facets) -> Row:
    values = {
        "activity_id": "CMIP",
        "institution_id": "TEST",
        "source_id": "MODEL",
        "experiment_id": "historical",
        "member_id": "r1i1p1f1",
        "table_id": "Amon",
        "variable_id": "tas",
        "grid_label": "gn",
        "zstore": "memory",
        "version": "20200101",
    }
    return Row(**(values | facets))


def edges(values) -> np.ndarray:
    return np.stack([values[:-1], values[1:]], axis=1)


def regular(rows=6, columns=8, south_first=True, first_lon=0.0):
    """Centres and bounds of a regular global grid."""
    lat_edges = np.linspace(-90.0, 90.0, rows + 1)
    lon_edges = first_lon + np.linspace(0.0, 360.0, columns + 1)
    lat_bounds, lon_bounds = edges(lat_edges), edges(lon_edges)
    if not south_first:
        lat_bounds = lat_bounds[::-1]
    return lat_bounds.mean(axis=1), lon_bounds.mean(axis=1), lat_bounds, lon_bounds


def monthly_time(calendar="365_day", start=(2000, 1), months=24, units=None):
    """Stamps in the middle of months and their bounds, as numbers, with the units."""
    units = units or f"days since {start[0]:04d}-01-01"
    first = month_number(*start) + np.arange(months + 1)
    dates = [cftime.datetime(int(n) // 12, int(n) % 12 + 1, 1, calendar=calendar) for n in first]
    at = np.asarray(cftime.date2num(dates, units, calendar=calendar), dtype=np.float64)
    return at[:-1] + np.diff(at) / 2, edges(at), units


def field(time, rows, columns, seed=0) -> np.ndarray:
    return (280.0 + 20.0 * np.random.default_rng(seed).random((time, rows, columns))).astype(np.float32)


def published(
    values=None,
    variable_id="tas",
    units="K",
    calendar="365_day",
    start=(2000, 1),
    months=24,
    rows=6,
    columns=8,
    chunks=None,
    **grid,
) -> xr.Dataset:
    """A dataset as a modelling centre publishes it: sound, undecoded time, lazy."""
    lat, lon, lat_bounds, lon_bounds = regular(rows, columns, **grid)
    stamps, time_bounds, time_units = monthly_time(calendar, start, months)
    values = field(months, rows, columns) if values is None else values
    data = da.from_array(values, chunks=chunks or (12, rows, columns))
    return xr.Dataset(
        {
            variable_id: (("time", "lat", "lon"), data, {"units": units, "cell_methods": "area: time: mean"}),
            "time_bnds": (("time", "bnds"), time_bounds),
            "lat_bnds": (("lat", "bnds"), lat_bounds),
            "lon_bnds": (("lon", "bnds"), lon_bounds),
        },
        coords={
            "time": ("time", stamps, {"units": time_units, "calendar": calendar, "bounds": "time_bnds"}),
            "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude", "bounds": "lat_bnds"}),
            "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude", "bounds": "lon_bnds"}),
        },
        attrs={"frequency": "mon", "version": "20200101"},
    )


def areas(lat_bounds, lon_bounds) -> np.ndarray:
    """Cell areas between parallels and meridians [m2], in plain NumPy."""
    height = np.abs(np.diff(np.sin(np.radians(lat_bounds)), axis=1))
    width = np.abs(np.diff(np.radians(lon_bounds), axis=1))
    return EARTH_RADIUS**2 * height * width.T


@contextmanager
def nothing_computes():
    """Every dask computation inside is an error."""

    def refuse(graph, keys, **options):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        yield


def member(
    source_id="MODEL",
    experiment_id="historical",
    member_id="r1i1p1f1",
    start=(2000, 1),
    values=None,
    numbers=None,
    months=24,
    regions=("global",),
    calendar="365_day",
    lazy=False,
    **attrs,
) -> xr.DataArray:
    """A reduced member, as ``reduce`` makes it; ``values`` are ``(time,)`` or ``(time, region)``."""
    if numbers is None:
        numbers = month_number(*start) + np.arange(months if values is None else len(values))
    numbers = np.asarray(numbers)
    values = numbers.astype(float) if values is None else np.asarray(values, dtype=float)
    if values.ndim == 1:
        values = np.repeat(values[:, None], len(regions), axis=1)
    facets = row(source_id=source_id, experiment_id=experiment_id, member_id=member_id).facets()
    facts = {
        "calendar": calendar, "frequency": "mon", "units": "K", "synthetic": "false", "fixes": [],
        "missing_periods": [], "area_source": "exact from bounds", "land_source": "sftlf",
    }  # fmt: skip
    return xr.DataArray(
        da.from_array(values, chunks=(12, -1)) if lazy else values,
        dims=("time", "region"),
        coords={"time": np.arange(numbers.size), "month_number": ("time", numbers), "region": list(regions)},
        name="tas",
        attrs=facets | facts | attrs,
    )


def records(*facets: dict) -> list[dict]:
    """Catalog records, each with a store of its own."""
    made = []
    for number, given in enumerate(facets):
        made.append({**row(zstore=f"memory/{number}").facets(), "dcpp_init_year": np.nan, **given})
    return made


def write_collection(folder, rows: list[dict], name="collection") -> str:
    """An intake-esm collection of those records; returns the path of its JSON file."""
    table = folder / f"{name}.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    description = {
        "esmcat_version": "0.1.0",
        "id": name,
        "description": "made by a test",
        "catalog_file": str(table),
        "attributes": [{"column_name": facet} for facet in FACETS],
        "assets": {"column_name": "zstore", "format": "zarr"},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(description), encoding="utf-8")
    return str(path)
