"""Areas add up to the sphere, boxes to the whole, and faulty bounds are mended."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import latitude_edges, longitude_edges
from synthetic import SPHERE, areas, edges, regular
from tripolar import tripolar, with_halo

from spread.grids import (
    EARTH_RADIUS,
    Grid,
    infer_corners,
    infer_edges,
    make_grid,
    polygon_area,
    quadrilateral_area,
    unit_vectors,
)
from spread.grids import regular as target_grid

# Gauss-Legendre nodes are where spectral models put their rows
GAUSSIAN = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(32)[0]))


def total(grid: Grid) -> float:
    return grid.area().sum() / SPHERE


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


def rotated(rows=18, columns=36, pole=(39.25, 198.0)):
    """Centres and corners of a global grid whose pole lies elsewhere [degrees]."""
    tilt, turn = np.radians(90.0 - pole[0]), np.radians(pole[1])

    def turned(lat, lon):
        lat, lon = np.radians(lat), np.radians(lon)
        x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        x, z = np.cos(tilt) * x + np.sin(tilt) * z, np.cos(tilt) * z - np.sin(tilt) * x
        x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
        return np.degrees(np.arcsin(np.clip(z, -1, 1))), np.degrees(np.arctan2(y, x)) % 360.0

    lat, lon, lat_bounds, lon_bounds = regular(rows, columns)
    centres = turned(*np.meshgrid(lat, lon, indexing="ij"))
    corner = (
        np.broadcast_to(lat_bounds[:, None, [0, 0, 1, 1]], (rows, columns, 4)),
        np.broadcast_to(lon_bounds[None, :, [0, 1, 1, 0]], (rows, columns, 4)),
    )
    return *centres, *turned(*corner)


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


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(4)), st.booleans())
def test_corners_may_begin_anywhere_and_come_in_any_order(order, everywhere):
    lat, lon, lat_corners, lon_corners = rotated()
    sound = make_grid(lat, lon, lat_corners, lon_corners)
    cells = np.s_[:] if everywhere else np.s_[::3]
    for array in (lat_corners, lon_corners):
        array[cells] = array[cells][..., order]
    grid = make_grid(lat, lon, lat_corners, lon_corners)
    np.testing.assert_allclose(grid.area(), sound.area(), rtol=1e-9)
    assert (polygon_area(unit_vectors(grid.lat_bounds, grid.lon_bounds)) > 0).all(), "anticlockwise"
    np.testing.assert_array_equal(np.sort(grid.lat_bounds), np.sort(sound.lat_bounds))
    crosswise = abs((order.index(0) - order.index(2)) % 4) != 2
    assert any("crosswise" in note for note in grid.notes) == crosswise


def test_cells_with_a_collapsed_side_are_triangles():
    # the row at the pole of a grid that is given by corners, and the cells at the poles of a tripolar one
    lat, lon, lat_bounds, lon_bounds = regular(6, 12)
    lat_2d, lon_2d = np.meshgrid(lat, lon, indexing="ij")
    lat_corners = np.broadcast_to(lat_bounds[:, None, [0, 0, 1, 1]], (6, 12, 4))
    lon_corners = np.broadcast_to(lon_bounds[None, :, [0, 1, 1, 0]], (6, 12, 4))
    for grid in (make_grid(lat_2d, lon_2d, lat_corners, lon_corners), make_grid(*tripolar())):
        assert grid.notes == ("cell corners from the dataset",)
        assert not grid.void.any()
        np.testing.assert_allclose(total(grid), 1.0, rtol=1e-12)


@pytest.mark.parametrize("fill", [np.nan, 1e30, 1e36, -9e33, np.inf])
@pytest.mark.parametrize("where", ["centres", "corners", "both"])
def test_cells_without_coordinates_are_void(fill, where):
    # FGOALS-g3 has latitudes beyond 1e30 over land
    lat, lon, lat_corners, lon_corners = (array.copy() for array in rotated())
    sound = make_grid(lat, lon, lat_corners, lon_corners)
    cells = np.s_[3:5, 4:7]
    if where != "corners":
        lat[cells] = lon[cells] = fill
    if where != "centres":
        lat_corners[cells] = fill
        lon_corners[cells][..., 2] = fill
    grid = make_grid(lat, lon, lat_corners, lon_corners)
    expected = np.zeros((18, 36), dtype=bool)
    expected[cells] = True
    np.testing.assert_array_equal(grid.void, expected)
    np.testing.assert_array_equal(grid.area(), np.where(expected, 0.0, sound.area()))
    assert any(note.startswith("6 of 648 cells have no coordinates") for note in grid.notes)
    assert not grid.share_in_box((-90.0, 90.0), (0.0, 360.0))[expected & np.isnan(grid.lat)].any()
    again = Grid(grid.lat, grid.lon, grid.lat_bounds, grid.lon_bounds)  # as it comes back from a dataset
    np.testing.assert_array_equal(again.void, expected)


def test_void_cells_do_not_spread_to_inferred_corners():
    lat, lon, *_ = (array.copy() for array in rotated(45, 90))
    lat[10:14, 20:30] = lon[10:14, 20:30] = np.nan
    grid = make_grid(lat, lon)
    assert grid.void.sum() == 40
    sound = make_grid(*rotated(45, 90)[:2])
    far = np.s_[20:40]
    np.testing.assert_array_equal(grid.area()[far], sound.area()[far])


def test_a_grid_of_nothing_but_fill_is_refused():
    with pytest.raises(ValueError, match="are in none"):
        make_grid(np.full((3, 4), 1e36), np.full((3, 4), 1e36))
    with pytest.raises(ValueError, match=r"within -90..90, got 120"):
        make_grid(np.full((3, 4), [0.0, 10.0, 20.0, 120.0]), np.zeros((3, 4)))


def test_corners_that_most_cells_lack_are_inferred():
    lat, lon, lat_corners, lon_corners = (array.copy() for array in rotated())
    lat_corners[2:] = np.nan
    assert make_grid(lat, lon, lat_corners, lon_corners).notes == ("cell corners inferred from centres",)


def test_inferred_corners_of_a_tripolar_grid_close_circle_and_fold():
    lat, lon, *corners = tripolar(120, 144, 24)
    grid = make_grid(lat, lon)
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-3)
    # closed along the fold: mirrored neighbours share their corners there
    points = unit_vectors(grid.lat_bounds, grid.lon_bounds)[-1]
    np.testing.assert_allclose(points[:, 3], points[::-1, 2], atol=1e-12)
    true = quadrilateral_area(*corners)
    inner = np.s_[3:, :]
    np.testing.assert_allclose((grid.area() / EARTH_RADIUS**2)[inner].sum(), true[inner].sum(), rtol=1e-3)


def test_repeated_cells_are_found():
    plain, halo = make_grid(*tripolar()), make_grid(*with_halo(*tripolar()))
    assert not plain.repeated.any()
    expected = np.zeros(halo.shape, dtype=bool)
    expected[:, -2:] = True  # the first column stands for the last but one, the last for the second
    expected[-1] = True
    np.testing.assert_array_equal(halo.repeated, expected)
    np.testing.assert_allclose(halo.area()[~expected].sum() / SPHERE, 1.0, rtol=1e-12)
    single = make_grid(*(array.astype(np.float32) for array in with_halo(*tripolar())))
    np.testing.assert_array_equal(single.repeated, expected)
    assert not make_grid(*regular()).repeated.any()


def test_cells_of_an_unstructured_grid_have_as_many_corners_as_they_need():
    # a triangle and a pentagon with a repeated corner, a hexagon filled up with fill values
    angles = np.radians(np.arange(0.0, 360.0, 60.0))
    lat = 5.0 * np.sin(angles) + np.array([[0.0], [30.0], [-30.0]])
    lon = 5.0 * np.cos(angles) + np.array([[0.0], [50.0], [200.0]])
    lat[0, 3:], lon[0, 3:] = np.nan, np.nan
    lat[1, 5], lon[1, 5] = lat[1, 4], lon[1, 4]
    grid = make_grid([0.0, 30.0, -30.0], [0.0, 50.0, 200.0], lat, lon % 360.0)
    assert grid.shape == (1, 3)
    flat = np.radians(5.0) ** 2 * np.sqrt(3) / 4 * np.array([[1, 5, 6]])  # of equilateral triangles in the plane
    stretched = np.cos(np.radians([[2.9, 30.0, 30.0]]))
    np.testing.assert_allclose(grid.area() / EARTH_RADIUS**2, flat * stretched, rtol=0.03)
    with pytest.raises(ValueError, match="need bounds"):
        make_grid([0.0, 30.0, -30.0], [0.0, 50.0, 200.0], lat * np.nan, lon)


@pytest.mark.parametrize(
    ("name", "shape", "west"),
    [("2.5", (72, 144), 1.25), ("2.5deg", (72, 144), 1.25), ("2.5x2.5", (72, 144), 1.25), ("1x1", (180, 360), 0.5),
     ("2x1", (180, 180), 1.0), (5, (36, 72), 2.5), ("0.25 degrees", (720, 1440), 0.125)],
)  # fmt: skip
def test_target_grids_go_by_their_resolution(name, shape, west):
    grid = target_grid(name)
    assert grid.shape == shape
    assert grid.lon[0] == west
    assert (grid.lat_bounds[0, 0], grid.lat_bounds[-1, 1]) == (-90.0, 90.0)
    assert (grid.lon_bounds[0, 0], grid.lon_bounds[-1, 1]) == (0.0, 360.0)
    np.testing.assert_array_equal(grid.lat, -grid.lat[::-1])
    np.testing.assert_allclose(total(grid), 1.0, rtol=1e-13)


@pytest.mark.parametrize("name", ["F32", "n80"])
def test_gaussian_target_grids_have_the_areas_of_the_quadrature(name):
    half = int(name[1:])
    grid = target_grid(name)
    assert grid.shape == (2 * half, 4 * half)
    nodes, weights = np.polynomial.legendre.leggauss(2 * half)
    np.testing.assert_allclose(np.sin(np.radians(grid.lat)), nodes, atol=1e-14)
    np.testing.assert_allclose(grid.area().sum(1) / SPHERE, weights / 2, rtol=1e-10)
    assert grid.lon[0] == 0.0
    same = make_grid(grid.lat, grid.lon, grid.lat_bounds, grid.lon_bounds)
    assert same.notes == ("bounds from the dataset",)


@pytest.mark.parametrize(
    ("name", "said"),
    [("coarse", "expected degrees"), ("7deg", "do not divide 360"), ("0", "do not divide"),
     ("8x7", "do not divide 180"), ("F0", "at least one row"), ("-5", "expected degrees")],
)  # fmt: skip
def test_target_grids_that_are_none_are_refused(name, said):
    with pytest.raises(ValueError, match=said):
        target_grid(name)


def test_digests_tell_grids_apart():
    one, same = make_grid(*regular()), make_grid(*regular())
    assert one.digest == same.digest
    assert len({g.digest for g in (one, make_grid(*regular(6, 9)), make_grid(*rotated()), make_grid(*tripolar()))}) == 4
    assert Grid(one.lat, one.lon, one.lat_bounds, one.lon_bounds, ("another note",)).digest == one.digest
    minus = Grid(one.lat, one.lon * 1.0, one.lat_bounds, np.where(one.lon_bounds == 0.0, -0.0, one.lon_bounds))
    assert minus.digest == one.digest
