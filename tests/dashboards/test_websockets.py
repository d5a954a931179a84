"""What a browser sends: choices are taken, numbers are not, and no visitor changes what another one sees."""

import asyncio
import json
import logging
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

from bokeh.models import ColumnDataSource
from bokeh.util.token import get_token_payload
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from dashboards.drawing.curves import Curve, on_page
from dashboards.drawing.globe import Globe
from dashboards.results import Shelf
from dashboards.serving.logs import LONGEST, PlainFormatter
from dashboards.serving.websockets import refusal
from dashboards.session import Session
from spread.errors import NotFound


def patch(*events):
    return SimpleNamespace(msgtype="PATCH-DOC", content={"events": list(events)})


HOSTILE = {
    "patched columns": patch({"kind": "ColumnsPatched", "attr": "data"}),
    "streamed columns": patch({"kind": "ColumnsStreamed", "attr": "data"}),
    "changed columns": patch({"kind": "ColumnDataChanged", "attr": "data"}),
    "numbers as a property": patch({"kind": "ModelChanged", "attr": "data", "new": {}}),
    "among others": patch({"kind": "ModelChanged", "attr": "value"}, {"kind": "ColumnsPatched"}),
    "a root": patch({"kind": "RootAdded"}), "no root": patch({"kind": "RootRemoved"}),
    "a title": patch({"kind": "TitleChanged"}), "no kind": patch({}), "no event": patch("x"),
    "no events": SimpleNamespace(msgtype="PATCH-DOC", content={}),
    "a list": SimpleNamespace(msgtype="PATCH-DOC", content=[]),
    "nothing": SimpleNamespace(msgtype="PATCH-DOC", content=None),
    "events that are none": SimpleNamespace(msgtype="PATCH-DOC", content={"events": 5}),
    "a whole document": SimpleNamespace(msgtype="PUSH-DOC", content={}),
    "an unknown message": SimpleNamespace(msgtype="x" * 10_000, content={}),
}  # fmt: skip


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
def test_what_would_change_numbers_is_refused(message):
    assert 0 < len(refusal(message)) < 100


@pytest.mark.parametrize("message", [
    patch({"kind": "ModelChanged", "attr": "value", "new": 1}, {"kind": "MessageSent"}),
    SimpleNamespace(msgtype="PULL-DOC-REQ", content={}),
])  # fmt: skip
def test_choices_are_taken(message):
    assert refusal(message) == ""


async def attack(server, query, event_of):
    """Send an event for every source of the page; the answers of the server."""
    page = urllib.request.urlopen(f"{server.url}{query}").read().decode()
    token = re.search(r'"token":"([^"]+)"', page)[1]
    address = f"ws://127.0.0.1:{server.port}/ws"
    request = HTTPRequest(address, headers={"Origin": f"http://127.0.0.1:{server.port}"})
    socket = await websocket_connect(request, subprotocols=["bokeh", token])

    async def ask(msgtype, content):
        for part in ({"msgid": "1", "msgtype": msgtype}, {}, content):
            await socket.write_message(json.dumps(part))

    async def reply():
        while True:
            parts = [await asyncio.wait_for(socket.read_message(), 60) for _ in range(3)]
            header = json.loads(parts[0])
            for _ in range(2 * header.get("num_buffers", 0)):
                await socket.read_message()
            if header.get("reqid") == "1":
                return header["msgtype"], parts[2]

    acknowledged = json.loads(await socket.read_message())
    assert acknowledged["msgtype"] == "ACK"
    await socket.read_message(), await socket.read_message()
    await ask("PULL-DOC-REQ", {})
    _, document = await reply()
    answers = []
    for found in re.finditer(r'"name":"ColumnDataSource","id":"([^"]+)"', document):
        await ask("PATCH-DOC", {"events": [event_of({"id": found[1]})]})
        answers.append(await reply())
    socket.close()
    return answers


def attacked(*what):
    with ThreadPoolExecutor(1) as own:  # a thread without a loop of its own: Playwright may have one in this
        return own.submit(asyncio.run, attack(*what)).result()


def told_nothing(answers):
    assert len(answers) > 1
    assert {kind for kind, _ in answers} == {"ERROR"}
    assert not any("Traceback" in text or ".py" in text for _, text in answers)


def test_no_login_lies_in_a_page(server):
    asked = {"Cookie": "jupyterhub-user-ann=SECRET; spread-theme=dark", "Authorization": "Bearer SECRET",
             "X-Forwarded-Access-Token": "SECRET"}  # fmt: skip
    page = urllib.request.urlopen(urllib.request.Request(server.url, headers=asked)).read().decode()
    token = re.search(r'"token":"([^"]+)"', page)[1]
    payload = get_token_payload(token)
    assert "SECRET" not in page + str(payload)
    assert payload["cookies"] == {"spread-theme": "dark"}
    assert '<meta name="color-scheme" content="dark">' in page


@pytest.mark.slow
def test_what_goes_wrong_with_a_message_is_for_the_log(server):
    def wrong(source):
        return {"kind": "ModelChanged", "model": source, "attr": "selected", "new": 1}

    told_nothing(attacked(server, "?view=spread", wrong))


@pytest.mark.slow
@pytest.mark.parametrize(("view", "columns"), [("maps&scenario=ssp585", ["xs", "ys"]), ("spread", ["Year", "centre"])])
def test_no_visitor_changes_what_another_one_takes(server, view, columns):
    patches = {"type": "map", "entries": [[name, [[0, 777.0]]] for name in columns]}

    def patched(source):
        return {"kind": "ColumnsPatched", "model": source, "attr": "data", "patches": patches}

    before = [server.get(f"take?kind={kind}&view={view}") for kind in ("csv", "nc")]
    so_far = len(server.said())
    told_nothing(attacked(server, f"?view={view}", patched))
    assert [server.get(f"take?kind={kind}&view={view}")[:2] for kind in ("csv", "nc")] == [b[:2] for b in before]
    assert "Traceback" not in server.said()[so_far:]


def test_figures_share_no_numbers():
    one, other = Globe("light", True, "RdBu_r"), Globe("light", True, "RdBu_r")
    drawn = [[a for source in globe.figure.select(ColumnDataSource) for c in source.data.values() for a in c]
             for globe in (one, other)]  # fmt: skip
    pairs = [(a, b) for a in drawn[0] for b in drawn[1] if isinstance(a, np.ndarray) and isinstance(b, np.ndarray)]
    assert pairs
    assert not any(np.shares_memory(a, b) for a, b in pairs)
    kept = np.arange(5.0)
    figure = on_page([Curve("x", kept, kept, "#000000", low=kept, high=kept)], "light", "y", "K", "")
    for source in figure.select(ColumnDataSource):
        assert not any(np.shares_memory(kept, column) for column in source.data.values() if len(column))


def test_a_record_of_the_log_is_one_record_and_short():
    said = "x\n2026-11-30 17:00:00,000 - spread.dashboard - ERROR - FORGED\x00\x1b[31m\ud800"
    record = logging.LogRecord("panel", logging.ERROR, "", 0, "value %s", (said,), None)
    text = PlainFormatter("%(asctime)s - %(message)s").format(record)
    assert text.split("\n")[1].startswith("    | 2026")
    assert text.count("\n") == 1
    assert "\x00" not in text
    assert "\x1b" not in text
    text.encode("utf-8")
    record.args = ("y" * 10**6,)
    assert len(PlainFormatter("%(message)s").format(record)) < LONGEST + 100


@pytest.mark.parametrize("name", ["constraint", "sensitivity"])
def test_an_answer_that_is_not_there_cannot_be_taken_and_says_why(small_report, name):
    query = {"view": "why", "answer": name} | ({"base": "1995-2014"} if name == "constraint" else {})
    view = Session(Shelf([small_report]), "light", query, [], draw=False).view()
    for make in (view.table, view.dataset, view.picture):
        with pytest.raises(NotFound, match="no answer: "):
            make()


def test_a_value_that_no_one_can_hold_is_a_sentence(small_report):
    session = Session(Shelf([small_report]), "light", {}, [])
    session.choose(scale=10**400)
    assert "scale" in session.status.object.lower()
    trace = Session(Shelf([small_report]), "light", {"view": "trace"}, [])
    trace.view().search_for("runs", "\ud800")
    assert "internal" not in trace.status.object.lower()
