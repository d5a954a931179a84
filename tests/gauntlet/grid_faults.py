"""Faults of grids, names, fixed fields and catalogs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from gauntlet.cases import Case, Change, Rows, after, as_is, both, labelled, values, without
from gauntlet.ensemble import COLUMNS, ROWS


def axis(name: str, change) -> Change:
    """Change the centres and the bounds of one axis alike."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        edges = change(ds[f"{name}_bnds"].values.copy())
        return ds.assign_coords({name: (name, change(ds[name].values.copy()), ds[name].attrs)}).assign(
            {f"{name}_bnds": ((name, "bnds"), edges)}
        )

    return act


def edges(name: str, change) -> Change:
    """Change the bounds of one axis alone."""
    return lambda ds: ds.assign({f"{name}_bnds": (ds[f"{name}_bnds"].dims, change(ds[f"{name}_bnds"].values.copy()))})


def centres(name: str, change) -> Change:
    """Change the centres of one axis alone."""
    return lambda ds: ds.assign_coords({name: (name, change(ds[name].values.copy()), ds[name].attrs)})


def put(where: tuple, value: float):
    """A change of an array in one place."""

    def act(array: np.ndarray) -> np.ndarray:
        array[where] = value
        return array

    return act


def moved(ds: xr.Dataset, order: np.ndarray, dim: str) -> xr.Dataset:
    """Everything along a dimension in another order."""
    return ds.isel({dim: order})


def in_two_dimensions(dims: tuple[str, str], names: tuple[str, str], spoil=None) -> Change:
    """Latitudes and longitudes as fields on ``dims``, without bounds."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        lon, lat = np.meshgrid(ds["lon"].values, ds["lat"].values)
        if spoil is not None:
            lat, lon = spoil(lat), spoil(lon)
        ds = without("lat_bnds", "lon_bnds")(ds).drop_vars(["lat", "lon"]).rename(lat=dims[0], lon=dims[1])
        about = ({"standard_name": "latitude", "units": "degrees_north"},
                 {"standard_name": "longitude", "units": "degrees_east"})  # fmt: skip
        return ds.assign_coords({n: (dims, v, a) for n, v, a in zip(names, (lat, lon), about, strict=True)})

    return act


def unstructured(ds: xr.Dataset) -> xr.Dataset:
    """Cells along one dimension."""
    ds = without("lat_bnds", "lon_bnds")(ds)
    stacked = ds.stack(cell=("lat", "lon"))
    lat, lon = stacked["lat"].values, stacked["lon"].values
    stacked = stacked.drop_vars(["cell", "lat", "lon"]).transpose("time", "cell", ...)
    return stacked.assign_coords(lat=("cell", lat, {"standard_name": "latitude", "units": "degrees_north"}),
                                 lon=("cell", lon, {"standard_name": "longitude", "units": "degrees_east"}))  # fmt: skip


def renamed(ds: xr.Dataset) -> xr.Dataset:
    """MCM-UA-1-0: other names, spaces at their ends."""
    ds = ds.rename(lat="latitude", lon="longitude")
    ds["tas"].attrs["standard_name"] = "air_temperature "
    return ds.rename({"height": "height "})


def cyclic(ds: xr.Dataset) -> xr.Dataset:
    """The first column again behind the last."""
    ds = ds.isel(lon=np.append(np.arange(COLUMNS), 0))
    return centres("lon", put((-1,), 367.5))(edges("lon", put((-1,), np.array([360.0, 375.0])))(ds))


def bounds_in_time(ds: xr.Dataset) -> xr.Dataset:
    """Bounds of lat and lon carry a time dimension."""
    made = {f"{n}_bnds": ds[f"{n}_bnds"].expand_dims(time=ds["time"].size) for n in ("lat", "lon")}
    return ds.assign(made)


def halve(array: np.ndarray) -> np.ndarray:
    """Half of everything."""
    return array / 2.0


def two_grids(rows: Rows, folder: Path) -> Rows:
    """The same run on a second grid."""
    return [*rows, *(row | {"grid_label": "gr"} for row in rows)]


def older_version(rows: Rows, folder: Path) -> Rows:
    """A version that was withdrawn, whose stores are gone."""
    return [*(row | {"version": "20180101", "zstore": row["zstore"] + "gone/"} for row in rows), *rows]


def of_scenario(**facets: str):
    """Change facets of the scenario's row."""

    def act(rows: Rows, folder: Path) -> Rows:
        return [row | (facets if row["experiment_id"].startswith("ssp") else {}) for row in rows]

    return act


def initialised(rows: Rows, folder: Path) -> Rows:
    """Rows of decadal predictions beside those of the run."""
    return [*rows, *(row | {"dcpp_init_year": "1990", "zstore": row["zstore"] + "x/"} for row in rows)]


HORIZONTAL = (
    both("no-height", "row 9", "CESM2: the scalar height is missing", without("height"), source_id="CESM2"),
    Case("bounds-precision", "row 9", "CESM2: bounds of lat in float32 in the scenario", source_id="CESM2",
         scenario=lambda ds: ds.assign(lat_bnds=ds["lat_bnds"].astype("float32"))),
    both("lon-half-cell", "row 23", "EC-Earth3: lon half a cell east", axis("lon", lambda x: x + 7.5),
         source_id="EC-Earth3", grid_label="gr"),
    Case("lon-half-cell-scenario", "row 23", "EC-Earth3-Veg: lon half a cell east in the scenario",
         scenario=axis("lon", lambda x: x + 7.5), source_id="EC-Earth3-Veg", grid_label="gr"),
    Case("lat-jitter", "row 24", "EC-Earth3: lat differs at 1e-8 between runs", grid_label="gr",
         scenario=axis("lat", lambda x: np.clip(x + 1e-8, -90, 90)), source_id="EC-Earth3"),
    both("names", "row 28", "MCM-UA-1-0: latitude, longitude, spaces at the end of names", renamed,
         source_id="MCM-UA-1-0"),
    both("space-in-variable", "row 28 (kind)", "the variable's name ends in a space",
         lambda ds: ds.rename(tas="tas ")),
    both("last-lon-bound", "row 28", "MCM-UA-1-0: the last lon bound is 360 instead of the cell's edge",
         after(axis("lon", lambda x: x - 7.5), edges("lon", put((-1, 1), 360.0))), source_id="MCM-UA-1-0"),
    both("lon-begins-west", "row 28", "MCM-UA-1-0 (ocean): lon begins west of 0", axis("lon", lambda x: x - 8.4375)),
    both("cut-lon-bounds", "row 29", "NorESM2: first and last lon bounds cut at 0 and 360",
         after(axis("lon", lambda x: x - 7.5), edges("lon", put((0, 0), 0.0))), source_id="NorESM2-MM"),
    both("swapped-lat-bounds", "row 32", "MPI-ESM1-2-HR: lat bounds swapped", edges("lat", lambda b: b[:, ::-1]),
         source_id="MPI-ESM1-2-HR"),
    both("lat-bounds-gaps", "row 33", "FGOALS-f3-L: lat bounds leave gaps",
         edges("lat", lambda b: b + np.array([2.0, -2.0])), source_id="FGOALS-f3-L", grid_label="gr"),
    both("lat-bounds-rounded", "row 33 (kind)", "lat bounds rounded to tens: off by a third of a cell, without gaps",
         edges("lat", lambda b: np.round(b / 10.0) * 10.0)),
    both("zero-width", "row 35", "FIO-ESM-2-0: cells of no width at the poles",
         edges("lat", lambda b: put((-1, 0), 90.0)(put((0, 1), -90.0)(b))), source_id="FIO-ESM-2-0"),
    both("overlapping", "row 35", "FIO-ESM-2-0: lon cells overlap", edges("lon", put((3, 1), 70.0)),
         source_id="FIO-ESM-2-0"),
    both("huge-coordinates", "row 36 (kind)", "FGOALS-g3 (ocean): lat, lon beyond 1e30 in some cells",
         in_two_dimensions(("j", "i"), ("lat", "lon"), put((slice(3, 5), slice(4, 7)), 1e36))),
    both("invalid-lat", "row 37", "KACE-1-0-G (ocean): latitudes beyond the poles", axis("lat", lambda x: x * 1.2)),
    both("invalid-lat-unit", "row 37 (kind)", "latitudes in radians under degrees_north", axis("lat", np.radians)),
    both("lat-halved", "row 38", "UKESM1-0-LL (ocean): wrong lat, bounds wrong with it", axis("lat", halve)),
    both("lat-halved-no-bounds", "row 38 (kind)", "wrong lat, no bounds", after(without("lat_bnds"), centres("lat", halve))),
    both("lat-halved-areacella", "row 38 (kind)", "wrong lat and bounds, areacella right", axis("lat", halve),
         areacella=as_is),
    both("lat-shuffled", "row 38 (kind)", "lat in no order", centres("lat", lambda x: x[[5, 0, 3, 1, 2, 4, 6, 9, 7, 8, 11, 10]])),
    both("lat-nan", "row 36 (kind)", "a latitude is not a number", centres("lat", put((2,), np.nan))),
    both("nav-lat-lon", "row 47 (kind)", "nav_lat, nav_lon on y, x", in_two_dimensions(("y", "x"), ("nav_lat", "nav_lon"))),
    both("bounds-in-time", "row 48", "SAM0-UNICON: lat and lon bounds carry a time dimension", bounds_in_time,
         source_id="SAM0-UNICON"),
    both("unstructured", "row 58 (kind)", "cells along one dimension", unstructured),
    both("north-first", "row 32 (kind)", "lat falls", lambda ds: moved(ds, np.arange(ROWS)[::-1], "lat")),
    both("lon-180", "row 28 (kind)", "lon -180..180", after(
        lambda ds: moved(ds, np.roll(np.arange(COLUMNS), 12), "lon"),
        axis("lon", lambda x: np.where(x > 180.0, x - 360.0, x)),
        edges("lon", lambda b: np.stack([b[:, 0] % 360.0 - 360.0 * (b[:, 0] % 360.0 >= 180.0),
                                         b[:, 0] % 360.0 - 360.0 * (b[:, 0] % 360.0 >= 180.0) + 15.0], 1)))),
    both("turned", "row 28 (kind)", "dimensions time, lon, lat", lambda ds: ds.transpose("time", "lon", "lat", ...)),
    both("one-level", "row 9 (kind)", "height is a dimension of length one",
         lambda ds: ds.drop_vars("height").assign(tas=ds["tas"].expand_dims(height=[2.0], axis=1))),
    both("cyclic", "row 35 (kind)", "the first column again behind the last", cyclic),
    both("polar-row-lost", "row 33 (kind)", "the northernmost row is missing", lambda ds: ds.isel(lat=slice(0, ROWS - 1))),
    both("polar-row-lost-no-bounds", "row 33 (kind)", "the northernmost row is missing, and bounds",
         after(without("lat_bnds"), lambda ds: ds.isel(lat=slice(0, ROWS - 1)))),
    both("half-globe", "row 33 (kind)", "only the northern hemisphere", lambda ds: ds.isel(lat=slice(ROWS // 2, None))),
    both("half-globe-lon", "row 33 (kind)", "only the eastern hemisphere", lambda ds: ds.isel(lon=slice(0, COLUMNS // 2))),
)  # fmt: skip

FIXED = (
    Case("sftlf-fraction", "row 33", "FGOALS-f3-L: sftlf 0..1 under %", source_id="FGOALS-f3-L", variable_id="gpp",
         sftlf=values(lambda a: a / 100.0)),
    Case("siconca-kind", "row 27 (kind: siconca)", "sftlf in % under the unit 1", variable_id="gpp",
         sftlf=lambda ds: ds.assign(sftlf=ds["sftlf"].assign_attrs(units="1"))),
    Case("sftlf-turned", "row 38 (kind)", "sftlf upside down, and so are its latitudes", variable_id="gpp",
         sftlf=lambda ds: moved(ds, np.arange(ROWS)[::-1], "lat")),
    Case("areacella-km2", "row 38 (kind)", "areacella in km2 under m2", areacella=values(lambda a: a / 1e6)),
    Case("areacella-zeros", "row 38 (kind)", "areacella is zero", areacella=values(lambda a: a * 0.0)),
    Case("areacella-shifted", "row 38 (kind)", "rows of areacella in a wrong order",
         areacella=values(lambda a: np.roll(a, 3, axis=0))),
    Case("areacella-missing", "row 38 (kind)", "areacella has no value in some cells",
         areacella=values(lambda a: np.where(np.arange(COLUMNS) == 3, np.nan, a))),
    Case("areacella-twice", "row 38 (kind)", "polar rows of areacella doubled",
         areacella=values(lambda a: a * np.where(np.arange(ROWS) % (ROWS - 1) == 0, 2.0, 1.0)[:, None])),
    Case("areacella-other-grid", "row 38 (kind)", "areacella of another grid", areacella=lambda ds: ds.isel(lat=slice(0, 6))),
)  # fmt: skip

CATALOG = (
    Case("two-grids", "section 1.2", "a run is listed on two grids", catalog=two_grids),
    Case("no-r1i1p1f1", "section 1.2", "the model has r1i1p1f2 only", source_id="UKESM1-0-LL", member_id="r1i1p1f2"),
    Case("withdrawn-version", "row 60 (kind)", "a withdrawn version is listed, its stores are gone",
         catalog=older_version),
    Case("members-differ", "row 50 (kind)", "historical is r1i1p1f1, the scenario r1i1p1f2",
         catalog=of_scenario(member_id="r1i1p1f2")),
    Case("grids-differ", "row 23 (kind)", "historical is on gn, the scenario on gr", catalog=of_scenario(grid_label="gr")),
    Case("initialised", "intake-esm 495", "rows of decadal predictions stand beside the run", catalog=initialised),
    Case("listed-twice", "section 1.2", "every row is listed twice", catalog=lambda rows, folder: [*rows, *rows]),
    Case("no-scenario", "section 1.2", "the scenario is not in the catalog", catalog=lambda rows, folder: [
        row for row in rows if row["experiment_id"] == "historical"]),
    Case("rows-crossed", "row 59 (kind)", "the scenario's row leads to the historical store",
         catalog=lambda rows, folder: [row | {"zstore": row["zstore"].replace("/scenario/", "/historical/")} for row in rows]),
    Case("no-version-anywhere", "DESIGN: a row without a version", "the catalog has no version",
         catalog=lambda rows, folder: [row | {"version": ""} for row in rows]),
)  # fmt: skip

FAULTS = HORIZONTAL + FIXED + CATALOG
__all__ = ["FAULTS", "labelled"]
