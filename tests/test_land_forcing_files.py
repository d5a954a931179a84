"""Weather in files as users have them drives the land model; a file that cannot says why in one line."""

import numpy as np
import pytest
import xarray as xr

from spread.__main__ import main
from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.drivers import drivers
from spread.errors import SpreadError
from spread.simulate import simulate
from spread.simulations import forcing_of

FLUXES = {
    "tasmin": ("T2M_MIN", "degC"), "tasmax": ("T2M_MAX", "degC"), "rsds": ("SSRD", "MJ m-2 d-1"),
    "vpd": ("VPD", "hPa"), "pr": ("TOTAL_PREC", "kg m-2 d-1"), "co2": ("CO2", "ppm"),
}  # fmt: skip


@pytest.fixture(scope="module")
def grid():
    return grid_forcing(2013, 2014)


@pytest.fixture(scope="module")
def site():
    return site_forcing(50, 2014, 2014)


def driven(path):
    return drivers(forcing_of([str(p) for p in path] if isinstance(path, list) else str(path))).compute()


def same(a, b):
    for name in ("tasmin", "tasmax", "rsds", "vpd", "pr", "co2", "burned"):
        np.testing.assert_allclose(a[name].values, b[name].values, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_netcdf_zarr_and_a_file_a_variable_are_the_same_weather(calendar, tmp_path):
    ds = grid_forcing(2013, 2014, calendar)
    want = drivers(ds).compute()
    ds.to_netcdf(tmp_path / "a.nc")
    ds.to_zarr(tmp_path / "a.zarr", consolidated=False, zarr_format=3)
    same(driven(tmp_path / "a.nc"), want)
    same(driven(tmp_path / "a.zarr"), want)
    pieces = []
    for name in ds.data_vars:
        pieces.append(tmp_path / f"{name}.nc")
        ds[[name]].to_netcdf(pieces[-1])
    same(driven(pieces), want)


def test_rows_from_north_to_south_are_the_same_cells(grid, tmp_path):
    grid.isel(lat=slice(None, None, -1)).to_netcdf(tmp_path / "a.nc")
    turned, want = driven(tmp_path / "a.nc"), drivers(grid)
    assert sorted(turned["lat"].values) == sorted(want["lat"].values)
    assert turned["tasmin"].values.mean() == pytest.approx(float(want["tasmin"].mean()))


def test_sea_by_nan_is_as_good_as_a_land_share(grid, tmp_path):
    wet = grid.drop_vars("sftlf")
    masked = wet.assign({n: wet[n].where(grid["sftlf"] > 0) for n in ("tasmin", "tasmax", "pr", "rsds", "hurs")})
    masked.to_netcdf(tmp_path / "a.nc")
    np.testing.assert_array_equal(driven(tmp_path / "a.nc")["place"], drivers(grid)["place"])


def test_specific_humidity_and_pressure_do_for_the_deficit(site, tmp_path):
    mean = 0.5 * (site["tasmin"] + site["tasmax"]) - 273.15
    vapour = 6.1094 * np.exp(17.625 * mean / (243.04 + mean)) * 0.6  # hPa, 60 % of saturation
    other = site.drop_vars("hurs").assign(
        huss=(0.622 * vapour / (1000.0 - 0.378 * vapour)).assign_attrs(units="1"),
        ps=(0.0 * mean + 1e5).assign_attrs(units="Pa"),
    )
    other.to_netcdf(tmp_path / "a.nc")
    want = 6.1094 * np.exp(17.625 * mean / (243.04 + mean)) * 0.4
    np.testing.assert_allclose(driven(tmp_path / "a.nc")["vpd"].values.ravel(), want, rtol=1e-4)


BAD = {
    "no radiation": (lambda ds: ds.drop_vars("rsds"), "rsds: expected a field"),
    "no CO2": (lambda ds: ds.drop_vars("co2"), "co2: expected a field"),
    "no unit": (lambda ds: ds.assign(pr=ds["pr"].drop_attrs()), "pr: expected a unit"),
    "another quantity": (lambda ds: ds.assign(pr=ds["pr"].assign_attrs(units="K")), "pr: "),
    "a day that lacks": (lambda ds: ds.isel(time=[0, 1, 2, 5, 6]), "without a gap"),
    "a gap": (lambda ds: ds.assign(pr=ds["pr"].where(np.arange(ds.sizes["time"]) != 7)), "pr: expected values in all"),
    "nowhere": (lambda ds: ds.drop_vars("lat"), "lat: "),
    "nothing at all": (lambda ds: ds.assign(pr=np.nan * ds["pr"].assign_attrs(units="kg m-2 s-1")), ""),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_weather_is_refused_in_one_line_and_nothing_is_written(what, site, tmp_path, capsys):
    spoil, said = BAD[what]
    spoil(site).to_netcdf(tmp_path / "a.nc")
    assert main(["land", "run", "--forcing", str(tmp_path / "a.nc"), "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_files_that_are_none_or_do_not_go_together(site, tmp_path):
    (tmp_path / "text.nc").write_text("not netCDF")
    site[["pr"]].isel(time=slice(0, 9)).to_netcdf(tmp_path / "pr.nc")
    site[["rsds"]].to_netcdf(tmp_path / "rsds.nc")
    with pytest.raises(SpreadError, match="not found"):
        forcing_of(str(tmp_path / "none.nc"))
    with pytest.raises(SpreadError, match="cannot be read as netCDF or Zarr"):
        forcing_of(str(tmp_path / "text.nc"))
    with pytest.raises(SpreadError, match="differ in steps or places"):
        forcing_of([str(tmp_path / "pr.nc"), str(tmp_path / "rsds.nc")])


def fluxnet(path):
    """A site of FLUXNET as CF weather, and what was observed there."""
    raw = xr.open_dataset(path, decode_times=False)
    days = {"units": "days since 2001-01-01", "calendar": "standard"}
    data = {name: ("time", raw[theirs].values, {"units": units}) for name, (theirs, units) in FLUXES.items()}
    where = {"lat": float(raw["LAT"]), "lon": 0.0, "time": ("time", raw["time"].values, days)}
    observed = {n: np.where(raw[n].values > -9000, raw[n].values, np.nan) for n in ("GPP", "ET")}
    return xr.Dataset(data, coords=where), observed, raw["DOY"].values


def test_real_weather_of_flux_towers(shared_data, tmp_path):
    """Finite, conserving runs; seasonal cycles are printed beside the observed ones, and nothing is claimed."""
    found = {}
    for path in sorted((shared_data / "differland_fluxnet").glob("*.nc")):
        weather, observed, doy = fluxnet(path)
        weather.to_netcdf(tmp_path / path.name)
        run = simulate(forcing_of(str(tmp_path / path.name)))
        assert all(np.isfinite(run[name]).all() for name in ("gpp", "evspsbl", "cSoil"))
        assert float(abs(run["carbon_closure"]).max()) < 1e-4
        month = np.minimum((np.asarray(doy) - 1) // 30.5, 11).astype(int)
        scores = []
        for name, seen in (("gpp", observed["GPP"]), ("evspsbl", observed["ET"])):
            there = np.isfinite(seen)
            cycles = [
                np.bincount(month[there], weights=v[there]) / np.bincount(month[there])
                for v in (run[name].values, seen)
            ]
            scores.append(float(np.corrcoef(*cycles)[0, 1]))
        found[path.stem] = scores
    assert len(found) == 12
    gpp, et = np.array(list(found.values())).T
    print("\n" + "\n".join(f"{name}: r(GPP) {a:.2f}, r(ET) {b:.2f}" for name, (a, b) in found.items()))
    print(f"median of 12 sites, default parameters: r(GPP) {np.median(gpp):.2f}, r(ET) {np.median(et):.2f}")
