"""The clean ensemble: invented fields under real model names, and the true numbers by NumPy alone."""

from __future__ import annotations

import zlib
from functools import lru_cache

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

MODELS = ("CanESM5", "MIROC6", "ACCESS-CM2", "INM-CM5-0", "KIOST-ESM", "NESM3", "TaiESM1", "BCC-CSM2-MR")
"""The ensemble whose standard deviation is the measure of every error."""

HEALTHY = MODELS[:2]
"""Models that run beside each victim and must come out right."""

BASE, LATE = (1850, 1900), (2081, 2100)
YEARS = {"historical": (1850, 2014)}
SCENARIO = (2015, 2100)
ROWS, COLUMNS = 12, 24
UNITS = {"tas": "K", "tasmax": "K", "pr": "kg m-2 s-1", "rsdt": "W m-2", "gpp": "kg m-2 s-1", "nbp": "kg m-2 s-1"}
ON_LAND = ("gpp", "nbp")
CALENDARS = {"MIROC6": "standard", "INM-CM5-0": "360_day"}

Floats = NDArray[np.float64]


def years_of(experiment_id: str) -> tuple[int, int]:
    """First and last year of an experiment."""
    return YEARS.get(experiment_id, SCENARIO)


def calendar_of(source_id: str) -> str:
    """Calendar of a model."""
    return CALENDARS.get(source_id, "365_day")


def grid() -> tuple[Floats, Floats, Floats, Floats]:
    """Centres and bounds: ``lat, lon, lat_bnds, lon_bnds`` [degrees]."""
    south, west = np.linspace(-90.0, 90.0, ROWS + 1), np.linspace(0.0, 360.0, COLUMNS + 1)
    lat_bounds, lon_bounds = (np.stack([edge[:-1], edge[1:]], axis=1) for edge in (south, west))
    return lat_bounds.mean(axis=1), lon_bounds.mean(axis=1), lat_bounds, lon_bounds


def areas() -> Floats:
    """Cell areas [m2] ``(lat, lon)``."""
    _, _, lat_bounds, lon_bounds = grid()
    height = np.diff(np.sin(np.radians(lat_bounds)), axis=1)
    return 6.371e6**2 * height * np.diff(np.radians(lon_bounds), axis=1).T


def land() -> Floats:
    """Land share of cells, 0..1, with coasts and a wide sea."""
    share = np.zeros((ROWS, COLUMNS))
    share[3:10, 4:12] = 1.0
    share[3:10, [3, 12]] = 0.4
    share[0] = 1.0
    return share


def months(first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Year and month 1..12 of each step."""
    number = np.arange(12 * first, 12 * (last + 1))
    return number // 12, number % 12 + 1


def _draw(*what: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(".".join(what).encode()))


def warming(source_id: str, years: NDArray[np.int64]) -> Floats:
    """Global warming of a model since 1850-1900 [K]: nothing, a slow rise, then a steady one."""
    late = 4.7 + 1.0 * _draw(source_id, "warming").standard_normal()
    slow = 0.8 * np.clip((years - 1900) / 114.0, 0.0, 1.0) ** 2
    return slow + (late - 0.8) * np.clip((years - 2014) / 76.0, 0.0, None)


def field(source_id: str, experiment_id: str, variable_id: str, first: int, last: int) -> NDArray[np.float32]:
    """One variable of one run, ``(time, lat, lon)``."""
    year, month = months(first, last)
    lat = np.radians(grid()[0])[None, :, None]
    heat = warming(source_id, year)[:, None, None] * (0.7 + 0.9 * np.sin(lat) ** 2)
    july = np.cos(2.0 * np.pi * (month - 7) / 12.0)[:, None, None]
    season = july * np.sin(lat)
    noise = _draw(source_id, experiment_id, variable_id).standard_normal((year.size, ROWS, COLUMNS))
    own = _draw(source_id, variable_id).standard_normal()
    if variable_id in ("tas", "tasmax"):
        made = 302.0 + own - 45.0 * np.sin(lat) ** 2 + 12.0 * season + 1.9 * july + heat + 1.5 * noise
        made += 5.0 if variable_id == "tasmax" else 0.0
    elif variable_id == "pr":
        made = 3.5e-5 * (1.3 - np.sin(lat) ** 2) * (1.0 + (0.02 + 0.003 * own) * heat) * np.exp(0.2 * noise)
    elif variable_id == "rsdt":
        made = 420.0 - 240.0 * np.sin(lat) ** 2 + 60.0 * season - 11.0 * july + 0.1 * own * heat + 0.0 * noise
    elif variable_id == "gpp":
        made = np.clip(3e-8 * np.cos(lat) * (1.0 + (0.04 + 0.02 * own) * heat) * np.exp(0.2 * noise), 0.0, None)
    else:
        made = 5e-10 * (1.0 + own * heat) + 5e-9 * july + 2e-9 * noise
    if variable_id in ON_LAND:
        made = np.where(land() > 0.0, made, np.nan)
    return made.astype(np.float32)


def dataset(
    source_id: str, experiment_id: str, variable_id: str = "tas", calendar: str = "", member_id: str = "r1i1p1f1"
) -> xr.Dataset:
    """A sound dataset as a modelling centre publishes it, with undecoded time."""
    first, last = years_of(experiment_id)
    calendar = calendar or calendar_of(source_id)
    lat, lon, lat_bounds, lon_bounds = grid()
    edges = [cftime.datetime(n // 12, n % 12 + 1, 1, calendar=calendar) for n in range(12 * first, 12 * last + 13)]
    units = "days since 1850-01-01"
    at = np.asarray(cftime.date2num(edges, units, calendar=calendar), dtype=np.float64)
    values = field(source_id, experiment_id, variable_id, first, last)
    return xr.Dataset(
        {
            variable_id: (("time", "lat", "lon"), values, {"units": UNITS[variable_id], "cell_methods": "time: mean"}),
            "time_bnds": (("time", "bnds"), np.stack([at[:-1], at[1:]], axis=1)),
            "lat_bnds": (("lat", "bnds"), lat_bounds),
            "lon_bnds": (("lon", "bnds"), lon_bounds),
        },
        coords={
            "time": ("time", at[:-1] + np.diff(at) / 2, {"units": units, "calendar": calendar, "bounds": "time_bnds",
                                                         "standard_name": "time", "axis": "T"}),
            "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude", "bounds": "lat_bnds"}),
            "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude", "bounds": "lon_bnds"}),
            "height": ((), 2.0, {"units": "m", "standard_name": "height"}),
        },
        attrs={
            "source_id": source_id, "experiment_id": experiment_id, "variable_id": variable_id, "frequency": "mon",
            "variant_label": member_id, "table_id": "Lmon" if variable_id in ON_LAND else "Amon", "grid_label": "gn",
            "mip_era": "CMIP6", "branch_time_in_parent": 0.0, "parent_variant_label": member_id,
            "parent_time_units": "days since 1850-01-01", "synthetic": "true",
        },
    )  # fmt: skip


def fixed(source_id: str, variable_id: str) -> xr.Dataset:
    """``areacella`` or ``sftlf`` of a model."""
    values, units = (areas(), "m2") if variable_id == "areacella" else (100.0 * land(), "%")
    ds = dataset(source_id, "ssp585").isel(time=0, drop=True).drop_vars(["tas", "time_bnds", "height"])
    attrs = {"variable_id": variable_id, "table_id": "fx", "frequency": "fx", "experiment_id": "historical"}
    return ds.assign({variable_id: (("lat", "lon"), values, {"units": units})}).assign_attrs(attrs)


def _period(values: NDArray[np.float32], calendar: str, begins: int, period: tuple[int, int], share: Floats) -> float:
    weights = areas() * share
    weights /= weights.sum()
    monthly = np.nansum(values.astype(np.float64) * weights, axis=(1, 2))
    year, month = months(begins, begins + len(values) // 12 - 1)
    days = np.array([_days(int(y), int(m), calendar) for y, m in zip(year, month, strict=True)], dtype=np.float64)
    inside = (year >= period[0]) & (year <= period[1])
    return float((monthly * days)[inside].sum() / days[inside].sum())


@lru_cache(maxsize=100_000)
def _days(year: int, month: int, calendar: str) -> int:
    following = cftime.datetime(year + month // 12, month % 12 + 1, 1, calendar=calendar)
    return (following - cftime.datetime(year, month, 1, calendar=calendar)).days


@lru_cache(maxsize=512)
def truth(
    source_id: str,
    variable_id: str = "tas",
    calendars: tuple[str, str] = ("", ""),
    base: tuple[int, int] = BASE,
    scenario: str = "ssp585",
) -> float:
    """Change between the base and the late period of a clean run."""
    share = land() if variable_id in ON_LAND else np.ones((ROWS, COLUMNS))
    first = "historical" if base[0] < 2015 else scenario
    means = []
    for run, period, calendar in ((first, base, calendars[0]), (scenario, LATE, calendars[1])):
        begins, ends = years_of(run)
        values = field(source_id, run, variable_id, begins, ends)
        means.append(_period(values, calendar or calendar_of(source_id), begins, period, share))
    return means[1] - means[0]


@lru_cache(maxsize=16)
def spread_of(variable_id: str) -> float:
    """Standard deviation of the clean ensemble: the measure of an error."""
    return float(np.std([truth(source_id, variable_id) for source_id in MODELS], ddof=1))
