"""A synthetic archive to measure on: real grid shapes, run lengths, chunk sizes, compressibility; invented weather."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numcodecs
import numpy as np
import xarray as xr
import zarr

# rows and columns of the atmosphere grids of 29 CMIP6 models, as in their published stores
GRIDS = {
    "ACCESS-CM2": (144, 192), "ACCESS-ESM1-5": (145, 192), "BCC-CSM2-MR": (160, 320), "CESM2": (192, 288),
    "CESM2-WACCM": (192, 288), "CMCC-CM2-SR5": (192, 288), "CNRM-CM6-1": (128, 256), "CNRM-ESM2-1": (128, 256),
    "CanESM5": (64, 128), "EC-Earth3": (256, 512), "EC-Earth3-Veg": (256, 512), "FGOALS-g3": (80, 180),
    "GFDL-CM4": (180, 288), "GFDL-ESM4": (180, 288), "HadGEM3-GC31-LL": (144, 192), "INM-CM4-8": (120, 180),
    "INM-CM5-0": (120, 180), "IPSL-CM6A-LR": (143, 144), "KACE-1-0-G": (144, 192), "MIROC-ES2L": (64, 128),
    "MIROC6": (128, 256), "MPI-ESM1-2-HR": (192, 384), "MPI-ESM1-2-LR": (96, 192), "MRI-ESM2-0": (160, 320),
    "NESM3": (96, 192), "NorESM2-LM": (96, 144), "NorESM2-MM": (192, 288), "TaiESM1": (192, 288),
    "UKESM1-0-LL": (144, 192),
}  # fmt: skip

RUNS = {"historical": (1850, 165), "ssp245": (2015, 86), "ssp585": (2015, 86)}
CHUNK = 126e6
"""Bytes of a chunk in the Pangeo copy of CMIP6, about."""

_STEP = 1.0 / 1024.0  # K: what the values are rounded to, so that Blosc-lz4 packs them to two thirds, as it does tas
COLUMNS = ("activity_id", "institution_id", "source_id", "experiment_id", "member_id", "table_id", "variable_id",
           "grid_label", "zstore", "dcpp_init_year", "version")  # fmt: skip


def chosen(count: int) -> list[str]:
    """So many models, spread over the list, beyond 29 again with a number."""
    names = list(GRIDS)
    if count > len(names):
        return [name if k < len(names) else f"{name}-{k // len(names)}" for k, name in
                ((k, names[k % len(names)]) for k in range(count))]  # fmt: skip
    return [names[k * len(names) // count] for k in range(count)]


def write(
    folder: Path, models: Sequence[str], share: float = 1.0, chunk: float = CHUNK, runs: Sequence[str] = tuple(RUNS)
) -> Path:
    """Write the archive, or what is missing of it.

    Parameters
    ----------
    folder : Path
        Where.
    models : sequence of str
        From :func:`chosen`.
    share : float
        Share of the real run lengths, at least two years a run.
    chunk : float
        Decoded size of a chunk [bytes].
    runs : sequence of str
        Experiments.

    Returns
    -------
    Path
        The intake-esm collection.
    """
    rows = []
    for number, source_id in enumerate(models):
        for experiment_id in runs:
            store = folder / source_id / experiment_id
            if not (store / ".zmetadata").exists():
                _store(store, source_id, experiment_id, number, share, chunk)
            rows.append([
                "CMIP" if experiment_id == "historical" else "ScenarioMIP", "SYNTHETIC", source_id, experiment_id,
                "r1i1p1f1", "Amon", "tas", "gn", str(store), "", "20200101",
            ])  # fmt: skip
    with (folder / "catalog.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    description = {
        "esmcat_version": "0.1.0", "id": "benchmark", "description": "synthetic",
        "catalog_file": str(folder / "catalog.csv"),
        "attributes": [{"column_name": name} for name in COLUMNS if name not in ("zstore", "version")],
        "assets": {"column_name": "zstore", "format": "zarr"},
        "aggregation_control": {
            "variable_column_name": "variable_id", "groupby_attrs": ["source_id", "experiment_id"], "aggregations": [],
        },
    }  # fmt: skip
    collection = folder / "collection.json"
    collection.write_text(json.dumps(description))
    return collection


def _store(store: Path, source_id: str, experiment_id: str, number: int, share: float, chunk: float) -> None:
    first, years = RUNS[experiment_id]
    shape = GRIDS[next(name for name in sorted(GRIDS, key=len, reverse=True) if source_id.startswith(name))]
    # a scenario begins where its historical run ends, whatever the share
    years = max(2, round(share * years))
    first = first if experiment_id == "historical" else RUNS["historical"][0] + max(2, round(share * 165))
    months = 12 * years
    lat_edges, lon_edges = np.linspace(-90, 90, shape[0] + 1), np.linspace(0, 360, shape[1] + 1)
    lat, lon = (lat_edges[1:] + lat_edges[:-1]) / 2, (lon_edges[1:] + lon_edges[:-1]) / 2
    days = np.cumsum(np.tile([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], years)).astype(float)
    starts = np.r_[0.0, days[:-1]]
    steps = max(1, min(months, round(chunk / (4 * shape[0] * shape[1]))))
    ds = xr.Dataset(
        coords={
            "time": ("time", (starts + days) / 2, {
                "standard_name": "time", "units": f"days since {first:04d}-01-01", "calendar": "noleap",
                "bounds": "time_bnds",
            }),
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north", "bounds": "lat_bnds"}),
            "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east", "bounds": "lon_bnds"}),
            "time_bnds": (("time", "bnds"), np.stack([starts, days], 1)),
            "lat_bnds": (("lat", "bnds"), np.stack([lat_edges[:-1], lat_edges[1:]], 1)),
            "lon_bnds": (("lon", "bnds"), np.stack([lon_edges[:-1], lon_edges[1:]], 1)),
        },
        attrs={
            "source_id": source_id, "experiment_id": experiment_id, "variable_id": "tas", "table_id": "Amon",
            "variant_label": "r1i1p1f1", "frequency": "mon", "synthetic": "true",
        },
    )  # fmt: skip
    store.parent.mkdir(parents=True, exist_ok=True)
    ds.to_zarr(store, mode="w", zarr_format=2, consolidated=False)
    array = zarr.open_group(store, mode="a", zarr_format=2).create_array(
        "tas", shape=(months, *shape), chunks=(steps, *shape), dtype="f4", fill_value=np.float32(1e20),
        compressors=numcodecs.Blosc("lz4", 5, 1),
    )  # fmt: skip
    array.attrs.update({"_ARRAY_DIMENSIONS": ["time", "lat", "lon"], "units": "K", "standard_name": "air_temperature",
                        "cell_methods": "area: time: mean"})  # fmt: skip
    rng = np.random.default_rng([number, list(RUNS).index(experiment_id)])
    weather = rng.normal(0.0, 3.0, (24, *shape)).astype("f4")
    phi = np.radians(lat)[:, None]
    base = 288.0 + 14.0 - 42.0 * np.sin(phi) ** 2
    warming = (0.02 + 0.002 * (number % 7)) * (1.0 if experiment_id == "ssp585" else 0.4)
    for start in range(0, months, steps):
        month = np.arange(start, min(start + steps, months))
        season = 12.0 * np.sin(phi)[None] * np.cos(2 * np.pi * (month % 12 - 6.5) / 12.0)[:, None, None]
        season = season - 1.5 * np.cos(2 * np.pi * (month % 12 + 0.5) / 12.0)[:, None, None]
        values = (
            base + season + (warming * (month / 12.0 if experiment_id != "historical" else 0.0 * month))[:, None, None]
        )
        values = values + np.stack([np.roll(weather[k % 24], 7 * k, axis=1) for k in month])
        values = values + rng.normal(0.0, 0.1, month.size)[:, None, None]  # no month is another one's copy
        array[start : month[-1] + 1] = (np.round(values / _STEP) * _STEP).astype("f4")
    zarr.consolidate_metadata(store, zarr_format=2)
