"""Applied weights equal plain NumPy in float64, to the last bit whatever the chunks; masks follow xESMF's rule."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cuts, seeds

from spread.operators import Separable, Sparse, factors, fold_mask, remap
from spread.operators import remap_kernels as kernels

sizes = st.integers(1, 45)  # fewer and more than a tile has lanes
holes = st.sampled_from(["none", "some", "fixed", "blocks", "all"])
shares = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])
dtypes = st.sampled_from([np.float32, np.float64])


def dense(matrix):
    made = np.zeros(matrix.shape)
    made[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return made


def sparse(full):
    rows, columns = np.nonzero(full)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=full.shape[0]))])
    return Sparse(indptr, columns, full[rows, columns], full.shape)


def random_matrix(rng, rows, columns, normalised=True):
    """Most rows with a few sources, some with many, some with none; eighths, so that thresholds are met exactly."""
    full = rng.integers(1, 9, (rows, columns)) / 8.0
    full[rng.random(full.shape) > rng.choice([0.0, 0.1, 0.5, 1.0], (rows, 1), p=[0.1, 0.5, 0.3, 0.1])] = 0.0
    total = full.sum(1, keepdims=True)
    return sparse(np.divide(full, total, out=full, where=(total > 0.0) & normalised))


def random_field(rng, steps, cells, missing, dtype=np.float64):
    field = rng.normal(280.0, 20.0, (steps, cells))
    absent = {
        "none": np.zeros_like(field, bool),
        "some": rng.random(field.shape) < 0.3,
        "fixed": np.broadcast_to(rng.random(cells) < 0.3, field.shape),
        "blocks": np.broadcast_to(np.arange(cells) // 7 % 2 == 0, field.shape),
        "all": np.ones_like(field, bool),
    }[missing]
    return np.where(absent, np.nan, field).astype(dtype)


def oracle(field, full, skipna=True, na_thres=1.0):
    """Plain NumPy, float64, one dense product for sums and one for weights."""
    field = field.astype(np.float64)
    there = ~np.isnan(field)
    used = (full != 0.0).astype(float)
    sums, share = np.where(there, field, 0.0) @ full.T, np.ones((field.shape[0], full.shape[0]))
    with np.errstate(invalid="ignore", divide="ignore"):
        if skipna:
            share = (there @ full.T) / full.sum(1)
            bad = ~(share >= np.clip(1.0 - na_thres, 1e-6, 1.0 - 1e-6) - 1e-12)
        else:
            bad = (~there) @ used.T > 0
        sums /= share
    sums[bad | (used.sum(1) == 0)] = np.nan
    return sums


def assert_near(found, expected):
    """Float32 within one unit in the last place of the oracle's, float64 within 1e-13."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    if found.dtype == np.float32:
        rounded = expected.astype(np.float32)
        with np.errstate(invalid="ignore"):
            off = np.abs(found - rounded) / np.spacing(np.abs(rounded))
        assert not (off > 1.0).any()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@settings(deadline=None, max_examples=150)
@given(seeds, sizes, sizes, st.integers(0, 40), holes, shares, dtypes, st.booleans(), st.booleans())
def test_it_equals_plain_numpy(seed, rows, columns, steps, missing, na_thres, dtype, skipna, normalised):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(rng, rows, columns, normalised)
    field = random_field(rng, steps, columns, missing, dtype)
    before = field.copy()
    found = remap(field, matrix, skipna=skipna, na_thres=na_thres)
    assert found.dtype == dtype
    assert_near(found, oracle(field, dense(matrix), skipna, na_thres))
    np.testing.assert_array_equal(field, before)


@settings(deadline=None, max_examples=60)
@given(seeds, sizes, sizes, holes, shares, dtypes, st.booleans(), cuts(37), st.booleans())
def test_bits_do_not_depend_on_chunks_or_threads(seed, rows, columns, missing, na_thres, dtype, skipna, split, parted):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(rng, rows, columns)
    if parted:
        matrix = Separable(random_matrix(rng, 3, 5), random_matrix(rng, rows, columns))
    field = random_field(rng, 37, matrix.shape[1], missing, dtype)
    how = {"skipna": skipna, "na_thres": na_thres}
    whole = remap(field, matrix, **how)
    parts = [remap(part, matrix, **how) for part in np.split(field, np.cumsum(split)[:-1])]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole, remap(field, matrix, threads=3, **how))
    turned = np.asfortranarray(field)  # is copied a few steps at a time
    np.testing.assert_array_equal(whole, remap(turned, matrix, threads=2, **how))
    np.testing.assert_array_equal(whole, remap(field[::-1], matrix, **how)[::-1])


@settings(deadline=None, max_examples=40)
@given(seeds, sizes, sizes, st.integers(0, 33), holes, shares, dtypes, st.booleans())
def test_without_numba_the_bits_are_the_same(seed, rows, columns, steps, missing, na_thres, dtype, skipna):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(rng, rows, columns)
    field = random_field(rng, steps, columns, missing, dtype)
    compiled = remap(field, matrix, skipna=skipna, na_thres=na_thres)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "compiled", lambda kernel: None)
        plain = remap(field, matrix, skipna=skipna, na_thres=na_thres)
    np.testing.assert_array_equal(compiled, plain)


@settings(deadline=None, max_examples=100)
@given(seeds, sizes, sizes, st.integers(1, 40), shares, dtypes)
def test_a_folded_mask_is_the_same_as_a_masked_field(seed, rows, columns, steps, na_thres, dtype):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(rng, rows, columns, normalised=bool(seed % 2))
    field = random_field(rng, steps, columns, "fixed", dtype)
    masked = remap(field, matrix, na_thres=na_thres)
    folded = remap(field, fold_mask(matrix, ~np.isnan(field[0]), na_thres), skipna=False)
    assert_near(folded, masked.astype(np.float64))
    full = np.nan_to_num(field, nan=1e30)  # what the mask hides has no weight at all
    np.testing.assert_array_equal(folded, remap(full, fold_mask(matrix, ~np.isnan(field[0]), na_thres)))


@settings(deadline=None, max_examples=100)
@given(seeds, sizes, sizes, sizes, st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), holes, shares, dtypes,
       st.booleans())  # fmt: skip
def test_rows_then_columns_equal_the_product(seed, tx, sy, sx, ty, normal, steps, missing, na_thres, dtype, skipna):
    rng = np.random.default_rng(seed)
    parted = Separable(random_matrix(rng, ty, sy, normal > 2), random_matrix(rng, tx, sx, normal > 2))
    full = np.kron(dense(parted.rows), dense(parted.columns))
    np.testing.assert_array_equal(dense(parted.product), full)
    assert parted.shape == full.shape
    field = random_field(rng, steps, sy * sx, missing, dtype)
    if missing == "fixed" and steps > 2:
        field[2] = random_field(rng, 1, sy * sx, "some", dtype)[0]  # the mask changes, and changes back
    found = remap(field, parted, skipna=skipna, na_thres=na_thres)
    assert_near(found, oracle(field, full, skipna, na_thres))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "compiled", lambda kernel: None)
        assert_near(remap(field, parted, skipna=skipna, na_thres=na_thres), oracle(field, full, skipna, na_thres))


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(1, 9), sizes, st.integers(1, 9), sizes)
def test_a_product_is_taken_apart_again(seed, ty, tx, sy, sx):
    rng = np.random.default_rng(seed)
    product = Separable(random_matrix(rng, ty, sy), random_matrix(rng, tx, sx)).product
    parted = factors(product, (sy, sx), (ty, tx))
    if not product.indices.size:
        assert parted is None
        return
    np.testing.assert_allclose(dense(parted.product), dense(product), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(dense(parted.product) != 0, dense(product) != 0)


def test_what_is_no_product_is_left_together():
    rng = np.random.default_rng(2)
    product = Separable(random_matrix(rng, 4, 5), random_matrix(rng, 6, 7)).product
    for change in (1e-9, None):
        data = product.data.copy()
        full = dense(product)
        if change:
            data[3] += change
            other = Sparse(product.indptr, product.indices, data, product.shape)
        else:
            full[np.nonzero(full)[0][0], np.nonzero(full)[1][0]] = 0.0
            other = sparse(full)
        assert factors(other, (5, 7), (4, 6)) is None


def test_half_is_half_whatever_the_rounding():
    """Ten weights of a tenth add up to less than one, five of them to a half exactly: five missing is not too many."""
    matrix = sparse(np.full((1, 10), 0.1))
    for absent in (range(5), range(5, 10), range(0, 10, 2)):
        field = np.ones((20, 10), np.float32)
        field[:, list(absent)] = np.nan
        assert (remap(field, matrix, na_thres=0.5) == 1.0).all()
        field[:, (set(range(10)) - set(absent)).pop()] = np.nan
        assert np.isnan(remap(field, matrix, na_thres=0.5)).all()


def test_the_rule_of_xesmf():
    """One of four equal sources is missing: kept from na_thres 0.25 on; all missing is missing even at 1."""
    matrix = sparse(np.full((1, 4), 0.25))
    field = np.array([[1.0, 2.0, 6.0, np.nan], [np.nan] * 4])
    assert np.isnan(remap(field, matrix, na_thres=0.2)).all()
    assert remap(field, matrix, na_thres=0.25)[0, 0] == 3.0
    assert np.isnan(remap(field, matrix, na_thres=1.0)[1, 0])
    assert np.isnan(remap(field, matrix, skipna=False)).all()


def test_a_complete_field_is_the_same_with_and_without_skipna():
    rng = np.random.default_rng(0)
    matrix = random_matrix(rng, 30, 40, normalised=False)  # as dstarea: sums of weights are not 1
    field = random_field(rng, 20, 40, "none", np.float32)
    for na_thres in (0.0, 0.5, 1.0):
        np.testing.assert_array_equal(remap(field, matrix, na_thres=na_thres), remap(field, matrix, skipna=False))


def test_what_a_target_does_not_use_may_be_missing_or_infinite():
    matrix = sparse(np.eye(20))
    field = np.arange(20.0)[None] + np.zeros((17, 1))
    field[:, 3], field[:, 5] = np.nan, np.inf
    for skipna in (True, False):
        np.testing.assert_array_equal(remap(field, matrix, skipna=skipna), field)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "i2", "f2", "?"])
def test_other_types_become_native_floats(dtype):
    rng = np.random.default_rng(1)
    matrix = random_matrix(rng, 18, 20)
    field = rng.integers(0, 2, (17, 20)).astype(dtype)
    found = remap(field, matrix)
    assert found.dtype == (np.float32 if dtype[1:] == "f4" else np.float64)
    assert_near(found, oracle(field, dense(matrix)))


def test_any_leading_dimensions_and_a_grid_of_two():
    rng = np.random.default_rng(1)
    matrix = random_matrix(rng, 18, 20)
    field = random_field(rng, 6, 20, "some")
    expected = remap(field, matrix)
    np.testing.assert_array_equal(remap(field[0], matrix), expected[0])
    np.testing.assert_array_equal(remap(field.reshape(2, 3, 4, 5), matrix, space=2), expected.reshape(2, 3, 18))
    spread_out = np.moveaxis(np.moveaxis(field.reshape(2, 3, 4, 5), 1, 3).copy(), 3, 1)
    np.testing.assert_array_equal(remap(spread_out, matrix, space=2), expected.reshape(2, 3, 18))
    np.testing.assert_array_equal(remap(spread_out[0, 0], matrix, space=2), expected[0])
    assert remap(field[:0], matrix).shape == (0, 18)


def test_what_is_wrong_is_said():
    matrix = sparse(np.eye(3))
    with pytest.raises(ValueError, match=r"must hold 3 cells, got \(2, 4\)"):
        remap(np.zeros((2, 4)), matrix)
    with pytest.raises(ValueError, match=r"na_thres must be a share of weight, 0..1, got 50"):
        remap(np.zeros((2, 3)), matrix, na_thres=50)
    with pytest.raises(TypeError, match="must be real numbers, got complex128"):
        remap(np.zeros((2, 3), complex), matrix)
    with pytest.raises(ValueError, match="mask must have 3 cells"):
        fold_mask(matrix, np.ones(4, bool), 1.0)


def test_no_matrix_reads_beyond_the_field():
    with pytest.raises(ValueError, match=r"indices must lie in 0..2, got 1..7; data must be 2 finite weights"):
        Sparse([0, 1, 2], [1, 7], [1.0, np.nan], (2, 3))
    with pytest.raises(ValueError, match="indptr must rise from 0 to 2 in 4 steps"):
        Sparse([0, 1], [1, 2], [1.0, 1.0], (3, 3))
    with pytest.raises(ValueError, match="indices must rise within a row"):
        Sparse([0, 2, 3], [1, 1, 0], [1.0, 1.0, 1.0], (2, 3))


def test_a_matrix_travels_and_is_known_by_its_digest():
    rng = np.random.default_rng(1)
    matrix = random_matrix(rng, 18, 20)
    remap(np.zeros((16, 20)), matrix)  # makes its plan
    again = pickle.loads(pickle.dumps(matrix))
    assert "_tiles" in vars(matrix)
    assert "_tiles" not in vars(again)
    assert again.digest == matrix.digest
    other = Sparse(matrix.indptr, matrix.indices, matrix.data * 2, matrix.shape)
    assert other.digest != matrix.digest
    parted = Separable(matrix, other)
    assert pickle.loads(pickle.dumps(parted)).digest == parted.digest != Separable(other, matrix).digest
    with pytest.raises(ValueError, match="read-only"):
        matrix.data[0] = 1.0


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("holes", ["none", "fixed"])
def test_temporaries_stay_small(holes, turned):
    """Beside the result, half of the input at most: no second copy of the field, of its mask, or in float64."""
    rng = np.random.default_rng(1)
    full = np.kron(np.eye(20), np.full((1, 400), 1 / 400))
    parted = Separable(
        sparse(np.kron(np.eye(8), np.full((1, 10), 0.1))), sparse(np.kron(np.eye(10), np.full((1, 10), 0.1)))
    )
    field = random_field(rng, 800, 8000, holes, np.float32)
    field = np.asfortranarray(field) if turned else field
    for matrix in (sparse(full), parted):
        remap(field[:20], matrix)
        tracemalloc.start()
        found = remap(field, matrix)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - found.nbytes < 0.5 * field.nbytes
