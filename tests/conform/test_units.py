"""Units become canonical, or the dataset is refused."""

import numpy as np
import pytest
import xarray as xr
from synthetic import field, published, row

from spread.conform import conform
from spread.conform.units import conform_units, land_share, linear_conversion
from spread.errors import NotConforming
from spread.vocabulary import VARIABLES


@pytest.mark.parametrize(
    ("units", "canonical", "value", "expected"),
    [
        ("K", "K", 280.0, 280.0),
        (" K ", "K", 280.0, 280.0),
        ("kelvin", "K", 280.0, 280.0),
        ("degC", "K", 20.0, 293.15),
        ("celsius", "K", -273.15, 0.0),
        ("degree_Celsius", "K", 0.0, 273.15),
        ("degF", "K", 212.0, 373.15),
        ("kg m-2 s-1", "kg m-2 s-1", 3e-5, 3e-5),
        ("kg m^-2 s^-1", "kg m-2 s-1", 3e-5, 3e-5),
        ("kg/m2/s", "kg m-2 s-1", 3e-5, 3e-5),
        ("mm s-1", "kg m-2 s-1", 3e-5, 3e-5),
        ("mm d-1", "kg m-2 s-1", 86.4, 1e-3),
        ("mm/day", "kg m-2 s-1", 86.4, 1e-3),
        ("m s-1", "kg m-2 s-1", 3e-8, 3e-5),
        ("g m-2 d-1", "kg m-2 s-1", 86400.0, 1e-3),
        ("W m-2", "W m-2", 240.0, 240.0),
        ("kg m-2", "kg m-2", 4.0, 4.0),
        ("g m-2", "kg m-2", 4000.0, 4.0),
        ("km2", "m2", 1.5, 1.5e6),
    ],
)
def test_units_convert(units, canonical, value, expected):
    factor, offset = linear_conversion(units, canonical)
    assert factor * value + offset == pytest.approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("units", "canonical"),
    [("K", "kg m-2 s-1"), ("1", "K"), ("furlong", "K"), ("m s-1", "K"), ("kg m-2", "kg m-2 s-1"), ("?!", "K"),
     ("K K", "K"), ("W m-2", "kg m-2 s-1"), ("s", "m2")],
)  # fmt: skip
def test_units_of_something_else_are_refused(units, canonical):
    with pytest.raises(ValueError, match="units: expected something convertible to"):
        linear_conversion(units, canonical)


def test_conversion_is_written_down_and_exact_to_float64():
    values = field(24, 6, 8) - 273.15
    ds = conform(published(values.astype(np.float32), units="degC"), row())
    assert ds.attrs["fixes"] == ["units: degC -> K"]
    assert ds["tas"].dtype == np.float64
    np.testing.assert_allclose(ds["tas"], values.astype(np.float32).astype(np.float64) + 273.15, rtol=1e-15)


def test_a_canonical_unit_changes_nothing():
    ds, fixes = conform_units(published(), VARIABLES["tas"])
    assert fixes == []
    assert ds["tas"].dtype == np.float32


def test_other_attributes_are_kept():
    ds, _ = conform_units(published(units="degC"), VARIABLES["tas"])
    assert ds["tas"].attrs == {"units": "K", "cell_methods": "area: time: mean"}


def test_missing_units_are_refused():
    ds = published()
    del ds["tas"].attrs["units"]
    with pytest.raises(NotConforming, match="units: expected 'K', got none"):
        conform(ds, row())


def share(values, **attrs):
    return land_share(xr.DataArray(np.array(values, dtype=float), attrs=attrs))


def test_land_is_a_share_whatever_its_unit():
    np.testing.assert_array_equal(share([0.0, 25.0, 100.0], units="%")[0], [0.0, 0.25, 1.0])
    np.testing.assert_array_equal(share([0.0, 0.25, 1.0], units="1")[0], [0.0, 0.25, 1.0])
    assert share([0.0, 0.25, 1.0], units="1")[1] == []
    found, fixes = share([0.0, 0.25, 1.0], units="%")
    np.testing.assert_array_equal(found, [0.0, 0.25, 1.0])
    assert fixes == ["sftlf: values are fractions though units say %"]


def test_missing_land_is_sea():
    np.testing.assert_array_equal(share([np.nan, 100.0], units="%")[0], [0.0, 1.0])


@pytest.mark.parametrize("values", [[0.0, 0.0], [-5.0, 100.0], [0.0, 1e20], [np.nan, np.nan]])
def test_what_is_no_share_is_refused(values):
    with pytest.raises(ValueError, match=r"0..100 %"):
        share(values, units="%")
