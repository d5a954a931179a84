"""Who may open a websocket: pages of the hosts that the operator listed, and no others.

Tornado 6.6 asks for the list only where the origin of a page differs from the host that it asked for. A page whose name
was made to lead to this machine (DNS rebinding) passes that; here the list always counts.
"""

from __future__ import annotations

from bokeh.server.urls import per_app_patterns
from panel.io.server import WSHandler


class ListedWSHandler(WSHandler):
    """Refuses an origin that is not listed before the websocket is opened."""

    async def prepare(self) -> None:
        """Compare the origin with the list."""
        await super().prepare()
        origin = self.request.headers.get("Origin")
        if not self._finished and origin is not None and not self.check_origin(origin):
            self.set_status(403)
            self.finish("This page may not open a websocket here; see --allow-websocket-origin.\n")


def only_listed_origins() -> None:
    """Have every server that is made from now on ask the list."""
    for place, (pattern, *_) in enumerate(per_app_patterns):
        if pattern == "/ws":
            per_app_patterns[place] = (pattern, ListedWSHandler)
