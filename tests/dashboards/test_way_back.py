"""The page and its address agree on the way back too, and who does not see the page hears what is chosen."""

import pytest
from visits import Visit

pytestmark = pytest.mark.browser


def test_the_way_back_leads_to_the_page_of_the_address(chromium, server):
    visit = Visit(chromium, server.url)
    page = visit.page
    visit.view("Maps")
    visit.choose("Scenario", "SSP1-2.6")
    assert "scenario=ssp126" in page.url
    page.go_back()
    page.wait_for_function("() => !location.search.includes('scenario')")
    visit.settle(1500)
    assert page.get_by_label("Scenario", exact=True).input_value() == "SSP5-8.5"
    page.go_back()
    page.wait_for_function("() => !location.search.includes('maps')")
    visit.settle(1500)
    assert page.get_by_role("button", name="Spread", exact=True).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the link that skips to the answer is no way back
    page.wait_for_timeout(500)
    assert page.url.endswith("#answer")
    assert visit.complaints == []
    visit.close()


def test_what_is_chosen_is_said(chromium, calculating_server):
    visit = Visit(chromium, f"{calculating_server.url}?view=what-if")
    page = visit.page
    page.wait_for_timeout(1200)
    pressed = page.get_by_role("button", pressed=True).all_text_contents()
    assert "What if" in pressed
    assert page.get_by_role("slider", name="Rise of CO₂e after 2015, times").count() == 1
    assert page.get_by_role("slider", name="Year of peak (2100").count() == 1
    visit.close()
