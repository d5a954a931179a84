"""Sparse matrices that turn the cells of one grid into those of another (NumPy only)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix that turns the cells of one grid, flattened row by row, into those of another (CSR).

    Parameters
    ----------
    indptr : numpy.ndarray
        ``(n_target + 1,)`` int64: where each target cell's entries begin.
    indices : numpy.ndarray
        ``(nnz,)`` int32: source cells, rising within a row.
    data : numpy.ndarray
        ``(nnz,)`` float64: weights.
    shape : tuple of int
        Number of target and of source cells.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float64]
    shape: tuple[int, int]

    @property
    def digest(self) -> str:
        """Hash of everything."""
        made = hashlib.sha256(repr(self.shape).encode())
        for array, kind in ((self.indptr, "<i8"), (self.indices, "<i4"), (self.data, "<f8")):
            made.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return made.hexdigest()


def _of_cells(self, cells):
    from scipy.sparse import csr_matrix
    m = csr_matrix((self.data, self.indices, self.indptr), shape=self.shape)[:, cells]
    m.sort_indices()
    return Sparse(m.indptr.astype(np.int64), m.indices.astype(np.int32), m.data, m.shape)


Sparse.of_cells = _of_cells


def remap(field, matrix: Sparse, *, skipna: bool = True, na_thres: float = 1.0):
    from scipy.sparse import csr_matrix
    m = csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    out = (m @ field.reshape(-1, matrix.shape[1]).T).T.reshape(*field.shape[:-1], matrix.shape[0])
    out[..., np.diff(matrix.indptr) == 0] = np.nan
    return out
