"""Pictures of the dashboard for the README: ``python -m dashboards.screenshots OUT [REPORT]``.

Drives headless Chromium with Playwright, by day and by night. Without a report the demo's is made.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PAGES = {
    "spread": "",
    "maps": "?view=maps&scenario=ssp585",
    "why": "?view=why",
    "trace": "?view=trace",
}
"""Pictures, and the address of each."""

WIDTH, HEIGHT = 1280, 860
"""Of a picture [pixel]; the page below the fold is left out."""


@contextmanager
def served(report: Path) -> Iterator[str]:
    """Serve a report in a process of its own while the block runs; gives its URL."""
    command = [sys.executable, "-m", "spread", "dashboard", str(report), "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"http://\S+/", line)
            if found:
                yield found[0]
                return
        raise RuntimeError(f"the server of {report} did not start")
    finally:
        process.terminate()
        process.wait(30)


def take(out: Path, report: Path, chromium: str) -> list[Path]:
    """Take the pictures.

    Parameters
    ----------
    out : Path
        Folder; made if it is not there.
    report : Path
        Folder of a report.
    chromium : str
        The browser.

    Returns
    -------
    list of Path
        The pictures.
    """
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    made = []
    with served(report) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
        )
        for theme in ("light", "dark"):
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            context.add_cookies([{"name": "spread-theme", "value": theme, "url": url}])
            page = context.new_page()
            for name, query in PAGES.items():
                page.goto(url + query)
                page.wait_for_selector("canvas, table", timeout=60_000)
                page.wait_for_function("() => window.Bokeh && Bokeh.documents[0].is_idle")
                page.wait_for_timeout(1500)
                made.append(out / f"dashboard-{name}-{theme}.png")
                page.screenshot(path=made[-1])
            context.close()
        browser.close()
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures and say where they are."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.screenshots", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("report", type=Path, nargs="?")
    parser.add_argument("--chromium", default=os.environ.get("SPREAD_CHROMIUM", "/usr/bin/chromium"))
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        report = arguments.report
        if report is None:
            report = Path(scratch) / "demo-report"
            subprocess.run([sys.executable, "-m", "spread", "demo", "--out", str(report)], check=True)
        for path in take(arguments.out, report, arguments.chromium):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
