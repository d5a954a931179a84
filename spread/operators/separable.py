"""Weights between rectilinear grids as a product of weights for rows and weights for columns.

Cells of such grids share their latitudes along rows and longitudes along columns, so a weight is the product of two:
applied one after the other they cost far less than the matrix of all pairs, and no cell has to be moved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spread.operators import remap_kernels as kernels
from spread.operators.remap import Floats, Sparse

_ROUNDING = 1e-14  # how far a product may be from the weight it stands for: far below a float32


@dataclass(frozen=True, eq=False)
class Separable:
    """A matrix that is the Kronecker product of one for rows and one for columns.

    Parameters
    ----------
    rows, columns : Sparse
        ``(target rows, source rows)`` and ``(target columns, source columns)``.
    """

    rows: Sparse
    columns: Sparse

    def __reduce__(self) -> tuple[type[Separable], tuple[Sparse, Sparse]]:
        return type(self), (self.rows, self.columns)

    def __dask_tokenize__(self) -> str:
        return self.digest

    @cached_property
    def digest(self) -> str:
        """The sha256 of both."""
        return hashlib.sha256(f"{self.rows.digest} {self.columns.digest}".encode()).hexdigest()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of target and source cells."""
        (up, down), (across, back) = self.rows.shape, self.columns.shape
        return up * across, down * back

    @cached_property
    def unmapped(self) -> NDArray[np.int64]:
        """Targets without any source."""
        empty = [np.diff(part.indptr) == 0 for part in (self.rows, self.columns)]
        return np.flatnonzero(empty[0][:, None] | empty[1][None, :])

    @cached_property
    def _taps(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Sources and weights of columns as ``(k, column)``, and each target's sum of weights ``(row, column)``."""
        columns = self.columns
        counts = np.diff(columns.indptr)
        nth = np.arange(columns.indices.size) - np.repeat(columns.indptr[:-1], counts)
        shape = (max(2, int(counts.max(initial=0))), columns.shape[0])
        taps, weights = np.full(shape, columns.shape[1], np.int64), np.zeros(shape)
        taps[nth, columns.rows], weights[nth, columns.rows] = columns.indices, columns.data
        totals = np.zeros((self.rows.shape[0], columns.shape[0]))
        for k in range(shape[0]):  # in the kernel's order, so that a complete target's share is exactly 1
            totals += weights[k] * self.rows.totals[:, None] * (taps[k] < columns.shape[1])
        return taps, weights, totals

    def apply(self, field: NDArray[Any], out: NDArray[Any], limit: float | None) -> None:
        """Write the remapped ``field`` into ``out``, as :meth:`Sparse.apply` does."""
        kernel = kernels.compiled(kernels.separable if limit is None else kernels.separable_skipna)
        if kernel is None:
            self.product.apply(field, out, limit)
            return
        taps, weights, totals = self._taps
        rows = self.rows
        arguments: tuple[Any, ...] = (rows.indptr, rows.indices, rows.data, taps, weights)
        arguments += (totals, limit) if limit is not None else ()
        target, source = ((len(field), rows.shape[k], self.columns.shape[k]) for k in (0, 1))
        kernel(field.reshape(source), out.reshape(target), *arguments)
        out[:, self.unmapped] = np.nan

    @cached_property
    def product(self) -> Sparse:
        """The matrix of all pairs of cells."""
        (up, down), (across, back) = self.rows.shape, self.columns.shape
        # pairs of a weight for rows and one for columns, in the order of target cells, then of source cells
        i, j = (part.ravel() for part in np.indices((self.rows.indices.size, self.columns.indices.size)))
        target = self.rows.rows[i] * across + self.columns.rows[j]
        source = self.rows.indices[i].astype(np.int64) * back + self.columns.indices[j]
        order = np.lexsort((source, target))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=up * across))])
        data = (self.rows.data[i] * self.columns.data[j])[order]
        return Sparse(indptr, source[order].astype(np.int32), data, (up * across, down * back))


def factors(matrix: Sparse, source: tuple[int, int], target: tuple[int, int]) -> Separable | None:
    """Take a matrix between rectilinear grids apart, if it is a product of rows and columns.

    Parameters
    ----------
    matrix : Sparse
        Weights.
    source, target : tuple of int
        Rows and columns of the grids.

    Returns
    -------
    Separable or None
        None where some weight is further than 1e-14 from a product, or where the pairs are others.
    """
    if not matrix.indices.size:
        return None
    best = int(np.argmax(matrix.totals))
    row, column = divmod(best, target[1])
    by_row = _marginal(matrix, np.arange(target[0]) * target[1] + column, source, 0)
    by_column = _marginal(matrix, row * target[1] + np.arange(target[1]), source, 1)
    if matrix.totals[best] <= 0.0:
        return None
    scaled = Sparse(by_column.indptr, by_column.indices, by_column.data / matrix.totals[best], by_column.shape)
    made = Separable(by_row, scaled)
    if made.rows.indices.size * made.columns.indices.size != matrix.indices.size:
        return None
    product = made.product
    same = np.array_equal(product.indptr, matrix.indptr) and np.array_equal(product.indices, matrix.indices)
    return made if same and np.abs(product.data - matrix.data).max() <= _ROUNDING else None


def _marginal(matrix: Sparse, targets: NDArray[np.int64], source: tuple[int, int], axis: int) -> Sparse:
    """Weights of some targets, summed over the source's other axis."""
    parts = [slice(matrix.indptr[t], matrix.indptr[t + 1]) for t in targets]
    cells = np.concatenate([matrix.indices[part] for part in parts])
    at = cells // source[1] if axis == 0 else cells % source[1]
    of = np.repeat(np.arange(targets.size), [part.stop - part.start for part in parts])
    pairs, place = np.unique(of * source[axis] + at, return_inverse=True)
    data = np.bincount(place, np.concatenate([matrix.data[part] for part in parts]), pairs.size)
    counts = np.bincount(pairs // source[axis], minlength=targets.size)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return Sparse(indptr, (pairs % source[axis]).astype(np.int32), data, (targets.size, source[axis]))
