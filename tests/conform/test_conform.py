"""The whole of conform: a sound dataset passes untouched, a broken one is refused with every breach."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from synthetic import SPHERE, areas, field, monthly_time, nothing_computes, published, regular, row

from spread.conform import conform, grid_of
from spread.errors import NotConforming


def test_a_sound_dataset_conforms_without_a_fix():
    ds = conform(published(), row())
    assert ds.attrs["fixes"] == []
    assert ds.attrs["missing_periods"] == []
    assert ds["tas"].dims == ("time", "lat", "lon")
    assert ds["tas"].attrs["units"] == "K"
    assert (ds.attrs["calendar"], ds.attrs["frequency"]) == ("365_day", "mon")
    assert ds["month_number"].values.tolist() == list(range(24000, 24024))
    _, _, lat_bounds, lon_bounds = regular()
    np.testing.assert_allclose(ds["cell_area"], areas(lat_bounds, lon_bounds), rtol=1e-12)
    assert ds.attrs["area_source"] == "exact from bounds"
    assert {k: ds.attrs[k] for k in row().facets()} == row().facets()


def test_conforming_a_conformed_dataset_keeps_its_numbers():
    ds = conform(published(), row())
    np.testing.assert_array_equal(ds["tas"], published()["tas"])
    np.testing.assert_allclose(grid_of(ds).area().sum(), SPHERE, rtol=1e-12)


SPOILED = {
    "sound": lambda ds: ds,
    "celsius": lambda ds: ds.assign(tas=(ds["tas"] - 273.15).assign_attrs(units="degC")),
    "renamed": lambda ds: ds.rename(lat="latitude", lon="longitude"),
    "transposed": lambda ds: ds.transpose("lon", "lat", "time", ...),
    "no bounds": lambda ds: ds.drop_vars(["lat_bnds", "lon_bnds"]),
    "falling": lambda ds: ds.isel(lat=slice(None, None, -1)),
    "west": lambda ds: ds.assign_coords(lon=("lon", ds["lon"].values - 180.0, ds["lon"].attrs)),
    "repeated": lambda ds: xr.concat([ds.isel(time=slice(0, 3)), ds], "time", data_vars="minimal"),
    "gap": lambda ds: ds.isel(time=[0, 1, 2, 5, 6]),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_inputs_are_left_alone_and_nothing_is_computed(spoil):
    ds = spoil(published())
    for name in ("tas", "time_bnds"):
        ds[name].attrs["history"] = ["a list that could be shared"]
    areacella = xr.DataArray(areas(*regular()[2:]), dims=("lat", "lon"), attrs={"units": "m2"})
    sftlf = xr.DataArray(np.full((6, 8), 30.0), dims=("lat", "lon"), attrs={"units": "%"})
    inputs = (ds, areacella, sftlf)
    before = [given.copy(deep=True) for given in inputs]
    with nothing_computes():
        result = conform(ds, row(source_id="CESM2"), areacella, sftlf)
    assert isinstance(result["tas"].data, da.Array)
    for given, kept in zip(inputs, before, strict=True):
        xr.testing.assert_identical(given, kept)
    result["land_fraction"].values[:] = 0.0
    result["cell_area"].values[:] = 0.0
    result.attrs["fixes"].append("changed afterwards")
    for given, kept in zip(inputs, before, strict=True):
        xr.testing.assert_identical(given, kept)


def test_all_breaches_are_listed_at_once():
    ds = published()
    ds["tas"].attrs["units"] = "furlong"
    ds["time"].attrs["units"] = "days since the beginning"
    ds = ds.drop_vars(["lat", "lon", "lat_bnds", "lon_bnds"])
    with pytest.raises(NotConforming) as refused:
        conform(ds, row())
    assert len(refused.value.breaches) == 3
    for said in ("furlong", "since the beginning", "lat, lon"):
        assert said in str(refused.value)
    assert str(refused.value).startswith("MODEL.historical.r1i1p1f1.tas: ")


def test_a_faulty_time_of_a_model_with_a_quirk_is_refused_as_any_other():
    ds = published()
    ds["time"].attrs["units"] = "days since the beginning"
    with pytest.raises(NotConforming, match="since the beginning"):
        conform(ds, row(source_id="FGOALS-g3"))


def test_the_contract_lists_all_its_breaches():
    ds = published(field(24, 6, 8).astype(np.int16))
    ds = ds.isel(time=[0, 1, 1, 2], lat=slice(1, 5))
    with pytest.raises(NotConforming) as refused:
        conform(ds, row(institution_id="", version=""))
    text = str(refused.value)
    for said in ("floating-point", "2000-02", "% of the Earth", "attribute institution_id"):
        assert said in text, said


def test_a_store_without_its_variable_is_refused():
    with pytest.raises(NotConforming, match=r"expected 'pr', got .*tas"):
        conform(published(), row(variable_id="pr"))


def test_a_field_with_a_further_dimension_is_refused():
    ds = published()
    ds["tas"] = ds["tas"].expand_dims(plev=3)
    with pytest.raises(NotConforming, match=r"dimensions: expected.*plev"):
        conform(ds, row())


def test_a_regional_dataset_is_refused():
    ds = published().isel(lat=slice(3, 6))
    ds = ds.drop_vars(["lat_bnds"])
    ds["lat"] = ("lat", [20.0, 30.0, 40.0], ds["lat"].attrs)
    with pytest.raises(NotConforming, match="% of the Earth"):
        conform(ds, row())


def test_gaps_are_listed_and_late_starts_are_not_gaps():
    ds = published(months=36).isel(time=[*range(3, 10), *range(12, 20), 21, *range(24, 30)])
    assert conform(ds, row()).attrs["missing_periods"] == ["2000-11..2000-12", "2001-09", "2001-11..2001-12"]


def curvilinear(dims, turn):
    """The grid of ``published`` in two-dimensional coordinates; each row turned by ``turn`` degrees a degree."""
    ds = published()
    lat, lon = np.meshgrid(ds["lat"].values, ds["lon"].values, indexing="ij")
    lat_b, lon_b = np.meshgrid(np.linspace(-90, 90, 7), np.linspace(0, 360, 9), indexing="ij")
    lon, lon_b = lon + turn * lat, lon_b + turn * lat_b
    around = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None)),
              (slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))]  # fmt: skip
    ds = ds.drop_vars(["lat", "lon", "lat_bnds", "lon_bnds"]).rename(lat=dims[0], lon=dims[1])
    return ds.assign_coords(
        latitude=(dims, lat, {"standard_name": "latitude", "units": "degrees_north"}),
        longitude=(dims, lon, {"standard_name": "longitude", "units": "degrees_east"}),
        vertices_latitude=((*dims, "vertices"), np.stack([lat_b[a] for a in around], -1)),
        vertices_longitude=((*dims, "vertices"), np.stack([lon_b[a] for a in around], -1)),
    )


@pytest.mark.parametrize("dims", [("j", "i"), ("y", "x"), ("lat", "lon"), ("rlat", "rlon")])
def test_a_curvilinear_grid_conforms(dims):
    result = conform(curvilinear(dims, turn=0.25), row())
    assert result["tas"].dims == ("time", "y", "x")
    assert result["lat"].dims == ("y", "x")
    assert result["lat_bnds"].dims == ("y", "x", "vertices")
    np.testing.assert_allclose(float(result["cell_area"].sum()), SPHERE, rtol=1e-10)
    assert grid_of(result).shape == (6, 8)


@pytest.mark.parametrize("dims", [("j", "i"), ("y", "x"), ("lat", "lon")])
def test_two_dimensional_coordinates_of_a_regular_grid_become_one_dimensional(dims):
    plain, result = conform(published(), row()), conform(curvilinear(dims, turn=0.0), row())
    assert result["tas"].dims == ("time", "lat", "lon")
    for name in ("lat", "lon", "lat_bnds", "lon_bnds", "cell_area", "tas"):
        np.testing.assert_allclose(result[name].values, plain[name].values, rtol=1e-12)
    assert any("one dimension each" in fix for fix in result.attrs["fixes"])


@pytest.mark.parametrize("calendar", ["standard", "360_day", "noleap", "julian"])
def test_a_long_control_run_conforms_in_any_calendar(calendar):
    stamps, bounds, units = monthly_time(calendar, (1, 1), 1300)
    ds = published(np.full((1300, 6, 8), 280.0, np.float32), months=1300, calendar=calendar)
    ds = ds.assign_coords(time=("time", stamps, {"units": units, "calendar": calendar, "bounds": "time_bnds"}))
    ds["time_bnds"] = (("time", "bnds"), bounds)
    result = conform(ds, row())
    assert result["month_number"].values.tolist() == list(range(12, 1312))
    assert result.attrs["missing_periods"] == []


@pytest.mark.parametrize("facet", ["source_id", "experiment_id", "variable_id", "table_id", "variant_label"])
def test_a_store_that_says_it_is_another_dataset_is_refused(facet):
    with pytest.raises(NotConforming, match=f"{facet}: the catalog says '.*', the store 'OTHER'"):
        conform(published().assign_attrs({facet: "OTHER"}), row())


def test_a_start_year_is_no_part_of_the_variant_label():
    ds = published().assign_attrs(variant_label="r1i1p1f1")
    assert conform(ds, row(member_id="s1960-r1i1p1f1")).attrs["member_id"] == "s1960-r1i1p1f1"


def test_a_globe_without_its_polar_row_is_refused():
    ds = published(rows=12).isel(lat=slice(0, 11))
    with pytest.raises(NotConforming, match="of the Earth"):
        conform(ds, row())


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ({"standard_name": "precipitation_flux"}, "standard_name: expected 'air_temperature' for tas"),
        ({"cell_methods": "area: mean time: maximum"}, "cell_methods: expected 'area: time: mean' for tas"),
        ({"cell_methods": "area: mean time: minimum within days"}, "cell_methods: expected"),
    ],
)
def test_a_field_that_says_it_is_another_variable_is_refused(attrs, said):
    ds = published()
    ds["tas"].attrs.update(attrs)
    with pytest.raises(NotConforming, match=said):
        conform(ds, row())


@pytest.mark.parametrize(
    "attrs", [{"cell_methods": "area: mean time: mean"}, {"standard_name": "surface_temperature"}, {"cell_methods": ""}]
)
def test_words_that_name_no_other_variable_of_the_table_are_let_pass(attrs):
    ds = published()
    ds["tas"].attrs.update(attrs)
    conform(ds, row())
