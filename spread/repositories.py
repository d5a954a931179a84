"""Icechunk repositories as stores: one snapshot of one group, read-only, under a URL that says which.

``icechunk+file:///data/cmip6?group=MIROC6/tas``, ``icechunk+s3://bucket/prefix?group=...&branch=main`` (or ``tag=``, or
``snapshot=``). A snapshot never changes, and its id becomes part of a dataset's provenance and of the cache's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from spread.errors import NotFound
from spread.transport import CheckedStore, Patience

PREFIX = "icechunk+"
_KEYS = ("group", "branch", "tag", "snapshot")


@dataclass(frozen=True)
class Address:
    """What the URL of a repository says.

    Parameters
    ----------
    scheme : str
        ``file``, ``s3``, ``gs`` or ``gcs``.
    bucket, path : str
        Where the repository is.
    group : str
        Path of the dataset's group in it.
    at : mapping of str to str
        ``branch``, ``tag`` or ``snapshot_id``, as Icechunk calls them.
    """

    scheme: str
    bucket: str
    path: str
    group: str
    at: Mapping[str, Any]


def is_repository(url: str) -> bool:
    """Tell URLs of Icechunk repositories from those of plain stores."""
    return url.startswith(PREFIX)


def parse(url: str) -> Address:
    """Take the URL of a repository apart.

    Parameters
    ----------
    url : str
        As in this module's title.

    Returns
    -------
    Address
        Its parts.

    Raises
    ------
    NotFound
        If it says what nothing can be made of; all of it is named.
    """
    parts = urlparse(url.removeprefix(PREFIX))
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    breaches = [f"{key!r} is none of {', '.join(_KEYS)}" for key in query if key not in _KEYS]
    given = [key for key in ("branch", "tag", "snapshot") if key in query]
    if len(given) > 1:
        breaches.append(f"one of {' and '.join(given)} is enough")
    if parts.scheme not in ("file", "s3", "gs", "gcs"):
        breaches.append(f"scheme {parts.scheme!r}: expected icechunk+file, icechunk+s3 or icechunk+gs")
    if breaches:
        raise NotFound(f"repository {url}: " + "; ".join(breaches))
    names = {"branch": "branch", "tag": "tag", "snapshot": "snapshot_id"}
    at = {names[key]: query[key] for key in given} or {"branch": "main"}
    return Address(parts.scheme, parts.netloc, unquote(parts.path), query.get("group", "").strip("/"), at)


class SnapshotStore(CheckedStore):
    """Read one snapshot of a repository; Icechunk knows which chunks it holds, so that none is missing silently.

    Parameters
    ----------
    store, listing, patience
        As in :class:`~spread.transport.CheckedStore`.
    snapshot : str
        Id of the snapshot.
    """

    def __init__(self, store: Any, listing: Any = None, patience: Patience | None = None, snapshot: str = "") -> None:
        super().__init__(store, listing, patience)
        self.snapshot = snapshot

    def _with_store(self, store: Any) -> SnapshotStore:
        return type(self)(store, self.listing, self.patience, self.snapshot)

    def stamp(self, prefix: str) -> str:
        """Id of the snapshot: it decides every array in it."""
        return self.snapshot


def snapshot_store(
    url: str, options: Mapping[str, Any] | None = None, patience: Patience | None = None
) -> tuple[SnapshotStore, str]:
    """Open the snapshot that a URL names.

    Parameters
    ----------
    url : str
        As in this module's title.
    options : mapping, optional
        What Icechunk's ``s3_storage`` or ``gcs_storage`` take beside bucket and prefix; anonymous by default.
    patience : Patience, optional
        Deadline, tries and budget.

    Returns
    -------
    SnapshotStore, str
        The store, and the path of the dataset's group in it.

    Raises
    ------
    NotFound
        If the URL cannot be read, or Icechunk is not installed. Icechunk's own errors pass.
    """
    address = parse(url)
    try:
        import icechunk
    except ImportError as error:
        raise NotFound(f"repository {url}: Icechunk is not installed; pip install 'cmip-spread[icechunk]'") from error
    prefix = address.path.strip("/")
    given = dict(options or {}) or {"anonymous": True}
    if address.scheme == "file":
        storage = icechunk.local_filesystem_storage(address.path)
    elif address.scheme == "s3":
        storage = icechunk.s3_storage(bucket=address.bucket, prefix=prefix, **given)
    else:
        storage = icechunk.gcs_storage(bucket=address.bucket, prefix=prefix, **given)
    session = icechunk.Repository.open(storage).readonly_session(**address.at)
    return SnapshotStore(session.store, patience=patience, snapshot=str(session.snapshot_id)), address.group
