"""Figures of simulated land show the numbers they are given and say that they are synthetic."""

import numpy as np
import pytest
import xarray as xr

from spread.figures import land
from spread.figures.files import write_png
from spread.figures.words import SYNTHETIC
from spread.vocabulary import VARIABLES

NAMES = ("gpp", "nbp", "ra", "rh", "lai", "evspsbl", "mrro", "mrso", "cVeg", "cLitter", "cSoil")


def yearly(draws=5, synthetic="true", **dims):
    rng = np.random.default_rng(0)
    shape = (*dims.values(), draws, 4)
    data = {n: ((*dims, "draw", "year"), 1e-8 * rng.random(shape), {"units": VARIABLES[n].units}) for n in NAMES}
    data |= {n: ((*dims, "draw", "year"), np.full(shape, 1e-6)) for n in ("carbon_closure", "water_closure")}
    return xr.Dataset(data, coords={"year": np.arange(2000, 2004)}, attrs={"synthetic": synthetic})


def texts(figure):
    return [t.get_text() for t in figure.texts]


def test_lines_are_medians_in_the_display_unit():
    ds = yearly()
    figure = land.budget(ds, "Land")
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.median(ds["gpp"], axis=0) * 8.64e7)
    assert figure.axes[0].get_ylabel() == "g m⁻² d⁻¹"
    assert SYNTHETIC in texts(figure)
    assert SYNTHETIC not in texts(land.budget(yearly(synthetic="false"), "Land"))


def test_differences_are_pairwise(tmp_path):
    ds = yearly(run=2).assign_coords(run=["baseline", "changed"]).assign_attrs(change_label="warmer")
    figure = land.counterfactual(ds, "What if: warmer?")
    below = figure.axes[len(land.COMPARED)]
    by_hand = np.median(ds["gpp"].values[1] - ds["gpp"].values[0], axis=0) * 8.64e7
    np.testing.assert_allclose(below.lines[-1].get_ydata(), by_hand)
    write_png(figure, tmp_path / "x.png", "What if", SYNTHETIC)
    assert (tmp_path / "x.png").stat().st_size > 10_000


@pytest.mark.parametrize("draws", [1, 6])
def test_bars_are_means_over_draws(draws):
    effect = np.random.default_rng(1).normal(size=(3, draws)) * 1e-9
    ds = xr.Dataset(
        {"effect": (("term", "draw"), effect), "total": ("draw", effect.sum(0))},
        {"term": ["a", "b", "a x b"]}, {"outcome": "nbp, 2000-2003", "synthetic": "true"},
    )  # fmt: skip
    figure = land.effects(ds, "Who did it")
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(widths[:3], effect.mean(1) * 8.64e7)
    assert widths[3] == pytest.approx(sum(widths[:3]))
