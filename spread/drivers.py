"""Drivers of a land model: any CF dataset of weather, brought to the units and the cells that a model takes.

Knows no kernel: what is changed in a counterfactual is changed here, on labelled data, before :mod:`spread.simulate`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.calendars import canonical_calendar, month_number
from spread.conform.units import linear_conversion
from spread.errors import NotConforming

Floats = NDArray[np.float64]

UNITS = {
    "tasmin": "degC", "tasmax": "degC", "rsds": "MJ m-2 d-1", "vpd": "hPa", "pr": "kg m-2 d-1", "co2": "ppm",
    "burned": "1",
}  # fmt: skip
"""Drivers and their units; 1 kg m-2 of water is 1 mm."""

EPOCH = "days since 1850-01-01"
YEAR = 365.25
"""Days in which the day of the year is counted, whatever the length of a calendar's year."""

_MOLE_FRACTIONS = {"1e-6": "ppm", "1.0e-6": "ppm", "umol mol-1": "ppm", "ppmv": "ppm", "mol mol-1": "1"}
_OTHER_NAMES = {"burntFractionAll": "burned"}
_ALSO = {"tas": "degC", "hurs": "1", "huss": "1", "ps": "hPa"}


def saturation_pressure(tas: Any) -> Any:
    """Pressure of water vapour over water at saturation.

    Parameters
    ----------
    tas : array
        Temperature [degC].

    Returns
    -------
    array
        [hPa].

    Notes
    -----
    Alduchov & Eskridge 1996, J. Appl. Meteorol. 35, 601, eq. 21 (AERK): within 0.4 % from -40 to 50 degC.
    """
    return 6.1094 * np.exp(17.625 * tas / (243.04 + tas))


def mean_saturation(tasmin: Any, tasmax: Any) -> Any:
    """Mean of a day's saturation pressure [hPa], that of the lowest and the highest temperature (FAO-56, eq. 12)."""
    return 0.5 * (saturation_pressure(tasmin) + saturation_pressure(tasmax))


def drivers(forcing: xr.Dataset, diurnal_range: float | None = None) -> xr.Dataset:
    """Bring a dataset of weather to what a land model takes.

    Parameters
    ----------
    forcing : xarray.Dataset
        CF: ``tasmin`` and ``tasmax``, or ``tas``; ``rsds``; ``vpd``, or ``hurs``, or ``huss`` and ``ps``; ``pr``;
        ``co2``; perhaps ``burned`` (or CMIP6's ``burntFractionAll``), the burned fraction of each step, none where it
        is absent. On ``time`` (any CF calendar, months or days without gaps) and ``lat, lon``, or any one dimension
        with coordinates ``lat`` and perhaps ``lon``; a field without one of these is the same along it. Perhaps
        ``orog``, ``sftlf`` and ``areacella``. It is not modified; lazy fields stay lazy.
    diurnal_range : float, optional
        Range of temperature in a day where there is only ``tas`` [K].

    Returns
    -------
    xarray.Dataset
        :data:`UNITS` on ``time, cell``, of the cells with data (and land, where ``sftlf`` is given), with
        coordinates ``lat``, ``elevation`` [m], ``weight`` (area of land, relative), ``place`` (number of the cell in
        the whole field), ``doy`` (middle of the step in a year of 365.25 days [d]) and ``days`` (true length [d]).
        Attributes ``calendar``, ``frequency`` and ``fixes``.

    Raises
    ------
    NotConforming
        With everything that is missing or cannot be read.
    """
    ds = forcing.rename({old: new for old, new in _OTHER_NAMES.items() if old in forcing})
    found: list[str] = []
    when = _steps(ds, found)
    if "lat" not in ds.variables:
        found.append("lat: expected latitudes of the places, or one of a site [degrees_north], got none")
    ds, fixes = _in_units(ds, found)
    if found:
        raise NotConforming("forcing", found)
    fields = _completed(ds, diurnal_range, fixes, found)
    if found:
        raise NotConforming("forcing", found)
    assert when is not None
    return _cells(ds, fields, when).assign_attrs(
        calendar=when.attrs["calendar"], frequency=when.attrs["frequency"], fixes=fixes,
        synthetic=str(forcing.attrs.get("synthetic", "false")).lower(),
    )  # fmt: skip


def _steps(ds: xr.Dataset, found: list[str]) -> xr.Dataset | None:
    """Bounds, length and day of the year of each step; None and a reason where they cannot be told."""
    if "time" not in ds.coords or ds["time"].ndim != 1 or ds["time"].size == 0:
        found.append("time: expected a coordinate along its own dimension, got none")
        return None
    time = ds["time"]
    try:
        dates, calendar = _dates(time)
    except ValueError as error:
        found.append(f"time: {error}")
        return None
    middle = np.asarray(cftime.date2num(dates, EPOCH, calendar), np.float64)
    months = month_number(np.array([d.year for d in dates]), np.array([d.month for d in dates]))
    if (np.diff(months) == 1).all() and (months.size > 1 or "time_bnds" in ds or time.attrs.get("frequency") != "day"):
        frequency = "mon"
        edges = np.array([start_of_month(int(m), calendar) for m in [*months, months[-1] + 1]])
        low, high = edges[:-1], edges[1:]
    elif np.allclose(np.diff(middle), 1.0):
        frequency, low, high = "day", np.floor(middle), np.floor(middle) + 1.0
    else:
        found.append("time: expected months or days, each after the one before without a gap, got other steps")
        return None
    years = np.array([d.year for d in dates])
    first = {int(y): start_of_month(12 * int(y), calendar) for y in np.unique([years, years + 1])}
    start = np.array([first[int(y)] for y in years])
    length = np.array([first[int(y) + 1] for y in years]) - start
    doy = (0.5 * (low + high) - start) / length * YEAR
    return xr.Dataset(
        coords={
            "time": ("time", 0.5 * (low + high), {"units": EPOCH, "calendar": calendar, "bounds": "time_bnds"}),
            "time_bnds": (("time", "bnds"), np.stack([low, high], 1)),
            "doy": ("time", doy, {"units": "d"}),
            "days": ("time", high - low, {"units": "d"}),
            "year": ("time", years),
        },
        attrs={"calendar": calendar, "frequency": frequency},
    )


def _dates(time: xr.DataArray) -> tuple[NDArray[Any], str]:
    values = time.values
    if np.issubdtype(values.dtype, np.datetime64):
        number = (values - np.datetime64("1850-01-01")) / np.timedelta64(1, "D")
        return cftime.num2date(number, EPOCH, "proleptic_gregorian"), "proleptic_gregorian"
    if values.dtype == object:
        return values, canonical_calendar(str(values[0].calendar))
    if "units" not in time.attrs:
        raise ValueError("expected dates, or numbers with CF units such as 'days since 1850-01-01', got bare numbers")
    calendar = canonical_calendar(str(time.attrs.get("calendar", "standard")))
    return cftime.num2date(values, str(time.attrs["units"]), calendar), calendar


def as_drivers(forcing: xr.Dataset) -> xr.Dataset:
    """What :func:`drivers` gives, of a dataset that it has not seen yet or that it has."""
    return forcing if "place" in forcing.coords else drivers(forcing)


def start_of_month(month: int, calendar: str) -> float:
    """First moment of a month, by its number [days since 1850-01-01]."""
    return float(cftime.date2num(cftime.datetime(month // 12, month % 12 + 1, 1, calendar=calendar), EPOCH, calendar))


def _in_units(ds: xr.Dataset, found: list[str]) -> tuple[xr.Dataset, list[str]]:
    converted: dict[Hashable, xr.DataArray] = {}
    fixes = []
    for name, wanted in (UNITS | _ALSO).items():
        if name not in ds:
            continue
        said = " ".join(str(ds[name].attrs.get("units", "")).split())
        units = _MOLE_FRACTIONS.get(said, said)
        try:
            if not units:
                raise ValueError(f"expected a unit convertible to {wanted!r}, got none")
            factor, offset = linear_conversion(units, wanted)
        except ValueError as error:
            found.append(f"{name}: {str(error).removeprefix('units: ')}")
            continue
        if (factor, offset) != (1.0, 0.0):
            fixes.append(f"{name}: {said} -> {wanted}")
        field = ds[name].astype(np.float64)
        converted[name] = (field if (factor, offset) == (1.0, 0.0) else field * factor + offset).assign_attrs(
            units=wanted
        )
    return ds.assign(converted), fixes


def _completed(
    ds: xr.Dataset, diurnal_range: float | None, fixes: list[str], found: list[str]
) -> dict[str, xr.DataArray]:
    """Fields of :data:`UNITS`, made from others where they are not given."""
    fields = {name: ds[name] for name in UNITS if name in ds}
    if not {"tasmin", "tasmax"} <= set(fields):
        if "tas" in ds and diurnal_range is not None:
            fields["tasmin"], fields["tasmax"] = ds["tas"] - diurnal_range / 2, ds["tas"] + diurnal_range / 2
            fixes.append(f"tasmin, tasmax: tas and a range of {diurnal_range:g} K in a day")
        else:
            found.append(
                "tasmin, tasmax: expected both, got "
                + ("tas only: say how far they are apart, diurnal_range=10 [K]" if "tas" in ds else "neither")
            )
    if "vpd" not in fields and {"tasmin", "tasmax"} <= set(fields):
        tas = ds["tas"] if "tas" in ds else 0.5 * (fields["tasmin"] + fields["tasmax"])
        if "hurs" in ds:
            saturated = mean_saturation(fields["tasmin"], fields["tasmax"])
            fields["vpd"] = (saturated * (1 - ds["hurs"])).clip(min=0.0)
            fixes.append("vpd: from tasmin, tasmax and hurs")
        elif {"huss", "ps"} <= set(ds):
            # w = q / (1 - q) and e = w p / (0.622 + w): Wallace & Hobbs 2006, eq. 3.59
            vapour = ds["huss"] * ds["ps"] / (0.622 + 0.378 * ds["huss"])
            fields["vpd"] = (saturation_pressure(tas) - vapour).clip(min=0.0)
            fixes.append("vpd: from tas, huss and ps")
        else:
            found.append("vpd: expected it, or hurs, or huss and ps, got none of them")
    found += [
        f"{name}: expected a field [{UNITS[name]}], got none" for name in ("rsds", "pr", "co2") if name not in fields
    ]
    if "burned" not in fields:
        fields["burned"] = xr.DataArray(0.0)
        fixes.append("burned: not given, nothing burns")
    return fields


def _cells(ds: xr.Dataset, fields: dict[str, xr.DataArray], when: xr.Dataset) -> xr.Dataset:
    """Fields on ``time, cell``, of the cells that have data."""
    dims = horizontal(ds)
    shape = tuple(ds.sizes[d] for d in dims)
    on = ("time", *dims)
    whole = xr.DataArray(np.zeros((when.sizes["time"], *shape), np.int8), dims=on)
    flat: dict[str, xr.DataArray] = {}
    for name in UNITS:
        field = fields[name].drop_vars(list(fields[name].coords))
        if "time" in field.dims and set(field.dims) == {"time"}:
            flat[name] = field.transpose("time")
        else:
            wide = (field + whole.isel(time=slice(None))).transpose(*on) if dims else field + whole
            flat[name] = wide.stack(cell=dims, create_index=False) if dims else wide.expand_dims("cell", -1)
            flat[name] = flat[name].transpose("time", "cell").clip(min=0.0) if name in _NOT_BELOW else flat[name]
    place = _places(ds, dims)
    first = [field.isel(time=0).notnull().values for field in flat.values() if "cell" in field.dims]
    there = np.logical_and.reduce([*first, place["weight"] > 0])
    data = {name: field.drop_vars(list(field.coords)) for name, field in flat.items()}
    made = xr.Dataset(data).assign_coords({k: ("cell", v) for k, v in place.items()})
    return made.isel(cell=np.flatnonzero(there)).assign_coords(when.coords)


_NOT_BELOW = ("rsds", "vpd", "pr", "burned")
"""Interpolation noise below zero is none: radiation, deficit, rain and fire cannot be negative."""


def horizontal(ds: xr.Dataset) -> tuple[str, ...]:
    """Dimensions of places: those of ``lat`` and ``lon``; none at one site."""
    lat, lon = ds["lat"], ds["lon"] if "lon" in ds else ds["lat"]
    return tuple(str(d) for d in dict.fromkeys((*lat.dims, *lon.dims)))


def _places(ds: xr.Dataset, dims: tuple[str, ...]) -> dict[str, Floats]:
    shape = tuple(ds.sizes[d] for d in dims)
    frame = xr.DataArray(np.zeros(shape), dims=dims)

    def flat(field: xr.DataArray) -> Floats:
        return np.asarray((field.drop_vars(list(field.coords)) + frame).transpose(*dims).values, np.float64).reshape(-1)

    lat = flat(ds["lat"])
    rows = "lat" in dims
    area = flat(ds["areacella"]) if "areacella" in ds else np.cos(np.deg2rad(lat)) if rows else np.ones_like(lat)
    land = np.ones_like(lat)
    if "sftlf" in ds:
        percent = str(ds["sftlf"].attrs.get("units", "%")).strip() == "%"
        land = np.nan_to_num(flat(ds["sftlf"])) * (0.01 if percent else 1.0)
    elevation = np.nan_to_num(flat(ds["orog"])) if "orog" in ds else np.zeros_like(lat)
    return {"lat": lat, "elevation": elevation, "weight": area * land, "place": np.arange(lat.size, dtype=np.float64)}
