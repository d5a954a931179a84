"""Changes and their spread across models, against plain NumPy and closed forms."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds
from synthetic import member

from spread import stats
from spread.ensemble import (
    across,
    anomalies,
    assemble,
    changes,
    incomplete_runs,
    join_historical,
    keep_complete_models,
    model_spread,
    refuse_empty,
    yearly_means,
)
from spread.errors import BadStudy, Failure, NotComparable

BASE, PERIOD = (1991, 1995), (2006, 2010)


def runs(source_id, before, after, member_id="r1i1p1f1", experiment_id="ssp585", **kwargs):
    """A historical run at one level to 2000 and a scenario at another from 2001 to 2010."""
    return [
        member(source_id, "historical", member_id, (1991, 1), np.full(120, float(before)), **kwargs),
        member(source_id, experiment_id, member_id, (2001, 1), np.full(120, float(after)), **kwargs),
    ]


def yearly_of(members, seasons=("annual",)):
    return yearly_means(join_historical(assemble(members), "historical"), seasons)


def test_a_change_is_the_difference_of_two_period_means():
    change = changes(yearly_of([*runs("A", 280, 283), *runs("B", 290, 295)]), [PERIOD], BASE)
    np.testing.assert_allclose(change["change"].values.ravel(), [3.0, 5.0], rtol=1e-14)
    assert change["change"].attrs["units"] == "K"
    assert change.attrs["base_period"] == "1991-1995"
    assert change["complete"].all()


def test_a_change_in_per_cent_is_of_the_runs_own_base():
    change = changes(yearly_of([*runs("A", 2, 3), *runs("B", 4, 5)]), [PERIOD], BASE, "percent")
    np.testing.assert_allclose(change["change"].values.ravel(), [50.0, 25.0], rtol=1e-14)
    assert change["change"].attrs["units"] == "%"


def test_anomalies_average_to_zero_over_the_base_and_to_the_change_over_the_period():
    rng = np.random.default_rng(0)
    members = [
        member("A", "historical", start=(1991, 1), values=rng.normal(280, 5, 120), calendar="360_day"),
        member("A", "ssp585", start=(2001, 1), values=rng.normal(283, 5, 120), calendar="360_day"),
    ]
    yearly = yearly_of(members)
    anomaly = anomalies(yearly, BASE)["anomaly"]
    change = changes(yearly, [PERIOD], BASE)["change"]
    assert abs(float(anomaly.sel(year=slice(*BASE)).mean())) < 1e-12
    np.testing.assert_allclose(float(anomaly.sel(year=slice(*PERIOD)).mean()), change.item(), rtol=1e-12)


def test_a_run_without_a_change_has_no_anomaly_either():
    yearly = yearly_of([*runs("A", 280, 283), *runs("B", 290, 295)])
    change = changes(yearly, [PERIOD], BASE)["change"]
    used = change.where(change["source_id"] == "A")
    anomaly = anomalies(yearly, BASE, used=used)["anomaly"]
    assert anomaly.sel(source_id="A").notnull().any()
    assert anomaly.sel(source_id="B").isnull().all()


def late_start(source_id="LATE"):
    """Historical from 1993 on: two of five years of the base period are missing."""
    return [
        member(source_id, "historical", start=(1993, 1), values=np.full(96, 280.0)),
        member(source_id, "ssp585", start=(2001, 1), values=np.full(120, 282.0)),
    ]


def test_an_incomplete_period_gives_no_number_unless_allowed():
    yearly = yearly_of(late_start())
    refused = changes(yearly, [PERIOD], BASE)
    assert np.isnan(refused["change"].item())
    allowed = changes(yearly, [PERIOD], BASE, minimum_years=0.6)
    assert allowed["change"].item() == 2.0
    assert not allowed["complete"].item()
    assert np.isnan(changes(yearly, [PERIOD], BASE, minimum_years=0.61)["change"].item())
    assert np.isfinite(anomalies(yearly, BASE, minimum_years=0.6)["anomaly"]).any()
    assert np.isnan(anomalies(yearly, BASE)["anomaly"]).all()


def test_incomplete_runs_are_named_with_what_they_lack():
    short = [
        member("SHORT", "historical", start=(1991, 1), values=np.full(120, 280.0)),
        member("SHORT", "ssp585", start=(2001, 1), values=np.full(84, 282.0)),
    ]
    change = changes(yearly_of([*late_start(), *short, *runs("A", 1, 2)]), [PERIOD], BASE)
    failures = {f.facets["source_id"]: f for f in incomplete_runs(change, BASE, "tas")}
    assert set(failures) == {"LATE", "SHORT"}
    assert failures["LATE"].dataset == "LATE.ssp585.r1i1p1f1.tas"
    assert failures["LATE"].stage == "ensemble"
    assert "base period 1991-1995 has 3 of 5 years" in failures["LATE"].reason
    assert "2006-2010 has 2 of 5 years" in failures["SHORT"].reason


def test_only_models_with_every_experiment_are_kept():
    members = [*runs("A", 280, 283), *runs("A", 280, 284, experiment_id="ssp126")[1:], *runs("B", 290, 295)]
    change = changes(yearly_of(members), [PERIOD], BASE)
    kept, failures = keep_complete_models(change, "tas", ["ssp126", "ssp585"])
    assert kept["change"].sel(source_id="A").notnull().all()
    assert kept["change"].sel(source_id="B").isnull().all()
    assert [f.dataset for f in failures] == ["B"]
    assert failures[0].reason.endswith("no usable ssp126")


def test_an_experiment_that_no_model_has_leaves_none():
    change = changes(yearly_of(runs("A", 280, 283)), [PERIOD], BASE)
    kept, failures = keep_complete_models(change, "tas", ["ssp585", "ssp370"])
    assert kept["change"].isnull().all()
    assert len(failures) == 1


def test_a_model_is_complete_through_any_of_its_members():
    members = [
        *runs("A", 280, 283, "r1i1p1f1"),
        *runs("A", 280, 284, "r2i1p1f1", experiment_id="ssp126"),
    ]
    kept, failures = keep_complete_models(changes(yearly_of(members), [PERIOD], BASE), "tas", ["ssp126", "ssp585"])
    assert not failures
    assert int(kept["change"].notnull().sum()) == 2


def votes(seed, models=5, members=3, holes=0.3):
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 1.0, (models, members, 2))
    values[rng.random((models, members)) < holes] = np.nan
    return xr.DataArray(
        values,
        dims=("source_id", "member_id", "region"),
        coords={
            "source_id": [f"M{k}" for k in range(models)],
            "member_id": [f"r{k + 1}i1p1f1" for k in range(members)],
            "region": ["north", "south"],
        },
        attrs={"units": "K"},
    )


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(["mean", "all"]), st.sampled_from([0, 1]), st.sampled_from([0.0, 0.3, 0.7]))
def test_statistics_across_models_equal_numpy(seed, members, ddof, holes):
    data = votes(seed, holes=holes)
    levels = (0.05, 0.5, 0.83)
    found = across(data, members, levels, ddof)
    for region in ("north", "south"):
        values = data.sel(region=region).values
        lists = [row[np.isfinite(row)] for row in values]
        plain = np.concatenate(lists) if members == "all" else np.array([r.mean() for r in lists if r.size])
        at = found.sel(region=region)
        assert at["count"] == plain.size
        if plain.size == 0:
            assert np.isnan(at["mean"])
            continue
        np.testing.assert_allclose(at["mean"], plain.mean(), rtol=1e-12)
        expected = plain.std(ddof=ddof) if plain.size > ddof else np.nan
        np.testing.assert_allclose(at["sd"], expected, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose([at["minimum"], at["maximum"]], [plain.min(), plain.max()], rtol=1e-12)
        np.testing.assert_allclose(at["quantiles"], np.quantile(plain, levels), rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from(["mean", "all"]))
def test_the_order_of_models_and_members_changes_nothing(seed, members):
    data = votes(seed)
    rng = np.random.default_rng(seed)
    shuffled = data.isel(source_id=rng.permutation(5), member_id=rng.permutation(3))
    xr.testing.assert_allclose(across(data, members), across(shuffled, members), rtol=1e-12, atol=1e-12)


def test_a_model_with_many_members_has_one_vote():
    data = votes(0, models=2, holes=0.0)
    data[0], data[1] = 1.0, np.nan
    data[1, 0] = 5.0
    assert across(data, "mean")["mean"].values.tolist() == [3.0, 3.0]
    assert across(data, "all")["mean"].values.tolist() == [2.0, 2.0]
    assert across(data, "mean").attrs["votes"] == "every model"
    assert across(data, "all").attrs["votes"] == "every run"


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(["mean", "all"]), st.sampled_from([0, 1]), st.sampled_from([0.0, 0.3]))
def test_weighted_statistics_equal_numpy(seed, members, ddof, holes):
    data = votes(seed, holes=holes)
    rng = np.random.default_rng(seed)
    weights = xr.DataArray(rng.random((5, 3)), {d: data[d] for d in ("source_id", "member_id")}).assign_attrs(
        scheme="x"
    )
    weights = weights.where(rng.random((5, 3)) > 0.2, 0.0)
    found = across(data, members, (0.05, 0.5), ddof, weights)
    assert found.attrs["votes"] == f"every {'run' if members == 'all' else 'model'}, weighted: x"
    for region in ("north", "south"):
        values, at = data.sel(region=region).values, found.sel(region=region)
        there = np.isfinite(values)
        if members == "all":
            v, w = values[there], weights.values[there]
        else:
            shares = [row[ok] for row, ok in zip(weights.values, there, strict=True)]
            rows = [row[ok] for row, ok in zip(values, there, strict=True)]
            kept = [k for k in range(5) if shares[k].sum() > 0]
            v = np.array([np.average(rows[k], weights=shares[k]) for k in kept])
            w = np.array([weights.values[k].sum() for k in kept])
        v, w = v[w > 0], w[w > 0]
        assert at["count"] == v.size
        if v.size < 2:
            continue
        centre = np.average(v, weights=w)
        total = w.sum() - ddof * (w**2).sum() / w.sum()
        np.testing.assert_allclose(at["mean"], centre, rtol=1e-10)
        np.testing.assert_allclose(at["sd"], np.sqrt((w * (v - centre) ** 2).sum() / total), rtol=1e-8)
        np.testing.assert_allclose([at["minimum"], at["maximum"]], [v.min(), v.max()], rtol=1e-12)
        np.testing.assert_allclose(at["effective_number"], w.sum() ** 2 / (w**2).sum(), rtol=1e-10)
        np.testing.assert_allclose(at["quantiles"], stats.quantile(v, (0.05, 0.5), w), rtol=1e-8)


@settings(deadline=None, max_examples=25)
@given(seeds, st.floats(0.1, 10.0))
def test_only_the_proportions_and_labels_of_weights_matter(seed, factor):
    data = votes(seed)
    rng = np.random.default_rng(seed)
    weights = xr.DataArray(rng.random(5) + 0.01, {"source_id": data["source_id"]})
    one = across(data, weights=weights)
    xr.testing.assert_allclose(one, across(data, weights=factor * weights), rtol=1e-9, atol=1e-12)
    xr.testing.assert_allclose(one, across(data, weights=weights[rng.permutation(5)]), rtol=1e-9, atol=1e-12)
    more = xr.concat([weights, xr.DataArray([3.0], {"source_id": ["ELSEWHERE"]})], "source_id")
    xr.testing.assert_allclose(one, across(data, weights=more), rtol=1e-9, atol=1e-12)


def test_without_weights_nothing_is_said_of_them():
    found = across(votes(0))
    assert "effective_number" not in found
    assert found.attrs["votes"] == "every model"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.rename(source_id="model"), r"expected source_id\[, member_id\], got member_id, model"),
        (lambda w: w.isel(member_id=0, drop=True), "every run needs a weight of its own"),
        (lambda w: -w, "none negative"),
        (lambda w: w * np.nan, "expected finite numbers"),
        (lambda w: w.sel(source_id=["M0", "M1", "M2"]), "got none for M3, M4"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, said):
    data = votes(0, holes=0.0)
    weights = xr.ones_like(data.isel(region=0, drop=True))
    with pytest.raises(BadStudy, match=said):
        across(data, "all", weights=change(weights))


def test_one_line_from_an_ensemble_to_its_spread():
    rng = np.random.default_rng(1)
    base, change = rng.normal(285, 2, 6), rng.normal(3, 1, 6)
    members = [m for k in range(6) for m in runs(f"M{k}", base[k], base[k] + change[k], lazy=True)]
    result = model_spread(assemble(members), period=PERIOD, base=BASE)
    at = result.squeeze()
    np.testing.assert_allclose(at["mean"], change.mean(), rtol=1e-11)
    np.testing.assert_allclose(at["sd"], change.std(ddof=1), rtol=1e-10)
    np.testing.assert_allclose(at["quantiles"], np.quantile(change, [0.05, 0.5, 0.95]), rtol=1e-10)
    assert int(at["count"]) == 6
    assert result["change"].sizes["source_id"] == 6
    several = model_spread(assemble(members), period=[PERIOD, (2001, 2005)], base=BASE)
    assert list(several["period"].values) == ["2006-2010", "2001-2005"]


def test_a_variable_counted_in_per_cent_is_told_by_the_table():
    members = [m.rename("pr").assign_attrs(variable_id="pr", units="kg m-2 s-1") for m in runs("A", 2, 3)]
    assert model_spread(assemble(members), period=PERIOD, base=BASE)["mean"].item() == 50.0
    assert model_spread(assemble(members), period=PERIOD, base=BASE, anomaly="absolute")["mean"].item() == 1.0


def test_an_ensemble_without_a_number_is_refused_with_the_reasons():
    with pytest.raises(NotComparable, match="base period 1850-1900 has 0 of 51 years"):
        model_spread(assemble(runs("A", 280, 283)), period=PERIOD)


def test_a_period_that_runs_backwards_is_refused():
    with pytest.raises(BadStudy, match="2100"):
        model_spread(assemble(runs("A", 280, 283)), period=(2100, 2081))


def test_reasons_of_data_come_before_those_of_the_catalog():
    change = changes(yearly_of(late_start()), [PERIOD], BASE)
    failures = [
        Failure("X", "catalog", "X: not in the catalog"),
        Failure("LATE", "ensemble", "too late"),
    ]
    with pytest.raises(NotComparable, match=r"'study': no model has a number: LATE: too late$"):
        refuse_empty(change, failures, "study")
    refuse_empty(changes(yearly_of(runs("A", 1, 2)), [PERIOD], BASE), failures, "study")


def test_inputs_are_left_alone():
    ens = assemble([*runs("A", 280, 283), *runs("B", 290, 295)])
    before = ens.copy(deep=True)
    model_spread(ens, period=PERIOD, base=BASE, seasons=("annual", "JJA"))
    xr.testing.assert_identical(ens, before)


def test_a_calendar_changes_weights_but_not_a_constant():
    for calendar in ("360_day", "standard", "366_day"):
        found = model_spread(assemble(runs("A", 280, 283, calendar=calendar)), period=PERIOD, base=BASE)
        np.testing.assert_allclose(found["mean"].item(), 3.0, rtol=1e-13)


def test_runs_incomplete_only_in_a_later_season_or_region_are_named():
    values = np.full((120, 2), 283.0)
    values[70:, 1] = np.nan  # the second region ends in 2006
    members = [
        member("A", "historical", start=(1991, 1), values=np.full((120, 2), 280.0), regions=("one", "two")),
        member("A", "ssp585", start=(2001, 1), values=values, regions=("one", "two")),
    ]
    failures = incomplete_runs(changes(yearly_of(members), [PERIOD], BASE), BASE, "tas")
    assert len(failures) == 1
    assert "2006-2010 has 0 of 5 years (annual, two)" in failures[0].reason


def test_the_first_winter_of_an_archive_does_not_void_its_base_period():
    # the historical runs of CMIP6 begin in January, so that the first winter always lacks its December
    found = model_spread(assemble(runs("A", 280, 283)), period=PERIOD, base=BASE, seasons=("annual", "DJF"))
    np.testing.assert_allclose(found["mean"].values.ravel(), [3.0, 3.0])


def test_the_change_of_a_run_does_not_depend_on_the_other_runs():
    alone = runs("A", 280, 283)
    early = member("B", "historical", start=(1980, 1), values=np.full(252, 280.0))
    changed = [
        changes(yearly_of(members, ("annual", "DJF")), [PERIOD], BASE)["change"].sel(source_id="A")
        for members in (alone, [*alone, early])
    ]
    np.testing.assert_array_equal(*changed)
