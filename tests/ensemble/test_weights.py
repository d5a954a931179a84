"""Weights of models: shares of a whole, against their equations, limits and symmetries, and on real models."""

import atlas
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spread.ensemble import across, as_gsat, by_member, climwip, democracy, effective_number, trends
from spread.ensemble.distances import distances
from spread.ensemble.shape_parameters import calibrated_sigma_d, members_sigma_s, weight_parts
from spread.errors import BadStudy, NotComparable


def models(values, members=None, **coords):
    values = np.asarray(values, dtype=float)
    dims = ["source_id"] + ([] if members is None else ["member_id"])
    dims += [f"place{k}" for k in range(values.ndim - len(dims))]
    labels = {"source_id": [f"M{k}" for k in range(values.shape[0])]}
    if members is not None:
        labels["member_id"] = [f"r{k + 1}i1p1f1" for k in range(values.shape[1])]
    return xr.DataArray(values, labels | coords, dims)


def runs(seed, number=6, members=3, places=4, holes=0.4):
    """Models with their own places and members about them; a model keeps its first member."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (number, 1, places)) + rng.normal(0, 0.1, (number, members, places))
    gone = rng.random((number, members)) < holes
    gone[:, 0] = False
    values[gone] = np.nan
    return models(values, members)


def plain_climwip(values, truth, sigma_d, sigma_s):
    """The equations again, loop by loop, for one diagnostic and one member."""
    n = len(values)
    rms = lambda a, b: np.sqrt(np.mean((a - b) ** 2))  # noqa: E731
    d = np.array([rms(v, truth) for v in values])
    s = np.array([[rms(a, b) for b in values] for a in values])
    d, s = d / np.median(d), s / np.median([s[i, j] for i in range(n) for j in range(n) if i != j])
    w = np.array(
        [
            np.exp(-((d[i] / sigma_d) ** 2))
            / (1 + sum(np.exp(-((s[i, j] / sigma_s) ** 2)) for j in range(n) if j != i))
            for i in range(n)
        ]
    )
    return w / w.sum()


def test_democracy_gives_each_model_a_vote_that_its_members_share():
    data = models([[1, 2, 3, 4], [5, np.nan, np.nan, np.nan], [np.nan] * 4], 4)
    weights = democracy(data)
    np.testing.assert_allclose(weights.values, [[0.125] * 4, [0.5, 0, 0, 0], [0] * 4])
    assert weights.attrs["scheme"] == "democracy"
    assert weights.attrs["effective_number"] == pytest.approx(2.0)
    assert democracy(models([1, 2, np.nan])).values.tolist() == [0.5, 0.5, 0.0]


def test_by_member_gives_each_run_a_vote():
    data = models([[1, 2, 3, 4], [5, np.nan, np.nan, np.nan]], 4)
    weights = by_member(data)
    np.testing.assert_allclose(weights.values, [[0.2] * 4, [0.2, 0, 0, 0]])
    assert effective_number(weights) == pytest.approx(1 / (0.8**2 + 0.2**2))


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(["mean", "all"]))
def test_the_two_equal_schemes_are_what_across_does_without_weights(seed, members):
    data = runs(seed)
    given_weights = democracy(data) if members == "mean" else by_member(data)
    plain, weighted = across(data, members), across(data, members, weights=given_weights)
    for name in plain:
        np.testing.assert_allclose(weighted[name], plain[name], rtol=1e-9, atol=1e-12, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(0.2, 3.0), st.floats(0.1, 3.0))
def test_climwip_is_its_equation(seed, sigma_d, sigma_s):
    rng = np.random.default_rng(seed)
    values, truth = rng.normal(0, 1, (7, 5)), rng.normal(0, 1, 5)
    weights = climwip({"a": models(values)}, {"a": xr.DataArray(truth, dims="place0")}, sigma_d, sigma_s)
    np.testing.assert_allclose(weights.values, plain_climwip(values, truth, sigma_d, sigma_s), rtol=1e-9)
    assert weights.attrs["effective_number"] == pytest.approx(1 / (weights.values**2).sum())


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from([0.05, 0.5, np.inf]), st.sampled_from([0.0, 0.3, np.inf]))
def test_weights_add_up_to_one_and_a_models_members_share(seed, sigma_d, sigma_s):
    data = runs(seed)
    truth = xr.DataArray(np.zeros(4), dims="place0")
    weights = climwip({"a": data}, {"a": truth}, sigma_d, sigma_s)
    assert weights.dims == ("source_id", "member_id")
    assert float(weights.sum()) == pytest.approx(1.0)
    assert (weights.values >= 0).all()
    there = data.notnull().any("place0").values
    for row, have in zip(weights.values, there, strict=True):
        np.testing.assert_allclose(row[have], row.sum() / have.sum())
        assert (row[~have] == 0).all()
    for part in ("performance", "independence"):
        assert float(weights[part].sum()) == pytest.approx(1.0)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(1, 4), st.floats(0.3, 3.0))
def test_copies_of_a_model_share_about_one_vote(seed, copies, sigma_d):
    rng = np.random.default_rng(seed)
    values, truth = rng.normal(0, 1, (8, 6)), xr.DataArray(rng.normal(0, 1, 6), dims="place0")
    alone = climwip({"a": models(values)}, {"a": truth}, np.inf, 1e-3)
    more = climwip({"a": models(np.concatenate([values, *[values[:1]] * copies]))}, {"a": truth}, np.inf, 1e-3)
    shared = more.values[[0, *range(8, 8 + copies)]]
    np.testing.assert_allclose(shared, shared[0], rtol=1e-12)
    np.testing.assert_allclose(shared.sum(), alone.values[0], rtol=1e-9)
    np.testing.assert_allclose(more.values[1:8], alone.values[1:], rtol=1e-9)
    # performance is the same for copies, so that they share whatever vote they earn
    judged = climwip({"a": models(np.concatenate([values, *[values[:1]] * copies]))}, {"a": truth}, sigma_d, 1e-3)
    np.testing.assert_allclose(judged.values[8:], judged.values[0], rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_the_order_of_models_and_members_changes_nothing(seed):
    data, truth = runs(seed), xr.DataArray(np.zeros(4), dims="place0")
    rng = np.random.default_rng(seed)
    shuffled = data.isel(source_id=rng.permutation(6), member_id=rng.permutation(3))
    one = climwip({"a": data}, {"a": truth}, 0.7, 0.4)
    two = climwip({"a": shuffled}, {"a": truth}, 0.7, 0.4).sel(source_id=one["source_id"], member_id=one["member_id"])
    xr.testing.assert_allclose(one, two, rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(0.1, 2.0))
def test_the_limits_are_pure_independence_and_pure_performance(seed, sigma):
    data, truth = {"a": runs(seed)}, {"a": xr.DataArray(np.zeros(4), dims="place0")}
    independent = climwip(data, truth, np.inf, sigma)
    np.testing.assert_allclose(independent.sum("member_id"), independent["independence"], rtol=1e-12)
    near = climwip(data, truth, 1e6, sigma)
    np.testing.assert_allclose(near, independent, rtol=1e-6)
    performing = climwip(data, truth, sigma, 0.0)
    np.testing.assert_allclose(performing.sum("member_id"), performing["performance"], rtol=1e-12)
    np.testing.assert_allclose(climwip(data, truth, sigma, 1e-9), performing, rtol=1e-9)
    # one model rules when sigma_D is small, and nothing underflows to no weight at all
    best = climwip(data, truth, 1e-200, sigma)
    assert float(best.max("member_id").max()) > 0
    assert effective_number(best) == pytest.approx(1.0)


def test_diagnostics_count_the_same_whatever_their_unit():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, (6, 5)), rng.normal(0, 1, (6, 5))
    truth = xr.DataArray(np.zeros(5), dims="place0")
    one = climwip({"a": models(a), "b": models(b)}, {"a": truth, "b": truth}, 0.7, 0.4)
    two = climwip({"a": models(1000 * a), "b": models(b)}, {"a": truth, "b": truth}, 0.7, 0.4)
    np.testing.assert_allclose(one, two, rtol=1e-12)
    alone = climwip({"a": models(a), "b": models(b)}, {"b": truth}, 0.7, 0.4, independence=["a"], performance=["b"])
    assert not np.allclose(one, alone)
    assert alone.attrs["diagnostics"] == "a, b"


def test_places_count_by_their_area():
    data = models([[0.0, 9.0], [1.0, -9.0], [2.0, 3.0], [4.0, 5.0]]).rename(place0="lat")
    truth = xr.DataArray([0.0, 0.0], {"lat": [0.0, 90.0]}, "lat")
    by_latitude = climwip({"a": data.assign_coords(lat=[0.0, 90.0])}, {"a": truth}, 0.5, 0.5)
    equator = climwip({"a": data.isel(lat=0)}, {"a": 0.0}, 0.5, 0.5)
    np.testing.assert_allclose(by_latitude, equator, rtol=1e-9)
    named = data.rename(lat="region").assign_coords(region=["equator", "pole"])
    observed = truth.rename(lat="region").assign_coords(region=["equator", "pole"])
    area = xr.DataArray([0.0, 1.0], {"region": ["pole", "equator"]}, "region")
    np.testing.assert_allclose(climwip({"a": named}, {"a": observed}, 0.5, 0.5, area=area), equator, rtol=1e-12)


def test_a_place_that_somebody_lacks_counts_for_nobody():
    values = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    truth = xr.DataArray([0.0, 0.0], dims="place0")
    found = climwip({"a": models(values)}, {"a": truth}, 0.5, 0.5)
    np.testing.assert_allclose(found, climwip({"a": models(values[:, :1])}, {"a": truth[:1]}, 0.5, 0.5))


def test_a_model_without_a_diagnostic_is_named_and_weighs_nothing():
    a, b = models([0.0, 1.0, 2.0, 4.0]), models([0.5, np.nan, 2.0, 4.0])
    weights = climwip({"a": a, "b": b}, {"a": 0.0, "b": 0.0}, 0.5, 0.5)
    assert weights.attrs["without_diagnostics"] == "M1"
    assert weights.sel(source_id="M1") == 0
    assert float(weights.sum()) == pytest.approx(1.0)
    kept = [0, 2, 3]
    alone = climwip({"a": a[kept], "b": b[kept]}, {"a": 0.0, "b": 0.0}, 0.5, 0.5)
    np.testing.assert_allclose(weights.values[kept], alone.values)
    assert np.isnan(weights["distance"].sel(source_id="M1"))


def test_weights_of_synthetic_data_say_so():
    data = models([0.0, 1.0, 2.0, 4.0]).assign_attrs(synthetic="true")
    assert climwip({"a": data}, {"a": 0.0}, 0.5, 0.5).attrs["synthetic"] == "true"
    assert democracy(data).attrs["synthetic"] == "true"
    assert by_member(models([0.0, 1.0])).attrs["synthetic"] == "false"


def test_inputs_are_left_alone():
    data, truth = runs(0), xr.DataArray(np.zeros(4), dims="place0")
    before = data.copy(deep=True), truth.copy(deep=True)
    climwip({"a": data}, {"a": truth}, 0.5, "members")
    xr.testing.assert_identical(data, before[0])
    xr.testing.assert_identical(truth, before[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"diagnostics": {}}, "diagnostics: expected at least one"),
        ({"observed": {"b": 0.0}}, "observed: b is not among a"),
        ({"independence": ["c"]}, "independence: c is not among a"),
        ({"observed": {}}, "nothing to judge models by"),
        ({"sigma_d": 0.0}, "sigma_d: expected a positive number, got 0.0"),
        ({"sigma_d": np.nan}, "sigma_d: expected a positive number, got nan"),
        ({"sigma_s": "calibrated"}, "sigma_s: expected a number or 'members'"),
        ({"sigma_d": "calibrated"}, "give target, or sigma_d as a number"),
        ({"observed": {"a": xr.DataArray([0.0], dims="x")}}, "expected the dimensions none, got x"),
        ({"area": xr.DataArray([1.0], dims="x")}, "has no dimension x"),
    ],
)
def test_bad_arguments_are_refused_in_words(change, said):
    asked = {"diagnostics": {"a": models([0.0, 1.0, 2.0])}, "observed": {"a": 0.0}, "sigma_d": 0.5, "sigma_s": 0.5}
    with pytest.raises(BadStudy, match=said):
        climwip(**(asked | change))


def test_all_breaches_are_listed_at_once():
    with pytest.raises(BadStudy, match=r"observed: b .*sigma_d: .*sigma_s: "):
        climwip({"a": models([0.0, 1.0, 2.0])}, {"b": 0.0}, -1.0, "x")


def test_units_that_differ_are_refused():
    data = models([0.0, 1.0, 2.0]).assign_attrs(units="K")
    with pytest.raises(BadStudy, match="expected the unit K, got degC"):
        climwip({"a": data}, {"a": xr.DataArray(0.0, attrs={"units": "degC"})}, 0.5, 0.5)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(NotComparable, match="at least 3 models"):
        climwip({"a": models([0.0, 1.0])}, {"a": 0.0}, 0.5, 0.5)
    with pytest.raises(NotComparable, match="more than half of the models are alike"):
        climwip({"a": models([1.0, 1.0, 1.0, 1.0])}, {"a": 0.0}, 0.5, 0.5)
    with pytest.raises(NotComparable, match="no place where every run"):
        climwip(
            {"a": models([[1.0, np.nan], [np.nan, 2.0], [1.0, 2.0]])}, {"a": xr.zeros_like(models([[0, 0]])[0])}, 1, 1
        )
    with pytest.raises(NotComparable, match="no model has a number"):
        democracy(models([np.nan, np.nan]))
    with pytest.raises(BadStudy, match="expected the dimension source_id"):
        by_member(xr.DataArray([1.0], dims="x"))


@settings(deadline=None, max_examples=50)
@given(st.floats(0.01, 0.9))
def test_sigma_s_misses_as_much_within_models_as_it_sees_between_them(ratio):
    sigma = members_sigma_s(np.array([ratio, np.nan, ratio]), np.ones((3, 3)))
    np.testing.assert_allclose(1 - np.exp(-((ratio / sigma) ** 2)), np.exp(-(sigma**-2)), rtol=1e-9)


def test_sigma_s_needs_members_that_are_closer_than_models():
    with pytest.raises(NotComparable, match="no model has several members"):
        members_sigma_s(np.full(3, np.nan), np.ones((3, 3)))
    with pytest.raises(NotComparable, match="do not tell models apart"):
        members_sigma_s(np.full(3, 1.1), np.ones((3, 3)))
    weights = climwip({"a": runs(1)}, {"a": xr.DataArray(np.zeros(4), dims="place0")}, np.inf, "members")
    assert 0.1 < weights.attrs["sigma_s"] < 1.0
    assert weights.attrs["sigma_s_from"].startswith("members")


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_members_are_averaged_over_pairs_and_never_with_themselves(seed):
    data = runs(seed, number=4)
    found = distances({"a": data}, {}, {})
    values = data.values
    pairs = lambda i, j: [  # noqa: E731
        np.sqrt(np.mean((a - b) ** 2))
        for p, a in enumerate(values[i]) for q, b in enumerate(values[j])
        if np.isfinite(a).all() and np.isfinite(b).all() and (i != j or p != q)
    ]  # fmt: skip
    unit = np.median([np.mean(pairs(i, j)) for i in range(4) for j in range(4) if i != j])
    for i in range(4):
        for j in range(4):
            expected = np.mean(pairs(i, j)) / unit if pairs(i, j) else np.nan
            got = found.within[i] if i == j else found.between[i, j]
            np.testing.assert_allclose(got, expected, rtol=1e-9)


def predictable(seed, number=30, noise=0.2):
    """Models whose diagnostic tells their target, up to noise."""
    rng = np.random.default_rng(seed)
    target = rng.normal(3, 1, number)
    return models(target + noise * rng.normal(0, 1, number)), models(target)


def test_sigma_d_is_smaller_where_the_diagnostic_tells_more():
    sigmas, kept = [], []
    for noise in (0.05, 0.5, 20.0):
        diagnostic, target = predictable(4, noise=noise)
        weights = climwip({"a": diagnostic}, {"a": 3.0}, "calibrated", 0.0, target=target)
        sigmas.append(weights.attrs["sigma_d"])
        kept.append(weights.attrs["effective_number"])
        assert "perfect models" in weights.attrs["sigma_d_from"]
    assert sigmas[0] < sigmas[1] < sigmas[2]
    assert kept[0] < kept[1] < kept[2]


@settings(deadline=None, max_examples=8)
@given(seeds)
def test_the_calibrated_range_covers_what_was_required(seed):
    diagnostic, target = predictable(seed, number=20)
    found = distances({"a": diagnostic}, {"a": diagnostic}, {"a": 3.0})
    calibrated = calibrated_sigma_d(found, target.values, 0.0)
    assert calibrated.coverage >= calibrated.required
    assert calibrated.required <= 0.8 * 18 / 20
    # counted again, without the package's own loop
    inside = 0
    for truth in range(20):
        others = np.arange(20) != truth
        apart = np.abs(diagnostic.values[others] - diagnostic.values[truth])
        with np.errstate(over="ignore"):
            w = weight_parts(apart / np.median(apart), np.full((19, 19), 1.0), calibrated.sigma_d, 0.0)[0]
        at = across(target[others].expand_dims(member_id=["r"]), quantiles=(0.1, 0.9),
                    weights=xr.DataArray(w, {"source_id": target["source_id"][others]}, "source_id"))  # fmt: skip
        inside += bool(at["quantiles"][0] <= target.values[truth] <= at["quantiles"][1])
    assert inside / 20 == pytest.approx(calibrated.coverage)


def test_a_model_without_the_target_neither_is_truth_nor_votes_in_the_calibration():
    diagnostic, target = predictable(7, number=20)
    lacking = target.where(target["source_id"] != "M3")
    one = climwip({"a": diagnostic}, {"a": 3.0}, "calibrated", 0.0, target=lacking)
    kept = diagnostic.sel(source_id=[k for k in diagnostic["source_id"].values if k != "M3"])
    found = distances({"a": diagnostic}, {"a": diagnostic}, {"a": 3.0})
    assert one.sel(source_id="M3") > 0
    assert one.attrs["sigma_d"] == calibrated_sigma_d(found, lacking.values, 0.0).sigma_d
    few = lacking.where(lacking["source_id"].isin(kept["source_id"].values[:3]))
    with pytest.raises(NotComparable, match="at least 4 models, got 3"):
        climwip({"a": diagnostic}, {"a": 3.0}, "calibrated", 0.0, target=few)
    with pytest.raises(BadStudy, match="got also period"):
        climwip({"a": diagnostic}, {"a": 3.0}, "calibrated", 0.0, target=target.expand_dims(period=["x"]))


RELATED = {
    # who shares atmosphere, ocean or code: Brunner et al. (2020), Earth Syst. Dynam. 11, Fig. 5, and the models' papers
    "CESM2": "CESM2-WACCM", "EC-Earth3": "EC-Earth3-Veg", "GFDL-CM4": "GFDL-ESM4", "HadGEM3-GC31-LL": "UKESM1-0-LL",
    "INM-CM4-8": "INM-CM5-0", "CNRM-CM6-1": "CNRM-ESM2-1", "MIROC6": "MIROC-ES2L", "MPI-ESM1-2-HR": "MPI-ESM1-2-LR",
    "ACCESS-CM2": "HadGEM3-GC31-LL", "AWI-CM-1-1-MR": "MPI-ESM1-2-HR",
}  # fmt: skip


def test_real_models_stand_nearest_to_their_relatives(shared_data):
    clim = atlas.seasons_of_regions(shared_data)
    found = distances({"climatology": clim}, {}, {})
    apart = found.between + np.diag(np.full(len(found.source_id), np.inf))
    nearest = {name: found.source_id[row.argmin()] for name, row in zip(found.source_id, apart, strict=True)}
    assert {name: nearest[name] for name in RELATED} == RELATED
    weights = climwip({"climatology": clim}, {}, np.inf, 0.5)
    related, alone = weights.sel(source_id=list(RELATED)), weights.sel(source_id=["FGOALS-g3", "KIOST-ESM"])
    assert float(related.mean()) < 0.6 * float(alone.min())
    assert effective_number(weights) < weights.size - 3


def test_real_weights_lower_the_warming_as_published(shared_data):
    """Brunner et al. (2020): SSP5-8.5, 2081-2100 against 1995-2014, 0.4 K below the unweighted mean."""
    years = atlas.global_years(shared_data, ("ssp585",)).isel(experiment_id=0, drop=True)
    window = (1981, 2014)
    observed = trends(as_gsat(atlas.igcc(shared_data)), window)
    trend, change = trends(years, window), atlas.warming(years)
    weights = climwip(
        {"climatology": atlas.seasons_of_regions(shared_data), "trend": trend}, {"trend": observed},
        "calibrated", 0.5, target=change, independence=["climatology"],
    )  # fmt: skip
    data = change.expand_dims(member_id=["r1i1p1f1"])
    lower = float(across(data)["mean"] - across(data, weights=weights)["mean"])
    assert 0.1 < lower < 0.6
    assert weights.attrs["effective_number"] < effective_number(democracy(data))
