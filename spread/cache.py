"""A content-addressed cache of small arrays that survives any crash: one immutable file a key (NumPy only).

A file is written aside, brought to the disk and then given its name, so that a reader sees it whole or not at all; two
writers of one key write the same bytes. There is no lock and nothing to clean up but files that were being written when
a process died, which are recognised by their name and their age.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
"""Version of the files; part of every key."""

_MAGIC = b"spread-cache\n"
_ABANDONED = 24 * 3600.0  # seconds after which a file that never got its name is an orphan


def key_of(description: Mapping[str, Any]) -> str:
    """Key of what a description says: equal descriptions, equal keys.

    Parameters
    ----------
    description : mapping
        Everything that decides a result, JSON-like.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    said = json.dumps({"format": FORMAT, **description}, sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def default_folder() -> Path:
    """``$SPREAD_CACHE``, else the user's cache folder."""
    if given := os.environ.get("SPREAD_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("spread")) / "reductions"


class ArrayCache:
    """Arrays by key in a folder.

    Parameters
    ----------
    folder : str or Path
        Where; made on first writing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / key[:2] / key[2:]

    def get(self, key: str) -> NDArray[np.float64] | None:
        """Read an array.

        Parameters
        ----------
        key : str
            From :func:`key_of`.

        Returns
        -------
        numpy.ndarray or None
            float64; None where there is none, or its file is damaged, which is then removed.
        """
        path = self.path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        array = _decode(data)
        if array is None:
            path.unlink(missing_ok=True)  # a damaged disk, for no crash leaves such a file; it is made again
        return array

    def put(self, key: str, array: NDArray[np.float64]) -> None:
        """Keep an array, whole or not at all.

        Parameters
        ----------
        key : str
            From :func:`key_of`.
        array : numpy.ndarray
            float64, any shape.

        Raises
        ------
        OSError
            If it cannot be written; then nothing is left behind.
        """
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_encode(array))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def sweep(self) -> int:
        """Remove what processes that died were writing; return how many files."""
        removed = 0
        for path in self.folder.glob("*/.writing-*"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer finished, or another sweep was faster
        return removed


def _encode(array: NDArray[np.float64]) -> bytes:
    data = np.ascontiguousarray(array, dtype="<f8")
    body = json.dumps(list(data.shape)).encode() + b"\n" + data.tobytes()
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decode(data: bytes) -> NDArray[np.float64] | None:
    """The array of a file; None unless every byte is as it was written."""
    head = len(_MAGIC) + 65
    if not data.startswith(_MAGIC) or len(data) < head:
        return None
    digest, body = data[len(_MAGIC) : head - 1], data[head:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    shape, _, values = body.partition(b"\n")
    return np.frombuffer(values, dtype="<f8").reshape(json.loads(shape)).astype(np.float64)


def _sync_folder(folder: Path) -> None:
    """Bring a folder's new names to the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
