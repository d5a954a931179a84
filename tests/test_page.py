"""The page tells everything the report knows, escapes what it is given, and loads nothing from elsewhere."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from test_figures import LONG, SHORT, make

from spread import figures, page
from spread.errors import Failure

EVIL = Failure("EVIL", "opening", "<script>alert('x')</script> & <b>more</b>", transient=True)
REJECTED = Failure("WRONG.ssp585.r1i1p1f1.tas", "conform", "values: 0 K is beyond the plausible 150..350 K")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checker(HTMLParser):
    """Collects links and the text, and finds tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.loads, self.links, self.images, self.tags, self.text = [], [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        self.loads += [attrs[k] for k in ("src", "srcset", "data", "poster") if k in attrs]
        if tag == "link":
            self.loads.append(attrs["href"])
        if tag == "a":
            self.links.append(attrs["href"])
        if tag == "img":
            self.images.append(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def parsed(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    assert not checker.faults
    return checker, " ".join(" ".join(checker.text).split())


def drawn(report):
    """What figures.save would return, without drawing."""
    region, season = report.study.regions[0].name, report.study.seasons[0]
    return [
        {"region": region, "season": season, "title": figures.title(report, region, season), "png": "p.png",
         "html": "p.html", "call": figures.call(region, season)}
    ]  # fmt: skip


def rendered(report, downloads=None):
    text = page.render(report, drawn(report), downloads or {})
    return text, *parsed(text)


@pytest.fixture(scope="module")
def report():
    return make(
        failures=(EVIL, REJECTED), regions=["global", "northern_hemisphere"], periods=[(2016, 2020), (2020, 2024)]
    )


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    """A folder as the command line makes it."""
    return report.save(tmp_path_factory.mktemp("page") / "report", extras=lambda path: page.write(report, path))


def test_the_written_page_links_only_to_what_is_there(folder):
    checker, _ = parsed((folder / "index.html").read_text(encoding="utf-8"))
    written = {name for name in page.DOWNLOADS if (folder / name).exists()}
    assert written >= {"spread.csv", "members.csv", "left_out.csv", "summary.json", "report.zarr"}
    assert written <= set(checker.links)
    for link in checker.links + checker.loads:
        assert (folder / link).exists(), link
    assert len(checker.images) == 2
    assert all(len(image["alt"]) > 60 for image in checker.images)


def test_nothing_is_loaded_from_elsewhere(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    checker, _ = parsed(text)
    assert not any(re.match(r"(\w+:)?//", load) for load in checker.loads + checker.links)
    assert "@import" not in text
    assert "url(" not in text


def test_every_failure_is_listed_and_escaped(report):
    text, checker, words = rendered(report)
    for failure in report.failures:
        assert failure.dataset in words
        assert failure.reason in unescape(words)
    assert "<script" not in text
    assert "script" not in checker.tags
    assert "Trying again may help." in words


def test_every_run_is_listed_with_its_facts(report):
    _, _, words = rendered(report)
    records = report.member_records()
    assert len(records) == 15
    rows = page.member_rows(report)
    for record, row in zip(records, rows, strict=True):
        text = f"{record['source_id']} {row['experiment']} {record['member_id']}"
        assert text in words
        if record["experiment_id"] != "historical":
            assert row["change"] == f"{record['change']:.2f}"
            assert row["state"] == "used"


def test_the_table_has_every_number_of_the_report(report):
    _, _, words = rendered(report)
    summary, rows = report.summary(), page.spread_rows(report)
    assert len(rows) == len(summary) == 2 * 2 * 2
    for record, row in zip(summary, rows, strict=True):
        assert row["mean"] == f"{record['mean']:.2f}"
        assert row["quantiles"] == [f"{record['quantiles'][q]:.2f}" for q in ("0.05", "0.5", "0.95")]
        assert " ".join([row["mean"], row["sd"], *row["quantiles"], row["minimum"], row["maximum"]]) in words
    assert "northern hemisphere" in words


def test_the_headline_answers_in_words():
    report = make(years=(1850, 2015, 2100), **LONG)
    first, last = report.summary()
    q = first["quantiles"]
    text = page.headline(report)
    spread = f"{first['mean']:.2f} K (5-95 %: {q['0.05']:.2f} to {q['0.95']:.2f} K)"
    assert text.startswith(f"By 2081-2100, 5 models warm by {spread} under SSP1-2.6")
    assert "against 1850-1900 (global, annual mean)" in text
    widths = {r["experiment_id"]: r["quantiles"]["0.95"] - r["quantiles"]["0.05"] for r in (first, last)}
    widest = max(widths, key=widths.get)
    assert (
        f"disagree most under {figures.label(widest)}, where the range (5-95 %) is {widths[widest]:.2f} K wide" in text
    )
    _, _, words = rendered(report)
    assert text in words
    assert "IPCC AR6 WGI (2021), Table SPM.1" in words


def test_one_model_is_not_called_a_spread():
    text = page.headline(make(models="A", experiments=["ssp585"]))
    assert re.fullmatch(
        r"By 2020-2024, 1 model warms by [\d.]+ K under SSP5-8.5, against .*\(global, annual mean\)\.", text
    )


def test_precipitation_changes_by_percent():
    report = make(variable_id="pr", units="kg m-2 s-1")
    text = page.headline(report)
    assert "5 models change by " in text
    assert re.search(r"by \d+\.\d % \(5-95 %: ", text)
    assert "Change: global, annual mean, 2020-2024 against 2000-2004 [%]" in rendered(report)[2]


def test_synthetic_data_are_called_so():
    _, checker, words = rendered(make(synthetic="true"))
    assert f"{figures.SYNTHETIC}. The numbers show how spread works" in words
    assert figures.SYNTHETIC in checker.images[0]["alt"]
    assert "SYNTHETIC" not in rendered(make())[0]


def test_nothing_left_out_is_said():
    assert "Nothing was left out" in rendered(make())[2]


def test_incomplete_runs_are_marked():
    def lose_2024(members):
        late = ("B", "ssp126")
        return [
            m[m["month_number"].values // 12 < 2024] if (m.attrs["source_id"], m.attrs["experiment_id"]) == late else m
            for m in members
        ]

    report = make(change_runs=lose_2024, incomplete_periods="allow")
    states = {(r["source_id"], r["experiment_id"]): r["state"] for r in page.member_rows(report)}
    assert states[("B", "ssp126")] == "incomplete"
    assert sum(state == "incomplete" for state in states.values()) == 1
    text, _, words = rendered(report)
    assert "1 run lacks part of a period and counts all the same, as the study allows: B SSP1-2.6." in words.replace(
        " .", "."
    )
    assert re.search(r'class="k mark">incomplete<', text)
    refused = make(change_runs=lose_2024, require_all_experiments=False)
    states = {(r["source_id"], r["experiment_id"]): r["state"] for r in page.member_rows(refused)}
    assert states[("B", "ssp126")] == "no number"


@pytest.mark.parametrize(("members", "words"), [
    ("first", "Each model once, by its first member."),
    ("mean", "Each model once, by the mean of its members."),
    ("all", "Every run, so that a model with many members weighs more."),
    (("r1i1p1f1", "r2i1p1f1"), "Each model once, by the mean of its members among r1i1p1f1, r2i1p1f1."),
])  # fmt: skip
def test_who_has_a_vote_is_said(members, words):
    assert page.settings(make(members=members))["Who has a vote"] == words


def test_choices_are_said_in_words():
    report = make(incomplete_periods="allow", minimum_years=0.8, ddof=0, exclude_models=["Z"],
                  regions=["land", "arctic", {"name": "box", "lat": [-10, 0], "lon": [350, 20]}])  # fmt: skip
    said = page.settings(report)
    assert said["Base period"] == "2000-2004; each run against its own"
    assert said["Incomplete periods"].startswith("A run counts if it has at least 80 % of the years")
    assert said["Statistics"].endswith("population (n)")
    assert said["Models"].endswith("without Z")
    assert said["Regions"] == "land (everywhere, land only); arctic (66.5°N to 90°N); box (10°S to 0°, 350°E to 20°E)"
    assert SHORT["base_period"] == report.study.base_period


@pytest.mark.parametrize(("value", "unit", "text"), [
    (1.956, "K", "1.96"), (-0.004, "K", "0.00"), (-1.5, "K", "−1.50"), (12.345, "%", "12.3"), (123.456, "K", "123.5"),
    (float("nan"), "K", "–"), (None, "K", "–"),
])  # fmt: skip
def test_numbers_are_written_for_people(value, unit, text):
    assert page.number(value, unit) == text


def test_the_code_is_on_the_page(report):
    _, _, words = rendered(report, {"spread.csv": "numbers"})
    assert "spread.figures.plume(spread.Report.load('.'), region='global', season='annual')" in words
    assert "spread.csv : numbers" in words or "spread.csv: numbers" in words
    assert "2026-01-02 03:04 UTC" in words
