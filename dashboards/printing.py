"""Figures for print, drawn by a process of their own: they take seconds, in which every page would stand still.

A process and not a thread, because what draws for print and what draws for the page share the state of HoloViews.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from spread.errors import SpreadError

WAITING = 20
"""Figures asked for and not drawn yet; one more is refused."""


class Busy(SpreadError):
    """Too many figures are waiting to be drawn."""


class Printer:
    """The process that draws, started when a figure is first asked for, anew where it was lost."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None
        self.waiting = 0

    async def draw(
        self, folders: tuple[Path, ...], query: Mapping[str, str], extra: Mapping[str, str], kind: str
    ) -> bytes:
        """Draw what a view of a report shows.

        Parameters
        ----------
        folders : tuple of Path
            The reports of the server, in its order.
        query, extra, kind
            From :func:`dashboards.taking.asked`, checked.

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
        if self.waiting >= WAITING:
            raise Busy("Many figures are being drawn: ask again in a minute")
        self.waiting += 1
        try:
            for _ in range(2):
                try:
                    return await asyncio.wrap_future(
                        self._pool().submit(drawn, folders, dict(query), dict(extra), kind)
                    )
                except BrokenProcessPool:
                    self.close()
            raise Busy("The process that draws figures was lost: ask again")
        finally:
            self.waiting -= 1

    def _pool(self) -> ProcessPoolExecutor:
        if self.pool is None:
            self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self.pool

    def close(self) -> None:
        """Stop drawing."""
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


@lru_cache(1)
def _shelf(folders: tuple[Path, ...]) -> Any:
    from dashboards.results import Shelf

    return Shelf(folders)


def drawn(folders: tuple[Path, ...], query: dict[str, str], extra: dict[str, str], kind: str) -> bytes:
    """Draw a figure in this process; see :meth:`Printer.draw`."""
    from dashboards.session import Session
    from dashboards.taking import content

    view = Session(_shelf(folders), "light", query, [], draw=False).view()
    view.search_for(**extra)
    return content(view, kind)


PRINTER = Printer()
"""Of this server."""
