"""Emulated, What if and Land: their numbers against the public calls, their limits, and what a lost worker says."""

import json
import math
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")
pytest.importorskip("jax", reason="what-ifs need jax")

from pretended_workers import Here

from dashboards.calculating import working
from dashboards.calculating.emulating import LATE, MEMBERS, Emulating, departure
from dashboards.calculating.jobs import Job
from dashboards.drawing.scores import score_frame
from dashboards.drawing.site import SHOWN, land_html, land_table, shown_unit
from dashboards.results import Shelf
from dashboards.session import Session
from dashboards.state import CHANGES, DRAWS, Offers, State
from dashboards.views.emulated import SAMPLED, history
from dashboards.views.what_if import BASE, MAP_MEMBERS
from spread.errors import NotFound


@pytest.fixture(scope="module")
def shelf(small_report, emulator_file, evaluation_folder):
    return Shelf([small_report], emulator_file, evaluation_folder)


def session_of(shelf, **query):
    return Session(shelf, "light", {name: str(value) for name, value in query.items()}, [])


def test_warming_is_that_of_the_public_calls_and_quick(shelf):
    from spread.coupled import pathway

    found = shelf.emulating.warming("ssp585", 1.5, 2060)
    path = pathway("ssp585", scale=1.5, peak=2060)
    for model in shelf.emulating.models:
        expected = shelf.emulating.emulator.warming(model, path.forcing, path.years, np.full(251, 0.5))
        np.testing.assert_array_equal(found.table[model].to_numpy(), expected)
    np.testing.assert_array_equal(found.co2e, path.co2e)
    assert found.flags == path.flags != ()
    assert shelf.emulating.warming("ssp585", 1.0, 2100).flags == ()
    times = []
    for number in range(9):
        start = time.perf_counter()
        shelf.emulating.warming("ssp585", 0.5 + 0.1 * number, 2050)
        times.append(time.perf_counter() - start)
    print(f"warming of {len(shelf.emulating.models)} models under a pathway: {1e3 * np.median(times):.1f} ms")
    assert np.median(times) < 5  # the target is 0.2 s; machines are noisy


def test_members_are_those_of_emulate_however_they_are_cut(shelf):
    from spread.simulate.emulating import emulate

    found, model = shelf.emulating, shelf.emulating.models[0]
    cut = [working.draw(found.file, model, "ssp585", years, 2) for years in ((2015, 2016), (2017, 2017))]
    whole = emulate(found.emulator, model, "ssp585", (2015, 2017), members=2, coherent=True)
    days = np.diff(whole["time_bnds"].values, axis=1)[:, 0]
    for year in range(3):
        part = slice(12 * year, 12 * year + 12)
        expected = np.average(whole["tas"].values[:, part].astype(float), axis=1, weights=days[part])
        got = np.concatenate([part.tas for part in cut], axis=1)[:, year]
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_emulated_view_shows_what_was_drawn(shelf):
    from spread.emulator.pairs import paired_difference

    session = session_of(shelf, view="emulated", pathway="ssp585")
    view = session.view()
    made = [step(*given) for _, step, given in view.steps()]
    view._keep(view.key, made)
    found, facts = view.found, shelf.emulating.facts
    tas = np.concatenate([part.tas for part in made[:-1]], axis=1).astype(float)
    years = found["year"].values
    area = np.asarray(facts.area).reshape(tas.shape[2:])
    inside = (years >= session.state.base[0]) & (years <= session.state.base[1])
    means = (tas * area).sum((2, 3)) / area.sum()
    np.testing.assert_allclose(found["anomaly"].values, means - means[:, inside].mean(), atol=1e-9)
    assert found.sizes["member"] == MEMBERS
    own = shelf.emulating.warming("ssp585", 1.0, 2100).own[session.state.source]
    pair = paired_difference(
        shelf.emulating.emulator, session.state.source, ("ssp585", float(own[SAMPLED])),
        (session.state.against, found.attrs["warming_second"]), working.JULY, 50,
    )  # fmt: skip
    np.testing.assert_allclose(found["effect"].values, pair.effect)
    assert found.attrs["reduction"] == pytest.approx(pair.reduction)
    view.update()
    assert "Scores on a run" in view.scores.object
    assert len(view.globes) == len(view.maps) == 3
    assert str(float(own[SAMPLED])) in view.call()
    assert view.picture() is not None
    table = view.table().set_index(["curve", "year"])
    mean = f"emulated: mean, lowest to highest of {MEMBERS}"
    members = [table.loc[(f"emulated: member {n + 1}", 2090)].iloc[0] for n in range(MEMBERS)]
    np.testing.assert_allclose(members, found["anomaly"].sel(year=2090))
    low, high = table.loc[(mean, 2090), ["low", "high"]]
    assert (low, high) == pytest.approx((min(members), max(members)))
    assert [item.label.value for item in view.plume[1].object.legend[0].items].count(mean) == 1
    assert not any("member" in item.label.value for item in view.plume[1].object.legend[0].items)


def test_an_unknown_scenario_is_flagged(shelf):
    session = session_of(shelf, view="what-if", pathway="ssp245")
    view = session.view()
    view.update()
    assert "No run of this scenario was in training" in view.flags.object
    assert "Extrapolation" in view.flags.object


def test_the_map_is_the_mean_change_of_what_was_drawn(shelf):
    session = session_of(shelf, view="what-if", pathway="ssp585", scale="2", peak="2060")
    view = session.view()
    made = [step(*given) for _, step, given in view.steps()]
    view._keep(view.key, made)
    found = shelf.emulating.drawn[view.key]
    np.testing.assert_allclose(
        found["change"].values, made[1].tas.mean((0, 1), dtype=float) - made[0].tas.mean((0, 1), dtype=float)
    )
    assert "departs from its scenario's aerosols" in found.attrs["flags"]
    assert "an extrapolation" in view.map_head.object
    assert made[0].tas.shape[:2] == (MAP_MEMBERS, BASE[1] - BASE[0] + 1)
    mine = view.warming.table[session.state.source]
    assert view.delta() == round(mine.loc[LATE[0] : LATE[1]].mean() - mine.loc[BASE[0] : BASE[1]].mean(), 2)
    assert view.change == f"{view.delta():+.2f}K"


def test_the_site_answers_with_the_public_calls(shelf):
    from spread import counterfactual
    from spread.drivers import drivers
    from spread.simulate import SpinUp
    from spread.simulations import forcing_of

    session = session_of(shelf, view="what-if", change="pr-30%", draws="4")
    view = session.view()
    view.land = Job(Here())
    view.simulate()
    pair = shelf.sites[("land", "pr-30%", "4")]
    setup = counterfactual.Setup.of(
        drivers(forcing_of("site", 50.0)), spin_up=SpinUp(), drawing=counterfactual.Drawing(4, 0)
    )
    expected = counterfactual.whatif(setup, counterfactual.named("pr-30%"))
    for name in SHOWN:
        np.testing.assert_allclose(pair[name].values, expected[name].values, rtol=1e-6, atol=1e-12)
    last = counterfactual.differences(expected)["gpp"].isel(year=slice(-10, None)).mean("year").values
    row = land_table(pair).set_index("variable").loc["gpp"]
    assert row["low"] / row["high"] == pytest.approx(np.quantile(last, 0.05) / np.quantile(last, 0.95), rel=1e-4)
    assert "precipitation -30 %" in view.land_found.object
    assert "5-95 %" in land_html(pair)
    assert "5-95 %" not in land_html(pair.isel(draw=[0]))


def test_the_python_of_a_what_if_gives_the_map_and_the_table(shelf, monkeypatch):
    session = session_of(shelf, view="what-if", pathway="ssp585", scale="0.5", change="no-fire", draws="4")
    view = session.view()
    made = [step(*given) for _, step, given in view.steps()]
    view._keep(view.key, made)
    view.land = Job(Here())
    view.simulate()
    assert "0.5 times the rise of SSP5-8.5 after 2015: " in view.words()
    monkeypatch.chdir(shelf.emulating.file.parent)
    names = {}
    exec(view.call(), names)
    np.testing.assert_allclose(names["change"], view.dataset()["change"].values, atol=1e-6)
    rows = land_table(view._pair()).set_index("variable")
    for name in SHOWN:
        factor = shown_unit(name)[0]
        np.testing.assert_allclose(
            factor * names["ranges"][name].values, rows.loc[name, ["low", "median", "high"]].to_numpy(float),
            rtol=1e-6, atol=1e-12,
        )  # fmt: skip


def test_a_slider_that_was_moved_on_does_not_jump_back(shelf):
    session = session_of(shelf, view="what-if", scale="1.2")
    view = session.view()
    view.update()
    slider = view.fields["scale"]
    assert slider.value == 1.2
    slider.value = 1.4  # where it is now
    slider.value_throttled = 1.2500000000000002  # where it was a moment ago, as browsers count
    assert session.state.scale == 1.25
    assert slider.value == 1.4
    session.choose(scale=0.5)  # not by the slider
    assert slider.value == 0.5


def test_a_pathway_is_said_as_it_is(shelf):
    flat = shelf.emulating.warming("ssp585", 0.0, 2100)
    own = shelf.emulating.warming("ssp585", 1.0, 2100)
    (last,) = np.flatnonzero(np.isclose(own.co2e[1:], flat.co2e[-1], rtol=1e-12, atol=0))[-1:] + 1
    assert int(own.years[last]) == 2015
    words = session_of(shelf, view="what-if", pathway="ssp119", peak="2040").view().words()
    assert "constant after 2040" in words
    assert "no rise" not in words


def test_every_change_on_offer_has_a_name_that_is_read():
    from spread.counterfactual import named

    assert [named(name).label for name in CHANGES if name != "warming"]
    assert max(map(int, DRAWS)) <= 16


@pytest.mark.slow
def test_a_cluster_draws_the_same_from_the_bytes_of_the_file(shelf, tmp_path):
    from spread.cluster import connected

    moved = Path(shutil.copy(shelf.emulating.file, tmp_path / "moved.safetensors"))
    asked = (shelf.emulating.models[0], "ssp585", (2015, 2016), 2)
    workers = working.Workers()
    with connected("local", 1) as executor:
        workers.use(executor)
        there = workers.submit(working.draw, moved, *asked).result(200)
        key = (moved, moved.stat().st_mtime_ns)
        assert set(workers.held) == {key}
        again = workers.submit(working.draw, moved, *asked)  # sent once
        assert set(workers.held) == {key}
        np.testing.assert_array_equal(again.result(200).tas, there.tas)
        assert workers.lost(workers.submit(os._exit, 1).exception(200))
        np.testing.assert_array_equal(workers.submit(working.draw, moved, *asked).result(200).tas, there.tas)
    here = working.draw(moved, *asked)
    np.testing.assert_array_equal(there.tas, here.tas)
    assert there.flags == here.flags


BAD = {
    "scale": ["nan", "inf", "-1", "3.01", "1e9", "1e0", "", "0x1", "１", "__import__('os')", math.nan, math.inf, True],
    "peak": ["1800", "2101", "nan", "2050.5", "99999999999", "-2050", "", "2050;"],
    "source": ["", "HadCM3", "../../etc/passwd", "<script>"], "pathway": ["ssp999", "historical; rm"],
    "against": ["abrupt"], "change": ["+9999K", "co2-1", "os=system", "soil_water=__class__"],
    "draws": ["17", "-1", "1000000", "8.0"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_hostile_choice_is_refused(shelf, name, value):
    session = session_of(shelf)
    state, refused = session.state.choose(session.offers, **{name: value})
    assert state == session.state
    assert len(refused) == 1


def test_good_choices_come_back_from_the_url(shelf):
    session = session_of(shelf, scale="1.25", peak="2050", change="no-fire", draws="16")
    assert (session.state.scale, session.state.peak) == (1.25, 2050)
    assert session.refused == []
    assert "scale=1.25" in session.state.query(session.offers)
    assert departure(1.25, 2100) == (1.25, None)


def test_files_that_are_not_drawn_are_refused(shelf):
    session = session_of(shelf, view="emulated", against="ssp126", base="1900-1950")
    for make in (session.view().table, session.view().dataset, session.view().picture):
        with pytest.raises(NotFound, match="not been drawn yet"):
            make()


def test_without_an_emulator_the_views_say_how(small_report):
    shelf = Shelf([small_report])
    for name, words in (("emulated", "--emulator FILE"), ("what-if", "--emulator FILE"), ("land", "--beside FOLDER")):
        session = session_of(shelf, view=name)
        assert session.refused == []
        view = session.view()
        view.update()
        assert words in view.head.object


def test_an_emulator_or_evaluation_that_is_none_is_refused(small_report, emulator_file, tmp_path):
    with pytest.raises(NotFound):
        Shelf([small_report], tmp_path / "nothing.safetensors")
    (tmp_path / "scorecard.json").write_text(json.dumps({"scorecards": [{"run": "x"}]}), encoding="utf-8")
    with pytest.raises(NotFound, match=r"scorecard\.json"):
        Shelf([small_report], emulator_file, tmp_path)
    with pytest.raises(NotFound, match="--emulator"):
        Shelf([small_report], None, tmp_path)


def test_scores_are_those_of_the_card(evaluation_folder, emulator_file):
    card = Emulating(emulator_file, evaluation_folder).cards[0]
    frame = score_frame(card).set_index("method")
    assert frame.loc["pattern scaling", "crps"] == card["rows"][1]["scores"]["crps"]["value"]
    assert np.isnan(frame.loc["pattern scaling", "q99"])


def test_history_holds_the_base_period_and_the_present():
    assert history((1850, 1900)) == [(1850, 1900), (1995, 2014)]
    assert history((1981, 2010)) == [(1981, 2014)]
    assert history((1995, 2014)) == [(1995, 2014)]


def test_a_state_without_an_emulator_offers_none():
    offers = Offers(("r",), ("v",), (), (), (), (), (), (), (), (), (), ((1850, 1900),), (1850, 2100))
    assert State.first(offers).source == ""


def test_the_land_view_shows_the_models_of_a_land_report(tmp_path):
    import spread
    from spread.demo import make_archive

    archive = make_archive(
        tmp_path / "archive", models=["CESM2", "CanESM5"], experiments=["historical", "ssp585"],
        variables=["nbp", "areacella", "sftlf"],
    )  # fmt: skip
    study = spread.Study.make(
        name="carbon", catalog=str(archive), variable_id="nbp", table_id="Eyr", experiments=["ssp585"],
        incomplete_periods="allow", base_period=(1995, 2014),
    )  # fmt: skip
    folder = spread.run(study).save(tmp_path / "carbon")
    view = session_of(Shelf([folder]), view="land").view()
    found = view.session.report.across.sel(region="global", season="annual", experiment_id="ssp585").isel(period=0)
    assert f"{int(found['count'])} models" in view.head.object
    assert "--beside FOLDER" in view.notes.object
    table = view.table()
    assert table["year"].max() == 2100
    for model in ("CESM2", "CanESM5"):
        mine = table[table["curve"].str.startswith(model) & (table["year"] == 2090)]
        value = view.session.report.yearly["anomaly"].sel(
            region="global", season="annual", experiment_id="ssp585", year=2090, source_id=model
        )
        assert mine["change [g m⁻² d⁻¹]"].item() == pytest.approx(8.64e7 * float(value.mean("member_id")))
