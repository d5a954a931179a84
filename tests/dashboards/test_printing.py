"""Figures for print come from a process of their own, and pages go on meanwhile."""

import asyncio
import os
import re
import signal
import threading

import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

from dashboards.calculating import processes
from dashboards.calculating.processes import Busy
from dashboards.results import Shelf
from dashboards.serving.printing import Printer
from dashboards.serving.taking import content
from dashboards.session import Session
from spread.errors import NotFound

QUERY = {"view": "spread", "region": "arctic"}


@pytest.fixture
def printer():
    made = Printer()
    yield made
    made.close()


def ask(printer, report, query=QUERY, kind="svg"):
    return asyncio.run(printer.draw((report,), query, {}, kind))


def without_names(svg: bytes) -> bytes:
    """A picture without identifiers and dates, which are new each time."""
    return re.sub(rb'(id|href|clip-path)="[^"]*"|<dc:date>[^<]*', b"", svg)


@pytest.mark.slow
def test_a_figure_is_that_of_the_view_and_a_lost_process_is_replaced(printer, small_report):
    view = Session(Shelf([small_report]), "light", dict(QUERY), [], draw=False).view()
    expected = without_names(content(view, "svg"))
    assert len(expected) > 50_000
    assert without_names(ask(printer, small_report)) == expected
    with pytest.raises(NotFound, match="not of land"):
        ask(printer, small_report, {"view": "land"})
    worker = printer.process.submit(os.getpid).result(60)
    assert worker != os.getpid()
    os.kill(worker, signal.SIGKILL)
    assert without_names(ask(printer, small_report)) == expected


def test_one_figure_too_many_is_refused(printer, small_report, monkeypatch):
    monkeypatch.setattr(processes, "WAITING", 0)
    with pytest.raises(Busy, match="ask again in a minute"):
        ask(printer, small_report)
    assert not printer.process.started


@pytest.mark.slow
def test_a_page_goes_on_while_a_figure_is_drawn(server):
    order = []

    def take(kind):
        status, _, headers = server.get(f"take?kind={kind}&view=spread")
        order.append((kind, status, headers["Content-Type"].split(";")[0]))

    drawing = threading.Thread(target=take, args=("png",))
    drawing.start()
    take("csv")
    drawing.join(120)
    assert order == [("csv", 200, "text/csv"), ("png", 200, "image/png")]
