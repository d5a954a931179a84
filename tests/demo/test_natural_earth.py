import numpy as np
import pytest

from spread.natural_earth import coastlines, land_fraction, land_fraction_at
from spread.natural_earth.derive import inside, unwrapped


def edges(nlat: int, nlon: int, west: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(-90, 90, nlat + 1), west + np.linspace(0, 360, nlon + 1)


def sphere_mean(field: np.ndarray, lat_edges: np.ndarray) -> float:
    return float(np.abs(np.diff(np.sin(np.deg2rad(lat_edges)))) @ field.mean(1) / 2)


def test_global_fraction():
    assert land_fraction([[-90, 90]], [[0, 360]])[0, 0] == pytest.approx(0.29, abs=0.005)


@pytest.mark.parametrize(
    ("nlat", "nlon", "west"), [(180, 360, 0.0), (18, 36, 0.0), (7, 11, -180.0), (19, 24, -7.5), (64, 128, 0.31)]
)
def test_area_mean_is_the_same_on_every_grid(nlat, nlon, west):
    lat, lon = edges(nlat, nlon, west)
    assert sphere_mean(land_fraction(lat, lon), lat) == pytest.approx(
        land_fraction([[-90, 90]], [[0, 360]])[0, 0], abs=1e-12
    )


def test_order_and_range_of_bounds_do_not_matter():
    lat, lon = edges(12, 24)
    field = land_fraction(lat, lon)
    np.testing.assert_allclose(land_fraction(lat[::-1], lon)[::-1], field, atol=1e-12)
    np.testing.assert_allclose(land_fraction(np.stack([lat[1:], lat[:-1]], 1), lon), field, atol=1e-12)
    np.testing.assert_allclose(land_fraction(lat, lon - 180.0)[:, 12:], field[:, :12], atol=1e-12)
    np.testing.assert_allclose(land_fraction(lat, lon + 720.0), field, atol=1e-12)


def test_cell_across_greenwich():
    whole = land_fraction([[10, 20]], [[-5, 5]])
    halves = land_fraction([[10, 20]], [[355, 360], [0, 5]])
    np.testing.assert_allclose(whole[0, 0], halves.mean(), atol=1e-12)
    np.testing.assert_allclose(land_fraction([[10, 20]], [[355, 5]]), whole, atol=1e-12)


def test_bad_bounds_are_refused():
    with pytest.raises(ValueError, match="lat_bounds"):
        land_fraction(np.zeros((3, 4)), [[0, 1]])
    with pytest.raises(ValueError, match="positive size"):
        land_fraction([[10, 10]], [[0, 1]])


def test_known_places():
    lat = np.array([[55.7, 38.5, -24.0, -80.0, 72.0], [0.0, 30.0, -60.0, 40.0, 88.0]])
    lon = np.array([[37.6, -98.0, 134.0, 0.0, -40.0], [-30.0, 200.0, 0.0, 310.0, 0.0]])
    at = land_fraction_at(lat, lon)
    assert at.shape == (2, 5)
    assert (at[0] > 0.99).all()
    assert (at[1] < 0.01).all()


def test_points_agree_with_cells():
    lat, lon = np.meshgrid(np.arange(-89.5, 90), np.arange(0.5, 360), indexing="ij")
    np.testing.assert_allclose(land_fraction_at(lat, lon - 360), land_fraction(*edges(180, 360)), atol=1e-9)


def test_against_the_polygon_of_australia():
    ring = next(
        line for line in coastlines() if line[:, 1].max() < -10 and 110 < line[:, 0].min() < 120 and len(line) > 50
    )
    lat, lon = np.arange(-45, -5, 0.25) + 0.125, np.arange(105, 160, 0.25) + 0.125
    sampled = inside([ring], lat, lon)
    near = land_fraction(np.append(lat - 0.125, lat[-1] + 0.125), np.append(lon - 0.125, lon[-1] + 0.125))
    assert near[sampled].mean() > 0.95
    assert near[(lat < -12)[:, None] & (lat > -38)[:, None] & ~sampled & (lon < 145)].mean() < 0.05


def test_even_odd_rule_and_polar_ring():
    square = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10], [0, 0]])
    hole = np.array([[4.0, 4], [4, 6], [6, 6], [6, 4], [4, 4]])
    assert inside([square, hole], np.array([1.0, 5.0, 12.0]), np.array([-1.0, 5.0, 9.0])).tolist() == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]
    polar = np.array([[-170.0, -70], [-60, -70], [60, -70], [170, -70], [-170, -70]])
    assert np.ptp(unwrapped(polar)[:, 0]) == pytest.approx(360)
    assert inside([polar], np.array([-80.0, -60.0]), np.array([-179.0, 0.0, 179.0])).tolist() == [
        [True] * 3,
        [False] * 3,
    ]


def test_coastlines_do_not_cross_the_antimeridian():
    lines = coastlines()
    assert len(lines) > 100
    assert all(line.shape[1] == 2 and np.abs(np.diff(line[:, 0])).max() < 180 for line in lines)
