"""Progress of long work: bars on a terminal; elsewhere nothing, or lines where they are asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

VARIABLE = "SPREAD_PROGRESS"
"""Environment variable; ``lines`` asks for a line a second where there is no terminal, such as in the log of a job."""

_EVERY = 1.0  # s between two lines of a stage


@contextmanager
def bars(stream: TextIO) -> Iterator[Callable[[str, int, int], None]]:
    """Show one bar a stage.

    Parameters
    ----------
    stream : text stream
        Where; on anything but a terminal nothing is shown, unless :data:`VARIABLE` asks for lines.

    Yields
    ------
    callable
        Takes a stage, and how many of how many are done.
    """
    if not stream.isatty():
        yield _lines(stream) if os.environ.get(VARIABLE) == "lines" else lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream)) as progress:
        tasks: dict[str, int] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = int(progress.add_task(stage, total=total))
            progress.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _lines(stream: TextIO) -> Callable[[str, int, int], None]:
    """Says a stage when it begins and ends, and once a second between."""
    said: dict[str, float] = {}

    def show(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage not in said or done >= total or now - said[stage] >= _EVERY:
            said[stage] = now
            print(f"{stage}: {done} of {total}", file=stream, flush=True)

    return show
