"""Weather as published becomes what a land model takes: units, calendars, cells; every breach is told."""

import numpy as np
import pytest
import xarray as xr

from spread.drivers import as_drivers, drivers, mean_saturation, saturation_pressure
from spread.errors import NotConforming

HOURS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def months(calendar="365_day", years=1, first=2000):
    return xr.date_range(f"{first}-01-01", periods=12 * years, freq="MS", calendar=calendar, use_cftime=True)


def weather(time=None, shape=(2, 3), **changed):
    time = months() if time is None else time
    size = (len(time), *shape)
    fields = {
        "tasmin": (280.0, "K"), "tasmax": (290.0, "K"), "rsds": (100.0, "W m-2"), "hurs": (60.0, "%"),
        "pr": (2.0 / 86400, "kg m-2 s-1"),
    } | changed  # fmt: skip
    data = {
        n: (("time", "lat", "lon"), np.full(size, v[0]), {"units": v[1]}) for n, v in fields.items() if v is not None
    }
    data["co2"] = ("time", np.full(len(time), 400.0), {"units": "1e-6"})
    return xr.Dataset(data, coords={"time": time, "lat": [-10.0, 50.0], "lon": [0.0, 120.0, 240.0]})


def test_units_become_those_of_the_kernel():
    made = drivers(weather())
    assert made["tasmin"].values == pytest.approx(6.85)
    assert made["rsds"].values == pytest.approx(8.64)
    assert made["pr"].values == pytest.approx(2.0)
    assert made["co2"].values == pytest.approx(400.0)
    assert made["vpd"].values == pytest.approx(0.4 * 0.5 * (saturation_pressure(6.85) + saturation_pressure(16.85)))
    assert made["burned"].values.max() == 0
    assert made["tasmin"].dims == ("time", "cell")
    assert made["co2"].dims == ("time",)
    assert "burned: not given, nothing burns" in made.attrs["fixes"]


@pytest.mark.parametrize(
    ("field", "units", "value", "expected"),
    [("co2", "mol mol-1", 4e-4, 400.0), ("co2", "ppm", 400.0, 400.0), ("pr", "mm day-1", 3.0, 3.0),
     ("vpd", "kPa", 1.5, 15.0), ("vpd", "Pa", 1500.0, 15.0), ("burntFractionAll", "%", 25.0, 0.25)],
)  # fmt: skip
def test_other_units(field, units, value, expected):
    made = drivers(weather(**{field: (value, units)}) if field != "co2" else weather().assign(
        co2=("time", np.full(12, value), {"units": units})))  # fmt: skip
    assert made["burned" if field.startswith("burnt") else field].values == pytest.approx(expected)


def test_vpd_from_specific_humidity_is_that_of_relative_humidity():
    tas, humidity, pressure = 15.0, 0.6, 1000.0
    vapour = humidity * saturation_pressure(tas)
    share = 0.622 * vapour / (pressure - 0.378 * vapour)
    made = drivers(weather(hurs=None, tas=(tas, "degC"), huss=(share, "1"), ps=(1e5, "Pa")))
    assert made["vpd"].values == pytest.approx((1 - humidity) * saturation_pressure(tas), rel=1e-9)


def test_saturation_is_the_published_one():
    # Table of Goff & Gratch in List 1949, Smithsonian Meteorological Tables, over water
    for tas, pressure in ((0.0, 6.1078), (20.0, 23.373), (35.0, 56.236)):
        assert saturation_pressure(tas) == pytest.approx(pressure, rel=2e-3)
    assert mean_saturation(10.0, 20.0) > saturation_pressure(15.0)  # convex


@pytest.mark.parametrize(
    ("calendar", "days"), [("365_day", 365), ("360_day", 360), ("standard", 366), ("366_day", 366), ("julian", 366)]
)
def test_months_are_as_long_as_they_are_in_any_calendar(calendar, days):
    made = drivers(weather(months(calendar)))
    assert made["days"].values.sum() == days
    assert made.attrs["frequency"] == "mon"
    assert made["doy"].values[0] == pytest.approx((15 if calendar == "360_day" else 15.5) * 365.25 / days)
    assert (np.diff(made["doy"].values) > 0).all()


def test_days_and_numbers_with_units_and_datetime64_are_read_alike():
    days = xr.date_range("2004-01-01 12:00", periods=366, freq="D", calendar="standard", use_cftime=True)
    plain = drivers(weather(days))
    numbers = weather(days).assign_coords(time=("time", np.arange(366) + 0.5, {"units": "days since 2004-01-01"}))
    stamps = weather(days).assign_coords(
        time=np.datetime64("2004-01-01T12:00", "ns") + np.arange(366) * np.timedelta64(1, "D")
    )
    for other in (numbers, stamps):
        made = drivers(other)
        for name in ("doy", "days", "year"):
            np.testing.assert_array_equal(made[name], plain[name])
    assert plain.attrs["frequency"] == "day"
    assert plain["doy"].values[[0, -1]] == pytest.approx([0.5 * 365.25 / 366, 365.5 * 365.25 / 366])


def test_all_breaches_are_told_at_once():
    broken = weather(hurs=None, rsds=(100.0, "K"), pr=None).isel(time=[0, 1, 5])
    with pytest.raises(NotConforming) as caught:
        drivers(broken)
    assert "time: expected months or days" in str(caught.value)
    assert "rsds" in str(caught.value)
    with pytest.raises(NotConforming) as caught:
        drivers(weather(hurs=None, pr=None, tasmax=None, tas=(285.0, "K")))
    for said in ("diurnal_range=10", "pr: expected a field"):
        assert said in str(caught.value)
    assert drivers(weather(tasmax=None, tas=(285.0, "K")), diurnal_range=8.0)["tasmax"].values == pytest.approx(15.85)


def test_sea_and_gaps_are_left_out_and_the_input_stays():
    ds = weather()
    ds["tasmin"][:, 0, 1] = np.nan
    ds["sftlf"] = (("lat", "lon"), [[100.0, 100.0, 0.0], [50.0, 100.0, 100.0]], {"units": "%"})
    before = ds.copy(deep=True)
    made = drivers(ds)
    assert made["place"].values.tolist() == [0, 3, 4, 5]
    assert made["weight"].values[1] == pytest.approx(0.5 * np.cos(np.deg2rad(50)))
    xr.testing.assert_identical(ds, before)
    assert as_drivers(made) is made


def test_lazy_fields_stay_lazy():
    made = drivers(weather().chunk({"lon": 1}))
    assert made["pr"].chunks is not None
    np.testing.assert_array_equal(made["pr"].values, drivers(weather())["pr"].values)
