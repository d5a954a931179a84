"""An object store on the loopback interface that speaks enough of Google Cloud Storage's JSON API, and fails on order."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import google_crc32c

BUCKET = "cmip6"
PIECE = 4096
LONGEST_WAIT = 15.0  # seconds; a stalled reply ends then, whoever waits for it
_PATH = re.compile(r"^/(?:download/)?storage/v1/b/([^/]+)/o(?:/(.+))?$")


@dataclass(frozen=True)
class Reply:
    """What the store answers.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes
        What is sent.
    claimed : int or None
        Content-Length where it is not the body's.
    wait : float
        Before the first byte [s].
    drip : float
        Between pieces of 4096 bytes [s].
    reset : bool
        Drop the connection after the body.
    location : str
        Where a redirect leads.
    other : str
        Name of another object of the same folder, whose body is sent.
    """

    status: int = 200
    body: bytes = b""
    claimed: int | None = None
    wait: float = 0.0
    drip: float = 0.0
    reset: bool = False
    location: str = ""
    other: str = ""


Act = Callable[[Reply, int], Reply]


@dataclass(frozen=True)
class Rule:
    """A fault of the transport.

    Parameters
    ----------
    key : str
        Regular expression; a rule concerns objects (or, for listings, prefixes) in which it is found.
    act : callable
        Given the sound reply and how often this rule has met this key (from 1), returns what is sent.
    what : str
        ``get``, ``list`` or ``meta``.
    """

    key: str
    act: Act
    what: str = "get"


class ObjectStore:
    """Serve a folder as the bucket ``cmip6``.

    Parameters
    ----------
    root : Path
        What is served; the first part of a key is a folder in it.
    page : int
        Objects in one page of a listing.
    """

    def __init__(self, root: Path, page: int = 1000) -> None:
        self.root, self.page = root, page
        self.rules: list[Rule] = []
        self.met: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"store": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def options(self) -> dict[str, dict[str, object]]:
        """Storage options with which gcsfs reads from here."""
        return {"gs": {"token": "anon", "project": "test", "endpoint_url": self.url}}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, what: str, key: str, reply: Reply) -> Reply:
        """A reply after every rule that concerns it."""
        for number, rule in enumerate(self.rules):
            if rule.what == what and re.search(rule.key, key):
                with self._lock:
                    self.met[number, key] += 1
                    count = self.met[number, key]
                reply = rule.act(reply, count)
        if reply.other:
            reply = replace(reply, body=self.read(f"{key.rpartition('/')[0]}/{reply.other}") or b"")
        return reply

    def obey(self, rules: list[Rule]) -> None:
        """Replace the rules and forget whom they met."""
        with self._lock:
            self.rules, self.met = rules, Counter()

    def read(self, key: str) -> bytes | None:
        """The object of a key, None where there is none."""
        path = self.root / key
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError:
            return None

    def listing(self, prefix: str) -> list[dict[str, str]]:
        """What a bucket says of each object below a prefix."""
        start = self.root / prefix
        folder = start if start.is_dir() else start.parent
        found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        keys = [(str(path.relative_to(self.root)), path) for path in found]
        return [describe(key, path) for key, path in keys if key.startswith(prefix)]


def describe(key: str, path: Path) -> dict[str, str]:
    """Metadata of an object, as the JSON API gives them."""
    return _described(key, path, path.stat().st_mtime_ns, path.stat().st_size)


@lru_cache(maxsize=10_000)
def _described(key: str, path: Path, changed: int, size: int) -> dict[str, str]:
    body = path.read_bytes()
    return {
        "kind": "storage#object",
        "name": key,
        "bucket": BUCKET,
        "size": str(len(body)),
        "md5Hash": base64.b64encode(hashlib.md5(body).digest()).decode(),
        "crc32c": base64.b64encode(google_crc32c.Checksum(body).digest()).decode(),
        "generation": str(changed),
        "updated": "2020-01-01T00:00:00Z",
    }


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store: ObjectStore

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlparse(self.path)
        found = _PATH.match(url.path)
        if found is None or found.group(1) != BUCKET:
            self._send(Reply(404, b'{"error": {"code": 404, "message": "Not Found"}}'))
            return
        query = parse_qs(url.query)
        if found.group(2) is None:
            prefix = query.get("prefix", [""])[0]
            self._send(self.store.answer("list", prefix, self._page(prefix, query)))
            return
        key = unquote(found.group(2))
        body = self.store.read(key)
        if query.get("alt") == ["media"]:
            self._send(self.store.answer("get", key, Reply(200, body) if body is not None else Reply(404, b"No such")))
        elif body is None:
            self._send(self.store.answer("meta", key, Reply(404, b"No such object")))
        else:
            said = json.dumps(describe(key, self.store.root / key)).encode()
            self._send(self.store.answer("meta", key, Reply(200, said)))

    do_HEAD = do_GET

    def _page(self, prefix: str, query: dict[str, list[str]]) -> Reply:
        items = self.store.listing(prefix)
        prefixes: list[str] = []
        if query.get("delimiter") == ["/"]:
            rest = [(item, item["name"][len(prefix) :]) for item in items]
            prefixes = sorted({prefix + tail.split("/")[0] + "/" for _, tail in rest if "/" in tail})
            items = [item for item, tail in rest if "/" not in tail]
        start = int(query.get("pageToken", ["0"])[0])
        size = min(self.store.page, int(query.get("maxResults", [str(self.store.page)])[0]))
        said = {"kind": "storage#objects", "items": items[start : start + size], "prefixes": prefixes}
        if start + size < len(items):
            said["nextPageToken"] = str(start + size)
        return Reply(200, json.dumps(said).encode())

    def _send(self, reply: Reply) -> None:
        if reply.wait:
            time.sleep(min(reply.wait, LONGEST_WAIT))
        try:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(reply.body) if reply.claimed is None else reply.claimed))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            pieces = [reply.body[n : n + 256] for n in range(0, len(reply.body), PIECE)] if reply.drip else [reply.body]
            for piece in pieces:
                self.wfile.write(piece)
                if reply.drip:
                    self.wfile.flush()
                    time.sleep(reply.drip)
        except OSError:
            self.close_connection = True
            return
        if reply.reset or (reply.claimed is not None and reply.claimed != len(reply.body)):
            self._hang_up(reply.reset)

    def _hang_up(self, rudely: bool) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            if rudely:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


# ---- what can be done to a reply


def at_first(act: Act, times: int = 1) -> Act:
    """Only the first few times."""
    return lambda reply, count: act(reply, count) if count <= times else reply


def status(code: int, message: str = "injected") -> Act:
    """Answer with an error."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return lambda reply, count: Reply(code, body)


def stall(seconds: float = LONGEST_WAIT) -> Act:
    """Say nothing for a long time, then hang up."""
    return lambda reply, count: replace(reply, wait=seconds, body=b"", claimed=len(reply.body), reset=True)


def slow(seconds: float) -> Act:
    """Answer rightly, but late."""
    return lambda reply, count: replace(reply, wait=seconds)


def drip(seconds: float) -> Act:
    """Answer rightly, in small pieces."""
    return lambda reply, count: replace(reply, drip=seconds)


def cut(share: float, honest: bool = True) -> Act:
    """Send only the beginning, under its own length or under the whole one."""
    return lambda reply, count: replace(
        reply, body=reply.body[: int(share * len(reply.body))], claimed=None if honest else len(reply.body)
    )


def reset(share: float = 0.5) -> Act:
    """Drop the connection in the middle of the body."""
    return lambda reply, count: replace(
        reply, body=reply.body[: int(share * len(reply.body))], claimed=len(reply.body), reset=True
    )


def flip(position: float = 0.6, bit: int = 3) -> Act:
    """Turn one bit over."""

    def act(reply: Reply, count: int) -> Reply:
        body = bytearray(reply.body)
        if body:
            body[int(position * len(body))] ^= 1 << bit
        return replace(reply, body=bytes(body))

    return act


def instead(body: bytes) -> Act:
    """Send something else under status 200."""
    return lambda reply, count: Reply(200, body)


def other(name: str) -> Act:
    """Send another object of the same folder."""
    return lambda reply, count: replace(reply, other=name)


def twice(reply: Reply, count: int) -> Reply:
    """Send the body two times over."""
    return replace(reply, body=reply.body * 2)


def redirect_loop(reply: Reply, count: int) -> Reply:
    """Point to a place that points on."""
    return Reply(302, location="/storage/v1/b/cmip6/o/loop?alt=media")
