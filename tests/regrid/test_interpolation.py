"""Bilinear weights are exact on what is linear and of second order on what is not; the nearest cell is the nearest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rotated import rotated
from scipy.sparse import csr_array
from tripolar import tripolar, with_halo

from spread.grids import Grid, make_grid, regular, unit_vectors
from spread.regrid import make_weights


def applied(weights, values):
    made = weights.matrix
    return csr_array((made.data, made.indices, made.indptr), made.shape) @ values


def smooth(lat, lon):
    """A field without a singular point: a polynomial in x, y, z."""
    x, y, z = np.moveaxis(unit_vectors(lat, lon), -1, 0)
    return 1.0 + x + 2.0 * y - z + 3.0 * x * z


def test_bilinear_is_exact_on_linear_functions_of_latitude_and_longitude():
    source = make_grid(np.linspace(30.0, 60.0, 13)[::-1], np.linspace(350.0, 390.0, 17) % 360.0)
    target = make_grid(np.linspace(31.0, 59.0, 24), np.linspace(352.0, 388.0, 31))
    east = lambda lon: (lon + 180.0) % 360.0 - 180.0  # noqa: E731 - across longitude 0
    lat, lon = source.centres()
    made = applied(make_weights(source, target, "bilinear"), 3.0 + 2.0 * lat - 0.5 * east(lon))
    lat, lon = target.centres()
    np.testing.assert_allclose(made, 3.0 + 2.0 * lat - 0.5 * east(lon), rtol=1e-13)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 20), st.integers(3, 20), st.floats(-400.0, 400.0), st.booleans(), st.booleans(), st.booleans())
def test_bilinear_goes_round_and_ends_at_the_last_row(rows, columns, start, falling, westward, two_dimensions):
    lon = start + 360.0 / columns * np.arange(columns)
    lat = (np.arange(rows) + 0.5) * 180.0 / rows - 90.0
    source = make_grid(lat[::-1] if falling else lat, lon[::-1] if westward else lon)
    target = make_grid(*rotated(9, 14)) if two_dimensions else regular("7.5x3")
    weights = make_weights(source, target, "bilinear")
    assert weights.engine == ("spherical" if two_dimensions else "exact")
    np.testing.assert_allclose(applied(weights, np.ones(source.void.size)), 1.0, rtol=1e-14)
    assert weights.matrix.data.min() >= 0.0
    # linear in latitude, held at the last rows
    to_lat, to_lon = target.centres()
    made = applied(weights, source.centres()[0])
    np.testing.assert_allclose(made, np.clip(to_lat, lat[0], lat[-1]), atol=1e-10)
    # linear in longitude between two neighbours, round the circle
    at = (to_lon - start) * columns / 360.0 % columns
    low = np.floor(at).astype(int) % columns
    of_column = np.random.default_rng(0).random(columns)
    field = np.broadcast_to(of_column[::-1] if westward else of_column, source.shape).ravel()
    expected = of_column[low] * (1 - at % 1) + of_column[(low + 1) % columns] * (at % 1)
    np.testing.assert_allclose(applied(weights, field), expected, atol=1e-9)


def test_beyond_a_regional_grid_there_is_nothing():
    source = make_grid(np.linspace(32.5, 57.5, 6), np.linspace(2.5, 37.5, 8))  # cells reach 30..60, 0..40
    for method in ("bilinear", "nearest", "conservative"):
        weights = make_weights(source, regular("1"), method)
        lat, lon = regular("1").centres()
        inside = (lat > 30) & (lat < 60) & (lon < 40)
        if method == "nearest":  # as far as the corners of a cell, no farther
            assert weights.frac[inside].all()
            assert not weights.frac[(lat < 25) | (lat > 65) | ((lon > 47) & (lon < 353))].any()
        else:
            np.testing.assert_array_equal(weights.frac > 0, inside)
        assert np.isin(np.diff(weights.matrix.indptr) > 0, [True, False]).all()
        np.testing.assert_array_equal(np.diff(weights.matrix.indptr) > 0, weights.frac > 0)


@pytest.mark.parametrize("halo", [False, True])
def test_bilinear_on_a_tripolar_grid_is_of_second_order(halo):
    errors = []
    for size in (1, 2, 4):
        arrays = tripolar(30 * size, 36 * size, 6 * size)
        source = make_grid(*(with_halo(*arrays) if halo else arrays))
        target = make_grid(np.linspace(-81.0, 87.0, 29), np.arange(0.0, 360.0, 8.0))  # 80 E: where the columns meet
        weights = make_weights(source, target, "bilinear")
        assert (weights.frac == 1.0).all()
        assert not np.isin(weights.matrix.indices, np.flatnonzero(source.repeated)).any(), "a halo is never read"
        lat, lon = target.centres()
        off = np.abs(applied(weights, smooth(*source.centres())) - smooth(lat, lon))
        errors.append(off[lat > -80.0].max())  # south of the last row the nearest cell is taken
    assert errors[0] / errors[1] > 3.0
    assert errors[1] / errors[2] > 3.0
    assert errors[2] < 2e-3


def test_bilinear_at_a_centre_takes_that_cell():
    source = make_grid(*rotated())
    weights = make_weights(source, source, "bilinear")
    np.testing.assert_allclose(applied(weights, np.arange(648.0)), np.arange(648.0), atol=1e-6)


@pytest.mark.parametrize("engine", ["exact", "spherical"])
def test_the_nearest_cell_is_the_nearest(engine):
    source = regular("12x9") if engine == "exact" else make_grid(*tripolar(20, 30, 4))
    target = make_grid(np.array([-88.0, -31.0, 0.3, 45.7, 89.9]), np.linspace(1.3, 300.0, 11))
    weights = make_weights(source, target, "nearest")
    assert weights.engine == engine
    to, of = unit_vectors(*target.centres()), unit_vectors(*source.centres())
    distance = np.linalg.norm(to[:, None] - of[None], axis=-1)
    chosen = distance[np.arange(len(to)), weights.matrix.indices]
    np.testing.assert_allclose(chosen, distance.min(1), rtol=1e-9)


def test_of_cells_equally_near_the_first_is_taken():
    source = regular("10")
    target = Grid(np.array([0.0]), np.array([0.0]), np.array([[-5.0, 5.0]]), np.array([[-5.0, 5.0]]))
    cells = make_weights(source, target, "nearest").matrix.indices
    assert cells.tolist() == [8 * 36]  # 5 S, 5 E before 5 S, 355 E and the two of the north
