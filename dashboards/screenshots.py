"""Pictures of the dashboard for the README: ``python -m dashboards.screenshots OUT [REPORT ...]``.

Drives headless Chromium with Playwright, by day and by night, wide and on a telephone. Without a report the demo's is
made.
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
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

from spread.vocabulary import VARIABLES

PAGES = {
    "spread": "",
    "maps": "?view=maps&scenario=ssp585",
    "why": "?view=why",
    "sensitivity": "?view=why&answer=sensitivity",
    "trace": "?view=trace",
}
"""Pictures, and the address of each."""

CALCULATED = {"emulated": "?view=emulated", "what-if": "?view=what-if&scale=1.5"}
"""Likewise of what needs an emulator."""

LAND = {"land": "?view=land"}
"""Likewise of a report of land."""

_DONE = """() => { let open = 0; const walk = node => { for (const e of node.children || []) {
  if (e.tagName === 'PROGRESS') open += 1; if (e.shadowRoot) walk(e.shadowRoot); walk(e) } };
  walk(document.body); return open === 0 }"""

SIZES = {"": (1280, 860), "-400": (400, 860)}
"""Of a picture [pixel], by the end of its name; the page below the fold is left out."""


@contextmanager
def served(reports: Sequence[Path], options: Sequence[str] = ()) -> Iterator[str]:
    """Serve reports in a process of its own while the block runs; gives its URL."""
    command = [sys.executable, "-m", "spread", "dashboard", *map(str, reports), "--port", "0", *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"http://\S+/", line)
            if found:
                yield found[0]
                return
        raise RuntimeError(f"the server of {', '.join(map(str, reports))} did not start")
    finally:
        process.terminate()
        process.wait(30)


def take(
    out: Path, reports: Sequence[Path], chromium: str, options: Sequence[str] = (), whole: bool = False
) -> list[Path]:
    """Take the pictures.

    Parameters
    ----------
    out : Path
        Folder; made if it is not there.
    reports : sequence of Path
        Folders of reports; of the first that is of land, the view Land too.
    chromium : str
        The browser.
    options : sequence of str
        Of the server: an emulator and an evaluation.
    whole : bool
        Take in the page below the fold.

    Returns
    -------
    list of Path
        The pictures.
    """
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    made = []
    with served(reports, options) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
        )
        pages = _pages(reports, bool(options))
        for theme, (end, (width, height)) in product(("light", "dark"), SIZES.items()):
            context = browser.new_context(viewport={"width": width, "height": height})
            context.add_cookies([{"name": "spread-theme", "value": theme, "url": url}])
            page = context.new_page()
            for name, query in pages.items():
                page.goto(url + query)
                page.wait_for_selector("canvas, table", timeout=60_000)
                page.wait_for_function("() => window.Bokeh && Bokeh.documents[0].is_idle")
                page.wait_for_timeout(1500)
                page.wait_for_function(_DONE, timeout=180_000)
                page.wait_for_timeout(800)
                made.append(out / f"dashboard-{name}-{theme}{end}.png")
                page.screenshot(path=made[-1], full_page=whole)
            context.close()
        browser.close()
    return made


def _pages(reports: Sequence[Path], emulated: bool) -> dict[str, str]:
    """Pictures and their addresses, as far as there is something to show."""
    from dashboards.results import Shelf

    pages = PAGES | (CALCULATED if emulated else {})
    for label, results in Shelf(reports).opened.items():
        if VARIABLES[results.report.study.variable_id].realm == "land":
            return pages | {name: f"{query}&{urlencode({'report': label})}" for name, query in LAND.items()}
    return pages


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures and say where they are."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.screenshots", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("reports", type=Path, nargs="*", metavar="REPORT")
    parser.add_argument("--chromium", default=os.environ.get("SPREAD_CHROMIUM", "/usr/bin/chromium"))
    parser.add_argument("--emulator", type=Path, help="file of an emulator")
    parser.add_argument("--evaluation", type=Path, help="folder of an evaluation of it")
    parser.add_argument("--whole", action="store_true", help="take in the page below the fold")
    arguments = parser.parse_args(argv)
    options = [word for name in ("emulator", "evaluation") if (given := getattr(arguments, name))
               for word in (f"--{name}", str(given))]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        reports = arguments.reports
        if not reports:
            reports = [Path(scratch) / "demo-report"]
            subprocess.run([sys.executable, "-m", "spread", "demo", "--out", str(reports[0])], check=True)
        for path in take(arguments.out, reports, arguments.chromium, options, arguments.whole):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
