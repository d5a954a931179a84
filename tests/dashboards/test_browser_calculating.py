"""What the page calculates, in headless Chromium: emulations, pathways, land, and their files."""

import pytest
from visits import NARROW, WIDE, Visit, near

pytestmark = pytest.mark.browser


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
    here.await_text("1.4 times the rise")
    assert "1.4" in here.page.get_by_text("Rise of CO").first.inner_text()  # the slider stays where it was left
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
