"""The stack of sources draws the partition's own shares, says what it is, and keeps its words apart."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spread import figures
from spread.ensemble import hawkins_sutton, lafferty_sriver
from spread.errors import BadStudy

sys.path.insert(0, str(Path(__file__).parent / "ensemble"))
from partitions import ensemble, random_ensemble


@pytest.fixture(scope="module")
def world():
    data = ensemble(random_ensemble(1)).assign_attrs(variable_id="tas", region="global", season="annual")
    return hawkins_sutton(data)


@pytest.fixture(scope="module")
def regions():
    dims = ("source_id", "experiment_id", "region", "year")
    data = ensemble(random_ensemble(2, extra=(2,)), dims=dims).assign_coords(region=["land", "northern_hemisphere"])
    return hawkins_sutton(data.assign_attrs(variable_id="pr", synthetic="true"))


def printed(drawn):
    """The texts of a matplotlib figure, and the figure."""
    import holoviews as hv
    from matplotlib.text import Text

    figure = hv.render(drawn, backend="matplotlib")
    return " | ".join(text.get_text() for text in figure.findobj(Text)), figure


def elements(drawn, kind):
    return [element for element in drawn.traverse(lambda e: e) if type(element).__name__ == kind]


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_areas_are_the_shares_stacked_to_one_hundred(world, backend):
    areas = elements(figures.partition_stack(world, backend), "Area")
    assert [area.label for area in areas] == ["Model", "Scenario", "Internal variability"]
    below = 0.0
    for area, source in zip(areas, ("model", "scenario", "internal"), strict=True):
        years = area.dimension_values("Year")
        np.testing.assert_array_equal(years, np.arange(2001, 2100))  # after the base period
        share = world["share"].sel(source=source, year=years).values
        np.testing.assert_array_equal(area.dimension_values("share"), share)
        np.testing.assert_allclose(area.dimension_values("low"), below, atol=1e-12)
        np.testing.assert_allclose(area.dimension_values("high"), below + share, rtol=1e-12)
        below = below + share
    np.testing.assert_allclose(below, 100.0, rtol=1e-12)


def test_it_says_what_where_how_and_how_many(world):
    text = printed(figures.partition_stack(world, "matplotlib"))[0].replace("\n", " ")
    for said in ("Sources of uncertainty: Near-surface air temperature, global, annual mean", "definition HS09",
                 "5 models, 4 scenarios", "Share of the total variance [%]", "Year"):  # fmt: skip
        assert said in text
    model, scenario = world["share"].sel(year=2099, source=["model", "scenario"]).values
    assert f"2099: model {model:.1f} %, scenario {scenario:.1f} %" in text
    assert "SYNTHETIC" not in text


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_synthetic_data_are_called_so(regions, backend):
    import holoviews as hv

    drawn = figures.partition_stack(regions, backend, region="northern_hemisphere")
    if backend == "matplotlib":
        text, _ = printed(drawn)
    else:
        from bokeh.models import Title

        text = " | ".join(t.text for t in hv.render(drawn, backend="bokeh").select({"type": Title}))
    assert figures.SYNTHETIC in text
    assert "northern hemisphere" in text


def test_a_place_is_named_where_there_are_several(regions):
    with pytest.raises(BadStudy, match="several places along region: name one, such as region='land'"):
        figures.partition_stack(regions)
    with pytest.raises(BadStudy, match="did you mean 'land'"):
        figures.partition_stack(regions, region="lnd")
    with pytest.raises(BadStudy, match="no lat '3'"):
        figures.partition_stack(regions, lat="3", region="land")
    drawn = figures.partition_stack(regions.isel(region=[1]), "matplotlib")
    assert "northern hemisphere" in printed(drawn)[0]


def test_years_may_be_chosen_and_years_without_shares_are_left_out(world):
    table = figures.partition_frame(world, (2050, 2060))
    assert (table["Year"].min(), table["Year"].max()) == (2050, 2060)
    gap = world.assign(share=world["share"].where(world["year"] != 2055))
    assert 2055 not in set(figures.partition_frame(gap)["Year"])
    with pytest.raises(BadStudy, match="no year from 2200 to 2300 has a share"):
        figures.partition_stack(world, years=(2200, 2300))


@pytest.mark.parametrize("seed", range(4))
def test_names_stay_within_their_areas_and_texts_apart(seed):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    dims = ("source_id", "experiment_id", "downscaling", "year")
    years = np.arange(2015, 2101)
    values = random_ensemble(seed, years=years, extra=(3,)) + 0.4 * seed * np.arange(3)[:, None]
    result = lafferty_sriver(ensemble(values, years=years, dims=dims).assign_attrs(variable_id="tas"))
    drawn = figures.partition_stack(result, "matplotlib")
    table = figures.partition_frame(result)
    _, figure = printed(drawn)
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    names = {text.get_text(): text for text in axes.texts if text.get_text()}
    assert "Model" in names or "Scenario" in names or "Downscaling" in names
    for name, text in names.items():
        source = next(s for s, n in figures.SOURCE_NAMES.items() if n == name)
        box = text.get_window_extent().transformed(axes.transData.inverted())
        beside = table[(table["source"] == source) & table["Year"].between(box.x0, box.x1)]
        assert box.y0 > beside["low"].max()
        assert box.y1 < beside["high"].min()
        assert box.x0 > table["Year"].min()
        assert box.x1 < table["Year"].max()
    beyond = [label for label in axes.get_xticklabels() if not years[0] <= label.get_position()[0] <= 2095]
    apart = {*names.values(), *beyond}  # ticks beyond the years are not drawn
    outside = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible() and t not in apart]
    boxes = [t.get_window_extent() for t in outside]
    page = figure.bbox
    for k, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1, outside[k]
        assert page.y0 <= box.y0 < box.y1 <= page.y1, outside[k]
        for other in boxes[k + 1 :]:
            assert not box.overlaps(other)


def test_a_source_that_holds_next_to_nothing_has_no_name_in_the_stack(world):
    quiet = world.assign(share=xr.where(world["source"] == "internal", 0.0, world["share"]))
    names = [text.data[2] for text in elements(figures.partition_stack(quiet), "Text")]
    assert "Internal variability" not in names
    assert "Scenario" in names
