"""The table of variables agrees with itself, with CF and with the conversions that use it."""

import dataclasses
import math

import pytest
from cf_xarray.units import units
from synthetic import row

from spread.conform.units import linear_conversion
from spread.vocabulary import FACETS, HISTORICAL, SCENARIO_LABELS, VARIABLES, Row


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_a_variable_agrees_with_itself(variable):
    assert VARIABLES[variable.variable_id] is variable
    low, high = variable.plausible
    assert low < high
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert variable.plausible_mean[0] < variable.plausible_mean[1]
    assert variable.domain in ("all", "land", "ocean")
    assert variable.anomaly in ("absolute", "percent")
    assert variable.positive in ("", "up", "down")
    assert variable.standard_name == variable.standard_name.lower()
    assert " " not in variable.standard_name


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_the_mean_is_bounded_within_the_values(variable):
    if all(map(math.isfinite, variable.plausible_mean)):
        assert variable.plausible[0] <= variable.plausible_mean[0]
        assert variable.plausible_mean[1] <= variable.plausible[1]


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_units_are_read_by_the_units_library(variable):
    assert 1.0 * units.Unit(variable.units) == units.Quantity(1.0, variable.units)


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_changes_are_shown_in_a_unit_that_fits(variable):
    assert variable.change_display("percent") == ("%", 1.0)
    unit, factor = variable.change_display("absolute")
    assert linear_conversion(unit, variable.units)[0] == pytest.approx(1.0 / factor, rel=1e-12)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        VARIABLES["tas"] = VARIABLES["pr"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIABLES["tas"].units = "degC"


def test_every_scenario_has_a_label():
    assert HISTORICAL in SCENARIO_LABELS
    assert {"ssp126", "ssp245", "ssp370", "ssp585"} <= set(SCENARIO_LABELS)
    assert len(set(SCENARIO_LABELS.values())) == len(SCENARIO_LABELS)


def test_a_row_holds_every_facet():
    assert {f.name for f in dataclasses.fields(Row)} == {*FACETS, "zstore", "version"}
    assert row(source_id="A", member_id="r2i1p1f1").name == "A.historical.r2i1p1f1.tas"
    assert row().facets() == {**{f: getattr(row(), f) for f in FACETS}, "version": "20200101", "zstore": "memory"}
    assert hash(row()) == hash(row())
