"""The loops that apply regridding weights, written for numba's compiler (imported when they are first used).

Every sum runs over the sources of one target cell in their order, in float64, without fused or regrouped operations:
the same bits come out however many steps are given at once, on every processor. A processor's vector lanes hold steps
(:func:`csr_tiles`) or columns (the separable kernels), never parts of one sum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LANES = 16
"""Steps, cells and targets of a tile: 16 float32 are one cache line, and two registers of AVX-512 in float64."""

Array = NDArray[Any]


@cache
def compiled(kernel: Callable[..., None]) -> Callable[..., None] | None:
    """A kernel as machine code that releases the interpreter's lock.

    Parameters
    ----------
    kernel : callable
        One of this module.

    Returns
    -------
    callable or None
        None where numba is not installed.
    """
    try:
        import numba
    except ImportError:
        return None
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(kernel)
    except RuntimeError:  # no folder may be written to: compiled anew in each process
        return numba.njit(nogil=True, error_model="numpy")(kernel)


def csr_steps(
    field: Array, out: Array, indptr: Array, indices: Array, data: Array, totals: Array, skipna: bool, limit: float
) -> None:
    """Apply a sparse matrix to one step after the other, for calls with fewer steps than a tile has lanes."""
    for step in range(field.shape[0]):
        for row in range(indptr.size - 1):
            total = 0.0
            if not skipna:
                for k in range(indptr[row], indptr[row + 1]):
                    total += data[k] * field[step, indices[k]]
                out[step, row] = total
                continue
            present = 0.0
            for k in range(indptr[row], indptr[row + 1]):
                value = field[step, indices[k]]
                if value == value:
                    total += data[k] * value
                    present += data[k]
            valid = 1.0 if present == totals[row] else present / totals[row]
            out[step, row] = total / valid if limit <= valid and valid < np.inf else np.nan


def csr_tiles(
    field: Array, out: Array, indptr: Array, local: Array, data: Array, starts: Array, strips: Array, groups: Array,
    cells: Array,
) -> None:  # fmt: skip
    """Apply a sparse matrix, tile by tile: the steps of a tile lie side by side, so that a weight serves all at once.

    A block of target cells needs strips of ``LANES`` source cells; these are turned into ``cells`` (cell, step), which
    the cache holds while the block's sums are made. The last tile and group overlap those before rather than be short.
    """
    sums, turned = np.empty(LANES), np.empty((LANES, LANES), field.dtype)
    for tile in range((field.shape[0] + LANES - 1) // LANES):
        first = min(tile * LANES, field.shape[0] - LANES)
        for block in range(groups.size - 1):
            for s in range(strips[block], strips[block + 1]):
                start, to = starts[s], (s - strips[block]) * LANES
                for t in range(LANES):
                    for c in range(LANES):
                        cells[to + c, t] = field[first + t, start + c]
            for group in range(groups[block], groups[block + 1]):
                head = min(group * LANES, out.shape[1] - LANES)
                for r in range(LANES):
                    k, stop = indptr[head + r], indptr[head + r + 1]
                    for t in range(LANES):
                        sums[t] = 0.0
                    while k + 3 < stop:  # four at a time, added one by one: sums stay in registers
                        w0, w1, w2, w3 = data[k], data[k + 1], data[k + 2], data[k + 3]
                        x0, x1, x2, x3 = cells[local[k]], cells[local[k + 1]], cells[local[k + 2]], cells[local[k + 3]]
                        for t in range(LANES):
                            sums[t] = sums[t] + w0 * x0[t] + w1 * x1[t] + w2 * x2[t] + w3 * x3[t]
                        k += 4
                    while k + 1 < stop:
                        w0, w1, x0, x1 = data[k], data[k + 1], cells[local[k]], cells[local[k + 1]]
                        for t in range(LANES):
                            sums[t] = sums[t] + w0 * x0[t] + w1 * x1[t]
                        k += 2
                    if k < stop:
                        w0, x0 = data[k], cells[local[k]]
                        for t in range(LANES):
                            sums[t] = sums[t] + w0 * x0[t]
                    for t in range(LANES):
                        turned[r, t] = sums[t]
                for t in range(LANES):
                    for r in range(LANES):
                        out[first + t, head + r] = turned[r, t]


def csr_tiles_skipna(
    field: Array, out: Array, indptr: Array, local: Array, data: Array, starts: Array, strips: Array, groups: Array,
    cells: Array, totals: Array, limit: float,
) -> None:  # fmt: skip
    """As :func:`csr_tiles`, leaving out what is missing: sums and the weight that is there, in one pass.

    Most masks, such as the sea of a land field, do not change within a tile. Then the weight is counted once for all of
    its steps, and missing cells are zeros; only a block with a cell that is missing in some steps counts in each.
    """
    sums, weight, turned = np.empty(LANES), np.empty(LANES), np.empty((LANES, LANES), field.dtype)
    there, count = np.empty(cells.shape[0]), np.empty(LANES, np.int32)
    for tile in range((field.shape[0] + LANES - 1) // LANES):
        first = min(tile * LANES, field.shape[0] - LANES)
        for block in range(groups.size - 1):
            complete, mixed = True, False
            for s in range(strips[block], strips[block + 1]):
                start, to = starts[s], (s - strips[block]) * LANES
                count[:] = 0
                for t in range(LANES):
                    for c in range(LANES):
                        count[c] += field[first + t, start + c] == field[first + t, start + c]
                    for c in range(LANES):
                        cells[to + c, t] = field[first + t, start + c]
                for c in range(LANES):
                    there[to + c] = count[c] > 0
                    complete, mixed = complete and count[c] == LANES, mixed or 0 < count[c] < LANES
            for c in range(0 if complete or mixed else (strips[block + 1] - strips[block]) * LANES):
                if there[c] == 0.0:
                    cells[c] = 0.0
            for group in range(groups[block], groups[block + 1]):
                head = min(group * LANES, out.shape[1] - LANES)
                for r in range(LANES):
                    k, stop, total, valid, present = indptr[head + r], indptr[head + r + 1], totals[head + r], 1.0, 0.0
                    sums[:] = weight[:] = 0.0
                    if mixed:
                        for i in range(k, stop):
                            w, x = data[i], cells[local[i]]
                            for t in range(LANES):
                                sums[t] += w * x[t] if x[t] == x[t] else 0.0
                                weight[t] += w if x[t] == x[t] else 0.0
                        for t in range(LANES):
                            share = weight[t] / total
                            weight[t] = 1.0 if weight[t] == total else share
                        for t in range(LANES):
                            mean = sums[t] / weight[t]
                            sums[t] = mean if (limit <= weight[t]) & (weight[t] < np.inf) else np.nan
                        k = stop
                    elif not complete:
                        for i in range(k, stop):
                            present += data[i] * there[local[i]]
                        valid = 1.0 if present == total else present / total
                        valid, stop = (valid, stop) if limit <= valid and valid < np.inf else (np.nan, k)
                    while k + 1 < stop:
                        w0, w1, x0, x1 = data[k], data[k + 1], cells[local[k]], cells[local[k + 1]]
                        for t in range(LANES):
                            sums[t] = sums[t] + w0 * x0[t] + w1 * x1[t]
                        k += 2
                    if k < stop:
                        for t in range(LANES):
                            sums[t] = sums[t] + data[k] * cells[local[k], t]
                    for t in range(LANES):
                        turned[r, t] = sums[t] / valid
                for t in range(LANES):
                    for r in range(LANES):
                        out[first + t, head + r] = turned[r, t]


def separable(
    field: Array, out: Array, indptr: Array, indices: Array, data: Array, taps: Array, weights: Array
) -> None:
    """Apply a matrix for rows, then one for columns; ``field`` is (step, row, column), ``out`` (step, row, column).

    The sums over rows of one target row stay in the cache. Column ``j`` of a target row is the sum over ``k`` of
    ``weights[k, j]`` times the cell ``taps[k, j]``; where it has fewer sources, they point at a zero beyond the last.
    """
    columns, targets = field.shape[2], taps.shape[1]
    across, sums = np.zeros(columns + 1), np.empty(targets)
    for step in range(field.shape[0]):
        for row in range(indptr.size - 1):
            across[:columns] = 0.0
            for k in range(indptr[row], indptr[row + 1]):
                w, source = data[k], field[step, indices[k]]
                if k == indptr[row]:
                    for c in range(columns):
                        across[c] = w * source[c]
                else:
                    for c in range(columns):
                        across[c] += w * source[c]
            for j in range(targets):
                sums[j] = weights[0, j] * across[taps[0, j]] + weights[1, j] * across[taps[1, j]]
            for k in range(2, taps.shape[0]):
                for j in range(targets):
                    sums[j] += weights[k, j] * across[taps[k, j]]
            for j in range(targets):
                out[step, row, j] = sums[j]


def separable_skipna(
    field: Array, out: Array, indptr: Array, indices: Array, data: Array, taps: Array, weights: Array, totals: Array,
    limit: float,
) -> None:  # fmt: skip
    """As :func:`separable`, leaving out what is missing.

    Only target rows that miss a source are counted, and only where the mask is another than in the step before.
    """
    columns, targets = field.shape[2], taps.shape[1]
    across, there = np.zeros(columns + 1), np.zeros(columns + 1)
    sums, weight = np.empty(targets), np.empty(targets)
    seen, valid = np.ones(field.shape[1:], np.bool_), np.ones(out.shape[1:])
    whole, same = np.empty(field.shape[1], np.bool_), np.empty(field.shape[1], np.bool_)
    for step in range(field.shape[0]):
        for i in range(field.shape[1]):
            missing, other = 0, 0
            for c in range(columns):
                is_there = field[step, i, c] == field[step, i, c]
                missing += not is_there
                other += is_there != seen[i, c]
                seen[i, c] = is_there
            whole[i], same[i] = missing == 0, other == 0
        for row in range(indptr.size - 1):
            complete, known = True, True
            across[:columns] = 0.0
            for k in range(indptr[row], indptr[row + 1]):
                complete, known = complete and whole[indices[k]], known and same[indices[k]]
            for k in range(indptr[row], indptr[row + 1]):
                w, source = data[k], field[step, indices[k]]
                if whole[indices[k]]:
                    for c in range(columns):
                        across[c] += w * source[c]
                else:
                    for c in range(columns):
                        across[c] += w * source[c] if source[c] == source[c] else 0.0
            for j in range(targets):
                sums[j] = weights[0, j] * across[taps[0, j]] + weights[1, j] * across[taps[1, j]]
            for k in range(2, taps.shape[0]):
                for j in range(targets):
                    sums[j] += weights[k, j] * across[taps[k, j]]
            if not known:
                there[:columns] = 0.0
                for k in range(indptr[row], indptr[row + 1]):
                    w, source = data[k], field[step, indices[k]]
                    for c in range(columns):
                        there[c] += w if source[c] == source[c] else 0.0
                for j in range(targets):
                    weight[j] = weights[0, j] * there[taps[0, j]] + weights[1, j] * there[taps[1, j]]
                for k in range(2, taps.shape[0]):
                    for j in range(targets):
                        weight[j] += weights[k, j] * there[taps[k, j]]
                for j in range(targets):
                    share = weight[j] / totals[row, j]
                    share = 1.0 if weight[j] == totals[row, j] else share
                    valid[row, j] = share if (limit <= share) & (share < np.inf) else np.nan
            for j in range(targets):
                out[step, row, j] = sums[j] if complete else sums[j] / valid[row, j]
