"""What can be taken away: figures and numbers as files, at a URL that says what is chosen.

A link works with the keyboard and from a script, is checked like the page's own URL, and needs no browser on the
server.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pandas as pd
import xarray as xr
from tornado.web import RequestHandler

from dashboards.calculating.processes import Busy, Line
from dashboards.serving.printing import PRINTER
from dashboards.state import read_query
from spread.errors import SpreadError
from spread.figures import SYNTHETIC
from spread.figures.drawing import holoviews

if TYPE_CHECKING:
    from dashboards.results import Shelf
    from dashboards.view import View

_log = logging.getLogger("spread.dashboard")

KINDS = {"PNG": "png", "SVG": "svg", "CSV": "csv", "netCDF": "nc"}
"""Files by name, and how they end."""

_TYPES = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv; charset=utf-8", "nc": "application/x-netcdf"}
_DRAWN = ("png", "svg")
_EXTRA = {"which": ("runs", "out")}


def link(view: View, kind: str) -> str:
    """URL of a file of what a view shows, relative to the page."""
    query = view.session.state.query(view.session.offers).lstrip("?")
    more = urlencode({"kind": kind} | {name: value for name, value in view.extra().items() if value}, errors="replace")
    return f"take?{query}&{more}" if query else f"take?{more}"


def content(view: View, kind: str) -> bytes:
    """A file of what a view shows.

    Parameters
    ----------
    view : View
        The view.
    kind : str
        One of the values of :data:`KINDS`.

    Returns
    -------
    bytes
        The file.
    """
    synthetic = view.session.results.report.synthetic
    made: dict[str, Callable[[], bytes]] = {
        "png": lambda: printed(view.picture(), "png"),
        "svg": lambda: printed(view.picture(), "svg"),
        "csv": lambda: table_bytes(view.table(), synthetic),
        "nc": lambda: dataset_bytes(view.dataset(), synthetic),
    }
    return made[kind]()


def printed(drawn: Any, kind: str) -> bytes:
    """A figure as a file.

    Parameters
    ----------
    drawn : matplotlib.figure.Figure or a HoloViews object for Matplotlib
        The figure.
    kind : str
        ``png`` or ``svg``.

    Returns
    -------
    bytes
        The file.
    """
    from matplotlib.figure import Figure

    figure = drawn if isinstance(drawn, Figure) else holoviews().render(drawn, backend="matplotlib")
    out = BytesIO()
    figure.savefig(out, format=kind, dpi=150, facecolor="white")
    return out.getvalue()


def table_bytes(table: pd.DataFrame, synthetic: bool) -> bytes:
    """A table as CSV; synthetic data say so in every row."""
    text = StringIO()
    (table.assign(note=SYNTHETIC) if synthetic else table).to_csv(text, index=False)
    return text.getvalue().encode("utf-8")


def dataset_bytes(data: xr.Dataset, synthetic: bool) -> bytes:
    """A dataset as netCDF (classic, 64-bit offsets): any tool reads it, and no file is written on the server."""
    plain = data.drop_encoding().copy()
    for name in plain.variables:
        if plain[name].dtype.kind in "OU":
            plain[name] = plain[name].astype(str)
        plain[name].attrs = {k: v for k, v in plain[name].attrs.items() if isinstance(v, str | int | float | list)}
    plain.attrs = {k: v for k, v in data.attrs.items() if isinstance(v, str | int | float)}
    plain.attrs |= {"synthetic": str(synthetic).lower(), "source": SYNTHETIC if synthetic else "climate models"}
    return bytes(plain.to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def asked(arguments: Mapping[str, Sequence[bytes]]) -> tuple[str, dict[str, str], dict[str, str], list[str]]:
    """What a URL asks for.

    Parameters
    ----------
    arguments : mapping of str to sequence of bytes
        As the server has them.

    Returns
    -------
    kind : str
        Of a file; empty if there is no such kind.
    query, extra : dict of str to str
        Choices; what only a view knows.
    refused : list of str
        A sentence for each breach.
    """
    mine = ("kind", "which", "search")
    query, refused = read_query({name: values for name, values in arguments.items() if name not in mine})
    texts = {}
    for name in mine:
        raw = bytes(next(iter(arguments.get(name, ())), b""))
        try:
            texts[name] = raw.decode("utf-8")[:100]
        except UnicodeDecodeError:
            refused.append(f"{name}: is not text")
    kind = texts.get("kind", "")
    if kind not in _TYPES:
        refused.append(f"kind: expected one of {', '.join(_TYPES)}")
    extra = {name: value for name, value in texts.items() if name in ("which", "search") and value}
    if extra.get("which", "runs") not in _EXTRA["which"]:
        refused.append(f"which: expected one of {', '.join(_EXTRA['which'])}")
    return kind, query, extra, refused


class Refused(SpreadError):
    """A choice of a URL that the report does not have."""


FILES = Line(
    ThreadPoolExecutor(1, thread_name_prefix="spread-files"), "Many files are being made: ask again in a minute"
)
"""Where tables and numbers are made, in a thread of their own."""


def taken(shelf: Shelf, query: Mapping[str, str], extra: Mapping[str, str], kind: str) -> tuple[str, bytes | None]:
    """A file of what a view shows, and its name; None in place of one that the printer draws.

    Parameters
    ----------
    shelf : Shelf
        The reports.
    query, extra, kind
        From :func:`asked`, checked.

    Raises
    ------
    Refused
        If the report does not have what the query chooses.
    SpreadError
        If there is no such file.
    """
    from dashboards.session import Session

    session = Session(shelf, "light", dict(query), [], draw=False)
    if session.refused:
        raise Refused("; ".join(session.refused))
    view = session.view()
    view.search_for(**extra)
    name = f"{view.stem()}.{kind}"
    return name, None if kind in _DRAWN and view.of_reports else content(view, kind)


class TakeHandler(RequestHandler):
    """Answers links of :func:`link`; whatever goes wrong is a sentence of plain text."""

    def initialize(self, shelf: Shelf) -> None:
        """Take what the server was given."""
        self.shelf = shelf

    async def get(self) -> None:
        """Send a file, or why there is none."""
        kind, query, extra, refused = asked(self.request.arguments)
        if refused:
            return self._say(400, "; ".join(refused))
        try:
            name, made = await FILES.do(taken, self.shelf, query, extra, kind)
            if made is None:
                folders = tuple(results.folder for results in self.shelf.opened.values())
                made = await PRINTER.draw(folders, query, extra, kind)
        except Refused as error:
            return self._say(400, str(error))
        except Busy as error:
            return self._say(503, str(error))
        except SpreadError as error:
            return self._say(404, str(error))
        except Exception:
            _log.error("a file could not be made\n%s", traceback.format_exc())
            return self._say(500, "This file could not be made; the log of the server says why.")
        self.set_header("Content-Type", _TYPES[kind])
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self._guard()
        self.finish(made)
        return None

    def _say(self, status: int, words: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self._guard()
        self.finish(words.rstrip(".") + ".\n")

    def _guard(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say that something is wrong, without a traceback."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("This cannot be answered.\n")


class NoIconHandler(RequestHandler):
    """Answers browsers that ask for an icon beside the page."""

    def get(self) -> None:
        """Send nothing."""
        self.set_status(204)
