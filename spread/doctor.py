"""What works here and what does not: environment, engines, credentials, catalogs within reach."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from spread import catalog
from spread.errors import SpreadError, one_line
from spread.provenance import LIBRARIES, library_versions

TIMEOUT = 5.0  # seconds a catalog has to answer


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        What was looked at.
    state : str
        ``ok``, ``absent`` (optional and not there) or ``broken``.
    detail : str
        Version, path, or what to do.
    """

    what: str
    state: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        """The finding, ready for JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look at the environment; nothing is changed and no dataset is read.

    Returns
    -------
    list of Finding
        In the order in which a study needs them.
    """
    found = [_python(), *_libraries(), _memory()]
    found += [
        _optional(name, extra) for name, extra in (("jax", "kernels"), ("panel", "dashboard"), ("xesmf", "xesmf"))
    ]
    found += [_cache(), *_credentials()]
    found += [_guarded(f"catalog {name}", lambda name=name: _catalog(name)) for name in catalog.SHIPPED]  # type: ignore[misc]
    return found


def _python() -> Finding:
    right = sys.version_info >= (3, 12)
    return Finding("python", "ok" if right else "broken", f"{platform.python_version()}, 3.12 or newer is needed")


def _libraries() -> list[Finding]:
    return [
        Finding(name, "broken" if version == "absent" else "ok", version)
        for name, version in library_versions((*LIBRARIES, "distributed", "hvplot", "pint")).items()
    ]


def _memory() -> Finding:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Finding("machine", "ok", f"{os.cpu_count()} cores, {pages * size / 1e9:.0f} GB of memory")


def _optional(module: str, extra: str) -> Finding:
    if find_spec(module) is None:
        return Finding(module, "absent", f"optional; pip install 'cmip-spread[{extra}]'")
    if module == "xesmf" and find_spec("ESMF") is None and find_spec("esmpy") is None:
        return Finding(module, "absent", "xesmf is installed but ESMF is not; it comes from conda-forge")
    return Finding(module, "ok", library_versions((module,))[module])


def _cache() -> Finding:
    from spread.demo import location

    folder = location()
    parent = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(parent, os.W_OK):
        return Finding("demo archive", "broken", f"{parent} cannot be written; set SPREAD_DATA to another folder")
    return Finding("demo archive", "ok", f"{folder} ({'made' if folder.exists() else 'made on first use'})")


def _credentials() -> list[Finding]:
    google = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    amazon = [name for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID") if os.environ.get(name)]
    return [
        Finding("google credentials", "broken" if google and not Path(google).is_file() else "ok",
                google or "none set; public buckets are read anonymously"),
        Finding("amazon credentials", "ok", ", ".join(amazon) or "none set; public buckets are read anonymously"),
    ]  # fmt: skip


def _guarded(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", look())
    except (SpreadError, OSError, ValueError) as error:
        return Finding(what, "absent", f"not within reach: {one_line(error)}")


def _catalog(name: str) -> str:
    """Whether a catalog's table answers, without reading it whole."""
    import json
    from urllib.request import Request, urlopen

    if name == "demo":
        return "made on first use"
    description = json.loads(Path(catalog.locate(name)).read_text(encoding="utf-8"))
    request = Request(description["catalog_file"], method="HEAD")
    with urlopen(request, timeout=TIMEOUT) as answer:
        return f"{description['catalog_file']} answers ({answer.status})"


def table(findings: list[Finding]) -> str:
    """Findings as text, for a terminal."""
    width = max(len(f.what) for f in findings)
    return "\n".join(f"{f.state:<7} {f.what:<{width}}  {f.detail}" for f in findings)
