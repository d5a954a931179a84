"""Whether the server is well, for whoever watches it: cheap to answer, and no page is made for it."""

from __future__ import annotations

import json
from typing import Any, Protocol

from tornado.web import RequestHandler

import spread


class Watched(Protocol):
    """What is told of the pages: reports that are served, pages that are open, how many may be."""

    shelf: Any
    open: int
    maximum_sessions: int


class HealthHandler(RequestHandler):
    """Answers ``/health`` with numbers, and with no name of a report."""

    def initialize(self, page: Watched) -> None:
        """Take what the server was given."""
        self.page = page

    def get(self) -> None:
        """Say that the server answers."""
        page = self.page
        state = {"state": "ready", "spread": spread.__version__, "reports": len(page.shelf.labels),
                 "pages": page.open, "maximum_pages": page.maximum_sessions}  # fmt: skip
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(state))

    head = get
