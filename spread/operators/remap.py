"""Regridding weights and their application: a sparse matrix turns the cells of one grid into those of another.

Missing cells are counted in the same pass that sums the others. A target is missing where more of its weight than
``na_thres`` lies on missing sources, else it is the mean of those that are there: the rule of xESMF.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spread.operators import remap_kernels as kernels

if TYPE_CHECKING:
    from spread.operators.separable import Separable

Floats = NDArray[np.float64]

_SOURCES = 4096  # weights of a block of targets: with 16 float64 steps each, their cells take half a megabyte of cache
_SLAB = 32  # steps copied at a time from a field whose cells do not lie side by side
_SLACK = 1e-12  # rounding of a sum of weights: cells exactly at the threshold are kept, whatever the order of the sum


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse matrix that turns the cells of one grid, flattened row by row, into those of another (CSR).

    Parameters
    ----------
    indptr : numpy.ndarray
        ``(n_target + 1,)``: where each target's weights begin.
    indices : numpy.ndarray
        ``(nnz,)`` source cells, rising within a row.
    data : numpy.ndarray
        ``(nnz,)`` weights. Arrays are copied, and read-only from then on.
    shape : tuple of int
        ``(n_target, n_source)``.

    Raises
    ------
    ValueError
        If these are no such matrix; all breaches at once.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Floats
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = (int(n) for n in self.shape)
        for name, kind in (("indptr", np.int64), ("indices", np.int32), ("data", np.float64)):
            array = np.array(getattr(self, name), dtype=kind, order="C")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "shape", (rows, columns))
        indptr, indices = self.indptr, self.indices
        breaches = []
        if indptr.shape != (rows + 1,) or indptr[0] != 0 or indptr[-1] != indices.size or (np.diff(indptr) < 0).any():
            breaches.append(f"indptr must rise from 0 to {indices.size} in {rows + 1} steps, got shape {indptr.shape}")
        elif (np.diff(indices) <= 0)[np.diff(self.rows) == 0].any():
            breaches.append("indices must rise within a row; add up weights of the same pair of cells and sort them")
        if indices.size and not (indices.min() >= 0 and indices.max() < columns):
            breaches.append(f"indices must lie in 0..{columns - 1}, got {indices.min()}..{indices.max()}")
        if self.data.shape != indices.shape or not np.isfinite(self.data).all():
            breaches.append(f"data must be {indices.size} finite weights, got shape {self.data.shape}")
        if breaches:
            raise ValueError("Sparse: " + "; ".join(breaches))

    def __reduce__(self) -> tuple[type[Sparse], tuple[Any, ...]]:
        return type(self), (self.indptr, self.indices, self.data, self.shape)  # without plans, read-only again

    def __dask_tokenize__(self) -> str:
        return self.digest

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything that the matrix is."""
        made = hashlib.sha256(repr(self.shape).encode())
        for array, kind in ((self.indptr, "<i8"), (self.indices, "<i4"), (self.data, "<f8")):
            made.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return made.hexdigest()

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Target cell of each weight."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @cached_property
    def totals(self) -> Floats:
        """Sum of each target's weights, in their order."""
        return np.bincount(self.rows, self.data, self.shape[0])

    @cached_property
    def unmapped(self) -> NDArray[np.int64]:
        """Targets without any source."""
        return np.flatnonzero(np.diff(self.indptr) == 0)

    def of_cells(self, cells: NDArray[np.integer]) -> Sparse:
        """The weights of some source cells alone.

        Parameters
        ----------
        cells : numpy.ndarray
            ``(k,)`` source cells, rising.

        Returns
        -------
        Sparse
            ``(n_target, k)``.
        """
        place = np.full(self.shape[1], -1, dtype=np.int32)
        place[cells] = np.arange(len(cells), dtype=np.int32)
        kept = place[self.indices] >= 0
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.rows[kept], minlength=self.shape[0]))])
        return Sparse(indptr, place[self.indices[kept]], self.data[kept], (self.shape[0], len(cells)))

    @cached_property
    def _tiles(self) -> tuple[NDArray[Any], ...]:
        """Place of each weight's source among the cells of its block; strips of cells and groups of targets by block.

        Blocks are runs of targets with about as many weights; the last group of targets overlaps the one before, so
        both are in one block.
        """
        lanes = kernels.LANES
        groups = max(1, -(-self.shape[0] // lanes))
        ends = self.indptr[np.minimum(np.arange(1, groups + 1) * lanes, self.shape[0])]
        block = ends // _SOURCES
        block[-1] = block[-2] if groups > 1 else block[-1]
        first = np.concatenate([[0], np.flatnonzero(np.diff(block)) + 1, [groups]])
        local, starts, strips = np.empty(self.indices.size, np.int32), [], [0]
        last = -(-self.shape[1] // lanes) - 1
        for start, stop in zip(first[:-1] * lanes, np.minimum(first[1:] * lanes, self.shape[0]), strict=True):
            of = slice(self.indptr[start], self.indptr[stop])
            strip, place = np.unique(self.indices[of] // lanes, return_inverse=True)
            begin = np.where(strip == last, self.shape[1] - lanes, strip * lanes)  # the last strip is not short either
            local[of] = place * lanes + self.indices[of] - begin[place]
            starts.append(begin)
            strips.append(strips[-1] + strip.size)
        return local, np.concatenate(starts).astype(np.int64), np.array(strips), first

    def apply(self, field: NDArray[Any], out: NDArray[Any], limit: float | None) -> None:
        """Write the remapped ``field`` (step, source), float32 or float64, into ``out`` (step, target).

        Missing cells propagate where ``limit`` is None, else it is the least share of weight that must be there.
        """
        skipna, least = limit is not None, limit if limit is not None else 0.0
        if min(field.shape[0], *self.shape) < kernels.LANES:
            kernel = kernels.compiled(kernels.csr_steps)
            arguments: tuple[Any, ...] = (self.indptr, self.indices, self.data, self.totals, skipna, least)
        else:
            kernel = kernels.compiled(kernels.csr_tiles_skipna if skipna else kernels.csr_tiles)
            local, starts, strips, groups = self._tiles
            cells = np.empty((int(np.diff(strips).max(initial=0)) * kernels.LANES, kernels.LANES), field.dtype)
            arguments = (self.indptr, local, self.data, starts, strips, groups, cells)
            arguments += (self.totals, least) if skipna else ()
        if kernel is None:
            _without_numba(self, field, out, limit)
        else:
            kernel(field, out, *arguments)
        out[:, self.unmapped] = np.nan


def _without_numba(matrix: Sparse, field: NDArray[Any], out: NDArray[Any], limit: float | None) -> None:
    """The same sums in the same order by scipy, some times slower."""
    from scipy.sparse import csr_array

    by_target = csr_array((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    for start in range(0, field.shape[0], kernels.LANES):
        cells = np.array(field[start : start + kernels.LANES].T, dtype=np.float64, order="C")
        part = slice(start, start + kernels.LANES)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            if limit is None:
                out[part] = (by_target @ cells).T
                continue
            there = ~np.isnan(cells)
            cells[~there] = 0.0
            present, total = by_target @ there.astype(np.float64), matrix.totals[:, None]
            valid = np.where(present == total, 1.0, present / total)
            sums = (by_target @ cells) / valid
            sums[~((limit <= valid) & (valid < np.inf))] = np.nan
            out[part] = sums.T


def remap(
    field: ArrayLike,
    matrix: Sparse | Separable,
    *,
    skipna: bool = True,
    na_thres: float = 1.0,
    space: int = 1,
    threads: int = 1,
) -> NDArray[Any]:
    """Turn fields on the source grid into fields on the target grid.

    Parameters
    ----------
    field : array_like
        ``(..., n_source)``; NaN where it is missing.
    matrix : Sparse or Separable
        The weights.
    skipna : bool
        Leave missing cells out; otherwise one missing source makes the target missing.
    na_thres : float
        With ``skipna``, the share 0..1 of a target's weight that may lie on missing sources.
    space : int
        How many of the last dimensions are the source cells together.
    threads : int
        Blocks of steps that are in work at a time; the kernels release the interpreter's lock.

    Returns
    -------
    numpy.ndarray
        ``(..., n_target)``, float32 for float32 and float64 for anything else; NaN where no source covers the target.
        The same bits whatever the number of steps, of threads, and whether numba is there.

    Raises
    ------
    ValueError
        If the field does not have the source's cells, or ``na_thres`` is not a share.
    TypeError
        If the field is not real numbers.

    Notes
    -----
    With ``skipna`` a target is NaN where ``valid < clip(1 - na_thres, 1e-6, 1 - 1e-6)``, ``valid`` being the share of
    its weight on sources that are there, and the others are divided by ``valid``: xESMF (Regridder, ``skipna`` and
    ``na_thres``). Two refinements: the share is of the target's own sum of weights, so that under ``dstarea`` a field
    without missing cells is the same with and without ``skipna``; and a share within 1e-12 of the threshold is enough,
    so that half-covered cells do not depend on rounding.
    """
    given = np.asarray(field)
    source = given.shape[given.ndim - space :]
    if given.ndim < space or int(np.prod(source)) != matrix.shape[1]:
        raise ValueError(f"remap: the last {space} dimensions must hold {matrix.shape[1]} cells, got {given.shape}")
    if given.dtype.kind not in "fiub":
        raise TypeError(f"remap: the field must be real numbers, got {given.dtype}")
    limit = least_share(na_thres) if skipna else None
    kind = np.dtype(np.float32 if given.dtype.newbyteorder("=") == np.float32 else np.float64)
    lead = given.shape[: given.ndim - space]
    out = np.empty((*lead, matrix.shape[0]), kind)

    def work(part: tuple[NDArray[Any], NDArray[Any]]) -> None:
        steps = np.ascontiguousarray(part[0], dtype=kind)
        matrix.apply(steps.reshape(-1, matrix.shape[1]), part[1], limit)

    parts = list(_parts(given, out, kind, max(1, threads)))
    if threads > 1 and len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, parts))
    else:
        for part in parts:
            work(part)
    return out


def least_share(na_thres: float) -> float:
    """The share of weight that must be there: ``clip(1 - na_thres, 1e-6, 1 - 1e-6)``, less what rounding may take."""
    if not 0.0 <= na_thres <= 1.0:
        raise ValueError(f"na_thres must be a share of weight, 0..1, got {na_thres}")
    return float(np.clip(1.0 - na_thres, 1e-6, 1.0 - 1e-6)) - _SLACK


def _parts(
    given: NDArray[Any], out: NDArray[Any], kind: np.dtype[Any], threads: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Steps of the field and of the result; a field that must be copied to be read comes a few steps at a time."""
    lead, source = out.shape[:-1], given.shape[out.ndim - 1 :]
    if given.flags.c_contiguous and given.dtype == kind:
        steps, results = given.reshape(-1, int(np.prod(source))), out.reshape(-1, out.shape[-1])
        lanes = kernels.LANES
        size = max(lanes, -(-steps.shape[0] // (threads * lanes)) * lanes)
        for start in range(0, steps.shape[0], size):
            yield steps[start : start + size], results[start : start + size]
        return
    if not lead:
        yield given[None], out[None]
    for where in np.ndindex(lead[:-1]):
        for start in range(0, lead[-1] if lead else 0, _SLAB):
            yield given[where][start : start + _SLAB], out[where][start : start + _SLAB]


def fold_mask(matrix: Sparse, present: NDArray[np.bool_], na_thres: float) -> Sparse:
    """Put a mask that never changes into the weights, once: then no step has anything to count.

    Parameters
    ----------
    matrix : Sparse
        Weights of all source cells.
    present : numpy.ndarray
        ``(n_source,)``, of any shape with as many cells: True where the field is never missing.
    na_thres : float
        As in :func:`remap`.

    Returns
    -------
    Sparse
        Weights of those sources alone, as :func:`remap` divides them; none where too many are missing.

    Raises
    ------
    ValueError
        If the mask does not have the source's cells, or ``na_thres`` is not a share.
    """
    there = np.asarray(present, dtype=np.bool_).reshape(-1)
    if there.size != matrix.shape[1]:
        raise ValueError(f"fold_mask: the mask must have {matrix.shape[1]} cells, got {np.shape(present)}")
    kept = there[matrix.indices]
    weight, total = np.bincount(matrix.rows[kept], matrix.data[kept], matrix.shape[0]), matrix.totals
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = np.where(weight == total, 1.0, weight / total)
    kept &= ((least_share(na_thres) <= valid) & (valid < np.inf))[matrix.rows]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(matrix.rows[kept], minlength=matrix.shape[0]))])
    return Sparse(indptr, matrix.indices[kept], matrix.data[kept] / valid[matrix.rows[kept]], matrix.shape)
