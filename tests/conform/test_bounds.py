"""Areas and land: the model's own where they fit, else computed, and the report says which."""

import numpy as np
import pytest
import xarray as xr
from synthetic import SPHERE, areas, published, regular, row

from spread.conform import conform, grid_of
from spread.conform.bounds import conform_bounds


def own_areas() -> np.ndarray:
    """Areas that a model might publish: almost those of its bounds, and told from them."""
    _, _, lat_bounds, lon_bounds = regular()
    return areas(lat_bounds, lon_bounds) * (1.0 + 0.01 * np.cos(np.arange(8) * np.pi / 4))


def fixed(values, units="m2", **coords) -> xr.DataArray:
    return xr.DataArray(values, dims=("lat", "lon"), coords=coords, attrs={"units": units})


def with_area(areacella, ds=None) -> xr.Dataset:
    return conform(published() if ds is None else ds, row(), areacella=areacella)


def test_the_models_own_areas_are_used():
    ds = with_area(fixed(own_areas()))
    np.testing.assert_array_equal(ds["cell_area"], own_areas())
    assert ds.attrs["area_source"] == "areacella"
    assert ds.attrs["fixes"] == []


def test_areas_of_further_length_one_dimensions_transposed_and_in_other_units_are_used():
    values = (own_areas() / 1e6).T[None]
    ds = with_area(xr.DataArray(values, dims=("time", "lon", "lat"), attrs={"units": "km2"}))
    np.testing.assert_allclose(ds["cell_area"], own_areas(), rtol=1e-14)
    assert ds.attrs["area_source"] == "areacella"


@pytest.mark.parametrize(
    ("areacella", "said"),
    [
        (fixed(own_areas()[:, :-1]), "shape"),
        (fixed(own_areas() * 1.05), "area of the Earth"),
        (fixed(np.where(own_areas() > 0, np.nan, 0.0)), "area of the Earth"),
        (fixed(-own_areas()), "area of the Earth"),
        (fixed(np.roll(own_areas(), 3, axis=0)), "order"),
        (fixed(own_areas(), units="degrees"), "units"),
        (fixed(own_areas(), lat=regular()[0][::-1]), "its lat is not the field's"),
        (fixed(own_areas(), lon=regular()[1] + 90.0), "its lon is not the field's"),
    ],
)
def test_areas_that_do_not_fit_are_left_aside_with_the_reason(areacella, said):
    ds = with_area(areacella)
    _, _, lat_bounds, lon_bounds = regular()
    np.testing.assert_allclose(ds["cell_area"], areas(lat_bounds, lon_bounds), rtol=1e-12)
    assert ds.attrs["area_source"] == "exact from bounds"
    (fix,) = ds.attrs["fixes"]
    assert fix.startswith("areacella: left aside")
    assert said in fix


def test_without_bounds_areas_are_inferred_and_said_to_be():
    ds = with_area(None, published().drop_vars(["lat_bnds", "lon_bnds"]))
    assert ds.attrs["area_source"] == "inferred from cell centres"
    np.testing.assert_allclose(float(ds["cell_area"].sum()), SPHERE, rtol=1e-12)


def test_longitudes_counted_from_the_date_line_fit_the_same_areas():
    coords = {"lon": regular()[1]}
    ds = published()
    west = ds.assign_coords(lon=("lon", (ds["lon"].values + 180.0) % 360.0 - 180.0, ds["lon"].attrs))
    result = with_area(fixed(own_areas(), **coords), west)
    assert result.attrs["area_source"] == "areacella"
    assert ((result["lon"] >= 0) & (result["lon"] < 360)).all()


def test_bounds_with_a_time_dimension():
    ds = published()
    ds["lat_bnds"] = ds["lat_bnds"].expand_dims(time=24)
    result = conform(ds, row())
    assert result.attrs["fixes"] == ["lat bounds: time dimension removed"]
    assert result["lat_bnds"].dims == ("lat", "bnds")


def test_faulty_bounds_are_rebuilt_and_said_to_be():
    ds = published()
    ds["lat_bnds"] = ds["lat_bnds"] * 0.0
    result = conform(ds, row())
    assert any("rebuilt" in fix for fix in result.attrs["fixes"])
    np.testing.assert_allclose(float(result["cell_area"].sum()), SPHERE, rtol=1e-12)


def test_a_dataset_without_coordinates_is_refused():
    with pytest.raises(ValueError, match="lat, lon: expected"):
        conform_bounds(published().drop_vars("lat"))


def test_the_grid_of_a_conformed_dataset_has_its_areas():
    ds = conform(published(south_first=False, first_lon=-180.0), row())
    np.testing.assert_allclose(grid_of(ds).area(), ds["cell_area"], rtol=1e-12)


def with_land(values, units="%", **coords) -> xr.Dataset:
    return conform(published(), row(), sftlf=fixed(values, units, **coords))


HALF_LAND = np.tile([0.0, 50.0, 100.0, 0.0], (6, 2))


def test_the_models_own_land_is_used():
    ds = with_land(HALF_LAND)
    np.testing.assert_array_equal(ds["land_fraction"], HALF_LAND / 100.0)
    assert ds.attrs["land_source"] == "sftlf"


def test_land_published_as_a_fraction_under_per_cent_is_told():
    ds = with_land(HALF_LAND / 100.0)
    np.testing.assert_array_equal(ds["land_fraction"], HALF_LAND / 100.0)
    assert ds.attrs["fixes"] == ["sftlf: values are fractions though units say %"]


@pytest.mark.parametrize(
    ("sftlf", "said"),
    [
        (fixed(HALF_LAND[:, :-1], "%"), "shape"),
        (fixed(HALF_LAND * 0.0, "%"), "0..100 %"),
        (fixed(HALF_LAND, "%", lat=regular()[0][::-1]), "its lat is not the field's"),
    ],
)
def test_land_that_does_not_fit_is_left_for_natural_earth(sftlf, said):
    ds = conform(published(), row(), sftlf=sftlf)
    assert ds.attrs["land_source"] == "Natural Earth, not the model's own"
    (fix,) = ds.attrs["fixes"]
    assert fix.startswith("sftlf: left aside")
    assert said in fix


@pytest.mark.parametrize(("south_first", "first_lon"), [(True, 0.0), (False, 0.0), (True, -180.0), (False, 90.0)])
def test_natural_earth_lies_where_the_continents_are(south_first, first_lon):
    ds = conform(published(rows=36, columns=72, south_first=south_first, first_lon=first_lon), row())
    land = ds["land_fraction"]
    for place, share in (((-25, 135), 1.0), ((62, 100), 1.0), ((0, 200), 0.0), ((-60, 330), 0.0), ((-85, 50), 1.0)):
        at = land.isel(lat=int(np.abs(ds["lat"].values - place[0]).argmin()),
                       lon=int(np.abs(ds["lon"].values - place[1]).argmin()))  # fmt: skip
        assert abs(at.item() - share) < 0.05, place
    # the Earth is 29 % land
    assert float((land * ds["cell_area"]).sum() / ds["cell_area"].sum()) == pytest.approx(0.29, abs=0.01)
