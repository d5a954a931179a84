"""Several visitors at once: pages are counted, calculations end with their page, and no one's file stops the others."""

import asyncio
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")
pytest.importorskip("jax", reason="what-ifs need jax")

import panel as pn
from bokeh.document import Document
from panel.io.state import set_curdoc
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from dashboards import app
from dashboards.app import Page, files_of
from dashboards.calculating.jobs import LOST, Job
from dashboards.results import Shelf
from dashboards.serving import taking
from dashboards.serving.health import HealthHandler
from dashboards.session import Session


@pytest.fixture(scope="module")
def shelf(small_report):
    return Shelf([small_report])


def words_of(template):
    return " ".join(
        str(pane.object)
        for roots in template._render_items.values()
        if hasattr(roots[0], "select")
        for pane in roots[0].select(pn.pane.HTML)
    )


def test_pages_that_are_made_at_the_same_time_are_counted(shelf, monkeypatch):
    both = threading.Barrier(2)
    real = app.Session

    def slow(*given):
        both.wait(60)
        return real(*given)

    page = Page(shelf, maximum_sessions=1)
    monkeypatch.setattr(app, "Session", slow)
    with ThreadPoolExecutor(2) as visitors:
        asked = [visitors.submit(page.make) for _ in range(2)]
        # the one that is refused makes no session: its place at the barrier is taken here
        both.wait(60)
        said = [words_of(promise.result(120)) for promise in asked]
    assert sum("Too many pages" in words for words in said) == 1
    assert page.open == 1


@pytest.mark.parametrize("where", ["Session", "_template"])
def test_a_page_that_could_not_be_made_is_not_counted(shelf, monkeypatch, where):
    def fails(*_):
        raise ValueError("a page")

    page = Page(shelf, maximum_sessions=1)
    monkeypatch.setattr(app, where, fails)
    for _ in range(3):
        assert "could not be shown" in words_of(page.make())
    assert page.open == 0


class Kept:
    """Takes steps, and has them."""

    def __init__(self):
        self.promises = []

    def submit(self, step, *given):
        self.promises.append(Future())
        return self.promises[-1]

    def lost(self, error):
        return isinstance(error, OSError)


def begin(job):
    return job.start([("a", len, ("",)), ("b", len, ("",))], lambda made: None)


def test_calculations_end_with_their_page_and_with_their_report(shelf):
    page, session = Page(shelf), Session(shelf, "light", {"view": "what-if"}, [])
    page.open = 1
    jobs = [session.job, session.view().land]
    for job in jobs:
        job.workers = Kept()
        assert begin(job)
    page._closed(session)
    assert all(job.workers.promises[0].cancelled() for job in jobs)
    assert page.open == 0
    for job in jobs:
        assert begin(job)
    session._change_report(session.state)
    assert all(job.workers.promises[1].cancelled() for job in jobs)
    assert session.jobs[0] is session.job
    assert session.view().land is not jobs[1]


def test_who_left_is_told_nothing(shelf, caplog):
    document = Document()
    job = Job(Kept())
    with set_curdoc(document):
        assert begin(job)
    (step,) = job.workers.promises
    step.set_running_or_notify_cancel()  # too late to give it up
    job.stop()
    document.callbacks.destroy()  # as Bokeh does where a page is closed
    with caplog.at_level(logging.WARNING):
        step.set_result(0)
    assert not caplog.records
    assert len(job.workers.promises) == 1


def test_what_cannot_begin_is_not_on_its_way(shelf):
    class Fails(Kept):
        def submit(self, step, *given):
            raise OSError("no more processes")

    job = Job(Fails())
    assert not begin(job)
    assert LOST in job.panel.object
    view = Session(shelf, "light", {"view": "what-if", "change": "no-fire"}, []).view()
    view.land.workers = Fails()
    view.simulate()
    assert not view.button.disabled


def test_pages_go_on_while_numbers_are_made(shelf, monkeypatch):
    began, go_on = threading.Event(), threading.Event()
    real = taking.content

    def slow(*given):
        began.set()
        assert go_on.wait(60)
        return real(*given)

    monkeypatch.setattr(taking, "content", slow)

    async def visit():
        server = HTTPServer(Application([*files_of(shelf), (r"/health", HealthHandler, {"page": Page(shelf)})]))
        socket, port = bind_unused_port()
        server.add_socket(socket)
        client, here = AsyncHTTPClient(), f"http://127.0.0.1:{port}"
        try:
            taken = asyncio.ensure_future(client.fetch(f"{here}/take?kind=csv&view=spread", request_timeout=100))
            await asyncio.to_thread(began.wait, 60)
            health = await client.fetch(f"{here}/health", request_timeout=20)
            assert health.code == 200
            assert not taken.done()
            go_on.set()
            return await taken
        finally:
            go_on.set()
            server.stop()

    answer = asyncio.run(visit())
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert b"ssp" in answer.body
