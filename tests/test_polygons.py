"""Shares of cells in polygons: closed forms, boxes, conservation, and shapely's clipping as an oracle."""

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import latitude_edges, longitude_edges, seeds
from synthetic import regular

from spread.grids import EARTH_RADIUS, Grid, make_grid, share_in_polygons
from spread.outlines import is_sound, united

GRID = make_grid(*regular(12, 16))


def of_edges(lat, lon):
    """A rectilinear grid between edges."""
    bounds = [np.stack([edges[:-1], edges[1:]], 1) for edges in (lat, lon)]
    return Grid(bounds[0].mean(1), bounds[1].mean(1) % 360.0, *bounds)


grids = st.builds(of_edges, latitude_edges(), longitude_edges())


def box(south, north, west, east):
    return [[(west, south), (east, south), (east, north), (west, north), (west, south)]]


def star(seed, points=9, centre=None):
    """A ring round a centre, most often with hollows, kept off the poles."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(-180, 180), rng.uniform(-50, 50)
    lon, lat = centre or (lon, lat)
    angle = np.sort(rng.uniform(0, 2 * np.pi, points))
    size = rng.uniform(2, 35, points)
    ring = np.stack([lon + 1.5 * size * np.cos(angle), lat + size * np.sin(angle)], 1)
    return [tuple(point) for point in ring.tolist()]


def clipped(grid, polygons):
    """Share of cells by cutting polygons with shapely, and densifying before latitude becomes its sine."""
    shape = shapely.multipolygons([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])
    share = np.zeros(grid.shape)
    for row, (south, north) in enumerate(np.sort(grid.lat_bounds, axis=1)):
        for column, (west, east) in enumerate(np.sort(grid.lon_bounds, axis=1)):
            for turn in (-720.0, -360.0, 0.0, 360.0, 720.0):
                cell = shapely.box(west + turn, south, east + turn, north)
                part = shapely.segmentize(shapely.intersection(shape, cell), 0.01)
                flat = shapely.transform(part, lambda xy: np.stack([xy[:, 0], np.sin(np.deg2rad(xy[:, 1]))], 1))
                whole = (east - west) * (np.sin(np.deg2rad(north)) - np.sin(np.deg2rad(south)))
                share[row, column] += flat.area / whole
    return share


def area_inside(grid, polygons):
    return (grid.area() * share_in_polygons(grid, polygons)).sum() / EARTH_RADIUS**2


@given(grids)
@settings(deadline=None, max_examples=30)
def test_a_triangle_from_the_equator_to_the_pole_has_one_steradian(grid):
    # western side lon = lat: integral of (pi/2 - x) cos x from 0 to pi/2
    triangle = [[[(0.0, 0.0), (90.0, 0.0), (90.0, 90.0), (0.0, 0.0)]]]
    assert area_inside(grid, triangle) == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize(("lat0", "lat1", "width"), [(0, 30, 40), (-80, 10, 120), (89, 90, 1), (-90, 90, 179)])
def test_a_right_triangle_has_the_area_of_its_integral(lat0, lat1, width):
    # with t the height above the base: width * integral of (1 - t / height) cos(lat0 + t)
    a, b = np.deg2rad([lat0, lat1])
    exact = np.deg2rad(width) * ((np.cos(a) - np.cos(b)) / (b - a) - np.sin(a))
    triangle = [[[(5.0, lat0), (5.0 + width, lat0), (5.0, lat1), (5.0, lat0)]]]
    for grid in (GRID, of_edges(np.linspace(-90, 90, 91), np.linspace(0, 360, 181))):
        assert area_inside(grid, united(triangle)) == pytest.approx(exact, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(grids, st.floats(-90, 85), st.floats(0.5, 180), st.floats(-180, 180), st.floats(0.5, 359.0))
@example(GRID, -90.0, 180.0, -180.0, 359.0)
@example(GRID, 0.0, 90.0, 170.0, 20.0)
def test_a_polygon_that_is_a_box_gives_the_shares_of_the_box(grid, south, height, west, width):
    north = min(90.0, south + height)
    points = [(west + step * width / 4, lat) for lat, steps in ((south, range(5)), (north, range(4, -1, -1)))
              for step in steps]  # fmt: skip
    made = share_in_polygons(grid, united([[points]]))
    np.testing.assert_allclose(made, grid.share_in_box((south, north), (west, west + width)), rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=12)
@given(seeds, st.integers(3, 12))
def test_shares_are_those_of_cutting_each_cell(seed, points):
    polygons = united([[star(seed, points)]])
    np.testing.assert_allclose(share_in_polygons(GRID, polygons), clipped(GRID, polygons), rtol=0, atol=2e-7)


@settings(deadline=None, max_examples=50)
@given(grids, seeds)
def test_the_area_inside_does_not_depend_on_the_grid(grid, seed):
    polygons = united([[star(seed)]])
    fine = of_edges(np.linspace(-90, 90, 37), np.linspace(-180, 180, 73))
    assert area_inside(grid, polygons) == pytest.approx(area_inside(fine, polygons), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(seeds, st.integers(0, 8), st.booleans(), st.sampled_from([-360.0, 0.0, 360.0]), st.booleans())
def test_where_a_ring_begins_which_way_it_runs_and_how_it_is_wrapped_change_nothing(seed, first, back, turn, wrap):
    ring = star(seed)
    other = ring[first:] + ring[:first]
    other = other[::-1] if back else other
    if wrap:  # as files have them that do not cut at the date line
        other = [((lon + 180.0) % 360.0 - 180.0, lat) for lon, lat in other]
    else:
        inside = min(lon for lon, _ in ring) + turn >= -540 and max(lon for lon, _ in ring) + turn <= 540
        other = [(lon + turn * inside, lat) for lon, lat in other]
    one, two = united([[ring]]), united([[[*other, other[0]]]])
    assert len(one) == len(two)
    np.testing.assert_allclose(share_in_polygons(GRID, one), share_in_polygons(GRID, two), rtol=0, atol=3e-12)
    if other == ring[first:] + ring[:first] or (back and turn == 0.0 and not wrap):
        assert one == two, "equal outlines are equal studies"


@settings(deadline=None, max_examples=50)
@given(seeds, seeds)
def test_what_is_united_can_be_written_and_read_back(one, two):
    assert is_sound(united([[star(one)], [star(two, points=5)]]))


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(0.2, 0.8))
def test_what_is_cut_in_two_adds_up(seed, at):
    whole = united([[star(seed)]])
    shape = shapely.multipolygons([shapely.Polygon(rings[0], rings[1:]) for rings in whole])
    west, south, east, north = shape.bounds
    cut = west + at * (east - west)
    halves = []
    for half in (shapely.box(west, south, cut, north), shapely.box(cut, south, east, north)):
        part = shapely.intersection(shape, half)
        polygons = [p for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
        halves.append(united([[list(p.exterior.coords)] for p in polygons]))
    total = sum(share_in_polygons(GRID, half) for half in halves)
    np.testing.assert_allclose(total, share_in_polygons(GRID, whole), rtol=0, atol=5e-12)


def test_a_hole_is_not_inside_whichever_way_it_runs():
    outer, hole = box(-40, 40, 0, 100)[0], box(-10, 25, 30, 70)[0]
    expected = GRID.share_in_box((-40, 40), (0, 100)) - GRID.share_in_box((-10, 25), (30, 70))
    for ring in (outer, outer[::-1]):
        for inner in (hole, hole[::-1]):
            np.testing.assert_allclose(share_in_polygons(GRID, [[ring, inner]]), expected, atol=1e-12)
            np.testing.assert_allclose(share_in_polygons(GRID, united([[ring, inner]])), expected, atol=1e-12)


def test_parts_that_overlap_count_once():
    parts = [box(-10, 10, 170, 190), box(-10, 10, -180, -160), box(0, 20, 175, 195)]
    expected = clipped(GRID, [box(-10, 10, 170, 200), box(10, 20, 175, 195)])
    np.testing.assert_allclose(share_in_polygons(GRID, united(parts)), expected, atol=1e-9)


def test_a_ring_that_crosses_itself_holds_both_loops():
    eight = [[(0, -30), (60, 30), (60, -30), (0, 30), (0, -30)]]
    loops = [[[(0, -30), (30, 0), (0, 30), (0, -30)]], [[(60, 30), (30, 0), (60, -30), (60, 30)]]]
    assert area_inside(GRID, united([eight])) == pytest.approx(area_inside(GRID, loops), rel=1e-11)


@pytest.mark.parametrize("pole", [1.0, -1.0])
@pytest.mark.parametrize("turn", [-1, 1])
@pytest.mark.parametrize("start", [-180.0, -90.0, 5.0, 120.0])
def test_a_ring_round_a_pole_holds_it(pole, turn, start):
    lon = start + turn * np.arange(0, 360, 30)
    ring = [((x + 180.0) % 360.0 - 180.0, 60.0 * pole) for x in lon]
    inner = [((x + 200.0) % 360.0 - 180.0, 80.0 * pole) for x in lon[::-1]]
    lats = {1.0: ((60, 90), (80, 90)), -1.0: ((-90, -60), (-90, -80))}[pole]
    cap, core = (GRID.share_in_box(lat, (0, 360)) for lat in lats)
    np.testing.assert_allclose(share_in_polygons(GRID, united([[ring]])), cap, atol=1e-12)
    np.testing.assert_allclose(share_in_polygons(GRID, united([[ring, inner]])), cap - core, atol=1e-12)


def test_a_side_once_round_is_taken_as_it_stands():
    tropics = united([[[(-180, -30), (180, -30), (180, 30), (-180, 30)]]])
    assert is_sound(tropics), "it can be written and read back"
    np.testing.assert_allclose(share_in_polygons(GRID, tropics), GRID.share_in_box((-30, 30), (0, 360)), atol=1e-12)


def test_a_side_that_hardly_rises_keeps_its_digits():
    rise = 1e-9
    wedge = [[[(0, 0), (100, 0), (100, 10 + rise), (0, 10), (0, 0)]]]
    grid = of_edges(np.array([-90.0, 0.0, 10.0, 90.0]), np.linspace(0, 360, 361))
    share = share_in_polygons(grid, wedge)
    np.testing.assert_allclose(share[1, :100], 1.0, atol=1e-12)
    np.testing.assert_allclose(share[2, :100], 0.0, atol=1e-9)
    np.testing.assert_array_equal(share[:, 100:], 0.0)


def test_rows_and_columns_may_run_either_way_and_from_anywhere():
    polygons = united([[star(5)], [star(6)]])
    lat, lon = np.linspace(-90, 90, 10), np.linspace(0, 360, 13)
    straight = share_in_polygons(of_edges(lat, lon), polygons)
    np.testing.assert_array_equal(share_in_polygons(of_edges(lat[::-1], lon), polygons), straight[::-1])
    np.testing.assert_array_equal(share_in_polygons(of_edges(lat, lon[::-1]), polygons), straight[:, ::-1])
    np.testing.assert_allclose(share_in_polygons(of_edges(lat, lon - 360.0), polygons), straight, atol=3e-12)
    halves = [share_in_polygons(of_edges(lat, lon[part]), polygons) for part in (slice(0, 6), slice(5, 13))]
    np.testing.assert_allclose(np.hstack(halves), straight, rtol=0, atol=3e-12)
    once = of_edges(lat, np.array([100.0, 460.0]))
    np.testing.assert_allclose(share_in_polygons(once, polygons)[:, 0], straight.mean(axis=1), atol=3e-12)


def test_shares_are_rounded_so_that_no_processor_shows():
    share = share_in_polygons(GRID, united([[star(1)]]))
    np.testing.assert_array_equal(share, np.round(share, 12))
    assert share.min() == 0.0
    assert share.max() <= 1.0
    assert not np.signbit(share).any()


def test_nothing_is_modified():
    points = np.array(star(3) + star(3)[:1])
    before = points.copy()
    share_in_polygons(GRID, [[points]])
    united([[points]])
    np.testing.assert_array_equal(points, before)


def curvilinear(lat, lon):
    bounds = np.repeat(lat[..., None], 4, -1), np.repeat(lon[..., None], 4, -1)
    return Grid(lat, lon % 360.0, *bounds)


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_a_cell_of_a_curvilinear_grid_is_in_with_its_centre(seed):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-90, 90, (30, 40)), rng.uniform(-180, 180, (30, 40))
    lat[3, :7] = lon[3, :7] = np.nan
    polygons = united([[star(seed)]])
    shape = shapely.multipolygons([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])
    with np.errstate(invalid="ignore"):
        expected = shapely.contains_xy(shape, lon, lat)
    np.testing.assert_array_equal(share_in_polygons(curvilinear(lat, lon), polygons), expected.astype(float))


def test_centres_on_a_shared_side_are_in_one_region_only():
    lat, lon = np.meshgrid(np.arange(-90.0, 91.0, 15.0), np.arange(-180.0, 181.0, 15.0), indexing="ij")
    grid = curvilinear(lat, lon)
    boxes = [box(s, s + 60, w, w + 90) for s in (-90, -30, 30) for w in (-180, -90, 0, 90)]
    np.testing.assert_array_equal(sum(share_in_polygons(grid, [b]) for b in boxes), 1.0)
    for b, (s, w) in zip(boxes, [(s, w) for s in (-90, -30, 30) for w in (-180, -90, 0, 90)], strict=True):
        np.testing.assert_array_equal(share_in_polygons(grid, [b]), grid.share_in_box((s, s + 60), (w, w + 90)))


def test_no_polygon_no_share():
    np.testing.assert_array_equal(share_in_polygons(GRID, ()), 0.0)
    np.testing.assert_array_equal(share_in_polygons(curvilinear(np.zeros((2, 2)), np.zeros((2, 2))), ()), 0.0)
