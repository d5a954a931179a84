"""Placeholder until r2's kernels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sparse:
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float64]
    shape: tuple[int, int]

    @cached_property
    def digest(self) -> str:
        h = hashlib.sha256()
        for a in (self.indptr, self.indices, self.data):
            h.update(a.tobytes())
        return h.hexdigest()

    def of_cells(self, cells):
        from scipy.sparse import csr_matrix

        m = csr_matrix((self.data, self.indices, self.indptr), shape=self.shape)[:, cells]
        m.sort_indices()
        return Sparse(m.indptr.astype(np.int64), m.indices.astype(np.int32), m.data, m.shape)


def remap(field, matrix: Sparse, *, skipna: bool = True, na_thres: float = 1.0):
    from scipy.sparse import csr_matrix

    m = csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    out = (m @ field.reshape(-1, matrix.shape[1]).T).T.reshape(*field.shape[:-1], matrix.shape[0])
    out[..., np.diff(matrix.indptr) == 0] = np.nan
    return out
