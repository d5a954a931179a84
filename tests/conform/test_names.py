"""Coordinates and dimensions get their canonical names, whatever the store calls them."""

import numpy as np
import pytest
import xarray as xr
from synthetic import published, row

from spread.conform import conform
from spread.conform.names import conform_names


def same(ds: xr.Dataset) -> xr.Dataset:
    """The result of conform has the numbers and places of the sound dataset."""
    result, sound = conform(ds, row()), conform(published(), row())
    np.testing.assert_array_equal(result["tas"], sound["tas"])
    for name in ("lat", "lon", "lat_bnds", "lon_bnds", "cell_area", "month_number"):
        np.testing.assert_array_equal(result[name], sound[name], err_msg=name)
    assert result["tas"].dims == ("time", "lat", "lon")
    return result


def test_sound_names_are_kept():
    ds, fixes = conform_names(published(), "tas")
    assert fixes == []
    xr.testing.assert_identical(ds, published())


def test_long_names_of_coordinates():
    result = same(published().rename(lat="latitude", lon="longitude"))
    assert result.attrs["fixes"] == ["names: latitude -> lat, longitude -> lon"]


def test_long_names_without_attributes():
    ds = published().rename(lat="latitude", lon="longitude")
    ds["latitude"].attrs, ds["longitude"].attrs = {}, {}
    same(ds)


def test_names_known_only_by_their_attributes():
    same(published().rename(lat="rows_of_the_model", lon="columns_of_the_model"))


def test_names_of_nemo():
    ds = published().rename(lat="nav_lat", lon="nav_lon")
    ds["nav_lat"].attrs, ds["nav_lon"].attrs = {}, {}
    same(ds)


def test_bounds_under_another_name():
    ds = published().rename(lat_bnds="lat_bounds", lon_bnds="lon_vertices")
    ds["lat"].attrs["bounds"] = "lat_bounds"
    del ds["lon"].attrs["bounds"]
    assert same(ds).attrs["area_source"] == "exact from bounds"


def test_spaces_at_the_end_of_names():
    ds = published().rename(lat="lat ", lon="lon  ", tas="tas ")
    assert any("spaces removed" in fix for fix in same(ds).attrs["fixes"])


def test_coordinates_on_dimensions_of_another_name():
    ds = published().rename_dims(lat="y", lon="x").reset_coords(drop=False)
    same(ds.set_coords(["lat", "lon", "time"]))


def test_coordinates_stored_as_variables():
    ds = published().rename(lat="latitude", lon="longitude")
    ds = ds.rename_dims(latitude="j", longitude="i").reset_index(["latitude", "longitude"]).reset_coords()
    same(ds.assign_coords(time=ds["time"]))


@pytest.mark.parametrize("order", [("lon", "lat", "time"), ("lat", "time", "lon"), ("time", "lon", "lat")])
def test_any_order_of_dimensions(order):
    ds = published()
    ds["tas"] = ds["tas"].transpose(*order)
    same(ds)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_further_dimension_of_length_one(place):
    ds = published()
    ds["tas"] = ds["tas"].expand_dims(height=[2.0], axis=place)
    result = same(ds)
    assert "height" not in result.dims
    assert result["height"].item() == 2.0
