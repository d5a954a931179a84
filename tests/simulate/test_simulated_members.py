"""A simulated member is another conformed member: it stands in one plume beside the archive's own."""

import numpy as np
import pytest

from spread.datasets import reduced_members
from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.ensemble import assemble, compare
from spread.errors import Failure, NotConforming, NotFound
from spread.land import LandModel
from spread.simulate import as_member, conformed, draws, simulate
from spread.study import Study


@pytest.fixture(scope="module")
def simulated():
    return simulate(grid_forcing(1995, 2014), draws(LandModel(), 2), facets={"experiment_id": "historical"})


@pytest.fixture(scope="module")
def small():
    return simulate(grid_forcing(2013, 2014))


@pytest.fixture(scope="module")
def carbon_archive(tmp_path_factory):
    from spread.demo import make_archive

    return make_archive(
        tmp_path_factory.mktemp("carbon") / "archive", models=["CanESM5", "CESM2"],
        experiments=["historical", "ssp126"],
        variables=["nbp", "gpp", "cVeg", "areacella", "sftlf"],
    )  # fmt: skip


def study_of(variable_id, catalog="demo"):
    return Study.make(
        name="beside", catalog=str(catalog), variable_id=variable_id, table_id="Eyr", experiments=["ssp126"],
        regions=["land"], periods=[[2081, 2100]], base_period=[1995, 2014],
    )  # fmt: skip


def test_it_keeps_the_contract(small):
    ds = conformed(small, "gpp")
    assert ds.attrs["simulated"] == "true"
    assert ds.attrs["calendar"] == "365_day"
    assert ds["month_number"].values[0] == 12 * 2013
    assert ds.attrs["fixes"] == []
    np.testing.assert_array_equal(ds["gpp"].values, small["gpp"].values)


def test_its_area_mean_is_the_weighted_one(small):
    member = as_member(small, "gpp", study_of("gpp").regions)
    area = small["areacella"].values * small["sftlf"].values
    by_hand = [np.average(np.nan_to_num(month), weights=area) for month in small["gpp"].values]
    np.testing.assert_allclose(member.values[:, 0], by_hand, rtol=1e-6)


@pytest.mark.parametrize("variable_id", ["nbp", "gpp", "cVeg"])
def test_it_stands_beside_the_demo_s_own_members(variable_id, simulated, carbon_archive):
    study = study_of(variable_id, carbon_archive)
    _, theirs, _ = reduced_members(study)
    ours = [as_member(simulated, variable_id, study.regions, "yr", draw) for draw in (0, 1)]
    assert not [str(member) for member in ours if isinstance(member, Failure)]
    ens = assemble([*theirs, *ours], ["historical", "ssp126"])
    assert set(ens["source_id"].values) == {"CanESM5", "CESM2", "spread-land"}
    assert {"r1i1p1f1", "r1i1p2f1"} <= set(ens["member_id"].values)
    assert ens.attrs["synthetic"] == "true"
    mine = ens[variable_id].sel(source_id="spread-land", experiment_id="historical", member_id="r1i1p2f1")
    assert int(np.isfinite(mine).sum()) == 20
    np.testing.assert_array_equal(mine.values[np.isfinite(mine.values)], ours[1].values.ravel())


def test_a_simulated_scenario_is_compared_like_the_others(carbon_archive):
    """One run cut in two, as historical run and scenario: in the plume and in the change of the study."""
    whole = simulate(grid_forcing(1995, 2100))
    past, later = whole.isel(time=slice(0, 240)), whole.isel(time=slice(240, None))
    study = study_of("cVeg", carbon_archive)
    _, theirs, _ = reduced_members(study)
    ours = [
        as_member(run.assign_attrs(experiment_id=experiment), "cVeg", study.regions, "yr")
        for run, experiment in ((past, "historical"), (later, "ssp126"))
    ]
    assert not [str(member) for member in ours if isinstance(member, Failure)]
    _, _, change, failures = compare([*theirs, *ours], study)
    assert not failures
    found = change["change"].sel(source_id="spread-land", experiment_id="ssp126", member_id="r1i1p1f1")
    by_hand = np.mean(ours[1].values[-20:]) - np.mean(ours[0].values)
    assert float(found.squeeze()) == pytest.approx(by_hand, rel=1e-3)
    assert np.isfinite(change["change"].sel(source_id=["CanESM5", "CESM2"])).any()


def test_sites_do_not_cover_the_earth():
    site = simulate(site_forcing(50, 2014, 2014))
    with pytest.raises((NotConforming, NotFound)):
        conformed(site, "gpp")


def test_draws_and_variables_that_are_not_there(simulated, small):
    with pytest.raises(NotFound, match="draw 2 of 2"):
        conformed(simulated, "gpp", draw=2)
    with pytest.raises(NotFound, match="draw None of 2"):
        conformed(simulated, "gpp")
    with pytest.raises(NotFound, match="draw 0 of 0"):
        conformed(small, "gpp", draw=0)
    with pytest.raises(NotFound, match="no variable 'tas'"):
        conformed(small, "tas")
