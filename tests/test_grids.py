"""Areas add up to the sphere, boxes to the whole, and faulty bounds are mended."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rotated import rotated
from strategies import latitude_edges, longitude_edges
from synthetic import SPHERE, areas, edges, regular, total

from spread.grids import (
    EARTH_RADIUS,
    Grid,
    infer_corners,
    infer_edges,
    make_grid,
    quadrilateral_area,
)

# Gauss-Legendre nodes are where spectral models put their rows
GAUSSIAN = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(32)[0]))


@settings(deadline=None, max_examples=40)
@given(latitude_edges(), longitude_edges(), st.booleans(), st.booleans())
def test_areas_from_bounds_add_up_to_the_sphere(lat, lon, south_first, eastward):
    lat_bounds, lon_bounds = edges(lat)[:: 1 if south_first else -1], edges(lon)[:: 1 if eastward else -1]
    grid = make_grid(lat_bounds.mean(1), lon_bounds.mean(1), lat_bounds, lon_bounds)
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-11)
    np.testing.assert_allclose(grid.area(), areas(lat_bounds, lon_bounds), rtol=1e-9)
    assert ((grid.lon >= 0) & (grid.lon < 360)).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(3, 60), st.floats(-360, 360), st.booleans(), st.booleans(), st.booleans())
def test_areas_from_centres_add_up_to_the_sphere(rows, columns, start, south_first, poles, wrapped):
    lat = np.linspace(-90.0, 90.0, rows + 1)
    lat = lat if poles else edges(lat).mean(1)
    lon = start + 360.0 / columns * np.arange(columns)
    grid = make_grid(lat if south_first else lat[::-1], lon % 360.0 if wrapped else lon)
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-11)


@pytest.mark.parametrize("lat", [GAUSSIAN, GAUSSIAN[::-1]], ids=["rising", "falling"])
def test_a_gaussian_grid_covers_the_sphere(lat):
    grid = make_grid(lat, np.arange(64) * 5.625)
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-12)
    # away from the poles its areas come near the quadrature weights, whose sum is 2
    weights = np.polynomial.legendre.leggauss(32)[1]
    np.testing.assert_allclose((grid.area().sum(1) / SPHERE)[1:-1], weights[1:-1] / 2, rtol=2e-3)


def test_one_cell_has_its_area_in_closed_form():
    grid = Grid(np.array([45.0]), np.array([15.0]), np.array([[30.0, 60.0]]), np.array([[0.0, 30.0]]))
    expected = EARTH_RADIUS**2 * np.pi / 6 * (np.sqrt(3) / 2 - 0.5)
    np.testing.assert_allclose(grid.area(), [[expected]], rtol=1e-14)


def test_a_rotated_grid_with_corners_covers_the_sphere():
    grid = make_grid(*rotated())
    assert not grid.rectilinear
    assert grid.shape == (18, 36)
    assert grid.notes == ("cell corners from the dataset",)
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-12)


def test_a_rotated_grid_without_corners_nearly_covers_the_sphere():
    lat, lon, lat_corners, lon_corners = rotated(90, 180)
    grid = make_grid(lat, lon)
    assert grid.notes == ("cell corners inferred from centres",)
    assert total(grid) == pytest.approx(1.0, abs=2e-3)
    inner = (slice(5, -5), slice(1, -1))
    true = make_grid(lat, lon, lat_corners, lon_corners).area()
    np.testing.assert_allclose(grid.area()[inner], true[inner], rtol=5e-3)


def test_corners_of_a_fine_grid_lie_halfway():
    lat, lon = np.meshgrid(np.arange(40.0, 42.0, 0.1), np.arange(10.0, 12.0, 0.1), indexing="ij")
    lat_corners, lon_corners = infer_corners(lat, lon)
    np.testing.assert_allclose(lat_corners[5, 5], lat[5, 5] + np.array([-0.05, -0.05, 0.05, 0.05]), atol=1e-4)
    np.testing.assert_allclose(lon_corners[5, 5], lon[5, 5] + np.array([-0.05, 0.05, 0.05, -0.05]), atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.floats(-80, 80), st.floats(0, 360), st.floats(1e-2, 0.1), st.integers(0, 3), st.booleans())
def test_small_quadrilaterals_have_the_area_between_parallels(lat, lon, size, turn, clockwise):
    south, north, west, east = lat, lat + size, lon, lon + size
    corners = np.roll([[south, west], [south, east], [north, east], [north, west]], turn, axis=0)
    corners = corners[::-1] if clockwise else corners
    exact = (np.sin(np.radians(north)) - np.sin(np.radians(south))) * np.radians(size)
    np.testing.assert_allclose(quadrilateral_area(corners[:, 0], corners[:, 1]), exact, rtol=1e-4)


def test_an_octant_is_an_eighth_of_the_sphere():
    # a triangle: its fourth corner repeats the third
    area = quadrilateral_area(np.array([0.0, 0.0, 90.0, 90.0]), np.array([10.0, 100.0, 55.0, 55.0]))
    np.testing.assert_allclose(area, np.pi / 2, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    latitude_edges(),
    longitude_edges(),
    st.lists(st.floats(-89.0, 89.0), unique=True, max_size=3),
    st.lists(st.floats(0.0, 359.0), unique=True, min_size=2, max_size=4),
)
def test_boxes_that_tile_the_sphere_share_out_every_cell(lat, lon, parallels, meridians):
    grid = Grid(edges(lat).mean(1), edges(lon).mean(1) % 360.0, edges(lat), edges(lon))
    rows = np.array([-90.0, *sorted(parallels), 90.0])
    columns = sorted(meridians)
    shares = [
        grid.share_in_box((south, north), (west, east))
        for south, north in pairwise(rows)
        for west, east in zip(columns, [*columns[1:], columns[0]], strict=True)  # the last crosses the meridian 0
    ]
    for share in shares:
        assert share.min() >= 0.0
        assert share.max() <= 1.0 + 1e-12
    np.testing.assert_allclose(np.sum(shares, axis=0), 1.0, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(latitude_edges(), longitude_edges(), st.floats(-90, 89), st.floats(0.5, 180), st.floats(-360, 0),
       st.floats(1.0, 360.0))  # fmt: skip
def test_shares_give_the_area_of_the_box(lat, lon, south, height, west, width):
    grid = Grid(edges(lat).mean(1), edges(lon).mean(1) % 360.0, edges(lat), edges(lon))
    north = min(south + height, 90.0)
    box = EARTH_RADIUS**2 * (np.sin(np.radians(north)) - np.sin(np.radians(south))) * np.radians(width)
    inside = (grid.area() * grid.share_in_box((south, north), (west, west + width))).sum()
    np.testing.assert_allclose(inside, box, rtol=1e-9, atol=1e-3)


@pytest.mark.parametrize("lon", [(0.0, 360.0), (-180.0, 180.0), (-360.0, 360.0), (10.0, 370.0)])
def test_a_box_round_the_earth_holds_everything(lon):
    grid = make_grid(*regular())
    np.testing.assert_allclose(grid.share_in_box((-90.0, 90.0), lon), 1.0, atol=1e-14)


def test_a_box_narrower_than_a_cell_holds_a_part_of_it():
    grid = make_grid(*regular(6, 8))  # cells of 30 by 45 degrees
    share = grid.share_in_box((-90.0, 90.0), (350.0, 5.0))
    np.testing.assert_allclose(share[0], [5 / 45, 0, 0, 0, 0, 0, 0, 10 / 45], atol=1e-14)


def test_a_curvilinear_cell_is_in_one_box_of_a_tiling():
    grid = make_grid(*rotated())
    boxes = [((-90.0, 0.0), (0.0, 360.0)), ((0.0, 90.0), (300.0, 60.0)), ((0.0, 90.0), (60.0, 300.0))]
    np.testing.assert_array_equal(sum(grid.share_in_box(*box) for box in boxes), 1.0)


def mended(lat_bounds=None, lon_bounds=None) -> Grid:
    """A grid with some faulty bounds, held against the sound one."""
    lat, lon, lat_sound, lon_sound = regular(6, 8)
    grid = make_grid(
        lat, lon, lat_sound if lat_bounds is None else lat_bounds, lon_sound if lon_bounds is None else lon_bounds
    )
    np.testing.assert_allclose(grid.area(), areas(lat_sound, lon_sound), rtol=1e-12)
    np.testing.assert_allclose(grid.share_in_box((-90, 90), (0, 45))[:, 0], 1.0)
    return grid


LAT, LON, LAT_BOUNDS, LON_BOUNDS = regular(6, 8)


@pytest.mark.parametrize(
    ("which", "faulty", "said"),
    [
        ("lat", LAT_BOUNDS[:, ::-1], "put in rising order"),
        ("lat", LAT_BOUNDS[::-1], "centres outside their cells"),
        ("lat", np.stack([LAT, LAT], 1), "no width"),
        ("lat", LAT[:, None] + [-10.0, 10.0], "overlap or leave gaps"),
        ("lat", LAT[:, None] + [-20.0, 20.0], "overlap or leave gaps"),
        ("lat", np.where(LAT_BOUNDS == 90.0, 95.0, LAT_BOUNDS), "beyond the poles"),
        ("lat", LAT_BOUNDS * np.nan, "inferred"),
        ("lat", LAT_BOUNDS[:, :1], "inferred"),
        ("lon", LON_BOUNDS[:, ::-1], "put in rising order"),
        ("lon", np.stack([LON, LON], 1), "no width"),
        ("lon", LON[:, None] + [-20.0, 20.0], "overlap or leave gaps"),
        ("lon", np.clip(LON_BOUNDS, 0.0, 350.0), "cover 350 of 360"),
    ],
)
def test_faulty_bounds_are_mended_and_said_to_be(which, faulty, said):
    grid = mended(**{f"{which}_bounds": faulty})
    assert any(note.startswith(which) and said in note for note in grid.notes)


def test_latitudes_shifted_within_their_cells_are_mended():
    lat = np.linspace(-87.5, 87.5, 36)
    bounds = edges(np.r_[-90.0, np.linspace(-85.0, 85.0, 35) + 1.5, 90.0])
    grid = make_grid(lat, LON, bounds, LON_BOUNDS)
    assert any("away from the middle" in note for note in grid.notes)
    np.testing.assert_allclose(grid.area(), make_grid(lat, LON, None, LON_BOUNDS).area())


@pytest.mark.parametrize("rows", [32, 64, 96, 160, 192])
def test_gaussian_rows_are_not_taken_for_shifted_ones(rows):
    # Gaussian latitudes; edges where the weights of the quadrature end, as models publish them
    sines, weights = np.polynomial.legendre.leggauss(rows)
    ends = np.clip(np.r_[-1.0, -1.0 + np.cumsum(weights)], -1.0, 1.0)
    grid = make_grid(np.degrees(np.arcsin(sines)), LON, edges(np.degrees(np.arcsin(ends))), LON_BOUNDS)
    assert grid.notes == ("bounds from the dataset",)


def test_half_a_cell_cut_off_at_the_meridian_is_given_back():
    # the first cell reaches across the meridian 0, but its bounds stop there
    lon = np.arange(8) * 45.0
    cut = np.clip(lon[:, None] + [-22.5, 22.5], 0.0, 360.0)
    grid = make_grid(LAT, lon, LAT_BOUNDS, cut)
    np.testing.assert_allclose(grid.area(), areas(LAT_BOUNDS, LON_BOUNDS), rtol=1e-12)
    np.testing.assert_allclose(grid.share_in_box((-90, 90), (337.5, 22.5))[:, 0], 1.0)


def test_a_cell_that_wraps_round_in_its_bounds_is_mended():
    lon = np.arange(8) * 45.0
    wrapped = (lon[:, None] + [-22.5, 22.5]) % 360.0  # the first is [337.5, 22.5]
    grid = make_grid(LAT, lon, LAT_BOUNDS, wrapped)
    np.testing.assert_allclose(grid.area(), areas(LAT_BOUNDS, LON_BOUNDS), rtol=1e-12)


def test_sound_bounds_are_taken_as_they_are():
    lat_bounds = edges(np.array([-90.0, -70.0, -20.0, 10.0, 45.0, 85.0, 90.0]))
    grid = make_grid(lat_bounds.mean(1) + 1.0, LON, lat_bounds, LON_BOUNDS)
    np.testing.assert_array_equal(grid.lat_bounds, lat_bounds)
    assert grid.notes == ("bounds from the dataset",)


def test_edges_of_a_regional_axis_do_not_reach_the_poles():
    np.testing.assert_allclose(infer_edges(np.array([10.0, 20.0, 30.0]), "lat"), edges(np.array([5, 15, 25, 35.0])))
    np.testing.assert_allclose(infer_edges(np.array([10.0, 20.0, 30.0]), "lon"), edges(np.array([5, 15, 25, 35.0])))


def test_zero_stays_zero_and_a_hair_below_it_does_not_become_360():
    grid = make_grid(LAT, np.array([-1e-14, *LON[:-1] + 22.5]))
    assert grid.lon[0] == pytest.approx(0.0, abs=1e-12)
    assert make_grid(LAT, LON - 22.5).lon[0] == 0.0
    assert make_grid(LAT, LON - 22.5 - 360.0).lon[0] == 0.0


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        ([0.0, np.nan, 20.0], [0.0, 180.0], "finite"),
        ([0.0, 91.0], [0.0, 180.0], "within -90..90"),
        ([-45.0, 45.0], [[0.0, 180.0]], "both be 1-D"),
        ([[0.0, 1.0]], [[0.0], [1.0]], "both be 1-D"),
        ([0.0, 20.0, 10.0], [0.0, 180.0], "lat must rise or fall"),
        ([-45.0, 45.0], [0.0, 90.0, 45.0, 180.0], "lon must rise or fall"),
        ([45.0], [0.0, 120.0, 240.0], "single cell needs bounds"),
    ],
)
def test_coordinates_that_make_no_grid_are_refused(lat, lon, said):
    with pytest.raises(ValueError, match=said):
        make_grid(lat, lon)


def test_inputs_are_left_alone():
    given_ = [array.copy() for array in (LAT[::-1], LON - 180.0, LAT_BOUNDS[::-1, ::-1], LON_BOUNDS - 180.0)]
    before = [array.copy() for array in given_]
    make_grid(*given_).area()
    for array, kept in zip(given_, before, strict=True):
        np.testing.assert_array_equal(array, kept)
