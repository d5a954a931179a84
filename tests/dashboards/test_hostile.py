"""Hostile visitors and hostile reports: nothing is opened, no traceback is shown, the service stays up."""

import asyncio
import contextlib
import json
import re
import shutil
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

LONG = "x" * 5000
QUERIES = {
    "path in report": "report=/etc/passwd",
    "parent in report": "report=../../../etc/passwd",
    "escaped parent": "report=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "file url": "report=file:///etc/passwd",
    "remote url": "report=https://example.org/report",
    "bucket url": "report=gs://cmip6/report",
    "another report by path": "report=/tmp/demo-report",
    "study": "study=/etc/passwd",
    "catalog": "catalog=https://example.org/c.json",
    "script in region": "region=%3Cscript%3Ealert(1)%3C/script%3E",
    "image in region": "region=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
    "script in an unknown name": "%3Cscript%3Ealert(1)%3C/script%3E=1",
    "template in model": "model={{7*7}}{%25%20raise%20%25}",
    "format in model": "model={0.__class__}",
    "null byte": "region=glo%00bal",
    "line breaks": "region=global%0d%0aSet-Cookie:%20a=b",
    "not utf-8": "region=%ff%fe",
    "oversized value": f"region={LONG}",
    "oversized name": f"{LONG}=1",
    "many values": "&".join(f"region={n}" for n in range(500)),
    "many names": "&".join(f"a{n}=1" for n in range(500)),
    "negative years": "base=-5--1",
    "huge years": "base=1-99999999999999999999",
    "no years": "base=",
    "words for years": "base=__import__('os')",
    "unicode digits": "base=%EF%BC%91%EF%BC%98%EF%BC%95%EF%BC%90-%EF%BC%91%EF%BC%99%EF%BC%90%EF%BC%90",
    "unknown view": "view=admin",
    "dunder view": "view=__class__",
    "unknown votes": "votes=all%27%20OR%201=1",
    "session id": "bokeh-session-id=../../etc/passwd",
    "protocol": "bokeh-protocol-version=99",
    "theme": "theme=%22%3E%3Cscript%3E",
}
FILES = {
    "no kind": "take",
    "unknown kind": "take?kind=pickle",
    "kind with a path": "take?kind=../../etc/passwd",
    "report by path": "take?kind=csv&report=/etc/passwd",
    "report by url": "take?kind=nc&report=https://example.org/r",
    "unknown region": "take?kind=csv&region=%3Cscript%3E",
    "table that is none": "take?kind=csv&view=trace&which=../secret",
    "base of no years": "take?kind=png&base=0-0",
    "search as expression": "take?kind=csv&view=trace&search=(a%2B)%2B%24",
    "not utf-8": "take?kind=%ff",
    "name of a file": "take?kind=csv&filename=/etc/passwd",
}
PATHS = [
    "../../../../etc/passwd", "static/../../../../etc/passwd", "static/js/..%2f..%2f..%2fapp.py",
    "%2e%2e/%2e%2e/etc/passwd",
    "app.py", "report.zarr/zarr.json", "small-report/summary.json", ".git/config", "admin", "rest/state",
    "static/extensions/panel/../../../app.py", "components/dashboards.app/Page/shelf/etc/passwd",
    "components/os/path/__doc__/etc/passwd",
]  # fmt: skip
SECRETS = ("root:x:", "Traceback (most recent call last)", "site-packages", "import annotations", "example.org/c.json")


def sound(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_hostile_query_opens_nothing(server, query):
    status, text, headers = server.get(f"?{query}")
    assert status in (200, 400, 403, 404, 500)
    sound(text)
    assert "alert(1)" not in text.replace("\\u003c", "<") or "<script>alert" not in text
    assert "Set-Cookie" not in headers
    assert server.get("")[0] == 200


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused_in_a_sentence(server, path):
    status, text, headers = server.get(path)
    sound(text)
    assert headers["X-Content-Type-Options"] == "nosniff"
    if path.endswith("%24"):  # a search is words, never an expression
        assert status == 200
        assert len(text.splitlines()) == 1
    else:
        assert status == 400
        assert headers["Content-Type"].startswith("text/plain")
        assert text.endswith(".\n")
        assert len(text) < 500


@pytest.mark.parametrize("path", PATHS)
def test_a_hostile_path_finds_nothing(server, path):
    status, text, _ = server.get(path)
    assert status in (400, 403, 404, 405)
    sound(text)


def test_a_large_request_is_refused(server):
    import urllib.error
    import urllib.request

    request = urllib.request.Request(server.url, data=b"x" * (1 << 20), method="POST")
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(request, timeout=20)
    assert server.get("")[0] == 200


def token(server) -> str:
    return re.search(r'"token":"([^"]+)"', server.get("")[1])[1]


def talk(server, messages, origin=None, subprotocols=None, host=None):
    """What the server answers to messages on a websocket, until it closes."""

    async def run():
        url = server.url.replace("http", "ws") + "ws"
        headers = {"Origin": origin or server.url.rstrip("/")} | ({"Host": host} if host else {})
        request = HTTPRequest(url, headers=headers)
        socket = await websocket_connect(request, subprotocols=subprotocols or ["bokeh", token(server)])
        answers = [await asyncio.wait_for(socket.read_message(), 10) for _ in range(3)]
        for message in messages:
            await socket.write_message(message, binary=isinstance(message, bytes))
        try:
            while (answer := await asyncio.wait_for(socket.read_message(), 3)) is not None:
                answers.append(answer)
        except TimeoutError:
            pass
        socket.close()
        return [str(answer) for answer in answers]

    with ThreadPoolExecutor(1) as own:  # the browser tests have a loop running in this thread
        return own.submit(lambda: asyncio.run(run())).result()


def fragments(header, content):
    return [json.dumps(header), "{}", json.dumps(content)]


def patch(*events):
    return fragments({"msgid": "1", "msgtype": "PATCH-DOC"}, {"events": list(events)})


MESSAGES = {
    "text": ["hello"],
    "bytes": [b"\x80\x04\x95\x10cposix\nsystem\n"],
    "not json": ["{", "}", "{"],
    "no header": ["[]", "[]", "[]"],
    "unknown type": fragments({"msgid": "1", "msgtype": "EVAL"}, {"code": "1"}),
    "patch of nothing": patch(),
    "patch of garbage": patch({"kind": "ModelChanged", "model": {"id": "p0"}, "attr": "__class__", "new": 1}),
    "a new title": patch({"kind": "TitleChanged", "title": "<script>"}),
    "a root of its own": patch({"kind": "RootAdded", "model": {"type": "object", "name": "os.system", "id": "x"}}),
    "a deep message": ["[" * 20000, "{}", "{}"],
}


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
def test_garbage_on_the_websocket_harms_nobody_else(server, messages):
    from tornado.websocket import WebSocketClosedError

    try:
        answers = talk(server, messages)
    except (TimeoutError, WebSocketClosedError):
        answers = []
    for answer in answers:
        assert "root:x:" not in answer
    assert server.process.poll() is None
    assert server.get("")[0] == 200


def test_a_message_above_the_limit_closes_the_websocket(server):
    from tornado.websocket import WebSocketClosedError

    with contextlib.suppress(WebSocketClosedError, TimeoutError, ConnectionError):
        talk(server, ["x" * (3 << 20)])
    assert server.get("")[0] == 200


@pytest.mark.parametrize("origin", ["http://example.org", "http://127.0.0.1:1", "null", "http://localhost.example.org"])
def test_another_origin_gets_no_websocket(server, origin):
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError, match="403"):
        talk(server, [], origin=origin)


def test_a_name_that_was_made_to_lead_here_gets_no_websocket(server):
    """DNS rebinding: origin and host agree, and both are somebody else's."""
    from tornado.httpclient import HTTPClientError

    host = f"rebound.example.org:{server.port}"
    with pytest.raises(HTTPClientError, match="403"):
        talk(server, [], origin=f"http://{host}", host=host)
    assert talk(server, [], origin=f"http://localhost:{server.port}")


def test_a_forged_token_gets_no_websocket(server):
    from tornado.httpclient import HTTPClientError

    with pytest.raises((HTTPClientError, AssertionError, TimeoutError, Exception)):
        talk(server, [], subprotocols=["bokeh", "Zm9yZ2Vk"])
    assert server.get("")[0] == 200


def test_a_hostile_report_is_escaped(server):
    """Texts of a report reach the page as text: in its HTML, and in the HTML that its panes are given."""
    label = urllib.parse.quote("tas · small (2)")
    for view in ("spread", "maps", "why", "trace"):
        status, text, _ = server.get(f"?report={label}&view={view}")
        assert status == 200
        sound(text)
        assert "<script>window.harmed" not in text
        assert "<img src=x" not in text


def test_no_pane_of_a_hostile_report_has_its_markup(hostile_report):
    import panel as pn

    from dashboards.results import Shelf
    from dashboards.session import Session
    from dashboards.state import ANSWERS

    session = Session(Shelf([hostile_report]), "light", {}, [])
    seen = ""
    for choice in [{"view": v} for v in ("spread", "maps", "trace", "why")] + [{"answer": a} for a in ANSWERS]:
        session.choose(**choice)
        for pane in (session.status, *session.stage.select(pn.pane.HTML)):
            assert "<script" not in pane.object
            assert "<img" not in pane.object
            seen += pane.object
    assert "&lt;script&gt;window.harmed" in seen
    assert "&lt;img src=x" in seen


def test_a_report_deleted_while_it_is_served_is_a_sentence(small_report, tmp_path):
    from dashboard_server import Server

    copy = shutil.copytree(small_report, tmp_path / "served-report")
    server = Server(tmp_path, copy)
    try:
        assert server.get("take?kind=csv")[0] == 200
        shutil.rmtree(copy)
        status, text, _ = server.get("")
        assert status == 200
        assert "no longer there" in text or "no longer there" in server.get("take?kind=csv")[1]
        status, text, _ = server.get("take?kind=csv")
        assert (status, "no longer there" in text) == (404, True)
        sound(text)
        shutil.copytree(small_report, copy)
        assert server.get("take?kind=csv")[0] == 200
    finally:
        server.stop()
    assert "Traceback" not in server.said()


def test_too_many_pages_are_told_to_come_back(small_report, tmp_path):
    from dashboard_server import Server

    server = Server(tmp_path, small_report, options=("--maximum-sessions", "2"))
    try:
        assert [server.get("")[0] for _ in range(6)] == [200] * 6
        assert server.process.poll() is None
    finally:
        server.stop()


@pytest.mark.parametrize("arguments", [["nothing-here"], ["/etc"], ["/etc/passwd"]])
def test_what_is_no_report_is_not_served(arguments, tmp_path, capsys, monkeypatch):
    from spread.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", *arguments]) == 2
    said = capsys.readouterr().err
    assert "not found" in said
    assert "Traceback" not in said
