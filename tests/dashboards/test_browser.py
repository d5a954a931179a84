"""The page in headless Chromium: every view is clicked through, what is drawn is looked at, its speed is measured."""

import io
import statistics
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.browser

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
        assert self.complaints == []
        assert self.foreign == []

    def shot(self, folder: Path, name: str) -> np.ndarray:
        from PIL import Image

        raw = self.page.screenshot(full_page=True)
        (folder / f"{name}.png").write_bytes(raw)
        return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)

    def close(self):
        self.context.close()


@pytest.fixture
def visit(chromium, server):
    opened = []

    def open_(query="", **how):
        opened.append(Visit(chromium, server.url + query, **how))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def near(picture, colour, tolerance=12):
    """How many pixels have about a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(picture - wanted).max(axis=-1) <= tolerance).sum())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "400"])
def test_every_view_is_drawn(visit, artefacts, viewport, theme):
    here = visit(viewport=viewport, theme=theme)
    for name in ("Spread", "Maps", "Why", "Emulated", "What if", "Land", "Trace"):
        here.view(name)
        picture = here.shot(artefacts, f"{name.lower().replace(' ', '-')}-{viewport['width']}-{theme}")
        assert here.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert picture.std() > 10
        background = picture[5, -5]
        assert (background.mean() > 200) == (theme == "light")
        if name == "Spread" and theme == "light":
            assert near(picture, "#951b1e") > 300  # the line, bar and card of SSP5-8.5
            assert near(picture, "#173c66") > 300
        if name == "Maps":
            assert len({tuple(p) for p in picture[250:600, 60:340].reshape(-1, 3)}) > 30
    here.clean()


def test_the_browser_draws_the_numbers_of_the_report(visit, small_report):
    from spread import Report

    report = Report.load(small_report)
    here = visit("?region=arctic&season=DJF")
    at = {"region": "arctic", "season": "DJF"}
    for experiment in ("ssp126", "ssp585"):
        expected = report.plume["quantiles"].sel(at | {"experiment_id": experiment, "quantile": 0.5, "year": 2090})
        drawn = [c for c in here.columns("line") if "centre" in c and len(c["centre"]) and c["Year"][-1] > 2090]
        values = [c["centre"][c["Year"].index(2090)] for c in drawn]
        assert any(v == pytest.approx(float(expected), abs=1e-9) for v in values)
    here.clean()


def test_choices_change_what_is_drawn_and_the_url(visit):
    here = visit()
    before = here.columns("quad")
    here.choose("Region", "Arctic")
    here.choose("Base period", "1995-2014")
    after = here.columns("quad")
    assert before != after
    assert "region=arctic" in here.page.url
    assert "base=1995-2014" in here.page.url
    assert "against 1995-2014" in here.text()
    again = visit(here.page.url.split("/")[-1])
    assert again.columns("quad") == after
    again.clean()
    here.clean()


def test_other_years_are_taken_or_refused_in_a_sentence(visit):
    here = visit()
    here.page.get_by_label("Base period", exact=True).select_option(label="Other years ...")
    field = here.page.get_by_label("First-last year")
    field.fill("1700-1710")
    field.press("Enter")
    here.settle(600)
    assert "expected years within 1850-" in here.text()
    field.fill("1971-2000")
    field.press("Enter")
    here.settle(900)
    assert "against 1971-2000" in here.text()
    here.clean()


def test_maps_at_a_level_of_warming(visit, artefacts):
    here = visit("?view=maps&scenario=ssp126")
    before = here.shot(artefacts, "maps-2081-2100")
    here.choose("When", "At +1.5 K of warming")
    assert "at +1.5 K of global warming" in here.text()
    here.choose("Model", "CanESM5")
    assert "Change of CanESM5" in here.text()
    after = here.shot(artefacts, "maps-one-model")
    rows = min(len(before), len(after), 600)
    assert (np.abs(before[250:rows] - after[250:rows]).max(axis=-1) > 20).mean() > 0.05
    here.clean()


QUESTIONS = {
    "Warming levels": "When are levels of global warming crossed?",
    "Sensitivity": "How sensitive are the models?",
    "Constraint": "What do observations say about the range?",
    "Weights": "Which models deserve weight?",
    "Sources of uncertainty": "Where does the uncertainty come from?",
}


def test_every_answer_is_there_or_says_why(visit, artefacts):
    here = visit("?view=why")
    for name in QUESTIONS:
        here.page.get_by_role("button", name=name, exact=True).click()
        here.await_text(QUESTIONS[name])
        here.settle(900)
        text = here.text()
        assert ("No answer: ECS and TCR need" in text) == (name == "Sensitivity")
        here.shot(artefacts, f"why-{name.split()[0].lower()}")
    here.clean()


def test_the_trace_is_searched(visit):
    here = visit("?view=trace")
    here.page.get_by_label("Search").fill("MIROC6 ssp585")
    here.await_text("3 of ")
    table = here.page.locator("table").inner_text()
    assert "MIROC6" in table
    assert "CanESM5" not in table
    here.page.get_by_role("button", name="Left out", exact=True).click()
    here.page.get_by_label("Search").fill("")
    here.await_text("Reason")
    here.clean()


@pytest.mark.parametrize("name", ["Spread", "Maps", "Why", "Trace"])
def test_everything_can_be_taken_away(visit, tmp_path, name):
    here = visit(f"?view={name.lower()}")
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("CSV", b""), ("netCDF", b"CDF\x02")):
        with here.page.expect_download(timeout=60_000) as waiting:
            here.page.get_by_role("link", name=kind, exact=True).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        assert path.suffix == f".{ {'netCDF': 'nc'}.get(kind, kind.lower()) }"
        assert path.read_bytes().startswith(start)
        assert path.stat().st_size > 500
    here.page.get_by_text("Python that remakes this").click()
    assert "spread.Report.load(" in here.text()
    here.clean()


def test_everything_is_reached_with_the_keyboard(visit):
    here = visit("?view=why")
    reached = []
    for _ in range(40):
        here.page.keyboard.press("Tab")
        reached.append(here.page.evaluate(
            """() => { let e = document.activeElement; while (e && e.shadowRoot && e.shadowRoot.activeElement)
                 e = e.shadowRoot.activeElement; return e ? (e.innerText || e.getAttribute('aria-label') || e.tagName) : '' }"""
        ).strip())  # fmt: skip
    for name in ("Skip to the answer", "Spread", "Maps", "Trace", "Dark colours", "Weights", "PNG", "netCDF"):
        assert name in reached, reached
    here.page.get_by_role("button", name="Maps", exact=True).focus()
    here.page.keyboard.press("Enter")
    here.page.wait_for_function("() => location.search.includes('view=maps')")
    here.clean()


def test_figures_and_controls_have_names(visit):
    here = visit()
    images = here.page.get_by_role("img")
    names = [images.nth(at).get_attribute("aria-label") for at in range(images.count())]
    names = [name for name in names if name]
    assert len(names) >= 2
    assert any("SSP5-8.5" in name and "K" in name for name in names)
    for label in ("Region", "Season", "Period", "Base period", "Votes"):
        assert here.page.get_by_label(label, exact=True).count() == 1
    assert here.page.get_by_role("navigation", name="Views").count() == 1
    assert here.page.locator("html").get_attribute("lang") == "en"
    here.clean()


def test_each_model_is_named_on_hover(visit):
    here = visit()
    threads = [c for c in here.columns("multiline") if "model" in c]
    assert {"CanESM5", "MIROC6"} <= {str(m).split()[0] for c in threads for m in c["model"]}
    box = here.page.locator("canvas").first.bounding_box()
    found = ""
    for x in range(int(box["x"] + 0.75 * box["width"]), int(box["x"] + 0.9 * box["width"]), 5):
        here.page.mouse.move(x, box["y"] + 0.45 * box["height"])
        here.page.wait_for_timeout(60)
        found = here.page.evaluate(
            """() => { const seen = []; const walk = n => { for (const e of n.querySelectorAll('*')) {
                 if (e.classList.contains('bk-tooltip-row-value') || e.localName.includes('tooltip')) seen.push(e.textContent);
                 if (e.shadowRoot) walk(e.shadowRoot) } }; walk(document); return seen.join('|') }"""
        )
        if "SSP" in found:
            break
    assert "SSP" in found
    here.clean()


def test_a_hostile_report_harms_no_browser(visit, artefacts):
    here = visit("?report=tas+%C2%B7+small+(2)")
    assert here.page.get_by_label("Report", exact=True).count() == 1
    for name in ("Maps", "Why", "Trace", "Spread"):
        here.view(name)
        here.page.mouse.move(700, 500)
        here.settle(300)
        assert here.page.evaluate("window.harmed") is None
        here.shot(artefacts, f"hostile-{name.lower()}")
    assert "Traceback" not in here.text()
    assert here.foreign == []


def test_behind_a_prefix_everything_is_found(chromium, small_report, tmp_path):
    from dashboard_server import Server

    server = Server(tmp_path, small_report, options=("--prefix", "/user/ann/spread"))
    try:
        assert server.get("user/ann/spread/favicon.ico")[0] == 204
        here = Visit(chromium, server.url + "user/ann/spread/?region=arctic")
        with here.page.expect_download() as waiting:
            here.page.get_by_role("link", name="CSV", exact=True).click()
        assert waiting.value.suggested_filename == "small_spread_arctic.csv"
        here.clean()
        here.close()
    finally:
        server.stop()


def test_the_theme_is_switched(visit):
    here = visit("?region=arctic")
    here.page.get_by_role("button", name="Dark colours").click()
    here.page.wait_for_selector("html[data-theme=dark]")
    here.page.wait_for_selector("canvas")
    here.settle(600)
    assert "region=arctic" in here.page.url
    assert "arctic" in here.text().lower()
    here.clean()


def first_paint(chromium, url):
    """Seconds from asking for the page until a figure is drawn."""
    context = chromium.new_context(viewport=WIDE)
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle", timeout=60_000)
    took = time.perf_counter() - start
    context.close()
    return took


@pytest.mark.slow
def test_speed(chromium, demo_server, capsys):
    """First paint and switch of definition on the demo's report, printed with the load of the machine."""
    import os

    paints = [first_paint(chromium, demo_server.url) for _ in range(7)]
    here = Visit(chromium, demo_server.url)
    switches, first = [], []
    for base in ["1961-1990", "1981-2010", "1995-2014", "1850-1900"] * 3:
        took = here.page.evaluate(SWITCH, [base, f"against {base}"])
        (switches if len(first) >= 3 else first).append(took)
    here.close()
    with capsys.disabled():
        print(f"\nload of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"first paint: median {statistics.median(paints):.2f} s of {len(paints)} (target 2 s)")
        print(f"definition switch in the browser: median {statistics.median(first):.0f} ms when new, "
              f"{statistics.median(switches):.0f} ms when kept (target 200 ms)")  # fmt: skip
    # the figures are for people to read: machines are noisy, and only what is broken is as slow as this
    assert statistics.median(paints) < 20
    assert statistics.median(switches) < 5000


SWITCH = """async ([option, awaited]) => {
  const find = (node, wanted) => { for (const e of node.querySelectorAll('*')) { if (wanted(e)) return e;
    if (e.shadowRoot) { const f = find(e.shadowRoot, wanted); if (f) return f } } return null };
  const select = find(document, e => e.localName === 'select' && [...e.options].some(o => o.text === option));
  const start = performance.now();
  select.value = [...select.options].find(o => o.text === option).value;
  select.dispatchEvent(new Event('change'));
  const there = () => find(document, e => e.classList.contains('lead') && e.textContent.includes(awaited));
  while (!there()) { if (performance.now() - start > 20000) return 20000; await new Promise(r => setTimeout(r, 4)) }
  await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
  return performance.now() - start }"""
"""Choose a base period, and give the milliseconds until its sentence is there and two frames are drawn."""


@pytest.mark.slow
def test_twenty_sessions_at_once(chromium, demo_server, capsys):
    import psutil

    process = psutil.Process(demo_server.process.pid)
    before = process.memory_info().rss
    context = chromium.new_context(viewport=WIDE)
    pages = [context.new_page() for _ in range(20)]
    complaints = []
    for page in pages:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.goto(demo_server.url, wait_until="commit")
    for page in pages:
        page.wait_for_selector("canvas", timeout=120_000)
    after = process.memory_info().rss
    for page in pages:
        page.get_by_label("Region", exact=True).select_option(label="Arctic")
    for page in pages:
        page.wait_for_function("() => location.search.includes('region=arctic')", timeout=60_000)
    context.close()
    with capsys.disabled():
        print(f"\n20 sessions: {(after - before) / 20 / 2**20:.1f} MiB a session, server {after / 2**20:.0f} MiB")
    assert complaints == []
    assert "Traceback" not in demo_server.said()


DONE = """() => { let open = 0; const walk = node => { for (const e of node.children || []) {
  if (e.tagName === 'PROGRESS') open += 1; if (e.shadowRoot) walk(e.shadowRoot); walk(e) } };
  walk(document.body); return open === 0 }"""


@pytest.fixture
def calculated(chromium, calculating_server):
    """Visits of a server with an emulator."""
    opened = []

    def open_(query="", **how):
        opened.append(Visit(chromium, calculating_server.url + query, **how))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def done(here):
    here.page.wait_for_function(DONE, timeout=180_000)
    here.settle(800)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "400"])
def test_an_emulation_is_drawn_while_the_page_waits(calculated, artefacts, viewport):
    here = calculated("?view=emulated", viewport=viewport)
    done(here)
    here.await_text("Sample less model")
    text = here.text()
    assert "Scores on a run that was kept back" in text
    assert "share their noise" in text
    assert here.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert here.page.evaluate("window.harmed") is None
    picture = here.shot(artefacts, f"emulated-drawn-{viewport['width']}")
    assert near(picture, "#d55e00") > 150
    drawn = [c for c in here.columns("line") if any("emulated: mean" in str(n) for n in c.get("name", []))]
    assert max(drawn[0]["Year"]) == 2100
    here.clean()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "400"])
def test_a_slider_moves_the_warming_and_the_land_answers(calculated, artefacts, viewport):
    here = calculated("?view=what-if&pathway=ssp585&change=%2B2K&draws=4", viewport=viewport)
    done(here)
    assert "Extrapolation" not in here.text()
    before = max(v for c in here.columns("line") for v in c.get("value", []))
    here.page.locator(".noUi-handle").first.focus()
    for _ in range(8):
        here.page.keyboard.press("ArrowRight")
    here.page.wait_for_function("() => location.search.includes('scale=')", timeout=20_000)
    done(here)
    assert max(v for c in here.columns("line") for v in c.get("value", [])) > before
    assert "Extrapolation" in here.text()
    here.await_text("an extrapolation")
    here.page.get_by_role("button", name="Simulate").click()
    other = calculated("?view=what-if", viewport=viewport)  # a visitor beside is answered meanwhile
    assert "Forced warming" in other.text()
    here.await_text("Gross primary production")
    assert "+2 K at constant relative humidity" in here.text()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    here.shot(artefacts, f"what-if-done-{viewport['width']}")
    here.clean()
    other.clean()


def test_files_of_what_was_calculated(calculated, calculating_server):
    here = calculated("?view=what-if&pathway=ssp585&scale=1.5")
    done(here)
    for kind, start in (("csv", "curve,year"), ("nc", "CDF"), ("png", "\ufffdPNG"), ("svg", "<?xml")):
        status, text, _ = calculating_server.get(f"take?kind={kind}&view=what-if&pathway=ssp585&scale=1.5")
        assert status == 200, text
        assert text.startswith(start)


@pytest.mark.parametrize("query", [
    "scale=nan", "scale=-1", "scale=1e9", "peak=1", "peak=2050.5", "source=HadCM3", "draws=9999", "change=os%3Dsystem",
    "emulator=/etc/passwd", "evaluation=/etc/passwd", "members=100000", "pathway=%3Cscript%3E",
])  # fmt: skip
def test_hostile_what_ifs_are_refused(calculating_server, query):
    for start in ("?", "take?kind=csv&"):
        status, text, _ = calculating_server.get(f"{start}view=what-if&{query}")
        assert status in (200, 400)
        assert (status == 400) == start.startswith("take")
        assert "Traceback" not in text
        assert "root:x:" not in text
    assert calculating_server.get("")[0] == 200
