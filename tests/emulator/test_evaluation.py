"""The scorecard: all baselines always, floor, oracle, and gates that a perfect emulator holds and a bad one misses."""

import json

import numpy as np
import pytest

from spread.emulator.baselines import GAUSSIAN, NEAREST, PATTERN, RESIDUALS, WHITE_NOISE
from spread.emulator.evaluation import FLOOR, ORACLE, evaluate
from spread.emulator.scorecard import COLUMNS
from spread.emulator.splits import held_out_member, out_of_range
from spread.emulator.synthetic import MODEL, SyntheticClimate
from spread.errors import BadModel

CLIMATE = SyntheticClimate(years=30)
SAMPLES = CLIMATE.samples(4, 21)
RUN = f"{MODEL}.ssp245.r4i1p1f1"


@pytest.fixture(scope="module")
def card():
    split = held_out_member(SAMPLES, RUN)
    noise = np.random.default_rng(2).standard_normal((20, 360, 8, 12))
    candidates = {"perfect": CLIMATE.draw(20, 12), "white": CLIMATE.mean + CLIMATE.deviation * noise}
    return evaluate(candidates, split, other=SAMPLES.where(SAMPLES.run == 0))


def gates(card, method):
    return {gate.name: gate for gate in card.gates if gate.method == method}


def test_all_methods_have_all_scores(card):
    methods = ["perfect", "white", NEAREST, PATTERN, WHITE_NOISE, RESIDUALS, GAUSSIAN, FLOOR, ORACLE]
    assert [row.name for row in card.rows] == methods
    for row in card.rows:
        assert set(row.scores) == set(COLUMNS)
    assert "fitted on the test run" in ORACLE


def test_the_gates_hold_for_a_perfect_emulator_of_a_gaussian_climate(card):
    held = {name: gate.held for name, gate in gates(card, "perfect").items()}
    # the Gaussian baseline's tails are as good as perfect where all is Gaussian: no emulator can be at 0.7 of them
    assert held == {"fCRPS": True, "SSR": True, "spectrum": True, "q99": False, "copied": True}


def test_white_noise_misses_the_spectrum_and_nothing_says_so_in_its_spread(card):
    found = gates(card, "white")
    assert not found["spectrum"].held
    assert found["SSR"].held


def test_the_floor_and_the_oracle_are_where_they_should_be(card):
    crps = {row.name: float(row.scores["crps"].value) for row in card.rows}
    error = float(card.row(FLOOR).scores["crps"].time_error)
    assert crps[FLOOR] == pytest.approx(crps["perfect"], abs=4 * error)
    assert crps[ORACLE] < crps[GAUSSIAN] < crps[PATTERN]
    assert card.row(NEAREST).scores["copied"].value == 1


def test_the_table_and_its_dictionary_say_the_same(card):
    text = card.text()
    for name in ("perfect", GAUSSIAN, FLOOR, ORACLE, "MISSED", "held"):
        assert name in text
    found = json.loads(json.dumps(card.as_dict(), allow_nan=False))
    first = found["rows"][0]
    assert first["method"] == "perfect"
    assert first["scores"]["crps"]["value"] == pytest.approx(float(card.rows[0].scores["crps"].value))
    assert len(first["scores"]["spectrum"]["value"]) == 7
    assert len(found["gates"]) == 10


def test_outside_of_the_range_a_flag_is_asked_for():
    split = out_of_range(SAMPLES, RUN, after=2020)
    drawn = CLIMATE.draw(10, 13)[:, 240:]
    card = evaluate({"silent": drawn, "flagged": drawn}, split, members=10, flagged={"flagged": 1.0, "silent": 0.4})
    assert {gate.name for gate in card.gates} == {"fCRPS beyond", "flag", "copied"}
    assert gates(card, "flagged")["flag"].held
    assert not gates(card, "silent")["flag"].held
    assert any("floor is not known" in note for note in card.notes)


def test_what_does_not_fit_is_refused():
    split = held_out_member(SAMPLES, RUN)
    with pytest.raises(BadModel, match="emulated: expected"):
        evaluate({"short": CLIMATE.draw(2, 1)[:, :12]}, split)
    with pytest.raises(BadModel, match="itself; a floor needs a second one"):
        evaluate({}, split, other=split.test)
