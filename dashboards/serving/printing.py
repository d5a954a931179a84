"""Figures for print, drawn by a process of their own: they take seconds, in which every page would stand still.

A process and not a thread, because what draws for print and what draws for the page share the state of HoloViews.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboards.calculating.processes import Busy, Line, Process


class Printer:
    """The process that draws."""

    def __init__(self) -> None:
        self.process = Process()
        self.line = Line(self.process, "Many figures are being drawn: ask again in a minute")

    async def draw(
        self, folders: tuple[Path, ...], query: Mapping[str, str], extra: Mapping[str, str], kind: str
    ) -> bytes:
        """Draw what a view of a report shows.

        Parameters
        ----------
        folders : tuple of Path
            The reports of the server, in its order.
        query, extra, kind
            From :func:`dashboards.serving.taking.asked`, checked.

        Returns
        -------
        bytes
            The file.

        Raises
        ------
        Busy
            If too many are waiting, or the process was lost twice.
        SpreadError
            If there is no such figure.
        """
        for _ in range(2):
            try:
                return await self.line.do(drawn, folders, dict(query), dict(extra), kind)
            except BrokenProcessPool:  # another one is started by who asks next
                continue
        raise Busy("The process that draws figures was lost: ask again")

    def close(self) -> None:
        """Stop drawing."""
        self.process.close()


@lru_cache(1)
def _shelf(folders: tuple[Path, ...]) -> Any:
    from dashboards.results import Shelf

    return Shelf(folders)


def drawn(folders: tuple[Path, ...], query: dict[str, str], extra: dict[str, str], kind: str) -> bytes:
    """Draw a figure in this process; see :meth:`Printer.draw`."""
    from dashboards.serving.taking import content
    from dashboards.session import Session

    view = Session(_shelf(folders), "light", query, [], draw=False).view()
    view.search_for(**extra)
    return content(view, kind)


PRINTER = Printer()
"""Of this server."""
