"""Small linear systems, one in every cell, cells last."""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.shapes import Cells


def eliminated(matrix: Cells, right: Cells) -> tuple[Cells, Cells]:
    """Solve a small linear system in every cell.

    Parameters
    ----------
    matrix : array
        ``(n, n, *cells)``.
    right : array
        ``(n, *cells)``; the solution is linear in it also for automatic differentiation.

    Returns
    -------
    solution, pivots : array
        ``(n, *cells)``.

    Notes
    -----
    Elimination without pivoting, over all cells at once: where a map does not decrease in any pool, it is stable just
    where the pivots of ``I - dF/dx``, an M-matrix, are positive (Berman & Plemmons 1994, ch. 6).
    """
    size = matrix.shape[0]
    rows, ends = list(matrix), list(right)
    pivots = []
    for k in range(size):
        pivots.append(rows[k][k])
        ends[k] = ends[k] / rows[k][k]
        rows[k] = rows[k] / rows[k][k]
        for i in range(size):
            if i != k:
                ends[i] = ends[i] - rows[i][k] * ends[k]
                rows[i] = rows[i] - rows[i][k] * rows[k]
    return jnp.stack(ends), jnp.stack(pivots)


def unit_matrix(like: Cells) -> Cells:
    """Unit matrices of the shape of some others, ``(n, n, *1)``."""
    size = like.shape[0]
    return jnp.eye(size, dtype=like.dtype).reshape(size, size, *[1] * (like.ndim - 2))


def kept_rows(matrix: Cells) -> Cells:
    """Pools that a map returns as they were, whatever they and the others are: ``(n, *cells)`` from its derivative."""
    return jnp.all(matrix == unit_matrix(matrix), axis=1)
