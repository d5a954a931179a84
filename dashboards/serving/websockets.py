"""Who may open a websocket, and what a browser may send through it.

Tornado 6.6 asks for the list of origins only where the origin of a page differs from the host that it asked for. A page
whose name was made to lead to this machine (DNS rebinding) passes that; here the list always counts.

A browser may tell what a visitor did. The numbers behind the figures are the server's: what would change them is
refused, for arrays behind the figures of several visitors may be one.
"""

from __future__ import annotations

import logging
from typing import Any

from bokeh.protocol.message import Message
from bokeh.server.urls import per_app_patterns
from panel.io.server import WSHandler

_log = logging.getLogger("spread.dashboard")

_MESSAGES = ("PULL-DOC-REQ", "PATCH-DOC", "SERVER-INFO-REQ")
_EVENTS = ("ModelChanged", "MessageSent")


class ListedWSHandler(WSHandler):
    """Refuses an origin that is not listed before the websocket is opened, and messages that change numbers."""

    async def prepare(self) -> None:
        """Compare the origin with the list."""
        await super().prepare()
        origin = self.request.headers.get("Origin")
        if not self._finished and origin is not None and not self.check_origin(origin):
            self.set_status(403)
            self.finish("This page may not open a websocket here; see --allow-websocket-origin.\n")

    async def _handle(self, message: Message[Any]) -> Any:
        why = refusal(message)
        if why:
            _log.warning("a message of a browser was refused: %s", why)
            return self.connection.error(message, why)
        work = await super()._handle(message)
        if isinstance(work, Message) and work.msgtype == "ERROR":
            # where the code lies is nobody's business; the log has it
            return self.connection.error(message, "The server could not take this message; its log says why.")
        return work


def refusal(message: Message[Any]) -> str:
    """Why a message of a browser is refused; empty where it is not.

    Parameters
    ----------
    message : bokeh.protocol.message.Message
        As it was received.
    """
    if message.msgtype not in _MESSAGES:
        return f"a page sends no {str(message.msgtype)[:40]!r}"
    if message.msgtype != "PATCH-DOC":
        return ""
    try:
        events = [(str(event["kind"]), str(event.get("attr", ""))) for event in message.content["events"]]
    except (AttributeError, KeyError, TypeError):
        return "its events cannot be understood"
    for kind, attr in events:
        if kind not in _EVENTS:
            return f"a page makes no {kind[:40]!r}"
        if kind == "ModelChanged" and attr == "data":
            return "a page changes no numbers"
    return ""


def only_listed_origins() -> None:
    """Have every server that is made from now on ask the list, and read what browsers send."""
    for place, (pattern, *_) in enumerate(per_app_patterns):
        if pattern == "/ws":
            per_app_patterns[place] = (pattern, ListedWSHandler)
