"""A dashboard served by a process of its own, as an operator starts it."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from itertools import count
from pathlib import Path

_NUMBERS = count()
REPOSITORY = Path(__file__).resolve().parents[2]


class Server:
    """``spread dashboard`` in a process of its own."""

    def __init__(self, folder: Path, *reports: Path, options: tuple[str, ...] = ()) -> None:
        self.log = folder / f"server-{next(_NUMBERS)}.log"
        command = [sys.executable, "-m", "spread", "dashboard", *map(str, reports), "--port", "0", *options]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=self.log.open("w"), stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
        end = time.monotonic() + 180
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(self.said())
            found = re.search(r"dashboard: (http://\S+:(\d+)/)", self.said())
            if found:
                self.url, self.port = found[1], int(found[2])
                return
            time.sleep(0.2)
        raise RuntimeError(f"the server did not start: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str) -> tuple[int, str, dict]:
        request = urllib.request.Request(self.url + path)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode("utf-8", "replace"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace"), dict(error.headers)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
