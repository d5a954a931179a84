"""The scorecard on the page: what is drawn is what the card holds, and what means harm stays text."""

import numpy as np
import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

from bokeh.models import Line

from dashboards.drawing.scores import score_html, spectra, spectrum_frame

HARM = "<script>alert(1)</script>"


def row(method, kind="baseline", spectrum=None, **scores):
    found = {name: {"value": value, "member_error": 0.1} for name, value in scores.items()}
    return {"method": method, "kind": kind, "scores": found | ({} if spectrum is None else {"spectrum": spectrum})}


def card(*rows, gates=()):
    return {"run": "CanESM5.ssp245.r1i1p1f1", "rows": list(rows), "gates": list(gates)}


def test_power_is_that_of_the_card_and_what_has_none_is_left_out():
    given = card(
        row("emulator", "candidate", {"value": [1.0, 0.9, None, 1.2]}),
        row("pattern scaling", spectrum={"value": [0.0, 0.0, 0.0, 0.0]}),
        row("no spectrum", crps=0.5),
    )
    table = spectrum_frame(given)
    assert table["method"].unique().tolist() == ["emulator"]
    np.testing.assert_array_equal(table["wavenumber"], [0, 1, 3])
    np.testing.assert_array_equal(table["ratio"], [1.0, 0.9, 1.2])
    drawn = spectra(given, "light")
    (line,) = [one for one in drawn.renderers if isinstance(one.glyph, Line)]
    np.testing.assert_array_equal(line.data_source.data["ratio"], [1.0, 0.9, 1.2])
    assert "between 0.90 and 1.20" in drawn.html_attributes["aria-label"]


def test_a_card_without_spectra_has_no_figure():
    assert spectra(card(row("emulator", "candidate", crps=0.5)), "light") is None
    assert spectrum_frame(card()).empty


def test_what_means_harm_stays_text():
    given = card(row(HARM, HARM, {"value": [1.0, 1.1]}, crps=0.5), gates=[{"held": False, "sentence": HARM}])
    html = score_html(given)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3
    (item,) = spectra(given, "dark").legend[0].items
    assert item.label.value == HARM  # a value, never a field to look up


def test_a_missed_demand_says_so():
    gates = [{"held": False, "sentence": "below 0.4"}, {"held": True, "sentence": "above 0"}]
    html = score_html(card(row("emulator", "candidate", crps=0.5), gates=gates))
    assert "<b>missed</b>: below 0.4" in html
    assert "held: above 0" in html
