"""Area means: equal to plain NumPy, whatever the chunks; what is broken is refused by name."""

import re

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cuts, seeds
from synthetic import areas, field, nothing_computes, published, regular, row

from spread.conform import conform, grid_of
from spread.errors import Failure, NotConforming
from spread.opening import open_row
from spread.reduce import Reduction, area_means, compute_or_fail, reduction
from spread.study import REGIONS, Region

GLOBAL = [REGIONS["global"]]
BOX = Region(name="box", lat=(-20.0, 47.0), lon=(300.0, 77.0))


def means(ds: xr.Dataset, regions=GLOBAL) -> xr.DataArray:
    return area_means(ds, grid_of(ds), regions)


def planned(ds: xr.Dataset, regions=GLOBAL) -> Reduction:
    return reduction(ds, grid_of(ds), regions)


def one_box(lat_bounds, lon_bounds, region) -> np.ndarray:
    """Area of each cell inside a box [m2], by a method unlike the package's: a fine subdivision of longitude."""
    south, north = np.sin(np.radians(region.lat))
    sine = np.sort(np.sin(np.radians(lat_bounds)), axis=1)
    height = np.clip(np.minimum(sine[:, 1], north) - np.maximum(sine[:, 0], south), 0.0, None)
    # tenths of a degree: every edge of the tests lies on one
    west, east = np.sort(np.round(lon_bounds * 10).astype(int), axis=1).T
    first, last = (round(edge * 10) for edge in region.lon)
    length = (last - first) % 3600 or 3600
    width = [sum((k - first) % 3600 < length for k in range(w, e)) for w, e in zip(west, east, strict=True)]
    return height[:, None] * np.asarray(width)[None, :]


@settings(deadline=None, max_examples=30)
@given(st.data(), seeds)
def test_means_equal_plain_numpy_for_every_layout(data, seed):
    south_first, first_lon = data.draw(st.booleans()), data.draw(st.integers(-360, 360)) / 1.0
    rows, columns = data.draw(st.integers(2, 7)), data.draw(st.sampled_from([3, 4, 5, 6, 8, 9]))
    values = field(24, rows, columns, seed)
    chunks = (data.draw(cuts(24)), data.draw(cuts(rows)), data.draw(cuts(columns)))
    ds = published(
        values, rows=rows, columns=columns, south_first=south_first, first_lon=first_lon, chunks=chunks, months=24
    )
    result = means(conform(ds, row()), [REGIONS["global"], BOX]).compute()
    _, _, lat_bounds, lon_bounds = regular(rows, columns, south_first, first_lon)
    for region in (REGIONS["global"], BOX):
        weights = one_box(lat_bounds, lon_bounds, region)
        expected = (values.astype(np.float64) * weights).sum(axis=(1, 2)) / weights.sum()
        np.testing.assert_allclose(result.sel(region=region.name), expected, rtol=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.data(), seeds)
def test_results_are_bit_identical_across_time_chunks(data, seed):
    rng = np.random.default_rng(seed)
    values = field(10, 9, 13, seed)
    holes = rng.random(10) < data.draw(st.sampled_from([0.0, 0.2, 0.7]))
    values[holes, rng.integers(9), rng.integers(13)] = np.nan
    space = data.draw(st.sampled_from([((9,), (13,)), ((4, 5), (13,)), ((2, 7), (6, 7))]))
    results = []
    for time_chunks in ((10,), data.draw(cuts(10)), (1,) * 10):
        ds = published(values, rows=9, columns=13, months=10, chunks=(time_chunks, *space))
        lazy = means(conform(ds, row()), [REGIONS["global"], REGIONS["land"], BOX])
        results.append(lazy.compute(scheduler="synchronous").values)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_land_means_are_bit_identical_across_time_chunks():
    values = land_values(24)
    values[:, 2, 3] = np.nan  # a lake that the model leaves out
    values[5:9, 1, 1] = np.nan
    results = [
        means(land_dataset(values, chunks=(n, 6, 8)), [REGIONS["global"]]).compute().values for n in (1, 5, 7, 24)
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_a_month_with_a_missing_cell_has_no_mean(seed):
    rng = np.random.default_rng(seed)
    values = field(24, 6, 8)
    month, at = int(rng.integers(24)), tuple(rng.integers((6, 8)))
    values[(month, *at)] = np.nan
    result = means(conform(published(values), row())).compute().values[:, 0]
    np.testing.assert_array_equal(np.isnan(result), np.arange(24) == month)


def test_a_missing_cell_outside_a_region_leaves_its_mean():
    values = field(24, 6, 8)
    whole = means(conform(published(values), row()), [REGIONS["northern_hemisphere"]]).compute()
    values[3, 0, 0] = np.nan  # the southernmost row
    holed = means(conform(published(values), row()), [REGIONS["northern_hemisphere"]]).compute()
    np.testing.assert_array_equal(holed, whole)


def test_infinity_is_refused():
    values = field(24, 6, 8)
    values[7, 2, 2] = np.inf
    with pytest.raises(NotConforming, match="2000-08"):
        means(conform(published(values), row())).compute()


def land_values(months) -> np.ndarray:
    return (field(months, 6, 8) * 1e-10).astype(np.float32)


def land_mask() -> np.ndarray:
    share = np.zeros((6, 8))
    share[1:5, 1:5] = 100.0
    share[1, 5] = 40.0
    return share


def land_dataset(values, chunks=None) -> xr.Dataset:
    values = values.copy()
    values[:, land_mask() == 0] = np.nan
    ds = published(values, variable_id="gpp", units="kg m-2 s-1", chunks=chunks)
    sftlf = xr.DataArray(land_mask(), dims=("lat", "lon"), attrs={"units": "%"})
    return conform(ds, row(variable_id="gpp", table_id="Lmon"), sftlf=sftlf)


def test_a_land_variable_is_averaged_over_land():
    values = land_values(24)
    result = means(land_dataset(values), [REGIONS["global"], REGIONS["land"]]).compute()
    _, _, lat_bounds, lon_bounds = regular()
    weights = areas(lat_bounds, lon_bounds) * land_mask() / 100.0
    expected = (values.astype(np.float64) * weights).sum(axis=(1, 2)) / weights.sum()
    np.testing.assert_allclose(result.sel(region="global"), expected, rtol=1e-12)
    np.testing.assert_array_equal(result.sel(region="land"), result.sel(region="global"))


def test_a_month_with_less_land_than_the_others_has_no_mean():
    values = land_values(24)
    values[10, 2, 2] = np.nan
    result = means(land_dataset(values)).compute().values[:, 0]
    np.testing.assert_array_equal(np.isnan(result), np.arange(24) == 10)


def test_means_are_lazy_and_leave_their_input_alone():
    ds = conform(published(), row())
    before = ds.copy(deep=True)
    with nothing_computes():
        result = means(ds)
    assert isinstance(result.data, da.Array)
    assert result.chunks[0] == ds["tas"].chunks[0]
    result.compute()
    xr.testing.assert_identical(ds, before)


def test_means_carry_their_origin():
    result = means(conform(published(), row()))
    assert result.attrs["units"] == "K"
    assert result.attrs["version"] == "20200101"
    assert result.attrs["area_source"] == "exact from bounds"
    assert result["month_number"].values[0] == 12 * 2000


@pytest.mark.parametrize(
    ("value", "months", "said"),
    [
        (1e20, [3], "1e\\+20 K.*2000-04$"),
        (0.0, [0, 1, 2, 5], "0 K.*2000-01..2000-03, 2000-06"),
        (351.0, [23], "2001-12"),
    ],
)
def test_implausible_values_are_refused_with_their_months(value, months, said):
    values = field(24, 6, 8)
    values[months, 3, 3] = value
    with pytest.raises(NotConforming, match=said):
        means(conform(published(values, chunks=(24, 6, 8)), row())).compute()


def test_celsius_under_the_name_of_kelvin_is_told():
    with pytest.raises(NotConforming, match="look like degrees Celsius"):
        means(conform(published(field(24, 6, 8) - 273.15), row())).compute()


def rain(values, chunks=(5, 6, 8)) -> xr.DataArray:
    ds = published(values.astype(np.float32), variable_id="pr", units="kg m-2 s-1", chunks=chunks)
    return means(conform(ds, row(variable_id="pr")), [REGIONS["arctic"]])


def test_a_globe_that_no_factor_could_explain_is_refused_whatever_the_region():
    # every value is plausible for some place, the mean of all is not
    values = np.full((24, 6, 8), 3e-5)
    values[20:] = 3e-8
    with pytest.raises(NotConforming, match=r"mean over the globe: 3e-08 .* 2001-09..2001-12; .* 1000 times too small"):
        rain(values).compute()
    assert np.isfinite(rain(np.full((24, 6, 8), 3e-5)).compute()).all()


def test_a_land_variable_has_no_globe_to_judge():
    values = land_values(24)
    assert np.isfinite(means(land_dataset(values)).compute()).all()


def test_a_missing_chunk_is_named_in_the_failure(tmp_path):
    path = tmp_path / "store.zarr"
    published().to_zarr(path, zarr_format=2, mode="w")
    (path / "tas" / "1.0.0").unlink()
    opened = row(zstore=str(path))
    failure = compute_or_fail(planned(conform(open_row(opened), opened)))
    assert isinstance(failure, Failure)
    assert failure.reason == f"store {path} cannot be read: chunk 1.0.0 is not in the store"
    assert not failure.transient


def test_a_region_without_a_cell_is_refused_at_once():
    ds = land_dataset(land_values(24))
    with pytest.raises(NotConforming, match="'island' holds no"):
        means(ds, [Region(name="island", lat=(-90.0, -85.0), surface="land")])


def broken(error: Exception, months=24) -> Reduction:
    """Plan of a dataset of which one chunk cannot be read."""

    def read(block, block_info=None):
        if block_info and block_info[0]["chunk-location"][0] == 1:
            raise error
        return block

    ds = published(months=months)
    ds["tas"] = ds["tas"].copy(data=ds["tas"].data.map_blocks(read, dtype=np.float32, meta=np.empty((0, 0, 0), "f4")))
    return planned(conform(ds, row(source_id="BROKEN", zstore="gs://bucket/broken")))


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (OSError("connection reset"), True),
        (TimeoutError("too slow"), True),
        (FileNotFoundError("gone"), False),
        (RuntimeError("bad block"), False),
        (ValueError("bad codec"), False),
    ],
)
def test_an_error_while_reading_becomes_a_failure(error, transient):
    failure = compute_or_fail(broken(error))
    assert isinstance(failure, Failure)
    assert failure.transient is transient
    assert failure.stage == "reduce"
    assert failure.dataset == "BROKEN.historical.r1i1p1f1.tas"
    assert "gs://bucket/broken" in failure.reason
    assert str(error) in failure.reason


def test_implausible_values_become_a_failure_that_no_retry_mends():
    values = field(24, 6, 8)
    values[3, 0, 0] = 1e20
    failure = compute_or_fail(planned(conform(published(values), row())))
    assert isinstance(failure, Failure)
    assert not failure.transient
    assert "2000-04" in failure.reason


def run_of(values, **options) -> xr.DataArray | Failure:
    """A run of 40 years, as the flow reduces it."""
    return compute_or_fail(planned(conform(published(values, months=480, **options), row())))


def years_with_seasons() -> np.ndarray:
    season = -2.0 * np.cos(2 * np.pi * np.arange(480) / 12.0)[:, None, None]
    return (0.1 * field(480, 6, 8) + 260.0 + season).astype("f4")


def copied(values):
    values[240:252] = values[228:240]


def flat(values):
    values[17] = 288.0


def stepped(values):
    values[300:] += 4.0


@pytest.mark.parametrize("chunks", [(480, 6, 8), (50, 6, 8), (100, 3, 5)])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (copied, "2020-01..2020-12 are bit for bit those of 2019-01..2019-12"),
        (flat, "288 in every cell in 2001-06"),
        (stepped, "steps by [34].* at 2025-01"),
    ],
)
def test_what_only_the_whole_run_shows_becomes_a_failure(spoil, said, chunks):
    values = years_with_seasons()
    assert isinstance(run_of(values, chunks=chunks), xr.DataArray)
    spoil(values)
    failure = run_of(values, chunks=chunks)
    assert isinstance(failure, Failure)
    assert failure.stage == "reduce"
    assert not failure.unreadable
    assert re.search(said, failure.reason), failure.reason


def test_the_lazy_means_never_wait_for_the_whole_run():
    values = field(24, 6, 8)
    values[20] = values[3]
    result = means(conform(published(values, chunks=(1, 6, 8)), row()))
    with dask.config.set(scheduler="synchronous"):
        assert np.isfinite(result[:4].compute()).all()


@pytest.mark.parametrize("chunks", [(24, 6, 8), (5, 3, 5), (1, 1, 8)])
def test_the_extremes_of_a_month_are_those_of_all_its_chunks(chunks):
    values = field(24, 6, 8)
    values[4] = np.nan
    values[5, 2] = np.nan
    found = planned(conform(published(values, chunks=chunks), row())).sums.compute()[:, :, -1]
    low, high = np.fmin.reduce(values.reshape(24, -1), axis=1), np.fmax.reduce(values.reshape(24, -1), axis=1)
    low[4], high[4] = np.inf, -np.inf
    np.testing.assert_array_equal(found, np.stack([low, high], axis=1))


@pytest.mark.parametrize("lake", [False, True])
@pytest.mark.parametrize("factor", [1000.0, 1e-3])
def test_land_carbon_a_thousand_times_off_is_refused(factor, lake):
    values = land_values(24) * np.float32(factor)
    if lake:
        values[:, 2, 3] = np.nan
    with pytest.raises(NotConforming, match=r"mean over the land|values"):
        means(land_dataset(values)).compute()
