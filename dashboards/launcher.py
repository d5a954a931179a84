"""The dashboard in the launcher of JupyterLab: one click, below the URL of the user's own server.

jupyter-server-proxy finds :func:`serve_under_jupyter` by the entry point ``spread`` and starts this module. What it
serves are the reports that ``SPREAD_REPORTS`` lists, else the demo's, which is made once.
"""

from __future__ import annotations

import argparse
import glob
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import spread
from dashboards.waiting import Waiting
from spread.errors import NotFound, SpreadError, one_line

_log = logging.getLogger("spread.dashboard")

REPORTS = "SPREAD_REPORTS"
"""Environment variable: folders of reports, or patterns such as ``~/*-report``, separated as those of ``PATH`` are."""

EMULATOR, EVALUATION = "SPREAD_EMULATOR", "SPREAD_EVALUATION"
"""Environment variables: file of an emulator, and folder of an evaluation of it, that are served with those reports."""

ORIGIN = "jupyter"
"""Host that websockets say they come from. Jupyter compares the browser's origin with the host that the browser asked
for, and refuses what differs; only what it lets through is given this name, and only on a socket of the user's own.
The name of the hub is not known here, and Tornado before 6.6 has Bokeh look at it."""

_STARTING = 60.0  # s until the page that waits answers: the imports of Python on a cold network disk


def serve_under_jupyter() -> dict[str, Any]:
    """Describe the dashboard to jupyter-server-proxy.

    The server listens on a Unix socket in a folder that only the user may enter: a port of this machine would be open
    to every other user of it, past the login of the hub.

    Returns
    -------
    dict
        Arguments of its ``ServerProcess``.
    """
    return {
        "command": [sys.executable, "-m", "dashboards.launcher", "{unix_socket}", "--prefix", "{base_url}spread"],
        # what lies in the user's home, where servers are started, is not imported in place of a library
        "environment": {"PYTHONSAFEPATH": "1"},
        "unix_socket": True,
        "absolute_url": True,
        "timeout": _STARTING,
        "request_headers_override": {"Origin": f"http://{ORIGIN}"},
        "launcher_entry": {
            "enabled": sys.platform != "win32" and find_spec("panel") is not None,
            "title": "spread dashboard",
            "icon_path": str(Path(__file__).with_name("icon.svg")),
            "category": "Notebook",
        },
    }


def listed_reports(listed: str | None = None) -> list[Path]:
    """Folders of reports that the environment lists.

    Parameters
    ----------
    listed : str, optional
        In place of ``$SPREAD_REPORTS``.

    Returns
    -------
    list of Path
        In the order of the list, those of one pattern by name; empty if nothing is listed.

    Raises
    ------
    NotFound
        If something is listed, and it is patterns to which no report fits.
    """
    listed = os.environ.get(REPORTS, "") if listed is None else listed
    entries = [entry for part in listed.split(os.pathsep) if (entry := part.strip())]
    found: list[Path] = []
    for entry in entries:
        path = os.path.expanduser(entry)
        fitting = [path] if not glob.has_magic(path) else sorted(glob.glob(f"{path}/report.zarr"))
        found += [Path(fit.removesuffix("/report.zarr")) for fit in fitting]
    if entries and not found:
        raise NotFound(f"dashboard: ${REPORTS} is {listed!r}, and no report fits it; `spread run STUDY` writes one")
    return list(dict.fromkeys(found))


def listed_emulator() -> dict[str, Path]:
    """Emulator and evaluation that the environment lists.

    Returns
    -------
    dict of str to Path
        ``emulator`` and ``evaluation`` as :func:`dashboards.app.serve` takes them; those that are listed.
    """
    given = {"emulator": os.environ.get(EMULATOR, ""), "evaluation": os.environ.get(EVALUATION, "")}
    return {name: Path(path).expanduser() for name, path in given.items() if path.strip()}


def demo_report(say: Callable[[str], None]) -> Path:
    """Folder of the demo's report; it is made where it is not there yet.

    Parameters
    ----------
    say : callable
        Takes lines of progress.

    Returns
    -------
    Path
        Beside the demo's archive: below ``$SPREAD_DATA``, or in the user's cache.

    Raises
    ------
    NotFound
        If it cannot be made.
    """
    import platformdirs

    home = Path(os.environ.get("SPREAD_DATA") or platformdirs.user_cache_dir("spread")).expanduser()
    folder = home / f"demo-report-{spread.__version__}"
    if (folder / "report.zarr").is_dir():
        return folder
    say("making the synthetic demo: once, in two to three minutes")
    command = [sys.executable, "-m", "spread", "demo", "--out", str(folder)]
    environment = os.environ | {"SPREAD_PROGRESS": "lines"}
    last = ""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as made:
        assert made.stderr is not None
        for line in made.stderr:
            last = line.strip() or last
            say(last)
    if made.returncode:
        raise NotFound(f"dashboard: the demo's report could not be made: {last.removeprefix('spread: ')}")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the reports on a Unix socket: at once a page that waits, then the dashboard.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process otherwise.

    Returns
    -------
    int
        0 when it was stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m dashboards.launcher", description=__doc__)
    parser.add_argument("socket", type=Path, help="Unix socket to listen on")
    parser.add_argument("--prefix", default="", help="path before every URL")
    asked = parser.parse_args(arguments)
    os.environ.pop("BOKEH_ALLOW_WS_ORIGIN", None)  # of an image or a hub: it would replace ORIGIN
    waiting = Waiting(asked.socket, asked.prefix)
    while True:
        try:
            reports = listed_reports() or [demo_report(waiting.say)]
            given = listed_emulator()
            waiting.say("opening the reports")
            from dashboards.app import serve

            serve(
                reports, unix_socket=asked.socket, prefix=asked.prefix, origins=[ORIGIN],
                say=lambda text: print(text, file=sys.stderr), listening=waiting.close,
                emulator=given.get("emulator"), evaluation=given.get("evaluation"),
            )  # fmt: skip
            return 0
        except Exception as error:
            if waiting.closed:
                raise
            _log.error("the dashboard could not be started\n%s", traceback.format_exc())
            known = isinstance(error, SpreadError)
            waiting.fail(one_line(error) if known else f"It could not be started: {one_line(error)}")


if __name__ == "__main__":
    sys.exit(main())
