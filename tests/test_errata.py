"""Datasets that are known to be bad are not taken, or noted, as the study says."""

import json
import re

import pytest
from synthetic import records, row, write_collection
from test_figures import make
from test_page import rendered

from spread import errata, page, provenance
from spread.__main__ import main
from spread.catalog import read
from spread.errata import Erratum
from spread.errors import BadStudy, NotFound
from spread.report import Report
from spread.selection import select
from spread.study import Study

SCENARIOS = ("ssp126", "ssp585")
CRITICAL = Erratum("11111111-critical", "critical", "resolved")
HIGH = Erratum("22222222-high", "high", "wontfix")
MEDIUM = Erratum("33333333-medium", "medium", "new")
LOW = Erratum("44444444-low", "low", "onhold")


@pytest.fixture
def bad(monkeypatch):
    """Let the table hold only what a test says: errata of versions of Amon tas on gn, by model, experiment, member."""
    table = {}
    monkeypatch.setattr(errata, "_table", lambda: table)

    def add(source_id, experiment_id, member_id, version, *found, table_id="Amon", variable_id="tas", grid_label="gn"):
        dataset = (source_id, experiment_id, member_id, table_id, variable_id, grid_label)
        table.setdefault(dataset, {})[version] = tuple(sorted(found, key=errata._gravest_first))

    return add


@pytest.fixture
def selected(tmp_path):
    """Choose from a collection of these records: one model's runs, unless they say otherwise."""

    def choose(*rows, **fields):
        collection = read(write_collection(tmp_path, records(*rows)))
        return select(collection, Study.make(**({"experiments": SCENARIOS} | fields)))

    return choose


def runs(source_id="A", member_id="r1i1p1f1", experiments=("historical", *SCENARIOS), **facets):
    return [{"source_id": source_id, "member_id": member_id, "experiment_id": e, **facets} for e in experiments]


def taken(selection):
    return {(r.source_id, r.experiment_id, r.member_id, r.version) for r in selection.rows}


# ---- what a study says of it


def test_the_policy_is_filled_from_the_default(tmp_path):
    assert Study.make().errata == {"critical": "reject", "high": "reject", "medium": "note", "low": "note"}
    path = tmp_path / "s.toml"
    path.write_text('[errata]\nhigh = "note"\nlow = "ignore"\n', encoding="utf-8")
    study = Study.from_toml(path)
    assert study.errata == {"critical": "reject", "high": "note", "medium": "note", "low": "ignore"}
    assert Study.make(**study.model_dump(exclude={"name"}), name=study.name) == study
    assert Study.make(**json.loads(study.model_dump_json())) == study


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"hihg": "note"}, "errata: unknown severity 'hihg', did you mean 'high'?"),
        ({"high": "rejct"}, "errata.high: unknown action 'rejct', did you mean 'reject'?"),
        ({"high": True}, "errata.high: unknown action True, known: ignore, note, reject"),
        ({"high": ["note"]}, "errata.high: unknown action ['note'], did you mean 'note'?"),
        ("ignore", "errata: expected an action for each severity, such as {high = 'note'}, got 'ignore'"),
    ],
)
def test_a_bad_policy_gives_one_line(policy, said):
    with pytest.raises(BadStudy, match=re.escape(said)) as refused:
        Study.make(errata=policy)
    assert "\n" not in str(refused.value)


def test_all_breaches_of_a_policy_are_listed_at_once():
    with pytest.raises(BadStudy) as refused:
        Study.make(errata={"hihg": "note", "low": "ingore"}, ddof=3)
    for said in ("'hihg', did you mean 'high'", "errata.low: unknown action 'ingore', did you mean 'ignore'", "ddof"):
        assert said in str(refused.value)


# ---- what is chosen


def test_without_errata_nothing_changes(bad, selected):
    selection = selected(*runs(), *runs(version="20190101"))
    assert {r.version for r in selection.rows} == {"20200101"}
    assert not selection.failures
    assert not selection.notes


@pytest.mark.parametrize("erratum", [CRITICAL, HIGH])
def test_another_version_is_taken_and_the_bad_one_is_named(bad, selected, erratum):
    bad("A", "ssp585", "r1i1p1f1", "20200101", erratum)
    selection = selected(*runs(), *runs(version="20190101"))
    assert ("A", "ssp585", "r1i1p1f1", "20190101") in taken(selection)
    assert ("A", "ssp126", "r1i1p1f1", "20200101") in taken(selection)
    (failure,) = selection.failures
    assert (failure.dataset, failure.stage) == ("A.ssp585.r1i1p1f1.tas", "catalog")
    assert failure.reason.startswith(f"known to be bad: ES-DOC errata {erratum.uid} ({erratum.severity}, ")
    assert failure.reason.endswith("of version 20200101 on grid gn")
    assert failure.facets["version"] == "20200101"
    assert not failure.unreadable


def test_a_bad_version_that_is_not_the_latest_is_no_matter(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20190101", CRITICAL)
    selection = selected(*runs(), *runs(version="20190101"))
    assert {r.version for r in selection.rows} == {"20200101"}
    assert not selection.failures


def test_another_member_is_taken_for_the_whole_model(bad, selected):
    bad("A", "historical", "r1i1p1f1", "20200101", CRITICAL)
    bad("A", "ssp585", "r3i1p1f1", "20200101", CRITICAL)  # nobody asked for this one
    selection = selected(*runs(), *runs(member_id="r2i1p1f1"), *runs(member_id="r3i1p1f1"))
    assert {r.member_id for r in selection.rows} == {"r2i1p1f1"}
    assert [f.dataset for f in selection.failures] == ["A.historical.r1i1p1f1.tas"]


def test_another_grid_is_taken(bad, selected):
    for experiment in ("historical", *SCENARIOS):
        bad("A", experiment, "r1i1p1f1", "20200101", HIGH)
    selection = selected(*runs(), *runs(grid_label="gr"))
    assert {r.grid_label for r in selection.rows} == {"gr"}
    assert len(selection.failures) == 3


def test_with_all_members_each_bad_run_is_named(bad, selected):
    bad("A", "ssp585", "r2i1p1f1", "20200101", CRITICAL)
    selection = selected(*runs(), *runs(member_id="r2i1p1f1"), members="all")
    assert ("A", "ssp126", "r2i1p1f1", "20200101") in taken(selection)
    assert ("A", "ssp585", "r2i1p1f1", "20200101") not in taken(selection)
    assert [f.dataset for f in selection.failures] == ["A.ssp585.r2i1p1f1.tas"]


def test_a_model_of_which_nothing_sound_is_left_is_out_with_both_reasons(bad, selected):
    for experiment in ("historical", *SCENARIOS):
        bad("A", experiment, "r1i1p1f1", "20200101", CRITICAL)
    bad("B", "ssp585", "r1i1p1f1", "20200101", HIGH)
    selection = selected(*runs(), *runs("B"), *runs("C"), *runs("D", experiments=("historical", "ssp126")))
    assert {r.source_id for r in selection.rows} == {"C"}
    reasons = {}
    for failure in selection.failures:
        reasons.setdefault(failure.dataset, failure.reason)
    assert sum(f.dataset.startswith("A.") for f in selection.failures) == 3
    assert reasons["B.ssp585.r1i1p1f1.tas"].startswith("known to be bad")
    aside = "with historical of the same member in the catalog, apart from datasets that are known to be bad"
    assert reasons["A"] == f"no ssp126, ssp585 {aside}"
    assert reasons["B"] == f"no ssp585 {aside}"
    assert reasons["D"] == "no ssp585 with historical of the same member in the catalog"


def test_nothing_left_at_all_names_the_errata(bad, selected):
    bad("A", "historical", "r1i1p1f1", "20200101", CRITICAL)
    with pytest.raises(NotFound, match=CRITICAL.uid):
        selected(*runs())


def test_a_run_that_would_not_have_been_taken_anyway_is_not_named(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20200101", CRITICAL)
    selection = selected(*runs(experiments=("historical", "ssp585")), *runs("B"))
    assert [f.dataset for f in selection.failures] == ["A"]


def test_the_gentle_severities_are_noted(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20200101", LOW, MEDIUM)
    selection = selected(*runs())
    assert not selection.failures
    ((found, notes),) = selection.notes.items()
    assert (found.name, found in selection.rows) == ("A.ssp585.r1i1p1f1.tas", True)
    assert notes == (
        "ES-DOC errata 33333333-medium (medium, new)",
        "ES-DOC errata 44444444-low (low, onhold)",
    )


def test_what_is_ignored_leaves_no_trace(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20200101", LOW, CRITICAL)
    selection = selected(*runs(), errata=dict.fromkeys(errata.SEVERITIES, "ignore"))
    assert ("A", "ssp585", "r1i1p1f1", "20200101") in taken(selection)
    assert not selection.failures
    assert not selection.notes


@pytest.mark.parametrize(
    ("policy", "rejected"),
    [
        ({}, True),
        ({"critical": "note", "high": "note"}, False),
        ({"critical": "note"}, True),
        ({"low": "reject"}, True),
    ],
)
def test_of_several_errata_the_strictest_action_decides_and_all_are_listed(bad, policy, rejected):
    bad("A", "ssp585", "r1i1p1f1", "20200101", LOW, HIGH, CRITICAL)
    verdict = errata.judge(row(source_id="A", experiment_id="ssp585"), Study.make(errata=policy).errata)
    assert bool(verdict.rejection) is rejected
    assert len(verdict.notes) == (0 if rejected else 3)
    said = verdict.rejection or " ".join(verdict.notes)
    places = [said.index(erratum.uid) for erratum in (CRITICAL, HIGH, LOW)]
    assert places == sorted(places)


def test_a_row_without_a_version_is_noted_and_never_rejected(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20190101", CRITICAL)
    bad("A", "ssp585", "r1i1p1f1", "20180101", CRITICAL, LOW)
    selection = selected(*runs(version=""), errata={"low": "ignore"})
    assert len(selection.rows) == 3
    assert not selection.failures
    ((_, notes),) = selection.notes.items()
    assert notes == (
        "version unknown; ES-DOC errata 11111111-critical (critical, resolved) of version 20180101, 20190101",
    )


def test_a_version_in_the_path_is_a_version(bad, selected):
    bad("A", "ssp585", "r1i1p1f1", "20190101", CRITICAL)
    rows = runs(experiments=["ssp585"], version="", zstore="gs://cmip6/CMIP6/tas/gn/v20190101/")
    with pytest.raises(NotFound, match=CRITICAL.uid):
        selected(*rows, experiments=["ssp585"], historical=None)


def test_a_bad_fixed_field_gives_way_to_another_and_is_named(bad, selected):
    fixed = [
        {"source_id": "A", "table_id": "fx", "variable_id": "sftlf", "experiment_id": e, "grid_label": g, "version": v}
        for e, g, v in (("historical", "gn", "20200101"), ("piControl", "gn", "20190101"), ("historical", "gr", "2020"))
    ]
    bad("A", "historical", "r1i1p1f1", "20200101", CRITICAL, table_id="fx", variable_id="sftlf")
    bad("A", "historical", "r1i1p1f1", "2020", CRITICAL, table_id="fx", variable_id="sftlf", grid_label="gr")
    bad("A", "piControl", "r1i1p1f1", "20190101", LOW, table_id="fx", variable_id="sftlf")
    selection = selected(*runs(), *fixed)
    assert {key: r.experiment_id for key, r in selection.supplementary.items()} == {("A", "gn", "sftlf"): "piControl"}
    assert [f.dataset for f in selection.failures] == ["A.historical.r1i1p1f1.sftlf"]  # of the grid that is read
    assert [r.variable_id for r in selection.notes] == ["sftlf"]


# ---- what is shown


@pytest.fixture
def noted(bad):
    bad("B", "ssp585", "r1i1p1f1", "20200101", MEDIUM)
    report = make()
    made = provenance.describe(report.study, [row(source_id="B", experiment_id="ssp585"), row(source_id="A")])
    return Report(**{f: getattr(report, f) for f in report.__dataclass_fields__} | {"provenance": made})


def test_notes_reach_the_report_and_its_files(noted, tmp_path):
    assert noted.provenance["errata"] == {"B.ssp585.r1i1p1f1.tas": [f"ES-DOC errata {MEDIUM}"]}
    with_notes = {(r["source_id"], r["experiment_id"]): r["errata"] for r in noted.member_records() if r["errata"]}
    assert with_notes == {("B", "ssp585"): f"ES-DOC errata {MEDIUM}"}
    folder = noted.save(tmp_path / "report")
    assert MEDIUM.uid in (folder / "members.csv").read_text(encoding="utf-8")
    assert Report.load(folder).member_records() == noted.member_records()


def test_a_report_made_before_there_were_errata_still_reads():
    assert {r["errata"] for r in make().member_records()} == {""}


def test_notes_are_on_the_page_beside_their_run(noted):
    text, _, words = rendered(noted)
    assert words.count(MEDIUM.uid) == 1
    line = next(line for line in text.splitlines() if MEDIUM.uid in line)
    assert line.startswith('<tr><td class="k">B</td><td class="k">SSP5-8.5</td>')
    assert "<th>Errata</th>" in text
    assert "critical and high: left out; medium and low: used and noted (ES-DOC errata by severity)" in words
    assert page.errata(Study.make(errata=dict.fromkeys(errata.SEVERITIES, "ignore"))).startswith(
        "critical, high, medium and low: ignored"
    )


def test_check_shows_errata_before_anything_is_read(bad, small_archive, tmp_path, capsys):
    from spread.demo.models import MODELS

    version = {name: model.version for name, model in MODELS.items()}
    bad("CanESM5", "ssp585", "r1i1p1f1", version["CanESM5"], CRITICAL)
    bad("MIROC6", "ssp126", "r1i1p1f1", version["MIROC6"], MEDIUM)
    path = tmp_path / "study.toml"
    path.write_text(
        f'catalog = "{small_archive}"\nexperiments = ["ssp126", "ssp585"]\nmodels = ["CanESM5", "MIROC6"]\n',
        encoding="utf-8",
    )
    assert main(["check", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if MEDIUM.uid in line] == ["MIROC6.ssp126.r1i1p1f1.tas"]
    (rejected,) = [line for line in lines if CRITICAL.uid in line]
    assert rejected.startswith("  - CanESM5.ssp585.r1i1p1f1.tas: known to be bad: ES-DOC errata")
    assert main(["check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    notes = {d["name"]: d["errata"] for d in found["datasets"]}
    assert notes["MIROC6.ssp126.r1i1p1f1.tas"] == [f"ES-DOC errata {MEDIUM}"]
    assert notes["MIROC6.ssp585.r1i1p1f1.tas"] == []
    assert any(CRITICAL.uid in left["reason"] for left in found["left_out"])
