"""Weights that were made before: in memory, and in a folder or bucket where one is given.

CMIP6 has many files a grid: one set of weights serves all of a model's. In a folder a set is written aside and then
given its name (:mod:`spread.cache`), so that a reader sees it whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from spread.cache import ArrayCache, key_of, open_cache
from spread.grids import Grid
from spread.operators.remap import Sparse
from spread.regrid.weights import Weights

_LARGEST = 32 << 20  # bytes of weights kept in memory: a study meets a grid in runs that follow each other
_MAGIC = b"spread-weights 1\n"
_ARRAYS = ("frac", "source_area", "target_area")
_WORDS = ("method", "engine", "engine_version", "norm")

_recent: OrderedDict[str, Weights] = OrderedDict()
_lock = threading.Lock()


def key(source: Grid, target: Grid, method: str, engine: str, norm: str, version: str) -> str:
    """Key of what decides weights.

    Parameters
    ----------
    source, target : Grid
        The grids.
    method, engine, norm, version : str
        How the weights are made, and the version of what makes them.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    asked = {"method": method, "engine": engine, "norm": norm, "version": version}
    return key_of({"weights": 1, "source": source.digest, "target": target.digest, **asked})


def recall(key: str, source: Grid, target: Grid, folder: str | Path | None = None) -> Weights | None:
    """Weights kept under a key.

    Parameters
    ----------
    key : str
        From :func:`key`.
    source, target : Grid
        The grids as asked for, which go into the answer.
    folder : str or Path, optional
        Where to look when they are not in memory.

    Returns
    -------
    Weights or None
        None where there are none.
    """
    with _lock:
        found = _recent.get(key)
        if found is not None:
            _recent.move_to_end(key)
            return replace(found, source=source, target=target)
    if folder is None:
        return None
    cache = open_cache(folder)
    data = cache.read(key)
    read = None if data is None else _decode(key, data, source, target)
    if data is not None and read is None:
        cache.remove(key)
    if read is not None:
        _remember(key, read)
    return read


def keep(key: str, weights: Weights, folder: str | Path | None = None) -> None:
    """Keep weights in memory and, where one is given, in a folder.

    Parameters
    ----------
    key : str
        From :func:`key`.
    weights : Weights
        Their arrays are made read-only.
    folder : str or Path, optional
        Where; a folder that cannot be written to costs time, not the answer.
    """
    _remember(key, weights)
    if folder is not None:
        cache: ArrayCache = open_cache(folder)
        with suppress(OSError):
            cache.write(key, _encode(key, weights))


def forget() -> None:
    """Forget all weights in memory."""
    with _lock:
        _recent.clear()


def _size(weights: Weights) -> int:
    matrix = weights.matrix
    arrays = (matrix.indptr, matrix.indices, matrix.data, *(getattr(weights, name) for name in _ARRAYS))
    return sum(array.nbytes for array in arrays)


def _remember(key: str, weights: Weights) -> None:
    matrix = weights.matrix
    for array in (matrix.indptr, matrix.indices, matrix.data, *(getattr(weights, name) for name in _ARRAYS)):
        array.flags.writeable = False  # shared from now on
    with _lock:
        _recent[key] = weights
        _recent.move_to_end(key)
        while len(_recent) > 1 and sum(map(_size, _recent.values())) > _LARGEST:
            _recent.popitem(last=False)


def _encode(key: str, weights: Weights) -> bytes:
    """Arrays and words of weights, with a hash of them under their key."""
    body = io.BytesIO()
    words = {name: getattr(weights, name) for name in _WORDS} | {"notes": weights.notes, "shape": weights.matrix.shape}
    matrix = {field.name: getattr(weights.matrix, field.name) for field in fields(Sparse) if field.name != "shape"}
    arrays = {name: getattr(weights, name) for name in _ARRAYS}
    np.savez(body, words=np.array(json.dumps(words)), **matrix, **arrays)
    data = body.getvalue()
    return _MAGIC + hashlib.sha256(key.encode() + data).hexdigest().encode() + b"\n" + data


def _decode(key: str, data: bytes, source: Grid, target: Grid) -> Weights | None:
    """Weights of a file; None unless every byte is as it was written, under this key."""
    head = len(_MAGIC) + 65
    body = data[head:]
    digest = hashlib.sha256(key.encode() + body).hexdigest().encode()
    if not data.startswith(_MAGIC) or data[len(_MAGIC) : head - 1] != digest:
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as held:
        words = json.loads(str(held["words"]))
        matrix = Sparse(held["indptr"], held["indices"], held["data"], tuple(words["shape"]))
        arrays = {name: held[name] for name in _ARRAYS}
    told = {name: words[name] for name in _WORDS}
    return Weights(matrix=matrix, source=source, target=target, notes=tuple(words["notes"]), **arrays, **told)
