"""The page and its server: only the reports that are listed, only for the origins that are allowed.

``spread dashboard REPORT`` calls :func:`serve`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import panel as pn

from dashboards.calculating.working import WORKERS
from dashboards.drawing.styles import TEXT
from dashboards.results import Shelf
from dashboards.serving.health import HealthHandler
from dashboards.serving.logs import plain_logs
from dashboards.serving.printing import PRINTER
from dashboards.serving.taking import NoIconHandler, TakeHandler
from dashboards.serving.websockets import only_listed_origins
from dashboards.session import FAILED, Session
from dashboards.state import read_query
from dashboards.views import VIEWS
from spread.errors import NotFound, SpreadError
from spread.figures import SYNTHETIC
from spread.vocabulary import VARIABLES

_log = logging.getLogger("spread.dashboard")

MAXIMUM_SESSIONS = 60
"""Pages open at once; one more is told to come back later."""

MAXIMUM_MESSAGE = 1 << 20
"""Bytes of a message from a browser; choices take hundreds."""

MAXIMUM_REQUEST = 1 << 16
"""Bytes of a request's body and of its header."""

_THEME = "spread-theme"
"""Cookie of the choice of light or dark, the only one that is read."""

_THEMES = {"light": "dark", "dark": "light"}


class Page:
    """Makes the page of each visitor.

    Parameters
    ----------
    shelf : Shelf
        The reports.
    maximum_sessions : int
        How many pages may be open at once.
    """

    def __init__(self, shelf: Shelf, maximum_sessions: int = MAXIMUM_SESSIONS) -> None:
        self.shelf = shelf
        self.maximum_sessions = maximum_sessions
        self.open = 0
        self._counting = threading.Lock()

    def make(self) -> pn.Template:
        """Make a page; whatever goes wrong is a sentence on it."""
        theme = str(pn.state.cookies.get(_THEME, ""))  # of a token that somebody made, it may be anything
        theme = theme if theme in _THEMES else "light"
        if not self._admitted():
            return _page_of_words("Too many pages of this dashboard are open. Try again in a minute.", theme)
        try:
            query, refused = read_query(pn.state.session_args or {})
            session = Session(self.shelf, theme, query, refused)
            template = _template(session)
        except SpreadError as error:
            self._left()
            return _page_of_words(str(error), theme)
        except Exception:
            self._left()
            _log.error("a page could not be made\n%s", traceback.format_exc())
            return _page_of_words(FAILED, theme)
        pn.state.on_session_destroyed(lambda context: self._closed(session))
        return template

    def _admitted(self) -> bool:
        """Count a page before it is made: Bokeh makes those of several visitors at the same time."""
        with self._counting:
            if self.open >= self.maximum_sessions:
                return False
            self.open += 1
            return True

    def _left(self) -> None:
        with self._counting:
            self.open -= 1

    def _closed(self, session: Session) -> None:
        try:
            session.stop()
        finally:
            self._left()


def _template(session: Session) -> pn.Template:
    report = session.results.report
    variable = VARIABLES[report.study.variable_id]
    roots = {"views": session.tabs, "controls": session.controls.panel, "status": session.status,
             "stage": session.stage}  # fmt: skip
    alarm = (
        f"{SYNTHETIC}. The numbers show how spread works and say nothing about the climate." if report.synthetic else ""
    )
    heading = f"{variable.long_name}: how far do climate models disagree?"
    footer = f"Report {report.study.name}, study and numbers by spread {report.provenance.get('spread', '')}."
    return _filled(roots, session.theme, heading, alarm, footer)


def _page_of_words(words: str, theme: str) -> pn.Template:
    said = pn.pane.HTML(f"<h2>Nothing to show</h2><p>{escape(words)}</p>", stylesheets=[TEXT], margin=0)
    roots = {"views": pn.Spacer(), "controls": pn.Spacer(), "status": pn.Spacer(), "stage": said}
    return _filled(roots, theme, "spread", "", "")


def _filled(roots: dict[str, Any], theme: str, heading: str, alarm: str, footer: str) -> pn.Template:
    here = files("dashboards")
    template = pn.Template((here / "page.html").read_text(encoding="utf-8"))
    template.location = True
    for name, root in roots.items():
        template.add_panel(name, root)
    style = (here / "page.css").read_text(encoding="utf-8")
    for name, value in {"theme": theme, "other_theme": _THEMES[theme], "style": style, "heading": heading,
                        "alarm": alarm, "footer": footer}.items():  # fmt: skip
        template.add_variable(name, value)
    return template


def warm(shelf: Shelf) -> None:
    """Make one page of each report before the first visitor comes: imports and yearly means take seconds."""
    for label in shelf.labels:
        for view in VIEWS:
            session = Session(shelf, "light", {"report": label, "view": view.name}, [])
        session.results.make_ready(session.offers)


def options(
    address: str, port: int, origins: Sequence[str], prefix: str, show: bool = False, unix_socket: Path | None = None
) -> dict[str, Any]:
    """What the server is told: strict origins, short sessions, small messages.

    Parameters
    ----------
    address, port : str, int
        Where to listen.
    origins : sequence of str
        ``HOST:PORT`` of pages that may open a websocket; by default only this server's own.
    prefix : str
        Path before every URL, for a proxy.
    show : bool
        Whether to open a browser.
    unix_socket : Path, optional
        Where to listen in place of an address and a port; then nobody may open a websocket but ``origins``.

    Returns
    -------
    dict
        Keywords of ``panel.serve``.
    """
    where: dict[str, Any] = (
        {"address": address, "port": port} if unix_socket is None else {"unix_socket": str(unix_socket)}
    )
    own = [f"{address}:{port}"] + ([f"localhost:{port}"] if address in ("127.0.0.1", "localhost") else [])
    return where | {
        "websocket_origin": list(origins) or own, "prefix": prefix, "show": show,
        "title": "spread", "verbose": False, "websocket_max_message_size": MAXIMUM_MESSAGE,
        "check_unused_sessions_milliseconds": 5000, "unused_session_lifetime_milliseconds": 15000,
        # a session's token lies in its page: no login of a proxy or hub may be in it
        "include_headers": [], "include_cookies": [_THEME],
        "keep_alive_milliseconds": 20000, "session_token_expiration": 300,
        "http_server_kwargs": {"max_body_size": MAXIMUM_REQUEST, "max_header_size": MAXIMUM_REQUEST},
    }  # fmt: skip


def serve(
    reports: Iterable[str | Path],
    address: str = "127.0.0.1",
    port: int = 5006,
    origins: Sequence[str] = (),
    prefix: str = "",
    maximum_sessions: int = MAXIMUM_SESSIONS,
    show: bool = False,
    say: Callable[[str], None] = print,
    emulator: str | Path | None = None,
    evaluation: str | Path | None = None,
    executor: Any = None,
    unix_socket: Path | None = None,
    listening: Callable[[], None] | None = None,
) -> None:
    """Serve reports until interrupted.

    Parameters
    ----------
    reports : iterable of str or Path
        Folders of reports; no other is ever opened.
    address, port, origins, prefix, show, unix_socket
        See :func:`options`; port 0 is any that is free.
    maximum_sessions : int
        Pages open at once.
    say : callable
        Takes a line when the server is ready, with its URL.
    emulator, evaluation : str or Path, optional
        File of an emulator and folder of an evaluation of it; no other is ever opened.
    executor : spread.cluster.ClusterExecutor, optional
        Workers of a dask cluster for what visitors have calculated; a process beside the server otherwise.
    listening : callable, optional
        Called when the server listens: whoever answered on the Unix socket before lets it go.

    Raises
    ------
    NotFound
        If a report is not there, or the port is taken.
    """
    prepare()
    say("dashboard: opening the reports")
    shelf = Shelf(reports, emulator, evaluation)
    warm(shelf)
    page = Page(shelf, maximum_sessions)
    WORKERS.use(executor)
    if unix_socket is None and port == 0:
        port = _free_port(address)  # its pages must be listed before it is known where they are
    try:
        server = pn.serve(
            {"/": page.make},
            extra_patterns=[*files_of(shelf), (r"/health", HealthHandler, {"page": page})],
            start=False,
            **options(address, port, origins, prefix, show, unix_socket),
        )
    except OSError as error:
        raise NotFound(
            f"dashboard: cannot listen on {unix_socket or f'{address}:{port}'}: {error.strerror or error}; try --port"
        ) from error
    if listening is not None:
        listening()
    place = f"http://{address}:{server.port}" if unix_socket is None else str(unix_socket)
    say(f"dashboard: {place}{server.prefix}/ (stop it with Ctrl-C)")
    plain_logs()
    try:
        server.run_until_shutdown()
    finally:
        with contextlib.suppress(Exception):
            server.stop()
        WORKERS.use(None)
        WORKERS.close()
        PRINTER.close()


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as found:
        return int(found.getsockname()[1])


def files_of(shelf: Shelf) -> list[tuple[str, Any, dict[str, Any]]]:
    """Routes of the files that visitors take away, and of the icon, which Bokeh has at the root only."""
    return [(r"/take", TakeHandler, {"shelf": shelf}), (r"/favicon.ico", NoIconHandler, {})]


def prepare() -> None:
    """Set up Panel: nothing from another host, no notifications, nothing that is not needed."""
    only_listed_origins()
    pn.extension(notifications=False, inline=False)
    pn.config.global_loading_spinner = False
    pn.config.loading_indicator = False
