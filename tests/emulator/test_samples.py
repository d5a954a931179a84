"""The contract of what is learned from: every breach is named, and none is let through."""

from dataclasses import replace

import numpy as np
import pytest
from emulator_worlds import World

from spread.errors import BadModel

SAMPLES = World(years=2).samples()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tas": SAMPLES.cells}, r"tas: expected \(sample, lat, lon\), got \(96, 24\)"),
        ({"model": SAMPLES.model[1:]}, r"model: expected one for each of 96 samples, got \(95,\)"),
        ({"step": SAMPLES.step[:, None]}, r"step: expected one for each of 96 samples, got \(96, 1\)"),
        ({"lat": SAMPLES.lat[1:]}, r"grid: maps are \(4, 6\), latitudes"),
        ({"area": SAMPLES.area.T}, r"grid: maps are \(4, 6\), latitudes"),
        ({"frequency": "6hr"}, "frequency: expected one of mon, day, got '6hr'"),
        ({"scenario": SAMPLES.scenario + 1}, "scenario: expected numbers below 2, got 1 to 2"),
        ({"model": SAMPLES.model - 1}, "model: expected numbers below 2, got -1 to 0"),
        ({"runs": SAMPLES.runs[:3]}, "run: expected numbers below 3, got 0 to 3"),
        ({"area": 2 * SAMPLES.area}, "area: expected shares of 0 or more with the sum 1, got the sum 2"),
        ({"area": np.where(SAMPLES.area > 0, np.nan, 0)}, "area: expected shares .* got the sum nan"),
    ],
)
def test_a_breach_is_named(changed, said):
    with pytest.raises(BadModel, match=f"samples: .*{said}"):
        replace(SAMPLES, **changed)


def test_all_breaches_are_named_at_once():
    with pytest.raises(BadModel) as raised:
        replace(SAMPLES, year=SAMPLES.year[1:], lon=SAMPLES.lon[1:], frequency="yr", run=SAMPLES.run + 1,
                area=SAMPLES.area / 3)  # fmt: skip
    for name in ("year: ", "grid: ", "frequency: ", "run: ", "area: "):
        assert name in str(raised.value), name


def test_no_samples_are_refused_with_the_way_out():
    with pytest.raises(BadModel, match="there is none; choose more years, runs or models"):
        SAMPLES.where(np.zeros(len(SAMPLES), bool))


@pytest.mark.parametrize("name", ["tas", "warming", "day"])
@pytest.mark.parametrize("absent", [np.nan, np.inf])
def test_an_absent_value_names_run_and_date(name, absent):
    values = getattr(SAMPLES, name).copy()
    values[[77, 83]] = absent
    day = r"\S+" if name == "day" else "0.458"
    said = rf"2 maps have absent values, the first of BETA.ssp585.r1i1p1f1 in 2015, {day} of the year; mend"
    with pytest.raises(BadModel, match=said):
        replace(SAMPLES, **{name: values})


def test_one_absent_cell_is_enough():
    tas = SAMPLES.tas.copy()
    tas[30, 2, 3] = np.nan
    with pytest.raises(BadModel, match=r"1 maps have absent values, the first of ALPHA.ssp585.r1i1p1f1 in 2015"):
        replace(SAMPLES, tas=tas)


def test_some_samples_keep_their_names_and_numbers():
    some = SAMPLES.where(SAMPLES.model == 1)
    assert len(some) == 48
    assert (some.models, some.runs) == (SAMPLES.models, SAMPLES.runs)
    np.testing.assert_array_equal(some.tas, SAMPLES.tas[48:])
    assert set(some.model) == {1}
    assert set(some.run) == {2, 3}
    np.testing.assert_array_equal(some.cells[5], SAMPLES.tas[53].ravel())


def test_a_sample_follows_within_its_run_and_without_a_gap():
    kept = np.ones(len(SAMPLES), bool)
    kept[[10, 11]] = False
    follows = SAMPLES.where(kept).follows()
    expected = np.ones(94, bool)
    expected[[0, 10, 22, 46, 70]] = False  # first of all, after the gap, first of the three other runs
    np.testing.assert_array_equal(follows, expected)


def test_a_scenario_does_not_follow_its_historical_run():
    """Its first month comes after the last one of the other run, but as another run's."""
    on = replace(SAMPLES, step=np.arange(len(SAMPLES)))
    assert np.flatnonzero(~on.follows()).tolist() == [0, 24, 48, 72]
