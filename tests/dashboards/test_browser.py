"""The page in headless Chromium: every view is clicked through, and what is drawn is looked at."""

import numpy as np
import pytest
from visits import NARROW, WIDE, Visit, near

pytestmark = pytest.mark.browser


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
        assert ("No answer: the study asks for no sensitivity" in text) == (name == "Sensitivity")
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
