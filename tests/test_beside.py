"""Simulated runs stand beside the models of a study, marked, and without a vote in any statistic."""

import json

import numpy as np
import pytest
import xarray as xr

from spread import Report, flow, page
from spread.__main__ import main
from spread.beside import STORE, compared, open_runs
from spread.demo import make_archive
from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.errors import Failure, NotFound
from spread.figures.frames import simulated as lines_of
from spread.land import LandModel
from spread.simulate import as_member, draws, on_field, simulate
from spread.study import Study

BASE = [2005, 2014]


@pytest.fixture(scope="module")
def run():
    return simulate(grid_forcing(2004, 2014), draws(LandModel(), 2))


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "mine"
    run.to_zarr(place / STORE, consolidated=False, zarr_format=3)
    return place


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return str(
        make_archive(
            tmp_path_factory.mktemp("beside") / "archive", models=["CanESM5", "CESM2"],
            experiments=["historical", "ssp126"], variables=["gpp", "areacella", "sftlf"],
        )
    )  # fmt: skip


def asked(archive="demo", **values):
    given = {"catalog": archive, "variable_id": "gpp", "table_id": "Eyr", "experiments": ["ssp126"],
             "regions": ["land"], "base_period": BASE, "name": "beside"}  # fmt: skip
    return Study.make(**given | values)


@pytest.fixture(scope="module")
def reports(archive, folder):
    alone = flow.run(asked(archive))
    return alone, flow.run(asked(archive, simulated={"runs": str(folder)}))


def test_statistics_are_those_of_the_models_alone(reports):
    alone, beside = reports
    xr.testing.assert_identical(alone.across, beside.across)
    xr.testing.assert_identical(alone.plume, beside.plume)
    assert "simulated" not in alone.answers


def test_anomalies_are_against_the_run_s_own_base_period(reports, run):
    found = reports[1].answers["simulated"]
    area = run["areacella"] * run["sftlf"]
    land = (run["gpp"].fillna(0.0) * area).sum(["lat", "lon"]) / area.sum()
    days = np.diff(run["time_bnds"].values, axis=1)[:, 0].reshape(-1, 12)
    yearly = np.einsum("ymd,ym->dy", land.values.reshape(-1, 12, 2), days / days.sum(1, keepdims=True))
    by_hand = yearly - yearly[:, 1:].mean(1, keepdims=True)
    mine = found["anomaly"].squeeze(drop=True).sel(year=range(2004, 2015)).transpose("member_id", "year")
    np.testing.assert_allclose(mine, by_hand, atol=1e-5 * yearly.max())
    assert np.isnan(found["change"]).all()  # the run ends in 2014
    ((_, table),) = lines_of(reports[1])
    np.testing.assert_allclose(table["value"], 8.64e7 * np.median(by_hand, 0), atol=1e-4)


def test_it_is_marked_wherever_it_is_shown(reports, tmp_path):
    report = reports[1]
    assert "simulated, no vote: spread-land" in report.table()
    ((name, _),) = lines_of(report)
    assert "simulated" in name
    assert "synthetic weather" in name
    assert report.as_dict()["simulated"][0]["version"]
    assert str(report.answers["simulated"]["zstore"].values.ravel()[0]).startswith("simulated:")
    report.save(tmp_path / "r", extras=lambda path: page.write(report, path))
    html = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert 'id="simulated"' in html
    assert "They have no vote" in html
    again = Report.load(tmp_path / "r")
    xr.testing.assert_equal(again.answers["simulated"], report.answers["simulated"])
    assert again.simulated_records() == report.simulated_records()


def test_a_run_without_the_base_period_says_so(run):
    made, lost = compared(asked(base_period=[1850, 1900]), {"spread-land": run}, "yr")
    assert isinstance(made, str)
    assert "lacks years of the base period 1850-1900 (it begins in 2004)" in lost[0].reason


def test_folders_that_hold_no_run(tmp_path, folder, capsys):
    with pytest.raises(NotFound, match=r"expected a folder with simulated.zarr.*another run has the same name"):
        open_runs([tmp_path / "none", folder, folder])
    study = tmp_path / "study.toml"
    study.write_text('variable_id = "gpp"\ntable_id = "Eyr"\n', encoding="utf-8")
    assert main(["run", str(study), "--beside", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_path_in_a_study_starts_at_its_file(folder):
    study = folder.parent / "study.toml"
    study.write_text('[simulated]\nruns = ["mine"]\n', encoding="utf-8")
    assert Study.from_toml(study).simulated.runs == (str(folder.resolve()),)


def test_land_alone_has_no_global_evaporation(run):
    land, everywhere = asked(regions=["land"]).regions, asked(regions=["global", "ocean"]).regions
    mean = as_member(run, "evspsbl", land, "yr", 0)
    assert np.isfinite(mean).all()
    refused = as_member(run, "evspsbl", everywhere, "yr", 0)
    assert isinstance(refused, Failure)
    assert "compare over land" in refused.reason
    assert "a land model has none" in refused.reason


@pytest.mark.parametrize("variable_id", ["gpp", "ra", "rh", "lai", "mrro", "mrso", "cVeg", "cLitter", "cSoil", "nbp"])
def test_land_variables_have_means_over_the_globe_s_land(run, variable_id):
    both = as_member(run, variable_id, asked(regions=["global", "land"]).regions, "yr", 1)
    assert np.isfinite(both).all()
    np.testing.assert_array_equal(both[:, 0], both[:, 1])


def test_a_region_is_taken_where_it_is_covered(run):
    part = run.isel(draw=0, drop=True).where((run["lat"] > 20) & (run["lat"] < 75), drop=True).drop_attrs(deep=False)
    part = part.assign_attrs(run.attrs)
    south, north = float(part["lat_bnds"].min()), float(part["lat_bnds"].max())
    inside = asked(regions=[{"name": "band", "lat": [south, north], "surface": "land"}]).regions
    # areas of a part do not add up to the Earth, so they are computed from its bounds; here those of the whole too
    whole = as_member(run.drop_vars("areacella"), "gpp", inside, "yr", 0)
    np.testing.assert_allclose(as_member(part, "gpp", inside, "yr"), whole, rtol=1e-6)
    refused = as_member(part, "gpp", asked(regions=["global"]).regions, "yr")
    assert isinstance(refused, Failure)
    assert "% of its land" in refused.reason


def test_a_site_stands_for_a_small_box_round_it():
    site = simulate(site_forcing(50, 2013, 2014))
    box = asked(regions=[{"name": "here", "lat": [49, 51], "lon": [9, 11]}]).regions
    mean = as_member(site, "gpp", box, "yr")
    assert float(mean[0, 0]) == pytest.approx(float(site["gpp"][:365].mean()), rel=1e-5)
    for regions in (["global"], [{"name": "away", "lat": [49, 51], "lon": [20, 21]}]):
        refused = as_member(site, "gpp", asked(regions=regions).regions, "yr")
        assert isinstance(refused, Failure)
        assert "one site" in refused.reason


def test_a_run_over_drivers_comes_back_onto_its_field():
    from spread.drivers import drivers

    forcing = grid_forcing(2014, 2014)
    on_cells = simulate(drivers(forcing))
    back, direct = on_field(on_cells, forcing), simulate(forcing)
    np.testing.assert_array_equal(back["gpp"].values, direct["gpp"].values)
    assert back["gpp"].dims == direct["gpp"].dims
    assert json.dumps(back.attrs["bricks"]) == json.dumps(direct.attrs["bricks"])
