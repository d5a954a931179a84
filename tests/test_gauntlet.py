"""The gauntlet itself: that it calls a wrong number wrong; where there is time, the whole score and twenty kills."""

from dataclasses import replace
from math import inf

import pytest
from gauntlet import clean, judge, kills, score
from gauntlet.archive import Archive
from gauntlet.ensemble import HEALTHY, MODELS, spread_of, truth
from gauntlet.judge import Answer

from spread.vocabulary import VARIABLES

SD = 1.0
TRUE = {"VICTIM": 4.0, "A": 3.0, "B": 5.0}
SOUND = {"A": 3.0, "B": 5.0}


def verdict(numbers, **said):
    return judge.judge(Answer(numbers=numbers, **said), TRUE, "VICTIM", SD, said.pop("whole_study", False)).outcome


@pytest.mark.parametrize(
    ("numbers", "said", "outcome"),
    [
        (SOUND | {"VICTIM": 4.0}, {}, "repaired"),
        (SOUND | {"VICTIM": 4.0009}, {}, "repaired"),
        (SOUND | {"VICTIM": 4.0011}, {}, "silent wrong"),
        (SOUND | {"VICTIM": 4.5}, {"marks": {"VICTIM": "incomplete"}}, "marked"),
        (SOUND | {"VICTIM": 4.5}, {"marks": {"A": "incomplete"}}, "silent wrong"),
        (SOUND, {"reasons": {"VICTIM": "zeros"}}, "excluded"),
        (SOUND, {"reasons": {"A": "zeros"}}, "vanished"),
        (SOUND, {}, "vanished"),
        (SOUND | {"VICTIM": float("nan")}, {}, "vanished"),
        ({"A": 3.0, "VICTIM": 4.0}, {"reasons": {"B": "zeros"}}, "stopped"),
        ({"A": 3.0, "B": 5.1, "VICTIM": 4.0}, {}, "silent wrong"),
        ({"A": 3.0, "VICTIM": 4.0}, {}, "vanished"),
        ({}, {"error": "KeyError"}, "stopped"),
        ({}, {"error": "no model", "refused": True}, "stopped"),
        ({}, {"error": "late", "hung": True}, "hung"),
    ],
)
def test_outcomes(numbers, said, outcome):
    assert verdict(numbers, **said) == outcome


def test_refusing_a_study_is_right_only_where_all_models_share_the_fault():
    answer = Answer(error="the catalog is garbage", refused=True)
    assert judge.judge(answer, TRUE, "VICTIM", SD, whole_study=True).outcome == "refused"
    assert judge.judge(answer, TRUE, "VICTIM", SD).outcome == "stopped"


def test_enough_faults_of_every_kind_are_injected():
    kinds = list(score.KINDS.values())
    assert kinds.count("data") >= 64
    assert len(score.NAMES) - kinds.count("data") >= 26
    rows = {int(part) for case in score.DATA for part in case.source.split()[1:2] if case.source.startswith("row")}
    assert set(range(1, 65)) - rows == OUT_OF_SCOPE


OUT_OF_SCOPE = {22, 57}  # lengths of control runs, levels of the ocean: see docs/gauntlet.md


def test_the_clean_ensemble_spreads():
    changes = [truth(model) for model in MODELS]
    assert min(changes) > 1.0
    assert 0.3 < spread_of("tas") < 2.0
    assert set(HEALTHY) < set(MODELS)


def run_here(name, tmp_path):
    with score.hurried(), score.served(tmp_path / name) as (archive, store):
        return score.run_case(score.CASES[name], archive, store).verdict


def test_a_fault_is_seen_and_without_its_detector_it_is_silently_wrong(tmp_path, monkeypatch):
    assert run_here("extension-gap", tmp_path).outcome == "excluded"
    assert run_here("chunk-lost", tmp_path).outcome == "excluded"
    from spread.study import Study

    monkeypatch.setattr(Study, "required_years", 0.5)
    monkeypatch.setattr("spread.report.Report.member_records", _complete(monkeypatch))
    blind = run_here("extension-gap", tmp_path)
    assert blind.outcome == "silent wrong"
    assert "off by" in blind.detail


def _complete(monkeypatch):
    from spread.report import Report

    sound = Report.member_records
    return lambda report: [record | {"complete": True} for record in sound(report)]


def test_wrong_units_without_the_plausible_range_are_counted(tmp_path, monkeypatch):
    assert run_here("celsius-scenario", tmp_path).outcome == "excluded"
    believing = replace(VARIABLES["tas"], plausible=(-inf, inf), plausible_mean=(-inf, inf))
    monkeypatch.setattr("spread.reduce.planning.VARIABLES", VARIABLES | {"tas": believing})
    for judge_of_series in ("spread.reduce.computing.suspicious_series", "spread.ensemble.seams.suspicious_series"):
        monkeypatch.setattr(judge_of_series, lambda *series, **more: [])
    assert run_here("celsius-scenario", tmp_path).outcome == "silent wrong"


def test_the_last_line_counts_what_is_silent():
    def result(outcome):
        return score.Result("data", outcome, "", "", judge.Verdict(outcome), 0.0)

    found = [result(outcome) for outcome in judge.OUTCOMES]
    assert score.last_line(found) == "silent wrong: 2 of 8"
    assert score.table(found).splitlines()[-1].split() == ["faults", "8", "8"]


def test_archives_are_seeded(tmp_path):
    case = score.CASES["celsius-as-kelvin"]
    for place in ("a", "b"):
        Archive(tmp_path / place, "gs://cmip6").build(case)
    stores = [tmp_path / place / case.name / "historical" / "tas" / "0.0.0" for place in ("a", "b")]
    assert stores[0].read_bytes() == stores[1].read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_nothing_is_silently_wrong():
    results = score.run_all()
    assert len(results) >= 90
    wrong = {r.name: r.verdict.detail for r in results if r.verdict.outcome in score.SILENT}
    assert wrong == {}
    ended = {r.name: r.verdict.detail for r in results if r.verdict.outcome in ("stopped", "hung")}
    assert ended == {}


@pytest.mark.slow
def test_the_clean_ensemble_is_not_rejected():
    assert {name: reasons for name, (_, reasons) in clean.of_ensemble().items() if reasons} == {}


@pytest.mark.slow
def test_the_demo_archive_is_not_rejected_but_for_its_planted_faults(demo_home):
    assert clean.of_demo()["the demo archive"][1] == []


@pytest.mark.slow
def test_real_data_are_not_rejected(atlas_archive):
    assert clean.of_atlas(atlas_archive)["the Atlas archive"][1] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills():
    outcome = kills.run(20)
    assert outcome.faults == [], str(outcome)
    assert any(0 < kill.kept < outcome.chunks for kill in outcome.kills)
