"""Turn demo fields into CMIP6-like Zarr stores: coordinates, bounds, CF attributes, rounding and compression."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spread.demo import climate, idealised
from spread.demo.grid import ModelGrid, model_grid
from spread.demo.land_carbon import carbon_run
from spread.demo.models import IDEALISED, PERIODS, Store
from spread.demo.rounding import rounded

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LABEL", "dataset", "write_store"]

FILL = np.float32(1e20)
MONTHS_A_CHUNK = 516
LABEL = (
    "Synthetic data made by spread.demo, not model output: idealised patterns and noise around a global-mean warming"
    " that was calibrated to the CMIP6 model of this name. For tests and teaching only."
)
# long name, standard name, units, cell methods, mantissa bits kept
FIELDS = {
    "tas": ("Near-Surface Air Temperature", "air_temperature", "K", "area: time: mean", 12),
    "pr": ("Precipitation", "precipitation_flux", "kg m-2 s-1", "area: time: mean", 6),
    "areacella": ("Grid-Cell Area for Atmospheric Grid Variables", "cell_area", "m2", "area: sum", 23),
    "sftlf": ("Percentage of the Grid Cell Occupied by Land", "land_area_fraction", "%", "area: mean", 16),
    "nbp": (
        "Carbon Mass Flux out of Atmosphere Due to Net Biospheric Production on Land",
        "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes",
        "kg m-2 s-1",
        "area: mean where land time: mean",
        14,
    ),
    "gpp": (
        "Carbon Mass Flux out of Atmosphere Due to Gross Primary Production on Land",
        "gross_primary_productivity_of_biomass_expressed_as_carbon",
        "kg m-2 s-1",
        "area: mean where land time: mean",
        12,
    ),
    "cVeg": (
        "Carbon Mass in Vegetation",
        "vegetation_carbon_content",
        "kg m-2",
        "area: mean where land time: mean",
        14,
    ),
    "rsdt": ("TOA Incident Shortwave Radiation", "toa_incoming_shortwave_flux", "W m-2", "area: time: mean", 18),
    "rsut": ("TOA Outgoing Shortwave Radiation", "toa_outgoing_shortwave_flux", "W m-2", "area: time: mean", 18),
    "rlut": ("TOA Outgoing Longwave Radiation", "toa_outgoing_longwave_flux", "W m-2", "area: time: mean", 18),
}
PARENTS = {
    "historical": "piControl",
    "piControl": "piControl-spinup",
    "abrupt-4xCO2": "piControl",
    "1pctCO2": "piControl",
}


def time_axis(
    first: int, last: int, calendar: str, origin: int, step: str = "mon"
) -> tuple[np.ndarray, np.ndarray, str]:
    """Middle and bounds of every month, year or day of whole years, in the calendar of the model.

    Returns
    -------
    middle : ndarray
        (time,) in `units`.
    bounds : ndarray
        (time, 2) in `units`.
    units : str
    """
    import cftime

    units = f"days since {origin:04d}-01-01"

    def days(year: int, month: int = 1) -> float:
        return float(cftime.date2num(cftime.datetime(year, month, 1, calendar=calendar), units, calendar))

    if step == "day":
        edges = np.arange(days(first), days(last + 1) + 1)
    elif step == "yr":
        edges = np.array([days(year) for year in range(first, last + 2)])
    else:
        edges = np.array(
            [days(year, month) for year in range(first, last + 1) for month in range(1, 13)] + [days(last + 1)]
        )
    bounds = np.stack([edges[:-1], edges[1:]], 1)
    return bounds.mean(1), bounds, units


def _grid_variables(grid: ModelGrid) -> dict[str, Any]:
    """Coordinates and bounds of a grid, as xarray variables."""
    south = {"units": "degrees_north", "standard_name": "latitude", "long_name": "Latitude"}
    west = {"units": "degrees_east", "standard_name": "longitude", "long_name": "Longitude"}
    if grid.curvilinear:
        corner = (*grid.dims, "vertices")
        return {
            "lat": (grid.dims, grid.lat, south | {"bounds": "vertices_latitude"}),
            "lon": (grid.dims, grid.lon, west | {"bounds": "vertices_longitude"}),
            "vertices_latitude": (corner, grid.lat_bounds, {}),
            "vertices_longitude": (corner, grid.lon_bounds, {}),
        }
    return {
        "lat": ("lat", grid.lat, south | {"axis": "Y", "bounds": "lat_bnds"}),
        "lon": ("lon", grid.lon, west | {"axis": "X", "bounds": "lon_bnds"}),
        "lat_bnds": (("lat", "bnds"), grid.lat_bounds, {}),
        "lon_bnds": (("lon", "bnds"), grid.lon_bounds, {}),
    }


def _global_cell() -> ModelGrid:
    """The one cell of a global mean."""
    lat, lon = np.array([0.0]), np.array([180.0])
    area = np.full((1, 1), 4 * np.pi * 6.371e6**2)
    return ModelGrid(
        ("lat", "lon"), lat, lon, np.array([[-90.0, 90.0]]), np.array([[0.0, 360.0]]), area, np.full((1, 1), 0.29)
    )


def attributes(store: Store, frequency: str) -> dict[str, str]:
    """Global attributes in the CMIP6 vocabulary, with the label that says synthetic."""
    facets, version = store.facets, store.model.version
    idealised_run = store.experiment_id in IDEALISED
    return {
        "Conventions": "CF-1.7 CMIP-6.2",
        "title": f"Synthetic demo data of spread under the name of {store.source_id}; not model output",
        "comment": LABEL,
        "synthetic": "true",
        "mip_era": "CMIP6",
        "activity_id": facets["activity_id"],
        "institution_id": facets["institution_id"],
        "source_id": store.source_id,
        "experiment_id": store.experiment_id,
        "variant_label": store.member_id,
        "table_id": store.table_id,
        "variable_id": store.variable_id,
        "grid_label": facets["grid_label"],
        "frequency": frequency,
        "realm": "land" if store.table_id == "Eyr" else "atmos",
        "product": "synthetic",
        "grid": "global mean" if idealised_run else f"coarse grid of the demo, {store.model.grid}",
        "parent_experiment_id": PARENTS.get(store.experiment_id, "historical"),
        "parent_variant_label": store.member_id,
        "parent_source_id": store.source_id,
        "creation_date": f"{version[:4]}-{version[4:6]}-{version[6:]}T00:00:00Z",
        "version": f"v{version}",
    }


def years_of(store: Store) -> tuple[int, int]:
    """First and last year of a run."""
    if store.experiment_id in IDEALISED:
        first = idealised.FIRST_YEAR.get(store.source_id, 1850)
        return first, first + IDEALISED[store.experiment_id] - 1
    return PERIODS[store.experiment_id]


def _values(store: Store, first: int, last: int) -> np.ndarray:
    """Values of a store, (time, cell) or (cell,); yearly fluxes still per year."""
    run = (store.source_id, store.experiment_id, store.member_id)
    if store.experiment_id in IDEALISED:
        return idealised.global_means(*run)[store.variable_id][:, None]
    if store.table_id == "fx":
        grid = model_grid(store.source_id)
        return grid.area.ravel() if store.variable_id == "areacella" else 100.0 * grid.land.ravel()
    if store.table_id == "Eyr":
        return carbon_run(*run)[store.variable_id]
    make = climate.temperature if store.variable_id == "tas" else climate.rain
    return make(*run, first, last)


def dataset(store: Store, values: np.ndarray | None = None, years: tuple[int, int] | None = None) -> "xr.Dataset":
    """Build the faultless dataset of a store, time as numbers with units.

    Parameters
    ----------
    store : Store
    values : ndarray, optional
        (time, cell) values in place of the store's own.
    years : tuple of int, optional
        First and last year in place of the run's own.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr

    first, last = years or years_of(store)
    step = {"Amon": "mon", "Eyr": "yr", "day": "day", "fx": "fx"}[store.table_id]
    grid = _global_cell() if store.experiment_id in IDEALISED else model_grid(store.source_id)
    values = _values(store, first, last) if values is None else values
    long_name, standard_name, units, methods, bits = FIELDS[store.variable_id]
    variables = _grid_variables(grid)
    dims: tuple[str, ...] = grid.dims
    if step != "fx":
        origin = (
            min(first, 1850)
            if store.experiment_id not in PERIODS or PERIODS[store.experiment_id][0] < 2015
            else store.model.time_origin
        )
        middle, bounds, since = time_axis(first, last, store.model.calendar, origin, step)
        if store.table_id == "Eyr" and units == "kg m-2 s-1":
            values = values / (86400.0 * np.diff(bounds, axis=1))
        axis = {
            "units": since,
            "calendar": store.model.calendar,
            "bounds": "time_bnds",
            "standard_name": "time",
            "axis": "T",
        }
        variables |= {"time": ("time", middle, axis), "time_bnds": (("time", "bnds"), bounds, {})}
        dims = ("time", *dims)
    facts = {"standard_name": standard_name, "long_name": long_name, "units": units, "cell_methods": methods}
    if store.variable_id != "areacella" and store.experiment_id not in IDEALISED:
        facts["cell_measures"] = "area: areacella"
    if store.variable_id == "tas":
        variables["height"] = ((), 2.0, {"units": "m", "standard_name": "height", "axis": "Z", "positive": "up"})
    shape = (*values.shape[:-1], *grid.area.shape)
    variables[store.variable_id] = (dims, rounded(values.reshape(shape), bits), facts)
    ds = xr.Dataset(variables, attrs=attributes(store, step))
    return ds.set_coords([name for name in ("lat", "lon", "time", "height") if name in ds])


def _compressor(zarr_format: int) -> Any:
    """Blosc with byte shuffle, as each Zarr format spells it."""
    if zarr_format == 2:
        import numcodecs

        return numcodecs.Blosc(cname="zstd", clevel=6, shuffle=numcodecs.Blosc.SHUFFLE)
    import zarr.codecs

    return zarr.codecs.BloscCodec(cname="zstd", clevel=6, shuffle="shuffle")


def write_store(ds: "xr.Dataset", path: Path, variable_id: str, zarr_format: int, steps: int = MONTHS_A_CHUNK) -> None:
    """Write a dataset as Zarr, consolidated, whole maps a chunk.

    Parameters
    ----------
    ds : xarray.Dataset
    path : Path
    variable_id : str
        The data variable; it gets a fill value and compression.
    zarr_format : int
    steps : int
        Time steps a chunk.
    """
    field = ds[variable_id]
    chunks = tuple(min(steps, size) if dim == "time" else size for dim, size in field.sizes.items())
    encoding: dict[Any, dict[str, Any]] = {
        name: {"_FillValue": None, "compressors": None} for name in ds.variables if name != variable_id
    }
    encoding[variable_id] = {"chunks": chunks, "_FillValue": FILL, "compressors": (_compressor(zarr_format),)}
    for name in ("time", "time_bnds"):
        if name in ds:
            encoding[name] |= {"chunks": ds[name].shape, "compressors": (_compressor(zarr_format),)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ds.to_zarr(path, mode="w", zarr_format=zarr_format, consolidated=True, encoding=encoding)
