"""A loopback object store that answers after a given latency and no faster than a given bandwidth (GCS's JSON API)."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

PIECE = 1 << 16


class Bucket:
    """Serve a folder as the bucket ``bench``.

    Parameters
    ----------
    root : Path
        What is served.
    latency : float
        Wait before each answer [s].
    bandwidth : float
        Bytes a second, for all connections together.
    """

    def __init__(self, root: Path, latency: float, bandwidth: float) -> None:
        self.root, self.latency, self.bandwidth = root, latency, bandwidth
        self.free = 0.0  # when the line is free again
        self.sent = self.requests = self.chunks = 0
        self.listed = {str(p.relative_to(root)): self._said(p) for p in sorted(root.rglob("*")) if p.is_file()}

    def _said(self, path: Path) -> dict[str, str]:
        import google_crc32c

        body = path.read_bytes()
        checksum = base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()
        name = str(path.relative_to(self.root))
        return {"kind": "storage#object", "name": name, "bucket": "bench", "size": str(len(body)), "crc32c": checksum}

    async def answer(self, request):
        """Answer a listing, an object, or the counts."""
        from aiohttp import web

        if request.path == "/counts":
            return web.json_response({"sent": self.sent, "requests": self.requests, "chunks": self.chunks})
        self.requests += 1
        await asyncio.sleep(self.latency)
        key = request.path.partition("/o/")[2]
        if not key:
            prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
            items, folders = [], set()
            for name, said in self.listed.items():
                if name.startswith(prefix):
                    rest = name[len(prefix) :]
                    if delimiter and delimiter in rest:
                        folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                    else:
                        items.append(said)
            return web.json_response({"kind": "storage#objects", "items": items, "prefixes": sorted(folders)})
        if key not in self.listed:
            return web.json_response({"error": {"code": 404, "message": "No such object"}}, status=404)
        if request.query.get("alt") != "media" and "/download/" not in request.path:
            return web.json_response(self.listed[key])
        body = (self.root / key).read_bytes()
        self.chunks += key.rsplit("/", 2)[-2] == "tas" and not key.rsplit("/", 1)[-1].startswith(".")
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            self.free = max(self.free, time.monotonic()) + len(piece) / self.bandwidth
            await asyncio.sleep(max(0.0, self.free - time.monotonic()))
            await response.write(piece)
            self.sent += len(piece)
        await response.write_eof()
        return response


@contextmanager
def served(root: Path, latency: float, bandwidth: float) -> Iterator[str]:
    """Serve a folder from a process of its own; yields the URL."""
    command = [sys.executable, "-m", "benchmarks.bucket", str(root), str(latency), str(bandwidth)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def counts(url: str) -> dict[str, int]:
    """What the store has served until now: bytes, requests, chunks."""
    with urlopen(f"{url}/counts") as answer:
        return json.load(answer)


def main() -> None:
    """Serve until killed; the first line printed is the URL."""
    from aiohttp import web

    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("latency", type=float)
    parser.add_argument("bandwidth", type=float)
    told = parser.parse_args()
    bucket = Bucket(told.root, told.latency, told.bandwidth)

    async def serve() -> None:
        application = web.Application()
        application.router.add_route("GET", "/{path:.*}", bucket.answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        print(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
