"""A read-only Zarr store that checks what arrives: complete, undamaged, in time; and that tries again where that helps.

Zarr itself takes a missing object for fill values and a cut-off one for data. Here every object is compared with the
bucket's listing where there is one (size, CRC32C, MD5), every Blosc chunk with the length in its own header, a stall
ends at a deadline, and transport errors are tried again within a budget.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, LocalStore, WrapperStore

BLOSC_HEADER = 16
"""Length of a Blosc 1 header [bytes]; its last four give the length of the chunk (c-blosc, README_CHUNK_FORMAT)."""

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class DamagedObject(OSError):
    """An object that arrived otherwise than the store holds it."""


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

    def _with_store(self, store: Store) -> CheckedStore:
        return type(self)(store, self.listing, self.patience)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "traffic": Traffic()}

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
        if listed.crc32c:
            import google_crc32c

            if base64.b64encode(google_crc32c.Checksum(buffer.to_bytes()).digest()).decode() != listed.crc32c:
                raise DamagedObject(f"{key}: its CRC32C is not the one the bucket lists")
        elif listed.md5 and base64.b64encode(hashlib.md5(buffer.to_bytes()).digest()).decode() != listed.md5:
            raise DamagedObject(f"{key}: its MD5 is not the one the bucket lists")


def is_chunk_key(key: str) -> bool:
    """Tell chunks (``tas/0.0.0``, ``tas/c/0/0/0``) from metadata."""
    name = key.rsplit("/", 1)[-1]
    return bool(name) and all(part.isdigit() for part in name.split("."))


def check_blosc(key: str, buffer: Buffer) -> None:
    """Refuse a Blosc chunk that is shorter than its header says; numcodecs would decode what lies beyond its end.

    Parameters
    ----------
    key : str
        The chunk's key, for the message.
    buffer : Buffer
        The chunk; one that does not begin as Blosc does is left alone.

    Raises
    ------
    DamagedObject
        If it is cut off.
    """
    if len(buffer) < BLOSC_HEADER:
        return
    header = bytes(buffer[:BLOSC_HEADER].to_bytes())
    version, _, _, item, decoded, block, length = struct.unpack("<BBBBIII", header)
    looks_like_blosc = version == 2 and item > 0 and 0 < block <= max(decoded, 1) and decoded > 0
    if looks_like_blosc and length > len(buffer) and length <= decoded + BLOSC_HEADER:
        raise DamagedObject(f"{key}: {len(buffer)} bytes of a Blosc chunk of {length}")


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
