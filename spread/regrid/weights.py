"""What every engine makes: links between cells; and what regridding needs of them: a matrix, areas, what is covered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.grids import Grid
from spread.operators.remap import Sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

METHODS = ("conservative", "bilinear", "nearest")
NORMS = ("fracarea", "dstarea")

_OVER = 1e-6  # share of a cell beyond the whole from which source cells are said to overlap


@dataclass(frozen=True)
class Links:
    """Pairs of cells that have to do with each other, as an engine finds them.

    Parameters
    ----------
    rows, columns : numpy.ndarray
        ``(n,)`` target and source cells, counted row by row; a pair may be there more than once, its values add up.
    values : numpy.ndarray
        ``(n,)``: common area [sr] where conservative, else weights that add up to 1 in each row.
    source_area, target_area : numpy.ndarray
        Areas of all cells [sr], as the engine sees them; void and repeated source cells have none.
    version : str
        The engine's.
    notes : tuple of str
        What the reader of a result should know.
    """

    rows: Integers
    columns: Integers
    values: Floats
    source_area: Floats
    target_area: Floats
    version: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weights:
    """Weights that turn fields on one grid into fields on another.

    Parameters
    ----------
    matrix : Sparse
        ``(n_target, n_source)``; the row of a target cell that nothing is mapped to is empty.
    source, target : Grid
        The grids.
    frac : numpy.ndarray
        ``(n_target,)`` share of each target cell that source cells cover, 0..1.
    source_area, target_area : numpy.ndarray
        ``(n_source,)`` and ``(n_target,)`` [sr], the engine's own; void and repeated source cells have none.
    method : str
        ``conservative``, ``bilinear`` or ``nearest``.
    engine, engine_version : str
        What made them, never ``auto``.
    norm : str
        ``fracarea``: rows of partly covered cells add up to 1; ``dstarea``: to ``frac``.
    notes : tuple of str
        What the reader of a result should know.
    """

    matrix: Sparse
    source: Grid
    target: Grid
    frac: Floats
    source_area: Floats
    target_area: Floats
    method: str
    engine: str
    engine_version: str
    norm: str = "fracarea"
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> Integers:
        """Target cell of each entry of the matrix, ``(nnz,)``."""
        return np.repeat(np.arange(self.matrix.shape[0]), np.diff(self.matrix.indptr))

    def to_xesmf(self) -> dict[str, NDArray]:
        """What ``xesmf.Regridder(weights=...)`` takes: cells counted from 1.

        Returns
        -------
        dict
            ``row_dst``, ``col_src`` and ``weights``, each ``(nnz,)``.
        """
        return {"row_dst": self.rows + 1, "col_src": self.matrix.indices + 1, "weights": self.matrix.data}


def sparse(rows: Integers, columns: Integers, values: Floats, shape: tuple[int, int]) -> Sparse:
    """A matrix from triplets in any order; values of the same place add up, zeros are left out.

    Parameters
    ----------
    rows, columns, values : numpy.ndarray
        ``(n,)`` target cell, source cell, weight.
    shape : tuple of int
        Number of target and of source cells.

    Returns
    -------
    Sparse
        With the source cells of each row rising.
    """
    from scipy.sparse import coo_array

    made = coo_array((values, (rows, columns)), shape=shape).tocsr()
    made.sum_duplicates()
    made.eliminate_zeros()
    made.sort_indices()
    return Sparse(
        made.indptr.astype(np.int64), made.indices.astype(np.int32), np.asarray(made.data, dtype=np.float64), shape
    )


def used(grid: Grid) -> NDArray[np.bool_]:
    """Source cells that count, ``(n,)``: not void, and not there before."""
    return ~(grid.void | grid.repeated).ravel()


def weights_from(links: Links, source: Grid, target: Grid, method: str, engine: str, norm: str) -> Weights:
    """Weights from what an engine found.

    Parameters
    ----------
    links : Links
        Pairs of cells with their common areas, or with weights.
    source, target : Grid
        The grids.
    method, engine, norm : str
        As in :class:`Weights`.

    Returns
    -------
    Weights
        Normalised.
    """
    notes = [f"source: {note}" for note in source.notes] + [f"target: {note}" for note in target.notes]
    shape = (links.target_area.size, links.source_area.size)
    values, frac = links.values, np.zeros(shape[0])
    if method == "conservative":
        covered = np.bincount(links.rows, values, shape[0])
        whole = links.target_area > 0.0
        np.divide(covered, links.target_area, out=frac, where=whole)
        by = covered if norm == "fracarea" else links.target_area
        values = values / by[links.rows]
        if (frac > 1.0 + _OVER).any():
            notes.append(f"source cells overlap: they cover up to {frac.max():.6f} of a target cell")
    else:
        frac[links.rows] = 1.0
    if count := int(source.repeated.sum()):
        notes.append(f"{count} source cells repeat others (halo, fold) and are left out")
    return Weights(
        sparse(links.rows, links.columns, values, shape), source, target, np.minimum(frac, 1.0), links.source_area,
        links.target_area, method, engine, links.version, norm, (*notes, *links.notes),
    )  # fmt: skip
