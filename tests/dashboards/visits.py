"""Visits of the page in headless Chromium."""

import io
from pathlib import Path

import numpy as np

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 860}


class Visit:
    """One tab, and everything that a browser complains of."""

    def __init__(self, chromium, url, viewport=WIDE, theme="light"):
        self.context = chromium.new_context(viewport=viewport, accept_downloads=True)
        if theme != "light":
            self.context.add_cookies([{"name": "spread-theme", "value": theme, "url": url}])
        self.page = self.context.new_page()
        self.complaints, self.foreign = [], []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.host = url.split("/")[2]
        self.page.goto(url)
        self.page.wait_for_selector("canvas, table, p.none", timeout=60_000)
        self.settle()

    def _said(self, message):
        if message.type == "error" or (message.type == "warning" and "GPU stall" not in message.text):
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith(("data:", "blob:")) and request.url.split("/")[2] != self.host:
            self.foreign.append(request.url)

    def settle(self, milliseconds=400):
        """Wait until Bokeh has drawn everything."""
        self.page.wait_for_function("() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
        self.page.wait_for_timeout(milliseconds)

    def view(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_function(
            f"() => location.search.includes('view={name.lower().replace(' ', '-')}') || '{name}' === 'Spread'"
        )
        self.settle(700)

    def choose(self, label, option):
        self.page.get_by_label(label, exact=True).select_option(label=option)
        self.settle(700)

    def columns(self, kind="line"):
        """Columns behind the marks of a kind, as the browser has them."""
        return self.page.evaluate(
            """kind => Bokeh.documents[0].all_models ? [...Bokeh.documents[0].all_models]
                 .filter(m => m.type === 'GlyphRenderer' && m.glyph.type.toLowerCase() === kind)
                 .map(m => Object.fromEntries(Object.entries(m.data_source.data).map(([k, v]) => [k, Array.from(v)])))
               : []""",
            kind,
        )

    def text(self):
        """All text, that of shadow roots too."""
        return self.page.evaluate(
            """() => { const said = []; const walk = node => { for (const e of node.childNodes) {
                 if (e.nodeType === 3) said.push(e.textContent);
                 else if (!['STYLE', 'SCRIPT'].includes(e.nodeName)) { if (e.shadowRoot) walk(e.shadowRoot); walk(e) } } };
                 walk(document.body); return said.join('') }"""
        )

    def await_text(self, words):
        """Wait until words are there."""
        self.page.get_by_text(words).first.wait_for(timeout=30_000)

    def clean(self):
        assert self.complaints == [], self.complaints
        assert self.foreign == [], self.foreign

    def shot(self, folder: Path, name: str) -> np.ndarray:
        from PIL import Image

        raw = self.page.screenshot(full_page=True)
        (folder / f"{name}.png").write_bytes(raw)
        return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)

    def close(self):
        self.context.close()


def near(picture, colour, tolerance=12):
    """How many pixels have about a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(picture - wanted).max(axis=-1) <= tolerance).sum())
