"""The demo's weather for land: deterministic, plausible, labelled."""

import numpy as np
import pytest
import xarray as xr

from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.drivers import drivers


def test_it_is_the_same_every_time_and_says_what_it_is():
    xr.testing.assert_identical(site_forcing(40, 2010, 2011), site_forcing(40, 2010, 2011))
    for ds in (site_forcing(40, 2014, 2014), grid_forcing(2014, 2014)):
        assert ds.attrs["synthetic"] == "true"
        assert "Synthetic" in ds.attrs["title"]
        assert drivers(ds).attrs["synthetic"] == "true"


def test_summer_is_where_it_should_be():
    north, south = (drivers(site_forcing(lat, 2010, 2014)) for lat in (50.0, -50.0))
    for weather, summer, winter in ((north, 200, 20), (south, 20, 200)):
        near = {day: abs(weather["doy"] - day) < 20 for day in (summer, winter)}
        for name in ("tasmax", "rsds"):
            assert float(weather[name].where(near[summer]).mean()) > float(weather[name].where(near[winter]).mean()) + 5


def test_rain_comes_in_days_and_radiation_stays_below_the_top():
    site = site_forcing(50, 2000, 2014)
    wet = site["pr"].values > 0
    assert 0.25 < wet.mean() < 0.45
    assert wet[1:][wet[:-1]].mean() == pytest.approx(0.6, abs=0.03)  # after a wet day
    assert site["rsds"].values[wet].mean() < site["rsds"].values[~wet].mean()
    assert 500 < site["pr"].mean() * 86400 * 365.25 < 1500
    # daily mean at the top of the atmosphere at 50 N: at most 482 W m-2 (Hartmann 2016, fig. 2.7)
    assert 200 < site["rsds"].max() < 400


def test_the_polar_night_is_dark():
    grid = grid_forcing(2014, 2014)
    assert float(grid["rsds"].isel(time=11).sel(lat=85, method="nearest").max()) == 0
    assert float(grid["rsds"].isel(time=5).sel(lat=85, method="nearest").min()) > 0


@pytest.mark.parametrize("calendar", ["360_day", "standard", "365_day"])
def test_co2_is_that_of_the_demo(calendar):
    ds = grid_forcing(2000, 2001, calendar)
    assert np.diff(ds["co2"]).min() > 0
    assert 365 < float(ds["co2"].mean()) < 375  # 369.7 ppm in 2000 (NOAA, Mauna Loa)
