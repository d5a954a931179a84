"""The faults planted in the demo archive, each of a kind that real CMIP6 datasets had, with its receipt and its fate.

A pipeline that reads the archive has to meet every `expected`: cured, rejected, marked, or harmless. Faults are
planted in named stores only; every other store is sound. This is a list to test against, not code that mends anything.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spread.demo.models import MODELS, Store
from spread.demo.rounding import rounded

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FAULTS", "Fault", "faults_of", "lose_chunk", "planted"]

_ESMVAL = "ESMValCore cmor/_fixes/cmip6/"


@dataclass(frozen=True)
class Fault:
    """One fault in one store.

    Parameters
    ----------
    source_id, experiment_id, member_id, variable_id : str
        The store.
    kind : str
        Short name of the fault.
    receipt : str
        Where the real case is documented.
    expected : str
        `cured`, `rejected`, `marked` or `harmless`.
    """

    source_id: str
    experiment_id: str
    member_id: str
    variable_id: str
    kind: str
    receipt: str
    expected: str


def _runs(
    source_id: str, variables: Iterable[str], kind: str, receipt: str, expected: str, runs: Iterable[str] = ()
) -> list[Fault]:
    """List one fault in several stores of a model's first member, in all its runs unless some are given."""
    model = MODELS[source_id]
    return [
        Fault(source_id, run, model.members[0], variable, kind, receipt, expected)
        for variable in variables
        for run in (runs or ("historical", *model.scenarios))
    ]


FAULTS: tuple[Fault, ...] = (
    *_runs(
        "INM-CM4-8",
        ("tas", "pr"),
        "names",
        _ESMVAL + "mcm_ua_1_0.py (kind): dimensions latitude, longitude; trailing spaces",
        "cured",
    ),
    *_runs("INM-CM4-8", ("areacella", "sftlf"), "names", _ESMVAL + "mcm_ua_1_0.py (kind)", "cured", ("historical",)),
    *_runs(
        "MPI-ESM1-2-HR",
        ("tas", "pr"),
        "swapped_lat_bounds",
        "ES-DOC errata uid 2eb6af52-b54f-d1fb-8bac-28bdfd40116e: lat_bnds swapped",
        "cured",
    ),
    *_runs(
        "NorESM2-LM",
        ("tas", "pr"),
        "cut_lon_bounds",
        _ESMVAL + "noresm2_lm.py: longitude bounds cut at 0 (half cells)",
        "cured",
    ),
    *_runs(
        "FGOALS-g3",
        ("tas",),
        "repeated_months",
        _ESMVAL + "fgoals_g3.py, Tas: 2004 steps instead of 1980, overlapping files",
        "cured",
        ("historical",),
    ),
    *_runs("BCC-CSM2-MR", ("pr",), "thousandth", _ESMVAL + "ciesm.py (kind): pr 1000 times too small", "rejected"),
    *_runs(
        "FGOALS-g3",
        ("sftlf",),
        "fraction_as_percent",
        _ESMVAL + "fgoals_f3_l.py (kind): sftlf 0..1 though %",
        "cured",
        ("historical",),
    ),
    *_runs(
        "KACE-1-0-G",
        ("tas",),
        "short_time_bounds",
        _ESMVAL + "fgoals_f3_l.py (kind): time bounds span 20 days",
        "cured",
    ),
    *_runs(
        "BCC-CSM2-MR",
        ("tas",),
        "celsius",
        "CMIP6 wants K; UDUNITS knows degC: declared units differ from the request (kind)",
        "harmless",
    ),
    *_runs(
        "CAMS-CSM1-0",
        ("tas", "pr"),
        "ends_2099",
        "CAMS-CSM1-0 scenario runs end in 2099-12 as published (85 years)",
        "marked",
        MODELS["CAMS-CSM1-0"].scenarios,
    ),
    *_runs(
        "GFDL-ESM4",
        ("tas",),
        "gap_1901_1949",
        "IPCC-WG1/Atlas: 15 of 35 historical runs lack 1901-1949",
        "marked",
        ("historical",),
    ),
    *_runs(
        "TaiESM1",
        ("tas",),
        "lost_chunk",
        "an object lost from a cloud copy reads as fill values without an error (kind)",
        "rejected",
        ("ssp370",),
    ),
    *_runs(
        "NESM3",
        ("tas",),
        "only_1915_1959",
        "leap-stc/cmip6-leap-feedstock #116 (kind): MPI-ESM1-2-HR copy has 1915-1959",
        "rejected",
        ("historical",),
    ),
    *_runs(
        "CMCC-CM2-SR5",
        ("tas",),
        "zero_months",
        "ES-DOC errata uid f457edcd-278e-9711-8534-f6496b9f354c (kind): E3SM-1-1-ECA 2000-01, 2007-01",
        "rejected",
        ("historical",),
    ),
    *_runs(
        "MPI-ESM1-2-LR",
        ("tas",),
        "celsius_as_kelvin",
        "ES-DOC errata uid b04c6fc3-ed5b-e7dd-a480-49dbcb66e315 (kind): units K, values degC",
        "rejected",
        ("ssp370",),
    ),
    *_runs(
        "EC-Earth3",
        ("tas", "pr"),
        "jittered_lat",
        _ESMVAL + "ec_earth3.py: lat differs at 1e-8 from historical",
        "harmless",
        MODELS["EC-Earth3"].scenarios,
    ),
    *_runs(
        "EC-Earth3",
        ("tas", "pr"),
        "mixed_calendar",
        _ESMVAL + "ec_earth3_veg.py: gregorian, proleptic_gregorian",
        "harmless",
        MODELS["EC-Earth3"].scenarios,
    ),
    *_runs(
        "CanESM5",
        ("tas",),
        "extended_2130",
        "CanESM5 ssp585 goes on after 2100 (kind); real extensions reach 2300",
        "harmless",
        ("ssp585",),
    ),
)


def faults_of(store: Store) -> list[Fault]:
    """Faults planted in a monthly, yearly or fixed store."""
    key = (store.source_id, store.experiment_id, store.member_id, store.variable_id)
    return [f for f in FAULTS if key == (f.source_id, f.experiment_id, f.member_id, f.variable_id)]


def years_of_fault(kinds: Iterable[str]) -> tuple[int, int] | None:
    """Years of a run that goes on after 2100, or None."""
    return (2015, 2130) if "extended_2130" in kinds else None


def _names(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    ds = ds.rename({"lat": "latitude", "lon": "longitude"})
    ds[variable].attrs["standard_name"] += " "
    return ds


def _swapped(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    return ds.assign(lat_bnds=ds["lat_bnds"].copy(data=ds["lat_bnds"].values[:, ::-1]))


def _cut(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    bounds = ds["lon_bnds"].values.copy()
    bounds[0, 0] = 0.0
    return ds.assign(lon_bnds=ds["lon_bnds"].copy(data=bounds))


def _repeated(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    seam = 12 * (1950 - 1850)
    return ds.isel(time=np.concatenate([np.arange(seam), np.arange(seam - 24, ds.sizes["time"])]))


def _scaled(factor: float, bits: int) -> Callable[["xr.Dataset", str], "xr.Dataset"]:
    def apply(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
        return ds.assign({variable: ds[variable].copy(data=rounded(ds[variable].values * np.float32(factor), bits))})

    return apply


def _short(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    middle = ds["time"].values[:, None]
    return ds.assign(time_bnds=ds["time_bnds"].copy(data=middle + np.array([-10.0, 10.0])))


def _celsius(units: str) -> Callable[["xr.Dataset", str], "xr.Dataset"]:
    def apply(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
        # to 1/32 K, so that the shifted values still compress
        values = np.rint(32.0 * (ds[variable].values.astype(float) - 273.15)) / 32.0
        ds = ds.assign({variable: ds[variable].copy(data=values.astype(np.float32))})
        ds[variable].attrs["units"] = units
        return ds

    return apply


def _months(keep: Callable[[np.ndarray], np.ndarray], first: int) -> Callable[["xr.Dataset", str], "xr.Dataset"]:
    def apply(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
        return ds.isel(time=np.flatnonzero(keep(first + np.arange(ds.sizes["time"]) // 12)))

    return apply


def _zeros(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    values = ds[variable].values.copy()
    values[[12 * (2000 - 1850), 12 * (2007 - 1850)]] = 0.0
    return ds.assign({variable: ds[variable].copy(data=values)})


def _jittered(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    return ds.assign_coords(lat=ds["lat"].copy(data=ds["lat"].values + 1e-8))


def _calendar(ds: "xr.Dataset", variable: str) -> "xr.Dataset":
    ds = ds.copy()
    ds["time"].attrs["calendar"] = "proleptic_gregorian"
    return ds


PLANT: dict[str, Callable[["xr.Dataset", str], "xr.Dataset"]] = {
    "names": _names,
    "swapped_lat_bounds": _swapped,
    "cut_lon_bounds": _cut,
    "repeated_months": _repeated,
    "thousandth": _scaled(1e-3, 6),
    "fraction_as_percent": _scaled(1e-2, 16),
    "short_time_bounds": _short,
    "celsius": _celsius("degC"),
    "celsius_as_kelvin": _celsius("K"),
    "ends_2099": _months(lambda year: year < 2100, 2015),
    "gap_1901_1949": _months(lambda year: (year < 1901) | (year > 1949), 1850),
    "only_1915_1959": _months(lambda year: (year >= 1915) & (year <= 1959), 1850),
    "zero_months": _zeros,
    "jittered_lat": _jittered,
    "mixed_calendar": _calendar,
}


def planted(ds: "xr.Dataset", kinds: Iterable[str], variable_id: str) -> "xr.Dataset":
    """Apply the faults that live in a dataset; those that live on disk or in the years are applied elsewhere.

    Parameters
    ----------
    ds : xarray.Dataset
        A sound dataset.
    kinds : iterable of str
    variable_id : str

    Returns
    -------
    xarray.Dataset
    """
    for kind in kinds:
        if kind in PLANT:
            ds = PLANT[kind](ds, variable_id)
    return ds


def lose_chunk(path: Path, variable_id: str) -> None:
    """Delete the second chunk in time of a Zarr v2 store."""
    (path / variable_id / "1.0.0").unlink()
