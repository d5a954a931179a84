"""Weather and CO2 that drive a land model in the demo: made, deterministic, and labelled synthetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spread.demo.energy_balance import co2
from spread.demo.grid import ModelGrid, model_grid
from spread.demo.store import time_axis
from spread.demo.weather import generator

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LABEL", "grid_forcing", "site_forcing"]

LABEL = "Synthetic weather made by spread.demo, not observed and not model output. For tests and teaching only."
RATE = 0.02  # K a-1 of warming from 1980 on, about what was observed over land

Floats = NDArray[np.float64]


def site_forcing(lat: float = 50.0, first: int = 1995, last: int = 2014, calendar: str = "standard") -> xr.Dataset:
    """Daily weather of one site.

    Parameters
    ----------
    lat : float
        Latitude [degrees_north].
    first, last : int
        Years.
    calendar : str
        A CF calendar.

    Returns
    -------
    xarray.Dataset
        ``tasmin, tasmax`` [K], ``rsds`` [W m-2], ``hurs`` [%], ``pr`` [kg m-2 s-1] on ``time``, ``co2`` [1e-6], as
        CMIP6 would publish them, with undecoded times. Wet days come in spells (a Markov chain, Richardson 1981, Water
        Resour. Res. 17, 182), their rain is exponential; they are cloudier, moister and have less of a daily cycle.
    """
    import xarray as xr

    middle, bounds, units = time_axis(first, last, calendar, 1850, "day")
    where = np.array([lat])
    phase, year = _calendar(middle, calendar)
    rng = generator("land forcing", "site", f"{lat:.2f}")
    wet = _spells(rng, middle.size, wet_after_dry=0.22, wet_after_wet=0.6)[:, None]
    noise = _red(rng, (middle.size, 1), 0.75)
    fields = _climate(where, phase, year, noise)
    mean_rain = fields["pr"]
    fields["pr"] = np.where(wet, rng.exponential(1.0, wet.shape) * mean_rain / 0.355, 0.0)
    fields["rsds"] *= np.where(wet, 0.6, 1.2)
    fields["hurs"] = np.clip(fields["hurs"] + np.where(wet, 15.0, -8.0), 5.0, 100.0)
    fields["span"] *= np.where(wet, 0.65, 1.2)
    data = {name: ("time", values[:, 0], attrs) for name, (values, attrs) in _published(fields).items()}
    place = {"lat": ((), lat, _NORTH), "lon": ((), 10.0, _EAST), "orog": ((), 200.0, {"units": "m"})}
    ds = xr.Dataset(data, attrs=_attributes("site", first, last))
    return _timed(
        ds.assign(co2=("time", co2("historical", year), _MOLES)), middle, bounds, units, calendar
    ).assign_coords(place)


def grid_forcing(
    first: int = 1985, last: int = 2014, calendar: str = "365_day", source_id: str = "CanESM5"
) -> xr.Dataset:
    """Monthly weather on the coarse grid of a demo model.

    Parameters
    ----------
    first, last : int
        Years.
    calendar : str
        A CF calendar.
    source_id : str
        A demo model, whose rectilinear grid and land it takes.

    Returns
    -------
    xarray.Dataset
        As :func:`site_forcing`, on ``time, lat, lon``, with ``burned`` [%], ``sftlf`` and ``areacella``.
    """
    import xarray as xr

    grid = model_grid(source_id)
    middle, bounds, units = time_axis(first, last, calendar, 1850)
    phase, year = _calendar(middle, calendar)
    rng = generator("land forcing", "grid", source_id)
    lat, _ = grid.centres
    noise = _red(rng, (middle.size, 1), 0.6) + _red(rng, (middle.size, lat.size), 0.3)
    fields = _climate(lat, phase, year, noise)
    fields["pr"] *= rng.gamma(4.0, 0.25, fields["pr"].shape) * rng.uniform(0.3, 1.7, lat.size)
    season = np.maximum(fields["hurs"].mean(0) - fields["hurs"], 0.0)
    fields["burned"] = 0.05 * season * (np.abs(lat) < 55.0)  # %, in the dry season
    shape = (middle.size, *grid.area.shape)
    data = {
        name: (("time", "lat", "lon"), values.reshape(shape), attrs)
        for name, (values, attrs) in _published(fields).items()
    }
    ds = xr.Dataset(data, attrs=_attributes("grid", first, last))
    return _timed(_on(ds, grid).assign(co2=("time", co2("historical", year), _MOLES)), middle, bounds, units, calendar)


_NORTH = {"units": "degrees_north", "standard_name": "latitude"}
_EAST = {"units": "degrees_east", "standard_name": "longitude"}
_MOLES = {"units": "1e-6", "standard_name": "mole_fraction_of_carbon_dioxide_in_air"}
_ATTRS = {
    "tasmin": {"units": "K", "standard_name": "air_temperature", "cell_methods": "area: mean time: minimum"},
    "tasmax": {"units": "K", "standard_name": "air_temperature", "cell_methods": "area: mean time: maximum"},
    "rsds": {"units": "W m-2", "standard_name": "surface_downwelling_shortwave_flux_in_air"},
    "hurs": {"units": "%", "standard_name": "relative_humidity"},
    "pr": {"units": "kg m-2 s-1", "standard_name": "precipitation_flux"},
    "burned": {"units": "%", "long_name": "burned fraction of the cell in the step"},
}


def _climate(lat: Floats, phase: Floats, year: Floats, noise: Floats) -> dict[str, Floats]:
    """Seasonal cycles by latitude, ``(time, cell)``: temperature [degC], its range in a day [K], rain [mm d-1]."""
    high = np.abs(lat)
    season = -np.cos(2 * np.pi * (phase[:, None] - 0.05)) * np.sign(lat)  # warmest three weeks after the solstice
    sun = _at_top(lat, phase)
    tas = 27.0 - 0.0065 * lat**2 + 0.26 * high * season + (0.6 + 0.04 * high) * noise
    tas += RATE * np.maximum(year[:, None] - 1980.0, 0.0)
    hurs = 78.0 - 25.0 * np.exp(-(((high - 25.0) / 12.0) ** 2)) - 6.0 * season * (high > 30) - 3.0 * noise
    # inner tropics, deserts, storm tracks; the wet season follows the sun in the tropics
    rain = 6.0 * np.exp(-((lat / 12.0) ** 2)) + 2.4 * np.exp(-(((high - 48.0) / 16.0) ** 2)) + 0.5
    rain = rain * (1 + 0.6 * season * (high < 30))
    span = 10.0 - 3.0 * np.exp(-((lat / 10.0) ** 2)) + 1.5 * season + 0.0 * noise
    return {"tas": tas, "span": span, "rsds": 0.5 * sun, "hurs": np.clip(hurs, 5.0, 100.0), "pr": rain + 0.0 * noise}


def _at_top(lat: Floats, phase: Floats) -> Floats:
    """Daily mean of radiation at the top of the atmosphere [W m-2]; Hartmann 2016, eq. 2.17, a circular orbit."""
    tilt = np.deg2rad(-23.44) * np.cos(2 * np.pi * (phase[:, None] + 10 / 365.25))
    north = np.deg2rad(lat)
    hour = np.arccos(np.clip(-np.tan(north) * np.tan(tilt), -1.0, 1.0))
    return 1361.0 / np.pi * (hour * np.sin(north) * np.sin(tilt) + np.cos(north) * np.cos(tilt) * np.sin(hour))


def _published(fields: dict[str, Floats]) -> dict[str, tuple[Floats, dict[str, str]]]:
    made = {
        "tasmin": fields["tas"] - fields["span"] / 2 + 273.15,
        "tasmax": fields["tas"] + fields["span"] / 2 + 273.15,
        "rsds": np.maximum(fields["rsds"], 0.0),
        "hurs": fields["hurs"],
        "pr": fields["pr"] / 86400.0,
    }
    if "burned" in fields:
        made["burned"] = fields["burned"]
    return {name: (np.broadcast_to(values, fields["tas"].shape), _ATTRS[name]) for name, values in made.items()}


def _calendar(middle: Floats, calendar: str) -> tuple[Floats, Floats]:
    """Part of the year that has passed, and the year with its fraction."""
    import cftime

    units = "days since 1850-01-01"
    years = np.array([d.year for d in cftime.num2date(middle, units, calendar)])
    first = {
        y: cftime.date2num(cftime.datetime(int(y), 1, 1, calendar=calendar), units, calendar)
        for y in np.unique([years, years + 1])
    }
    start, end = np.array([first[y] for y in years]), np.array([first[y + 1] for y in years])
    phase = (middle - start) / (end - start)
    return phase, years + phase


def _spells(rng: np.random.Generator, steps: int, wet_after_dry: float, wet_after_wet: float) -> NDArray[np.bool_]:
    wet, draws = np.zeros(steps, bool), rng.random(steps)
    for step in range(1, steps):
        wet[step] = draws[step] < (wet_after_wet if wet[step - 1] else wet_after_dry)
    return wet


def _red(rng: np.random.Generator, shape: tuple[int, int], memory: float) -> Floats:
    """Autoregressive noise of unit variance along the first axis."""
    noise = rng.standard_normal(shape)
    for step in range(1, shape[0]):
        noise[step] = memory * noise[step - 1] + np.sqrt(1 - memory**2) * noise[step]
    return noise


def _on(ds: xr.Dataset, grid: ModelGrid) -> xr.Dataset:
    return ds.assign_coords(
        lat=("lat", grid.lat, _NORTH | {"bounds": "lat_bnds"}), lon=("lon", grid.lon, _EAST | {"bounds": "lon_bnds"}),
        lat_bnds=(("lat", "bnds"), grid.lat_bounds), lon_bnds=(("lon", "bnds"), grid.lon_bounds),
    ).assign(
        sftlf=(("lat", "lon"), 100.0 * np.where(grid.land > 0.05, grid.land, 0.0), {"units": "%"}),
        areacella=(("lat", "lon"), grid.area, {"units": "m2"}),
    )  # fmt: skip


def _timed(ds: xr.Dataset, middle: Floats, bounds: Floats, units: str, calendar: str) -> xr.Dataset:
    time = {"units": units, "calendar": calendar, "bounds": "time_bnds", "standard_name": "time"}
    return ds.assign_coords(time=("time", middle, time), time_bnds=(("time", "bnds"), bounds))


def _attributes(what: str, first: int, last: int) -> dict[str, str]:
    return {
        "Conventions": "CF-1.11", "title": f"Synthetic land forcing of spread, {what}, {first}-{last}",
        "comment": LABEL, "synthetic": "true",
    }  # fmt: skip
