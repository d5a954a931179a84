"""Figures of an evaluation say which month they show, leave its season out, and name no line that is not there."""

import numpy as np
import pytest

from spread.emulator.baselines import PATTERN
from spread.emulator.evaluation import evaluate
from spread.emulator.splits import held_out_member
from spread.emulator.synthetic import MODEL, SyntheticClimate
from spread.figures.emulated import beside_truth, spectra

CLIMATE = SyntheticClimate(years=6)


@pytest.fixture(scope="module")
def judged():
    split = held_out_member(CLIMATE.samples(2, 21), f"{MODEL}.ssp245.r2i1p1f1")
    drawn = CLIMATE.draw(3, 12).astype(np.float32)
    return evaluate({"perfect": drawn}, split, members=3), drawn, split.test


def test_maps_are_of_a_named_month_less_the_mean_of_that_month(judged):
    card, drawn, truth = judged
    figure = beside_truth(card, drawn, truth, True)
    emulated, modelled, less, mean = (axes for axes in figure.axes if axes.get_label() != "<colorbar>")
    middle = len(truth) // 2
    name = f"January {truth.year[middle]}"
    assert truth.day[middle] == pytest.approx(0.5 / 12)
    assert emulated.get_title(loc="left") == f"emulated, {name}"
    assert less.get_title(loc="left") == f"emulated less modelled, {name}"
    assert mean.get_title(loc="left").endswith(f"mean of {truth.year[0]}-{truth.year[-1]}")
    shown = modelled.collections[0].get_array()
    np.testing.assert_allclose(
        np.asarray(shown).reshape(truth.tas[0].shape), truth.tas[middle] - truth.tas[0::12].mean(axis=0), atol=1e-4
    )
    assert any("less the run's own mean of January" in text.get_text() for text in figure.texts)


def test_a_method_without_power_has_no_line_and_no_name(judged):
    card, _, _ = judged
    axes = spectra(card, True).axes[0]
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert PATTERN not in named
    assert "perfect" in named
