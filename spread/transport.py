"""A read-only Zarr store that checks what arrives: complete, undamaged, in time; and that tries again where that helps.

Zarr itself takes a missing object for fill values and a cut-off one for data. Here every object is compared with the
bucket's listing where there is one (size, CRC32C, MD5), every Blosc chunk with the length in its own header, a stall
ends at a deadline, and transport errors are tried again within a budget.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, WrapperStore

from spread.blosc import DamagedObject, check_blosc, decode_file

SMALL = 1 << 18
"""Length [bytes] up to which objects are fetched ahead, all at once, when a store is opened."""

_AHEAD = 64  # objects fetched ahead at most: a store with more of them gains little

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class Listed:
    """What a bucket says of an object.

    Parameters
    ----------
    size : int or None
        Length [bytes].
    crc32c, md5 : str
        Checksums in base64, as Google Cloud Storage gives them; empty where unknown.
    """

    size: int | None
    crc32c: str = ""
    md5: str = ""


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try.

    Parameters
    ----------
    deadline : float
        Longest wait for one object [s]; fsspec's own time-outs do not end a stall.
    attempts : int
        Tries for one object.
    pause : float
        Wait before the second try [s]; doubled after each.
    budget : float
        Longest time for one object over all tries [s].
    """

    deadline: float = 120.0
    attempts: int = 4
    pause: float = 0.5
    budget: float = 300.0


DEFAULT = Patience()
"""The patience of stores that are opened without one of their own."""


@dataclass
class Traffic:
    """Requests and bytes of a store, counted for tests and benchmarks."""

    requests: int = 0
    bytes: int = 0
    retries: int = 0
    keys: list[str] = field(default_factory=list)


class CheckedStore(WrapperStore[Store]):
    """Read another store, checking each object.

    Parameters
    ----------
    store : zarr.abc.store.Store
        What to read from.
    listing : mapping of str to Listed, optional
        Objects of the store by key, where the bucket could be listed.
    patience : Patience, optional
        Deadline, tries and budget.
    """

    def __init__(
        self, store: Store, listing: Mapping[str, Listed] | None = None, patience: Patience | None = None
    ) -> None:
        super().__init__(store)
        self.listing = dict(listing or {})
        self.patience = patience or DEFAULT
        self.traffic = Traffic()
        self._ahead: dict[str, Buffer] = {}

    def _with_store(self, store: Store) -> CheckedStore:
        return type(self)(store, self.listing, self.patience)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "traffic": Traffic(), "_ahead": {}}

    def stamp(self, prefix: str) -> str:
        """Hash of what the store's own listing says of an array's objects, without reading them.

        Parameters
        ----------
        prefix : str
            Name of the array.

        Returns
        -------
        str
            Of names, sizes and checksums in a bucket, of names, sizes and times of change on disk; empty where there is
            no listing.
        """
        if isinstance(self._store, LocalStore):
            files = sorted(path for path in (self._store.root / prefix).rglob("*") if path.is_file())
            said: list[Any] = [
                (str(f.relative_to(self._store.root)), f.stat().st_size, f.stat().st_mtime_ns) for f in files
            ]
        else:
            said = sorted((k, v.size, v.crc32c, v.md5) for k, v in self.listing.items() if k.startswith(f"{prefix}/"))
        return hashlib.sha256(repr(said).encode()).hexdigest() if said else ""

    @property
    def is_local(self) -> bool:
        """True for a folder on this machine."""
        return isinstance(self._store, LocalStore)

    def size_of(self, key: str) -> int | None:
        """Length of an object [bytes], where the bucket's listing says."""
        listed = self.listing.get(key)
        return None if listed is None else listed.size

    def read_local(self, key: str, buffer: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
        """Read a whole file into a given buffer.

        Parameters
        ----------
        key : str
            Name within the store.
        buffer : callable
            Gives a buffer of so many bytes.

        Returns
        -------
        numpy.ndarray or None
            ``(size,)`` bytes, checked; None where there is no such file.

        Raises
        ------
        DamagedObject
            If it is cut off.
        """
        assert isinstance(self._store, LocalStore)
        self.traffic.requests += 1
        self.traffic.keys.append(key)
        try:
            with (self._store.root / key).open("rb", buffering=0) as file:
                data = buffer(os.fstat(file.fileno()).st_size)
                view, read = memoryview(data), 0
                while read < len(data) and (more := file.readinto(view[read:])):
                    read += more
        except FileNotFoundError:
            return None
        if read < len(data):
            raise DamagedObject(f"{key}: {read} bytes came of {len(data)}")
        self.traffic.bytes += read
        check_blosc(key, data)
        return data

    def decode_local(self, key: str, out: NDArray[np.uint8], buffer: Callable[[int], NDArray[np.uint8]]) -> bool:
        """Decode a Blosc chunk in a file a few blocks at a time.

        Parameters
        ----------
        key : str
            Name within the store.
        out : numpy.ndarray
            Where the decoded bytes go.
        buffer : callable
            As in :meth:`read_local`.

        Returns
        -------
        bool
            False where it must be read as a whole, or is not there; see :func:`spread.blosc.decode_file`.
        """
        assert isinstance(self._store, LocalStore)
        try:
            with (self._store.root / key).open("rb", buffering=0) as file:
                if not decode_file(file.fileno(), out, buffer):
                    return False
                self.traffic.bytes += os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return False
        self.traffic.requests += 1
        self.traffic.keys.append(key)
        return True

    def fetch_ahead(self, but: str) -> None:
        """Fetch the small objects that the bucket lists at once, so that reading them one by one waits for none.

        Parameters
        ----------
        but : str
            Name of an array whose chunks are not wanted.
        """
        keys = [key for key, said in self.listing.items() if said.size is not None and said.size <= SMALL]
        keys = [key for key in keys if not (key.startswith(f"{but}/") and is_chunk_key(key))]
        if ".zmetadata" in keys:  # it holds what these say
            keys = [key for key in keys if not key.endswith((".zarray", ".zattrs", ".zgroup"))]

        keys = keys[:_AHEAD]

        async def all_of_them() -> list[Buffer | BaseException | None]:
            prototype = default_buffer_prototype()
            return await asyncio.gather(*(self.get(key, prototype) for key in keys), return_exceptions=True)

        # what fails is asked for again when it is needed, and its error told then
        for key, buffer in zip(keys, sync(all_of_them()), strict=True):
            if isinstance(buffer, Buffer):
                self._ahead[key] = buffer

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read an object, or part of one; None where the store has no such object.

        Parameters
        ----------
        key, prototype, byte_range
            As in Zarr.

        Returns
        -------
        Buffer or None
            The object, checked where it is whole.

        Raises
        ------
        DamagedObject
            If it keeps arriving damaged.
        TimeoutError
            If it keeps not arriving.
        """
        if byte_range is None and key in self._ahead:
            return self._ahead.pop(key)
        started = time.monotonic()
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return await self._attempt(key, prototype, byte_range)
            except Exception as error:
                spent = time.monotonic() - started
                last = attempt == self.patience.attempts or spent > self.patience.budget
                if last or not is_transient(error):
                    raise
                self.traffic.retries += 1
                await asyncio.sleep(self.patience.pause * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    async def _attempt(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None) -> Buffer | None:
        self.traffic.requests += 1
        self.traffic.keys.append(key)
        try:
            async with asyncio.timeout(self.patience.deadline):
                buffer = await self._store.get(key, prototype, byte_range)
        except TimeoutError:
            raise TimeoutError(f"{key}: nothing came within {self.patience.deadline:g} s") from None
        if buffer is None:
            if key in self.listing:
                raise DamagedObject(f"{key}: the bucket lists it and does not give it")
            return None
        self.traffic.bytes += len(buffer)
        if byte_range is None:
            if len(buffer) > SMALL:  # the loop goes on with the other requests while this one is summed
                await asyncio.to_thread(self._check, key, buffer)
            else:
                self._check(key, buffer)
        return buffer

    def _check(self, key: str, buffer: Buffer) -> None:
        listed = self.listing.get(key)
        if listed is not None and listed.size is not None and len(buffer) != listed.size:
            raise DamagedObject(f"{key}: {len(buffer)} bytes came of {listed.size}")
        if is_chunk_key(key):
            check_blosc(key, buffer)
        if listed is None:
            return
        data = buffer.to_bytes()
        if listed.crc32c:
            import google_crc32c

            if base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode() != listed.crc32c:
                raise DamagedObject(f"{key}: its CRC32C is not the one the bucket lists")
        elif listed.md5 and base64.b64encode(hashlib.md5(data).digest()).decode() != listed.md5:
            raise DamagedObject(f"{key}: its MD5 is not the one the bucket lists")


def is_chunk_key(key: str) -> bool:
    """Tell chunks (``tas/0.0.0``, ``tas/c/0/0/0``) from metadata."""
    name = key.rsplit("/", 1)[-1]
    return bool(name) and all(part.isdigit() for part in name.split("."))


def is_transient(error: BaseException) -> bool:
    """Tell errors after which trying again may help from those after which it cannot.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    bool
        True for time-outs, resets, damaged transfers and server errors; False for a missing or forbidden object.
    """
    if isinstance(error, _PERMANENT):
        return False
    if "Forbidden" in str(error) or "Invalid Credentials" in str(error):  # gcsfs raises a bare OSError for HTTP 403
        return False
    return isinstance(error, OSError | TimeoutError | ConnectionError | asyncio.IncompleteReadError) or (
        type(error).__module__.split(".")[0] in ("aiohttp", "botocore", "gcsfs")
    )


def checked_store(
    target: str, options: Mapping[str, Any] | None = None, patience: Patience | None = None
) -> CheckedStore:
    """Open a store for checked reading.

    Parameters
    ----------
    target : str
        A local folder or an fsspec URL.
    options : mapping, optional
        fsspec options.
    patience : Patience, optional
        Deadline, tries and budget.

    Returns
    -------
    CheckedStore
        Read-only; with the bucket's listing where the file system gives one.
    """
    if "://" not in target:
        return CheckedStore(LocalStore(target, read_only=True), patience=patience)
    inner = FsspecStore.from_url(target, storage_options=dict(options or {}), read_only=True)
    return CheckedStore(inner, _listing(target, options), patience)


def _listing(target: str, options: Mapping[str, Any] | None) -> dict[str, Listed]:
    """Size and checksums of every object of a store; empty where the bucket cannot be listed."""
    import fsspec

    fs, root = fsspec.url_to_fs(target, **dict(options or {}))
    try:
        found = fs.find(root.rstrip("/"), detail=True)
    except (OSError, NotImplementedError, ValueError):
        return {}
    start = len(root.rstrip("/")) + 1
    listing = {}
    for path, info in found.items():
        etag = str(info.get("ETag", "")).strip('"')
        # an S3 ETag is the MD5 of the object unless that was uploaded in parts
        md5 = base64.b64encode(bytes.fromhex(etag)).decode() if len(etag) == 32 and _is_hex(etag) else ""
        listing[path[start:]] = Listed(
            info.get("size"), str(info.get("crc32c") or ""), str(info.get("md5Hash") or "") or md5
        )
    return listing


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)
