"""Labelled fields: right cells, lazy, weights once, CF labels; and the same numbers as cdo on the same weights."""

import shutil
import subprocess
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cuts, seeds
from tripolar import tripolar

from spread.grids import Grid, make_grid, regular
from spread.operators import Separable, Sparse, remap
from spread.regrid import make_weights
from spread.regrid.apply import _operator, regrid

LAT, LON = np.linspace(-87.5, 87.5, 36), np.arange(72) * 5.0
SOURCE, TARGET = make_grid(LAT, LON), regular("10")
WEIGHTS = make_weights(SOURCE, TARGET)


def made(steps=6, dtype=np.float32, missing=0.3, dims=("time", "lat", "lon")):
    rng = np.random.default_rng(steps)
    values = rng.normal(280.0, 20.0, (steps, 36, 72)).astype(dtype)
    values[rng.random(values.shape) < missing] = np.nan
    field = xr.DataArray(
        values, {"time": np.arange(steps) * 2, "lat": LAT, "lon": LON, "height": 2.0}, ("time", "lat", "lon"), "tas",
        {"units": "K", "cell_measures": "area: areacella"},
    )  # fmt: skip
    return field.transpose(*dims)


def oracle(field, weights, na_thres=1.0):
    """Dense, float64: sums and shares of weight."""
    full = np.zeros(weights.matrix.shape)
    full[weights.matrix.rows, weights.matrix.indices] = weights.matrix.data
    values = field.transpose("time", ...).values.reshape(field.sizes["time"], -1).astype(np.float64)
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = there @ full.T / full.sum(1)
        sums = np.nan_to_num(values) @ full.T / share
    sums[~(share >= np.clip(1.0 - na_thres, 1e-6, 1.0 - 1e-6) - 1e-12)] = np.nan
    return sums.reshape(-1, *weights.target.shape)


def test_values_are_those_of_plain_numpy_and_labels_those_of_the_target():
    field = made()
    before = field.copy(deep=True)
    found = regrid(field, WEIGHTS, na_thres=0.5)
    assert field.identical(before)
    np.testing.assert_allclose(found, oracle(field, WEIGHTS, 0.5), rtol=1.2e-7)
    assert found.dims == ("time", "lat", "lon")
    assert (found.name, found.dtype, found.attrs["units"]) == ("tas", np.float32, "K")
    assert "cell_measures" not in found.attrs  # the areas are those of the old cells
    np.testing.assert_array_equal(found["lat"], TARGET.lat)
    np.testing.assert_array_equal(found["time"], field["time"])
    assert float(found["height"]) == 2.0
    assert found["lon"].attrs["standard_name"] == "longitude"
    said = {k: v for k, v in found.attrs.items() if k.startswith("regrid")}
    assert said == {
        "regrid_method": "conservative", "regrid_norm": "fracarea", "regrid_engine": "exact",
        "regrid_engine_version": WEIGHTS.engine_version, "regrid_skipna": "true", "regrid_na_thres": 0.5,
    }  # fmt: skip


def test_rectilinear_weights_are_applied_as_rows_and_columns():
    assert isinstance(_operator(WEIGHTS.matrix, SOURCE, TARGET), Separable)
    field = made(20)
    cells = field.values.reshape(20, -1)
    together = remap(cells, WEIGHTS.matrix, na_thres=0.5).reshape(20, *TARGET.shape)
    np.testing.assert_allclose(regrid(field, WEIGHTS, na_thres=0.5), together, rtol=1.2e-7)


@settings(deadline=None, max_examples=25)
@given(seeds, cuts(12), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]), st.permutations(["time", "lat", "lon"]))
def test_bits_do_not_depend_on_chunks_or_the_order_of_dimensions(seed, split, skipna, na_thres, dims):
    field = made(12, missing=(seed % 3) / 5)
    whole = regrid(field, WEIGHTS, skipna=skipna, na_thres=na_thres)
    turned = field.transpose(*dims)
    assert regrid(turned, WEIGHTS, skipna=skipna, na_thres=na_thres).identical(whole)
    lazy = regrid(turned.chunk(time=split), WEIGHTS, skipna=skipna, na_thres=na_thres)
    assert lazy.chunks[0] == split
    assert lazy.compute().identical(whole)


def test_nothing_is_computed_and_the_graph_holds_the_weights_once(nothing_computes):
    field = made(60).chunk(time=1)
    lazy = regrid(field, WEIGHTS)
    both = regrid(xr.Dataset({"tas": field, "pr": field + 1.0}), WEIGHTS)
    for asked in (lazy, both):
        graph = dict(asked.__dask_graph__())
        operators = {id(v) for v in walked(list(graph.values())) if isinstance(v, Sparse | Separable)}
        assert len(operators) == 1
        assert sum(str(k).startswith("regrid-weights") for k in graph) == 1
    assert len(lazy.__dask_graph__()) <= 2 * 60 + 2


def walked(things):
    """Everything in the tasks of a graph."""
    for thing in things:
        yield thing
        if isinstance(thing, list | tuple):
            yield from walked(thing)
        elif isinstance(thing, dict):
            yield from walked(list(thing.values()))
        elif hasattr(thing, "args"):
            yield from walked([*thing.args, *getattr(thing, "kwargs", {}).values()])
        elif hasattr(thing, "value"):
            yield thing.value


def test_the_same_weights_have_the_same_key_in_every_call():
    first, second = (regrid(made().chunk(time=2), WEIGHTS).data.name for _ in range(2))
    other = make_weights(SOURCE, regular("20"))
    assert first == second
    assert regrid(made().chunk(time=2), other).data.name != first


def test_chunks_along_the_grid_are_made_one_and_said():
    field = made()
    with pytest.warns(UserWarning, match=r"'?tas'? has \{'lat': 4\} chunks along its grid"):
        lazy = regrid(field.chunk(lat=9, time=2), WEIGHTS)
    assert lazy.compute().identical(regrid(field, WEIGHTS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regrid(field.chunk(time=2), WEIGHTS)


def test_tasks_run_side_by_side():
    field = made(64)
    lazy = regrid(field.chunk(time=4), WEIGHTS)
    with dask.config.set(scheduler="threads", num_workers=4):
        assert lazy.compute().identical(regrid(field, WEIGHTS))


def test_a_dataset_keeps_what_has_no_cells_and_loses_what_describes_the_old_ones():
    field = made(4)
    ds = xr.Dataset(
        {"tas": field, "pr": field.astype(np.float64) * 2.0, "co2": ("time", np.arange(4.0)),
         "lat_bnds": (("lat", "bnds"), SOURCE.lat_bounds),
         "areacella": (("lat", "lon"), SOURCE.area(), {"standard_name": "cell_area"})},
        {"time_bnds": (("time", "bnds"), np.zeros((4, 2)))}, {"source_id": "synthetic"},
    )  # fmt: skip
    before = ds.copy(deep=True)
    found = regrid(ds, WEIGHTS)
    assert ds.identical(before)
    assert set(found.data_vars) == {"tas", "pr", "co2"}
    assert found["tas"].identical(regrid(field, WEIGHTS).assign_coords(lat=found["lat"], lon=found["lon"]))
    assert found["pr"].dtype == np.float64
    np.testing.assert_array_equal(found["lat_bnds"], TARGET.lat_bounds)
    np.testing.assert_array_equal(found["lon_bnds"], TARGET.lon_bounds)
    assert found["lat"].attrs["bounds"] == "lat_bnds"
    assert "time_bnds" in found.coords
    assert found.attrs["source_id"] == "synthetic"
    assert found.attrs["regrid_engine"] == "exact"
    again = make_grid(found["lat"], found["lon"], found["lat_bnds"], found["lon_bnds"])
    assert again.notes == ("bounds from the dataset",)
    found["lat_bnds"].values[:] = 0.0
    assert TARGET.lat_bounds.any()  # the grid is not the caller's to change


def test_a_variable_with_half_of_the_cells_is_refused():
    ds = xr.Dataset({"tas": made(), "zonal": made().mean("lon")})
    with pytest.raises(ValueError, match=r"'zonal' has \['lat'\] of \['lat', 'lon'\]: expected all .* drop them first"):
        regrid(ds, WEIGHTS)


def test_more_dimensions_and_none():
    field = made(3)
    more = xr.concat([field, field + 1.0], xr.Variable("member_id", ["r1", "r2"])).transpose("lat", "member_id", ...)
    found = regrid(more, WEIGHTS)
    assert found.dims == ("member_id", "time", "lat", "lon")
    assert found.sel(member_id="r1", drop=True).identical(regrid(field, WEIGHTS))
    assert regrid(field.isel(time=0), WEIGHTS).identical(regrid(field, WEIGHTS).isel(time=0))


def test_a_field_that_is_not_on_the_source_grid_is_refused():
    field = made()
    with pytest.raises(
        ValueError, match=r"tas must have dimensions of the source grid's sizes \(lat: 36, lon: 72\), got"
    ):
        regrid(field.isel(lat=slice(1, None)), WEIGHTS)
    with pytest.raises(ValueError, match=r"lat of tas .*expected -87.5, got 87.5 at 0; make weights"):
        regrid(field.isel(lat=slice(None, None, -1)), WEIGHTS)
    with pytest.raises(ValueError, match=r"lon of tas .*expected 0, got 180 at 0"):
        regrid(field.roll(lon=36, roll_coords=True), WEIGHTS)
    with pytest.raises(ValueError, match="must be real numbers"):
        regrid(field.astype(complex), WEIGHTS)
    with pytest.raises(ValueError, match=r"\['lat'\] are those of the target grid too; rename"):
        regrid(xr.DataArray(np.zeros((2, 36, 72)), dims=("lat", "a", "b")), WEIGHTS)
    with pytest.raises(ValueError, match="coordinates of latitude and longitude"):
        regrid(xr.Dataset({"tas": (("a", "b"), np.zeros((36, 72)))}), WEIGHTS)
    with pytest.raises(ValueError, match="na_thres"):
        regrid(field, WEIGHTS, na_thres=2.0)


def test_longitudes_of_another_origin_and_single_precision_are_the_same_place():
    field = made()
    west = field.assign_coords(lon=((LON + 180.0) % 360.0 - 180.0).astype(np.float32))
    assert regrid(west, WEIGHTS).identical(regrid(field, WEIGHTS))
    named = field.rename(lat="latitude", lon="longitude")
    assert regrid(named, WEIGHTS).identical(regrid(field, WEIGHTS))
    bare = field.drop_vars(["lat", "lon"]).rename(lat="a", lon="b")
    assert regrid(bare, WEIGHTS).identical(regrid(field, WEIGHTS))


@pytest.fixture(scope="module")
def ocean():
    return make_grid(*tripolar(30, 36, 8, south=-78.0))


def test_from_a_tripolar_ocean_and_back(ocean):
    field = xr.DataArray(
        np.ones((3, 30, 36)), {"nav_lat": (("j", "i"), ocean.lat), "nav_lon": (("j", "i"), ocean.lon)},
        ("time", "j", "i"), "tos",
    )  # fmt: skip
    weights = make_weights(ocean, TARGET)
    for given_ in (field, field.chunk(time=1)):
        found = regrid(given_, weights)
        assert found.dims == ("time", "lat", "lon")
        assert set(found.coords) == {"lat", "lon"}
        # the ocean ends at 78 south: there is nothing to map, and nothing is not zero
        assert found.sel(lat=-85.0).isnull().all()
        np.testing.assert_allclose(found.sel(lat=slice(-75, None)), 1.0, rtol=1e-12)
    back = regrid(xr.Dataset({"tas": made(2)}), make_weights(SOURCE, ocean))
    assert back["tas"].dims == ("time", "y", "x")
    assert back["lat"].dims == ("y", "x")
    assert back["lat_bnds"].dims == ("y", "x", "vertices")
    with pytest.raises(ValueError, match=r"sizes \(y: 30, x: 36\)"):
        regrid(field.isel(i=slice(1, None)), weights)


def test_unstructured_cells_have_one_dimension(ocean):
    lat, lon = ocean.centres()
    flat = make_grid(lat, lon, *(b.reshape(-1, 4) for b in (ocean.lat_bounds, ocean.lon_bounds)))
    assert flat.shape == (1, lat.size)
    field = xr.DataArray(np.random.default_rng(0).random((3, lat.size)), {"lat": ("cell", lat), "lon": ("cell", lon)},
                         ("time", "cell"), "tos")  # fmt: skip
    found = regrid(field, make_weights(flat, TARGET))
    curvilinear = xr.DataArray(field.values.reshape(3, 30, 36), dims=("time", "j", "i"))
    np.testing.assert_allclose(found, regrid(curvilinear, make_weights(ocean, TARGET)), rtol=1e-12)
    back = regrid(xr.Dataset({"tas": made(2)}), make_weights(SOURCE, flat))
    assert back["tas"].dims == ("time", "cell")
    assert back["lat_bnds"].dims == ("cell", "vertices")
    lazy = regrid(field.chunk(time=2), make_weights(flat, TARGET))
    assert lazy.compute().identical(found)


@pytest.fixture(scope="module")
def by_cdo(tmp_path_factory):
    """A field with holes, its weights by ``cdo gencon`` and what ``cdo remapcon`` makes of it, in float32 and 64."""
    if shutil.which("cdo") is None:
        pytest.skip("cdo is not installed")
    folder = tmp_path_factory.mktemp("cdo")
    ds = xr.Dataset({"tas": made(5, missing=0.0)}).assign_coords(time=np.arange(5.0))
    ds["time"].attrs = {"units": "days since 2000-01-01", "calendar": "standard"}
    ds["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude", "bounds": "lat_bnds"}
    ds["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude", "bounds": "lon_bnds"}
    ds = ds.assign(lat_bnds=(("lat", "bnds"), SOURCE.lat_bounds), lon_bnds=(("lon", "bnds"), SOURCE.lon_bounds))
    ds["masked"] = ds["tas"].where(np.random.default_rng(1).random((36, 72)) > 0.4)
    for name in ("tas", "masked"):
        ds[[name, "lat_bnds", "lon_bnds"]].to_netcdf(folder / f"{name}.nc")

    def cdo(*arguments):
        subprocess.run(["cdo", "-s", *arguments], check=True, cwd=folder, capture_output=True)

    cdo("gencon,r36x18", "tas.nc", "weights.nc")
    for name in ("tas", "masked"):
        for precision in ("F32", "F64"):
            cdo("-b", precision, "remapcon,r36x18", f"{name}.nc", f"{name}-{precision}.nc")
    opened = {path.stem: xr.open_dataset(path).load() for path in folder.glob("*.nc")}
    return ds, opened


def read_scrip(ds):
    """Weights as SCRIP writes them: cells counted from one, sorted by target here."""
    target, source = ds["dst_address"].values - 1, ds["src_address"].values - 1
    order = np.lexsort((source, target))
    shape = (ds.sizes["dst_grid_size"], ds.sizes["src_grid_size"])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=shape[0]))])
    return Sparse(indptr, source[order], ds["remap_matrix"].values[order, 0], shape)


def test_the_same_weights_give_what_cdo_gives(by_cdo):
    ds, opened = by_cdo
    matrix = read_scrip(opened["weights"])
    for name in ("tas", "masked"):
        exact = remap(ds[name].values.astype(np.float64), matrix, space=2).reshape(5, 18, 36)
        theirs = opened[f"{name}-F64"][name].values
        np.testing.assert_array_equal(np.isnan(exact), np.isnan(theirs))
        np.testing.assert_allclose(exact, theirs, rtol=1e-12)
        single = remap(ds[name].values, matrix, space=2).reshape(5, 18, 36)
        theirs = opened[f"{name}-F32"][name].values
        assert single.dtype == theirs.dtype == np.float32
        with np.errstate(invalid="ignore"):
            assert np.nanmax(np.abs(single - theirs) / np.spacing(theirs)) <= 2.0


def test_the_exact_engine_gives_what_cdo_gives(by_cdo):
    ds, opened = by_cdo
    theirs = opened["tas-F64"]
    target = Grid(theirs["lat"].values, theirs["lon"].values, make_grid(theirs["lat"], theirs["lon"]).lat_bounds,
                  make_grid(theirs["lat"], theirs["lon"]).lon_bounds)  # fmt: skip
    found = regrid(ds["tas"].astype(np.float64), make_weights(SOURCE, target))
    np.testing.assert_allclose(found, theirs["tas"], rtol=1e-10)
