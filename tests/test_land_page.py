"""The page of a run explains itself, offline, with every text escaped."""

import json
import re

import pytest

from spread.__main__ import main
from spread.land_page import headline, render
from spread.simulations import STORE


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    out = tmp_path_factory.mktemp("land") / "run"
    assert main(["land", "run", "--site", "45", "--out", str(out)]) == 0
    return out, json.loads((out / "summary.json").read_text(encoding="utf-8"))


def test_it_says_what_it_is_and_how_it_is_remade(ran):
    out, summary = ran
    html = (out / "index.html").read_text(encoding="utf-8")
    for said in ("SYNTHETIC DATA", "Simulated", "spread land run --site 45 --draws 0 --seed 0",
                 summary["parameters_digest"], summary["jax_version"], "prefers-color-scheme: dark"):  # fmt: skip
        assert said in html
    for link in re.findall(r'(?:href|src)="([^"#]+)"', html):
        assert "://" not in link
        assert (out / link).exists()
    assert all(re.findall(r'alt="([^"]*)"', html))
    assert (out / STORE).is_dir()


def test_numbers_are_those_of_the_summary_in_the_unit_shown(ran):
    _, summary = ran
    mean = 8.64e7 * summary["means"]["gpp"]["q50"]
    assert f"gross primary production {mean:.3g} g m\u207b\u00b2 d\u207b\u00b9" in headline(summary)


def test_texts_are_escaped(ran):
    out, summary = ran
    html = render(
        out, summary | {"title": "<script>alert(1)</script>", "forcing_fixes": "<b>x</b>", "command": "a & b"}
    )
    assert "<script>" not in html
    assert "&lt;b&gt;x" in html
    assert "a &amp; b" in html
