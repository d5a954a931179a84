"""A content-addressed cache of small arrays that survives any crash: one immutable file a key.

In a folder a file is written aside, brought to the disk and then given its name, so that a reader sees it whole or not
at all; an object store does the same by itself. Two writers of one key write the same bytes. There is no lock and
nothing to clean up but files that were being written when a process died, recognised by their name and their age.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, override
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from spread.storage import Options, storage_options_for

FORMAT = 2
"""Version of the files; part of every key."""

_MAGIC = b"spread-cache 2\n"
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


def _user_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("spread")) / "reductions"


class ArrayCache(ABC):
    """Arrays by key: :class:`FolderCache` or :class:`BucketCache`, see :func:`open_cache`."""

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Bytes of a key; None where there are none or they cannot be read."""

    @abstractmethod
    def has(self, key: str) -> bool:
        """Tell whether there is something under a key, sound or not."""

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Keep bytes, whole or not at all; OSError if they cannot be written."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Forget a key."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove what processes that died were writing; return how many files."""

    def get(self, key: str) -> NDArray[np.float64] | None:
        """Read an array.

        Parameters
        ----------
        key : str
            From :func:`key_of`.

        Returns
        -------
        numpy.ndarray or None
            float64; None where there is none, or its file is damaged or another key's, which is then removed.
        """
        data = self.read(key)
        array = None if data is None else _decode(key, data)
        if data is not None and array is None:
            self.remove(key)  # a damaged disk, for no crash leaves such a file; it is made again
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
        self.write(key, _encode(key, array))


class FolderCache(ArrayCache):
    """Arrays in a local folder: each is written aside, brought to the disk, then named.

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

    @override
    def read(self, key: str) -> bytes | None:
        try:
            return self.path(key).read_bytes()
        except OSError:
            return None

    @override
    def has(self, key: str) -> bool:
        return self.path(key).is_file()

    @override
    def remove(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    @override
    def write(self, key: str, data: bytes) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".writing-{uuid4().hex}"
        try:
            with open(aside, "xb") as file:  # readable as any other file is: users may share a cache
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    @override
    def sweep(self) -> int:
        removed = 0
        for path in self.folder.glob("*/.writing-*"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
                    removed += 1
            except OSError:
                continue  # its writer finished, another sweep was faster, or it is another user's
        return removed


class BucketCache(ArrayCache):
    """Arrays in an object store, which shows an object whole or not at all: one conditional PUT a key.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/prefix``.
    options : mapping, optional
        fsspec options by protocol, with credentials that may write.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        import fsspec

        # what is public is read anonymously by default; nobody writes so
        given = storage_options_for(url, {url.partition("://")[0]: {}, **(options or {})})
        self.fs, root = fsspec.core.url_to_fs(url, **given)
        self.root = root.rstrip("/")

    def path(self, key: str) -> str:
        """Path of a key's object."""
        return f"{self.root}/{key[:2]}/{key[2:]}"

    @override
    def read(self, key: str) -> bytes | None:
        try:
            return self.fs.cat_file(self.path(key))
        except Exception:  # clients raise what they like; a cache that cannot be read costs time, not the answer
            return None

    @override
    def has(self, key: str) -> bool:
        try:
            return bool(self.fs.exists(self.path(key)))
        except Exception:  # as in reading
            return False

    @override
    def remove(self, key: str) -> None:
        with suppress(Exception):  # what cannot be removed is read in vain again
            self.fs.rm_file(self.path(key))

    @override
    def write(self, key: str, data: bytes) -> None:
        try:
            self.fs.pipe_file(self.path(key), data, mode="create")
        except FileExistsError:
            return  # another writer was faster; under one key all write the same
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"cache {self.root} cannot be written: {error}") from error

    @override
    def sweep(self) -> int:
        return 0  # nothing half-written is ever there


def open_cache(where: str | Path | None = None, options: Options | None = None) -> ArrayCache:
    """Open the cache in a folder or under the URL of an object store.

    Parameters
    ----------
    where : str or Path, optional
        Folder or URL; by default ``$SPREAD_CACHE``, else the user's cache folder.
    options : mapping, optional
        fsspec options by protocol, for a URL.

    Returns
    -------
    ArrayCache
        The cache; nothing is made or asked before it is used.
    """
    where = str(where or os.environ.get("SPREAD_CACHE") or _user_folder())
    return BucketCache(where, options) if "://" in where else FolderCache(Path(where).expanduser())


def _encode(key: str, array: NDArray[np.float64]) -> bytes:
    data = np.ascontiguousarray(array, dtype="<f8")
    body = json.dumps(list(data.shape)).encode() + b"\n" + data.tobytes()
    return _MAGIC + _digest(key, body) + b"\n" + body


def _digest(key: str, body: bytes) -> bytes:
    """What only this content under this key has: a file that was given another's name is damaged too."""
    return hashlib.sha256(key.encode() + b"\n" + body).hexdigest().encode()


def _decode(key: str, data: bytes) -> NDArray[np.float64] | None:
    """The array of a file; None unless every byte is as it was written, under this key."""
    head = len(_MAGIC) + 65
    if not data.startswith(_MAGIC) or len(data) < head:
        return None
    digest, body = data[len(_MAGIC) : head - 1], data[head:]
    if _digest(key, body) != digest:
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
