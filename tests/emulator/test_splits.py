"""What is kept back is not learned from, and a leak is an error that names the run."""

from dataclasses import replace

import numpy as np
import pytest

from spread.emulator.samples import Samples
from spread.emulator.splits import Split, check_apart, few_shot, held_out_member, held_out_scenario, out_of_range
from spread.errors import BadModel, NotFound

RUNS = (
    "A.historical.r1", "A.historical.r2", "A.ssp126.r1", "A.ssp126.r2", "A.ssp585.r1", "A.ssp585.r2",
    "B.historical.r1", "B.ssp585.r1",
)  # fmt: skip


@pytest.fixture
def samples():
    models, scenarios = ("A", "B"), ("historical", "ssp126", "ssp585")
    rows = []
    for number, run in enumerate(RUNS):
        model, scenario, _ = run.split(".")
        past = scenario == "historical"
        for year in range(1995, 2015) if past else range(2015, 2035):
            rate = 0.01 if past else {"ssp126": 0.02, "ssp585": 0.1}[scenario]
            heat = 0.5 + rate * (year - (1995 if past else 2015))
            numbers = models.index(model), scenarios.index(scenario), number, year
            rows += [(*numbers, month, heat) for month in range(12)]
    model, scenario, run, year, month, heat = map(np.asarray, zip(*rows, strict=True))
    tas = np.random.default_rng(0).standard_normal((len(rows), 2, 3)).astype(np.float32)
    return Samples(
        tas, model, scenario, run, year, (month + 0.5) / 12, 12 * year + month, heat, models, scenarios, RUNS,
        np.array([-45.0, 45.0]), np.array([0.0, 120.0, 240.0]), np.full((2, 3), 1 / 6),
    )  # fmt: skip


def names(samples):
    return {samples.runs[number] for number in np.unique(samples.run)}


def test_a_member_is_kept_back_with_its_history(samples):
    split = held_out_member(samples, "A.ssp585.r2")
    assert names(split.test) == {"A.ssp585.r2"}
    assert names(split.train) == set(RUNS) - {"A.historical.r2", "A.ssp126.r2", "A.ssp585.r2"}
    assert split.in_range


def test_a_scenario_is_kept_back(samples):
    split = held_out_scenario(samples, "ssp126", "A")
    assert names(split.test) == {"A.ssp126.r1", "A.ssp126.r2"}
    assert not any("ssp126" in name for name in names(split.train))


def test_the_warm_end_is_kept_back_by_year(samples):
    split = out_of_range(samples, "A.ssp585.r2", after=2024)
    assert names(split.test) == {"A.ssp585.r2"}
    assert split.test.year.min() == 2025
    assert split.train.warming.max() < split.test.warming.min()
    assert not split.in_range


def test_the_warm_end_is_kept_back_by_warming(samples):
    split = out_of_range(samples, "A.ssp585.r1", above=1.5)
    assert split.train.warming.max() <= 1.5 < split.test.warming.min()


def test_training_as_warm_as_the_test_is_refused(samples):
    with pytest.raises(BadModel, match=r"training reaches 1\.40 K and A\.ssp126\.r2 begins at 0\.70 K"):
        out_of_range(samples.where((samples.year < 2025) | (samples.scenario == 1)), "A.ssp126.r2", after=2024)


@pytest.mark.parametrize("limits", [{}, {"after": 2024, "above": 1.0}])
def test_one_limit_is_expected(samples, limits):
    with pytest.raises(BadModel, match="one of them"):
        out_of_range(samples, "A.ssp585.r1", **limits)


def test_a_new_model_gives_a_few_years(samples):
    split = few_shot(samples, "B", 5)
    new = split.train.where(split.train.model == 1)
    assert (names(new), new.year.min(), new.year.max()) == ({"B.historical.r1"}, 1995, 1999)
    assert names(split.test) == {"B.ssp585.r1"}


def test_a_leak_of_a_run_is_named(samples):
    with pytest.raises(BadModel, match=r"240 of 240 steps of A\.ssp126\.r1 are in training"):
        Split("held-out member", samples, samples.where(samples.run == 2))


def test_a_leak_under_another_name_is_named(samples):
    hidden = samples.where(samples.run == 2)
    hidden = replace(hidden, run=np.full(len(hidden), 3))
    with pytest.raises(BadModel, match=r"240 of 240 maps of A\.ssp126\.r2 are in training as A\.ssp126\.r1"):
        check_apart(samples.where(samples.run == 2), hidden)


def test_what_is_not_there_is_said(samples):
    with pytest.raises(NotFound, match=r"no run 'A\.ssp585\.r3'; did you mean"):
        held_out_member(samples, "A.ssp585.r3")
    with pytest.raises(NotFound, match="no scenario 'ssp245'"):
        held_out_scenario(samples, "ssp245")
    with pytest.raises(BadModel, match="nothing to learn from"):
        held_out_scenario(samples.where(samples.scenario == 1), "ssp126")
    with pytest.raises(BadModel, match="nothing to score on"):
        out_of_range(samples, "A.ssp585.r1", after=2100)
