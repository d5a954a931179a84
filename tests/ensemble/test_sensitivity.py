"""ECS, forcing, feedback and TCR against closed forms, SciPy, and published values of real models."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import linregress
from strategies import seeds

from spread.ensemble import gregory, net_radiation, tcr
from spread.errors import BadStudy, NotComparable

HEAT_CAPACITY = 8.0  # W yr m-2 K-1


def runs(*series, first=1850, models=None, **attrs):
    """Yearly series of models, NaN where one is shorter."""
    models = models or [f"M{number}" for number in range(len(series))]
    length = max(map(len, series))
    values = np.full((len(series), length), np.nan)
    for row, one in zip(values, series, strict=True):
        row[: len(one)] = one
    coords = {"source_id": models, "year": first + np.arange(length)}
    return xr.DataArray(values, coords, ("source_id", "year"), attrs=attrs)


def one_box(forcing, feedback, count=150):
    """Warming of C dT/dt = F + lambda dT, each year's value in closed form, and its imbalance."""
    warming = -forcing / feedback * (1.0 - np.exp(feedback * np.arange(0.5, count) / HEAT_CAPACITY))
    return warming, forcing + feedback * warming


def controls(tas=287.0, net=0.3, count=200, models=("M0",)):
    return (runs(*[np.full(count, v)] * len(models), models=list(models)) for v in (tas, net))


def box_model(forcing=7.4, feedback=-1.1, noise=0.0, seed=0, count=150):
    warming, imbalance = one_box(forcing, feedback, count)
    scatter = np.random.default_rng(seed).normal(0.0, noise, count)
    return (runs(287.0 + warming), runs(0.3 + imbalance + scatter), *controls())


@settings(deadline=None, max_examples=50)
@given(st.floats(2.0, 16.0), st.floats(-2.5, -0.5), st.sampled_from([1.0, 2.0]), st.integers(-1000, 3000))
def test_a_one_box_model_is_recovered_exactly(forcing, feedback, doublings, first):
    assume(1.01 <= -forcing / feedback / doublings <= 11.99)  # beyond, it is flagged
    tas, net, control_tas, control_net = box_model(forcing, feedback)
    tas, net = (one.assign_coords(year=first + np.arange(150)) for one in (tas, net))
    found = gregory(tas, net, control_tas, control_net, doublings=doublings).isel(source_id=0)
    assert found["reason"] == ""
    np.testing.assert_allclose(found["ecs"], -forcing / feedback / doublings, rtol=1e-9)
    np.testing.assert_allclose(found["erf_2x"], forcing / doublings, rtol=1e-9)
    np.testing.assert_allclose(found["feedback"], feedback, rtol=1e-9)
    assert found["ecs_se"] < 1e-6
    np.testing.assert_allclose(found["r2"], 1.0)


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(["all", "late", "early", (3, 40), slice(11, 100)]))
def test_the_fit_is_that_of_scipy(seed, years):
    tas, net, control_tas, control_net = box_model(noise=0.3, seed=seed)
    found = gregory(tas, net, control_tas, control_net, years).isel(source_id=0)
    named = {"all": (1, 150), "late": (21, 150), "early": (1, 20)}
    first, last = (years.start, years.stop) if isinstance(years, slice) else named.get(years, years)
    x, y = (tas[0, first - 1 : last] - 287.0).values, (net[0, first - 1 : last] - 0.3).values
    expected = linregress(x, y)
    np.testing.assert_allclose(found["slope"], expected.slope, rtol=1e-9)
    np.testing.assert_allclose(found["intercept"], expected.intercept, rtol=1e-9)
    np.testing.assert_allclose(found["r2"], expected.rvalue**2, rtol=1e-9)
    assert found["years"] == last - first + 1
    assert found.attrs["fit"].startswith(f"years {first}-{last},")
    np.testing.assert_array_equal(found["model_year"], np.arange(first, last + 1))
    np.testing.assert_allclose(found["warming"], x)
    np.testing.assert_allclose(found["imbalance"], y)
    if not found["reason"].item():
        np.testing.assert_allclose(found["feedback_se"], expected.stderr, rtol=1e-9)
        np.testing.assert_allclose(found["erf_2x_se"], expected.intercept_stderr / 2, rtol=1e-9)


def test_standard_errors_are_the_scatter_of_many_fits():
    fits = [gregory(*box_model(noise=0.4, seed=seed)).isel(source_id=0) for seed in range(300)]
    for name in ("ecs", "erf_2x", "feedback"):
        scatter = np.std([float(fit[name]) for fit in fits], ddof=1)
        claimed = np.mean([float(fit[f"{name}_se"]) for fit in fits])
        assert abs(scatter / claimed - 1.0) < 0.15, name  # three standard errors of a deviation from 300


def test_models_do_not_touch_each_other_and_inputs_stay():
    tas = runs(287.0 + one_box(7.0, -1.0)[0], 285.0 + one_box(8.0, -0.8)[0])
    net = runs(one_box(7.0, -1.0)[1], 2.0 + one_box(8.0, -0.8)[1])
    control_tas, control_net = runs([287.0] * 9, [285.0] * 9), runs([0.0] * 9, [2.0] * 9)
    before = [one.copy(deep=True) for one in (tas, net, control_tas, control_net)]
    both = gregory(tas, net, control_tas.isel(source_id=[1, 0]), control_net)
    np.testing.assert_allclose(both["ecs"], [3.5, 5.0])
    alone = gregory(tas[1:], net[1:], control_tas, control_net)
    xr.testing.assert_identical(alone, both.isel(source_id=[1]))
    for one, was in zip((tas, net, control_tas, control_net), before, strict=True):
        xr.testing.assert_identical(one, was)


def test_a_drift_is_removed_only_by_a_line_in_the_parallel_years():
    years = np.arange(500)
    drift_tas, drift_net = 287.0 + 0.002 * years, 0.5 - 0.001 * years
    warming, imbalance = one_box(7.0, -1.0)
    tas, net = runs(drift_tas[100:250] + warming), runs(drift_net[100:250] + imbalance)
    control_tas, control_net = runs(drift_tas, first=1), runs(drift_net, first=1)
    parallel = gregory(tas, net, control_tas, control_net, control="linear", branch_year={"M0": 101})
    np.testing.assert_allclose(parallel["ecs"], 3.5, rtol=1e-9)
    mean = gregory(tas, net, control_tas, control_net)
    assert abs(float(mean["ecs"][0]) - 3.5) > 0.03
    assert "parallel years" in parallel.attrs["control"]
    assert "mean of all" in mean.attrs["control"]
    late = gregory(
        tas, net, control_tas, control_net, "late", "linear", xr.DataArray([101.0], {"source_id": ["M0"]}, "source_id")
    )
    np.testing.assert_allclose(late["ecs"], 3.5, rtol=1e-9)


@pytest.mark.parametrize(
    ("branch", "reason"),
    [(None, "branch year unknown"), ({}, "branch year unknown"), ({"M0": np.nan}, "branch year unknown"),
     ({"M0": 1949}, "1949-2098, which has 1850-2049"), ({"M0": 1700}, "wrong branch_time_in_parent")],
)  # fmt: skip
def test_a_branch_year_that_cannot_be_right_gives_a_reason(branch, reason):
    # GFDL-CM4 was published with the branch time of another control (errata 2f6b5963)
    found = gregory(*box_model(), control="linear", branch_year=branch)
    assert np.isnan(found["ecs"]).all()
    assert reason in str(found["reason"].values[0])
    assert np.isfinite(gregory(*box_model(), branch_year=branch)["ecs"]).all()


def test_what_is_missing_is_said():
    tas, net, control_tas, control_net = box_model()
    short = gregory(tas[:, :100], net, control_tas, control_net)
    assert "has 100 of the 150 years 1-150" in str(short["reason"].values[0])
    hole = tas.copy()
    hole[0, 70] = np.nan
    assert "has 149 of" in str(gregory(hole, net, control_tas, control_net)["reason"].values[0])
    dropped = tas.isel(year=np.arange(150) != 70)
    assert "has 149 of" in str(gregory(dropped, net, control_tas, control_net)["reason"].values[0])
    other = gregory(tas, net, control_tas.assign_coords(source_id=["OTHER"]), control_net)
    assert str(other["reason"].values[0]) == "no control run of M0"
    nothing = gregory(xr.full_like(tas, np.nan), xr.full_like(net, np.nan), control_tas, control_net)
    assert str(nothing["reason"].values[0]) == ""
    assert np.isnan(nothing["ecs"]).all()
    assert int(nothing["years"][0]) == 0


def test_the_control_is_meant_over_the_years_that_all_its_variables_have():
    # UKESM1-0-LL piControl: rsut 1100 years, tas 750
    tas, net, control_tas, control_net = box_model()
    longer = runs(np.concatenate([control_net.values[0], np.full(300, 5.0)]))
    found = gregory(tas, net, control_tas, longer)
    np.testing.assert_allclose(found["ecs"], gregory(tas, net, control_tas, control_net)["ecs"])


def with_members(array, members):
    return xr.concat([array + step for step in range(len(members))], xr.Variable("member_id", list(members)))


@pytest.mark.parametrize(
    ("member", "members", "taken"),
    [("r1i1p1f1", ["r2i1p1f1", "r1i1p1f1"], 1),
     ("r1i1p1f3", ["r1i1p1f1"], 0),
     ("r3i1p2f1", ["r1i1p1f1", "r1i1p2f1"], 1),
     ("r1i1p5f1", ["r1i1p1f1", "r1i1p3f1"], None),
     ("r9i1p1f1", ["r1i1p1f1", "r2i1p1f1"], None)],
)  # fmt: skip
def test_the_control_of_a_run_is_plainly_its_own(member, members, taken):
    warming, imbalance = one_box(7.0, -1.0)
    step = 0.0 if taken is None else float(taken)
    tas, net = (runs(one).expand_dims(member_id=[member]) for one in (287.0 + step + warming, step + imbalance))
    control_tas, control_net = (with_members(one, members) for one in controls(net=0.0))
    found = gregory(tas, net, control_tas, control_net).squeeze()
    if taken is None:
        assert "choose one" in str(found["reason"].values)
    else:
        np.testing.assert_allclose(found["ecs"], 3.5, rtol=1e-9)


def test_a_run_that_cannot_be_right_has_no_ecs_but_reasons():
    tas, net, control_tas, control_net = box_model()
    rsdt = xr.full_like(tas, 238.9)
    found = gregory(tas, net, control_tas, control_net, rsdt=rsdt).isel(source_id=0)
    assert np.isnan(found["ecs"])
    assert np.isnan(found["feedback"])
    assert "rsdt is 238.9 W m-2, expected 335..345" in str(found["reason"].values)
    np.testing.assert_allclose(found["slope"], -1.1)
    fine = gregory(tas, net, control_tas, control_net, rsdt=xr.full_like(tas, 340.2))
    assert str(fine["reason"].values[0]) == ""
    far = gregory(tas, net - 100.0, control_tas, control_net - 100.0)
    assert "net radiation of its control is -99.7 W m-2" in str(far["reason"].values[0])
    runaway = gregory(*box_model(7.0, 0.05))
    assert "positive, no equilibrium" in str(runaway["reason"].values[0])
    steep = gregory(*box_model(1.0, -2.5))
    assert "ECS would be 0.2 K" in str(steep["reason"].values[0])
    flat = gregory(*box_model(7.0, -1e-9, noise=1.0, seed=3))
    assert np.isnan(flat["ecs"]).all()
    assert "r2 = 0.0" in str(flat["reason"].values[0])


def test_net_radiation_is_positive_downward_and_has_only_common_years():
    years = [runs([value] * count) for value, count in ((340.0, 5), (100.0, 7), (239.0, 5))]
    net = net_radiation(*years)
    np.testing.assert_array_equal(net.values[0], [1.0] * 5 + [np.nan] * 2)
    assert net.attrs == {"units": "W m-2", "positive": "down"}


def test_tcr_of_a_ramp_is_its_value_at_the_doubling():
    tas = runs(287.0 + 0.03 * np.arange(1, 141), 287.0 + 0.03 * np.arange(1, 71))
    found = tcr(tas, runs([287.0] * 10, [287.0] * 10))
    np.testing.assert_allclose(found["tcr"][0], 0.03 * 70.5)
    assert str(found["reason"].values[1]) == "has 10 of the 20 years 61-80"
    assert np.isnan(found["tcr"][1])
    hot = tcr(tas + 10.0, runs([287.0] * 10, [287.0] * 10))
    assert "expected 0.5..5 K" in str(hot["reason"].values[0])


@settings(deadline=None, max_examples=20)
@given(seeds, st.floats(-5.0, 5.0))
def test_tcr_is_the_plain_mean_less_the_control(seed, offset):
    rng = np.random.default_rng(seed)
    series, control = 287.0 + 0.03 * np.arange(140) + rng.normal(0, 0.1, 140), rng.normal(287.0, 0.1, 300)
    found = tcr(runs(series + offset), runs(control + offset))
    np.testing.assert_allclose(found["tcr"], series[60:80].mean() - control.mean(), rtol=1e-9)


def test_what_was_asked_wrongly_is_refused():
    box = box_model()
    with pytest.raises(BadStudy, match="no fit 'lat', did you mean 'late'"):
        gregory(*box, years="lat")
    for years in ((0, 10), (5, 6), (1.5, 20), slice(None, 150)):
        with pytest.raises(BadStudy, match="three or more"):
            gregory(*box, years=years)
    with pytest.raises(BadStudy, match="'mean' or 'linear', got 'none'"):
        gregory(*box, control="none")
    with pytest.raises(BadStudy, match="dimension 'year'"):
        gregory(box[0].rename(year="time"), box[1].rename(year="time"), *box[2:])
    with pytest.raises(BadStudy, match="each year once"):
        tcr(box[0].assign_coords(year=np.arange(150) // 2), box[2])
    two = xr.concat([box[2], box[2]], xr.Variable("grid", ["gn", "gr"]))
    with pytest.raises(NotComparable, match=r"choose with \.sel\(grid=\.\.\.\)"):
        gregory(box[0], box[1], two, box[3])


def test_results_survive_a_store(tmp_path):
    tas, net, control_tas, control_net = box_model()
    found = gregory(tas.assign_attrs(synthetic="true"), net, control_tas, control_net)
    found.to_zarr(tmp_path / "sensitivity.zarr", zarr_format=2)
    back = xr.open_zarr(tmp_path / "sensitivity.zarr").load()
    xr.testing.assert_equal(back, found)
    assert back.attrs["synthetic"] == "true"
    assert "synthetic" not in gregory(tas, net, control_tas, control_net).attrs


@pytest.fixture(scope="module")
def real(shared_data):
    """Annual global means of 49 CMIP6 models, by experiment and variable."""
    table = pd.read_csv(shared_data / "ar6_gregory" / "tas_toa_4x_1pct_piControl_annual.csv.xz")
    table = table.rename(columns={"model": "source_id", "run": "member_id", "yr": "year"})

    def series(experiment, name):
        part = table[table["exp"] == experiment].set_index(["source_id", "member_id", "year"])
        return part[name].to_xarray()

    def net(experiment):
        return net_radiation(*(series(experiment, name) for name in ("rsdt", "rsut", "rlut")))

    return series, net


@pytest.fixture(scope="module")
def real_fits(real):
    series, net = real
    abrupt, control = "abrupt-4xCO2", "piControl"
    arguments = (series(abrupt, "tas"), net(abrupt), series(control, "tas"), net(control))
    return {years: gregory(*arguments, years, rsdt=series(abrupt, "rsdt")) for years in ("all", "late")}


def first_fits(fits):
    """ECS of each model's r1 that has one, else of another member."""
    ecs = fits["ecs"].transpose("member_id", "source_id")
    ecs = ecs.isel(member_id=np.argsort([not str(m).startswith("r1i") for m in ecs["member_id"].values], kind="stable"))
    return ecs.values[np.isfinite(ecs.values).argmax(axis=0), np.arange(ecs.sizes["source_id"])]


def test_ecs_of_real_models_is_that_published(real_fits):
    # Zelinka et al. 2020, GRL 47, e2019GL085782, Table S1
    for model, member, ecs in (
        ("CanESM5", "r1i1p1f1", 5.64), ("INM-CM4-8", "r1i1p1f1", 1.83), ("UKESM1-0-LL", "r1i1p1f2", 5.36),
    ):  # fmt: skip
        assert abs(float(real_fits["all"]["ecs"].sel(source_id=model, member_id=member)) - ecs) < 0.05, model


def test_the_ensemble_has_the_mean_that_is_published(real_fits):
    # the 38 of them that Zelinka's table (version 1.6) has too: 3.74 +- 1.17 there
    ecs = first_fits(real_fits["all"])
    assert np.isfinite(ecs).sum() == 39
    assert abs(np.nanmean(ecs) - 3.74) < 0.05
    assert abs(np.nanstd(ecs, ddof=1) - 1.17) < 0.05
    late = first_fits(real_fits["late"])
    assert 0.2 < np.nanmean(late) - np.nanmean(ecs) < 0.35  # feedbacks weaken: Andrews et al. 2015
    assert abs(np.nanmean(real_fits["all"]["erf_2x"]) - 3.52) < 0.15


def test_cas_esm2_is_flagged_for_its_incoming_radiation(real_fits):
    for years in ("all", "late"):
        one = real_fits[years].sel(source_id="CAS-ESM2-0", member_id="r1i1p1f1")
        assert np.isnan(one["ecs"])
        assert "rsdt is 238.9 W m-2" in str(one["reason"].values)
    one = real_fits["all"].sel(source_id="CAS-ESM2-0", member_id="r1i1p1f1")
    assert "ECS would be 34.6 K" in str(one["reason"].values)
    np.testing.assert_allclose(-one["intercept"] / one["slope"] / 2, 34.64, atol=0.01)


def test_short_members_and_foreign_controls_are_said(real_fits):
    reasons = real_fits["all"]["reason"]
    assert "has 6 of the 150 years" in str(reasons.sel(source_id="IPSL-CM6A-LR", member_id="r2i1p1f1").values)
    assert "has 10 of the 150 years" in str(reasons.sel(source_id="CNRM-CM6-1", member_id="r3i1p1f2").values)
    assert "no control run of EC-Earth3-Veg" in str(reasons.sel(source_id="EC-Earth3-Veg", member_id="r1i1p1f1").values)
    assert "choose one" in str(reasons.sel(source_id="GISS-E2-1-G", member_id="r1i1p5f1").values)
    sound = reasons.where(real_fits["all"]["r2"] > 0.3, "", drop=False)
    assert set(np.unique(sound.values)) == {""}


def test_tcr_of_real_models_is_that_published(real):
    series, _ = real
    found = tcr(series("1pctCO2", "tas"), series("piControl", "tas"))["tcr"]
    # Brunner et al. 2020, ESD 11, 995, the TCR of their models in the code of the paper
    published = {
        "ACCESS-ESM1-5": 1.95, "CAMS-CSM1-0": 1.75, "CanESM5": 2.66, "CESM2": 2.06, "CNRM-ESM2-1": 1.92,
        "E3SM-1-0": 2.99, "FGOALS-f3-L": 2.06, "GFDL-ESM4": 1.61, "HadGEM3-GC31-LL": 2.51, "INM-CM4-8": 1.32,
        "IPSL-CM6A-LR": 2.31, "MIROC6": 1.55, "MPI-ESM1-2-HR": 1.65, "NESM3": 2.79, "NorESM2-LM": 1.48,
        "SAM0-UNICON": 2.26, "UKESM1-0-LL": 2.75,
    }  # fmt: skip
    models = found.mean("member_id")
    difference = models.sel(source_id=list(published)).values - list(published.values())
    assert np.abs(difference).max() < 0.1
    assert np.sqrt((difference**2).mean()) < 0.05
    models = models.values
    assert np.isfinite(models).sum() == 32
    assert abs(np.nanmean(models) - 2.01) < 0.1  # 46 models: 2.01 +- 0.41 (Schlund et al. 2020, ESD 11)
    assert abs(np.nanstd(models, ddof=1) - 0.41) < 0.08
