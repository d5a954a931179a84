"""A page that answers at once while reports are made and opened, and says how far that is.

A proxy waits a minute or so for an answer; the demo's report takes longer than that to be made. Only the standard
library is used, so that the page is there before Panel is imported.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

_COUNT = re.compile(r": (\d+) of (\d+)$")


class Waiting:
    """Serves the page on a Unix socket, in a thread, until it is closed.

    Parameters
    ----------
    unix_socket : Path
        Where to listen.
    prefix : str
        Path before every URL.
    """

    def __init__(self, unix_socket: Path, prefix: str = "") -> None:
        self._lock = threading.Lock()
        self._state: dict[str, Any] = {}
        self._again = threading.Event()
        self.closed = False
        self.say("starting")
        unix_socket.unlink(missing_ok=True)
        self._server = _Server(str(unix_socket), _Handler)
        self._server.waiting = self
        self._server.prefix = prefix
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def state(self) -> dict[str, Any]:
        """What the page asks for: state, words, and the share that is done where it is known."""
        with self._lock:
            return dict(self._state)

    def say(self, words: str) -> None:
        """Say what is being done.

        Parameters
        ----------
        words : str
            A line; ``what: 3 of 12`` moves the bar.
        """
        count = _COUNT.search(words)
        share = int(count[1]) / max(int(count[2]), 1) if count else None
        with self._lock:
            self._state = {"state": "waiting", "words": words, "share": share}

    def fail(self, words: str) -> None:
        """Say why there is no dashboard, and wait until somebody loads the page anew.

        Parameters
        ----------
        words : str
            A sentence.
        """
        self._again.clear()
        with self._lock:
            self._state = {"state": "failed", "words": f"{words}. Reload this page to try again.", "share": None}
        self._again.wait()
        self.say("trying again")

    def page_is_loaded(self) -> None:
        """Take notice of somebody who looks."""
        self._again.set()

    def close(self) -> None:
        """Let the socket go."""
        self._server.shutdown()
        self._server.server_close()
        self.closed = True


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    waiting: Waiting
    prefix: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Send the page, or how far it is."""
        path = self.path.partition("?")[0].removeprefix(self.server.prefix)
        waiting = self.server.waiting
        if path == "/health":
            self._send(200, "application/json", json.dumps(waiting.state))
        elif path in ("", "/"):
            waiting.page_is_loaded()
            page = (files("dashboards") / "waiting.html").read_text(encoding="utf-8")
            self._send(200, "text/html; charset=utf-8", page)
        else:
            self._send(503, "text/plain; charset=utf-8", "The dashboard is getting ready.\n")

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: a page asks every second."""
