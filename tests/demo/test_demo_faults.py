from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr

from spread.demo import FAULTS
from spread.demo.faults import PLANT, faults_of
from spread.demo.models import Store, stores
from spread.demo.worker import make_store

BY_STORE = {(s.source_id, s.experiment_id, s.member_id, s.variable_id): s for s in stores()}


def store_of(fault) -> Store:
    return BY_STORE[fault.source_id, fault.experiment_id, fault.member_id, fault.variable_id]


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("faults")

    def open_store(store: Store) -> tuple[xr.Dataset, Path]:
        path = root / store.path
        if not path.exists():
            make_store(root, store)
        return xr.open_zarr(path, decode_times=False, chunks=None).load(), path

    return open_store


def months(ds: xr.Dataset) -> list[tuple[int, int]]:
    dates = cftime.num2date(ds["time"].values, ds["time"].attrs["units"], ds["time"].attrs["calendar"])
    return [(date.year, date.month) for date in dates]


def check(fault, ds: xr.Dataset, path: Path) -> None:
    kind, name = fault.kind, fault.variable_id
    if kind == "names":
        assert {"latitude", "longitude"} <= set(ds.dims)
        assert ds[name].attrs["standard_name"].endswith(" ")
    elif kind == "swapped_lat_bounds":
        assert ds["lat"][1] > ds["lat"][0]
        assert (ds["lat_bnds"][:, 0] > ds["lat_bnds"][:, 1]).all()
    elif kind == "cut_lon_bounds":
        width = np.diff(ds["lon_bnds"].values, axis=1)[:, 0]
        assert ds["lon"][0] == ds["lon_bnds"][0, 0] == 0
        assert width[0] == pytest.approx(width[1] / 2)
        assert ds["lon_bnds"][-1, 1] == pytest.approx(360 - width[0])
    elif kind == "repeated_months":
        when = months(ds)
        assert len(when) == 2004
        assert len(set(when)) == 1980
        values = {}
        for moment, field in zip(when, ds[name].values, strict=True):
            np.testing.assert_array_equal(values.setdefault(moment, field), field)
        assert (np.diff(ds["time"]) < 0).sum() == 1
    elif kind == "thousandth":
        assert 2e-8 < ds[name].mean() < 5e-8
        assert ds[name].attrs["units"] == "kg m-2 s-1"
    elif kind == "fraction_as_percent":
        assert ds[name].attrs["units"] == "%"
        assert ds[name].max() == 1
    elif kind == "short_time_bounds":
        assert np.diff(ds["time_bnds"].values, axis=1) == pytest.approx(20)
    elif kind in ("celsius", "celsius_as_kelvin"):
        assert ds[name].attrs["units"] == ("degC" if kind == "celsius" else "K")
        assert -90 < ds[name].min() < ds[name].max() < 60
    elif kind == "ends_2099":
        assert (months(ds)[0], months(ds)[-1], ds.sizes["time"]) == ((2015, 1), (2099, 12), 1020)
    elif kind == "gap_1901_1949":
        years = {year for year, _ in months(ds)}
        assert years == set(range(1850, 1901)) | set(range(1950, 2015))
    elif kind == "lost_chunk":
        assert not (path / name / "1.0.0").exists()
        assert np.isfinite(ds[name][:516]).all()
        assert np.isnan(ds[name][516:]).all()
    elif kind == "only_1915_1959":
        assert (months(ds)[0], months(ds)[-1], ds.sizes["time"]) == ((1915, 1), (1959, 12), 540)
    elif kind == "zero_months":
        zero = [moment for moment, field in zip(months(ds), ds[name].values, strict=True) if (field == 0).all()]
        assert zero == [(2000, 1), (2007, 1)]
    elif kind == "extended_2130":
        assert (months(ds)[-1], ds.sizes["time"]) == ((2130, 12), 1392)
    elif kind == "mixed_calendar":
        assert ds["time"].attrs["calendar"] == "proleptic_gregorian"
    else:
        assert kind == "jittered_lat", kind


KINDS = {fault.kind: fault for fault in reversed(FAULTS)}


def test_faults_name_stores_of_the_archive():
    assert all(store_of(fault) for fault in FAULTS)
    assert {fault.expected for fault in FAULTS} == {"cured", "rejected", "marked", "harmless"}
    assert len(KINDS) >= 16
    assert set(PLANT) <= set(KINDS)
    assert all(fault.receipt for fault in FAULTS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_planted(opened, kind):
    check(KINDS[kind], *opened(store_of(KINDS[kind])))


def test_ec_earth_latitudes_and_calendars_differ_between_runs(opened):
    past, future = (opened(BY_STORE["EC-Earth3", run, "r1i1p1f1", "tas"])[0] for run in ("historical", "ssp126"))
    gap = np.abs(past["lat"].values - future["lat"].values)
    assert 0 < gap.max() < 1e-7
    assert (past["time"].attrs["calendar"], future["time"].attrs["calendar"]) == ("gregorian", "proleptic_gregorian")


def test_sound_stores_are_sound(opened):
    store = BY_STORE["MPI-ESM1-2-LR", "ssp126", "r1i1p1f1", "tas"]
    assert not faults_of(store)
    ds, _ = opened(store)
    assert ds.sizes["time"] == 1032
    assert 180 < ds["tas"].min() < ds["tas"].max() < 330
    np.testing.assert_array_equal(ds["time_bnds"][1:, 0], ds["time_bnds"][:-1, 1])
    assert ds["time"].values == pytest.approx(ds["time_bnds"].values.mean(1))


@pytest.mark.slow
def test_every_fault_is_in_its_store(opened):
    for fault in FAULTS:
        check(fault, *opened(store_of(fault)))
