"""Corners in any order, cells without coordinates, halos and folds; and the grids that are regridded to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rotated import rotated
from synthetic import SPHERE, regular, total
from tripolar import tripolar, with_halo

from spread.grids import (
    EARTH_RADIUS,
    Grid,
    make_grid,
    polygon_area,
    quadrilateral_area,
    unit_vectors,
)
from spread.grids import regular as target_grid


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
