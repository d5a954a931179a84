"""A longer calculation of one visitor: its steps go to the worker, its progress is shown, one at a time."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from html import escape
from typing import Any

import panel as pn

from dashboards.calculating.working import WORKERS
from dashboards.drawing.styles import TEXT
from spread.errors import SpreadError, one_line

_log = logging.getLogger("spread.dashboard")

LOST = "The worker was lost while it calculated. Ask again: a new one is started."
BUSY = "One calculation at a time: wait until this one is done."

Step = tuple[str, Callable[..., Any], tuple[Any, ...]]


class Job:
    """At most one calculation of a visitor.

    Parameters
    ----------
    workers : Workers
        Who calculates.
    """

    def __init__(self, workers: Any = WORKERS) -> None:
        self.workers = workers
        self.panel = pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0)
        self.running: Future[Any] | None = None
        self.number = 0
        self.began = 0.0

    def start(
        self, steps: Sequence[Step], then: Callable[[list[Any]], None], replace: bool = False,
        failed: Callable[[str], None] | None = None,
    ) -> bool:  # fmt: skip
        """Do steps, one after another, without waiting for them.

        Parameters
        ----------
        steps : sequence of (str, callable, tuple)
            What is said meanwhile, what the worker calls, and with what.
        then : callable
            Given the results on the page's own thread.
        replace : bool
            Whether a calculation that is not done yet is given up; otherwise this one is refused.
        failed : callable, optional
            Given a sentence where there is no result; by default it is shown in place of the progress.

        Returns
        -------
        bool
            Whether it is on its way.
        """
        if self.running is not None and not replace:
            self.say(BUSY)
            return False
        self.stop()
        self.number += 1
        self.began = time.monotonic()
        document = pn.state.curdoc
        return self._next(self.number, document, list(steps), [], then, failed or self.say)

    def stop(self) -> None:
        """Give up what is not done yet; a step that the worker has begun ends, and nobody hears of it."""
        self.number += 1
        if self.running is not None:
            self.running.cancel()
        self.running = None
        self.panel.object = ""

    def say(self, words: str) -> None:
        """Say something in place of the progress."""
        self.panel.object = f"<p class='none' role='status'>{escape(words)}</p>"

    def _next(
        self, number: int, document: Any, steps: list[Step], made: list[Any], then: Callable[[list[Any]], None],
        failed: Callable[[str], None],
    ) -> bool:  # fmt: skip
        said, call, given = steps[len(made)]
        self._show(said, len(made), len(steps))
        try:
            self.running = self.workers.submit(call, *given)
        except Exception:
            _log.error("no worker could be asked\n%s", traceback.format_exc())
            self.running = None
            failed(LOST)
            return False

        def done(promise: Future[Any]) -> None:
            def on_page() -> None:
                if number != self.number:
                    return
                self._take(number, document, steps, made, then, failed, promise)

            if number != self.number:
                return  # given up, perhaps because its page was closed
            if document is None:
                on_page()
            else:
                document.add_next_tick_callback(on_page)

        self.running.add_done_callback(done)
        return True

    def _take(
        self, number: int, document: Any, steps: list[Step], made: list[Any], then: Callable[[list[Any]], None],
        failed: Callable[[str], None], promise: Future[Any],
    ) -> None:  # fmt: skip
        self.running = None
        try:
            made = [*made, promise.result()]
            if len(made) < len(steps):
                self._next(number, document, steps, made, then, failed)
                return
            self.panel.object = ""
            then(made)
        except SpreadError as error:
            self.panel.object = ""
            failed(f"No answer: {error}.")
        except (Exception, CancelledError) as error:
            if self.workers.lost(error):
                _log.error("the worker was lost: %s", one_line(error))
                self.panel.object = ""
                failed(LOST)
                return
            _log.error("a calculation failed\n%s", traceback.format_exc())
            self.panel.object = ""
            failed("This could not be calculated. The log of the server says why.")

    def _show(self, said: str, done: int, total: int) -> None:
        passed = time.monotonic() - self.began
        after = f", {passed:.0f} s so far" if passed >= 1 else ""
        self.panel.object = (
            f"<div class='job' role='status'><progress max='{total}' value='{done + 0.4}' "
            f"aria-label='progress of the calculation'></progress>"
            f"<span class='soft'>{escape(said)} (step {done + 1} of {total}{after})</span></div>"
        )
