"""How storage is reached: fsspec options by protocol, public buckets anonymously by default (standard library only)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlparse

Options = Mapping[str, Mapping[str, Any]]

DEFAULT_OPTIONS: Options = {"gs": {"token": "anon"}, "gcs": {"token": "anon"}, "s3": {"anon": True}}
"""How public buckets are read; a study's ``storage_options`` replace them."""


def storage_options_for(url: str, options: Options | None = None) -> dict[str, Any]:
    """Options with which fsspec opens a URL.

    Parameters
    ----------
    url : str
        A URL, or a local path.
    options : mapping, optional
        Options by protocol; they replace the defaults for public buckets.

    Returns
    -------
    dict
        Empty for a local path.
    """
    # gcsfs asks each new bucket for its layout over gRPC, which hangs on emulators and fails slowly on public buckets;
    # it reads this when it is imported
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    protocol = urlparse(url).scheme
    given = (options or {}).get(protocol)
    return dict(DEFAULT_OPTIONS.get(protocol, {}) if given is None else given)
