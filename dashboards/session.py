"""The page of one visitor: choices, the report, the view that is looked at; every error is a sentence."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from html import escape
from typing import TypeVar

import panel as pn

from dashboards.calculating.jobs import Job
from dashboards.controls import Controls
from dashboards.drawing.styles import TABS, TEXT
from dashboards.results import Results, Shelf, Stale
from dashboards.state import Offers, State
from dashboards.view import View
from dashboards.views import VIEWS
from spread.errors import SpreadError
from spread.report import Report

_log = logging.getLogger("spread.dashboard")

Made = TypeVar("Made")

FAILED = "This could not be shown. The log of the server says why; the other views go on."


class Session:
    """The page of one visitor.

    Parameters
    ----------
    shelf : Shelf
        The reports that may be looked at.
    theme : str
        ``light`` or ``dark``.
    query : dict of str to str
        Choices of the URL, see :func:`dashboards.state.read_query`.
    refused : list of str
        What of the URL was not taken, a sentence each.
    draw : bool
        False where only a file is wanted.
    """

    def __init__(self, shelf: Shelf, theme: str, query: dict[str, str], refused: list[str], draw: bool = True) -> None:
        self.shelf, self.theme = shelf, theme
        label = query.get("report", shelf.labels[0])
        self.results: Results = shelf.take(label if label in shelf.labels else shelf.labels[0])
        self.offers = self._offers()
        self.state, more = State.first(self.offers).choose(self.offers, **query)
        self.refused = [*refused, *more]
        self.jobs: list[Job] = []
        self.job = self.new_job()
        self.draws = draw
        self.views: dict[str, View] = {}
        self.shown: dict[str, State] = {}
        self.status = pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0)
        self.stage = pn.Column(sizing_mode="stretch_width", margin=0)
        self.controls = Controls(self)
        self.tabs = pn.widgets.RadioButtonGroup(
            name="", options={view.title: view.name for view in VIEWS}, value=self.state.view, stylesheets=[TABS],
            margin=0,
        )  # fmt: skip
        self.tabs.param.watch(lambda event: self.choose(view=event.new), "value")
        self.say(*self.refused)
        if draw:
            self.guarded(self.refresh)

    def _offers(self) -> Offers:
        offers = self.results.offers(self.shelf.labels, [view.name for view in VIEWS])
        found = self.shelf.emulating
        if found is None:
            return offers
        theirs = set(map(str, self.results.report.change["source_id"].values))
        sources = sorted(found.models, key=lambda name: name not in theirs)  # first those of the report
        return offers._replace(
            sources=tuple(sources), pathways=found.scenarios, againsts=found.scenarios[1:] + found.scenarios[:1]
        )

    def new_job(self) -> Job:
        """A calculation of this page, given up with it or with its report."""
        self.jobs.append(Job())
        return self.jobs[-1]

    def stop(self) -> None:
        """Give up what is being calculated for this page."""
        for job in self.jobs:
            job.stop()

    @property
    def report(self) -> Report:
        """The report under the chosen definition."""
        return self.results.shown(self.state)

    def choose(self, **choices: object) -> None:
        """Take choices and show what follows from them; what cannot be taken is said, and nothing changes."""
        self.guarded(lambda: self._choose(**choices))

    def _choose(self, **choices: object) -> None:
        before = self.state
        state, refused = self.state.choose(self.offers, **choices)
        self.say(*refused)
        if refused and state == before:
            return
        if state.report != before.report:
            self.guarded(lambda: self._change_report(state))
            return
        self.state = state
        if self.guarded(self.refresh) is None and self.state != before and not refused:
            self._locate()

    def _change_report(self, state: State) -> None:
        self.stop()
        self.jobs = [self.job]
        self.results = self.shelf.take(state.report)
        self.offers = self._offers()
        self.state = state.fitted(self.offers)
        self.views, self.shown = {}, {}
        self.refresh()
        self._locate()

    def view(self) -> View:
        """The view that is looked at; made when it is first asked for."""
        name = self.state.view
        if name not in self.views:
            self.views[name] = next(kind for kind in VIEWS if kind.name == name)(self)
        return self.views[name]

    def refresh(self) -> None:
        """Show the view that is looked at, with what is chosen now."""
        with pn.io.hold():
            state = self.state
            kind = next(view for view in VIEWS if view.name == state.view)
            self.controls.fill(self.results.report, self.offers, state, kind.needs(state))
            if self.tabs.value != state.view:
                self.tabs.value = state.view
            self.results.check()
            view = self.view()
            if self.shown.get(state.view) != state:
                view.update()
                self.shown[state.view] = state
            if list(self.stage) != [view.body]:
                self.stage[:] = [view.body]

    def _locate(self) -> None:
        if pn.state.location is not None:
            pn.state.location.search = self.state.query(self.offers)

    def guarded(self, make: Callable[[], Made]) -> Made | None:
        """Do something; an error becomes a sentence on the page, and its traceback goes to the log of the server."""
        try:
            return make()
        except Stale as error:
            self.say(str(error))
        except SpreadError as error:
            self.say(f"No answer: {error}.")
        except Exception:
            _log.error("a view failed\n%s", traceback.format_exc())
            self.say(FAILED)
        return None

    def say(self, *sentences: str) -> None:
        """Say something above the view; nothing takes what was said away."""
        self.status.object = "".join(f"<p class='none'>{escape(_sentence(text))}</p>" for text in sentences[:5])


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].upper() + text[1:] + "."
