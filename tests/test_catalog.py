"""A study's datasets are chosen by rules; what is left out is said, and why."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import records, write_collection

from spread.catalog import locate, read, search
from spread.errors import NotFound
from spread.selection import select, variant_order
from spread.study import Study

SCENARIOS = ("ssp126", "ssp585")


def runs(source_id, members, experiments=("historical", *SCENARIOS), **facets):
    return [
        {"source_id": source_id, "member_id": m, "experiment_id": e, **facets} for m in members for e in experiments
    ]


@pytest.fixture
def collection(tmp_path):
    def make(*rows):
        return read(write_collection(tmp_path, records(*rows)))

    return make


def study(**fields) -> Study:
    return Study.make(**({"experiments": SCENARIOS} | fields))


def chosen(selection, **facets):
    """(model, experiment, member) of the chosen rows."""
    return [(r.source_id, r.experiment_id, r.member_id) for r in selection.rows]


def members_of(selection) -> dict:
    return {(r.source_id, r.experiment_id): r.member_id for r in selection.rows}


def test_the_lowest_member_with_every_experiment_is_first(collection):
    rows = [
        *runs("A", ["r1i1p1f1"], ["historical", "ssp126"]),
        *runs("A", ["r10i1p1f1", "r2i1p1f1"]),
    ]
    selection = select(collection(*rows), study())
    assert set(members_of(selection).values()) == {"r2i1p1f1"}
    assert chosen(selection) == [("A", e, "r2i1p1f1") for e in ("historical", *SCENARIOS)]
    assert not selection.failures


def test_without_a_common_member_each_scenario_takes_its_lowest(collection):
    rows = [
        *runs("A", ["r3i1p1f1", "r1i1p1f1"], ["historical", "ssp126"]),
        *runs("A", ["r10i1p1f1", "r2i1p1f1"], ["historical", "ssp585"]),
    ]
    found = {(r.experiment_id, r.member_id) for r in select(collection(*rows), study()).rows}
    assert found == {
        ("ssp126", "r1i1p1f1"), ("historical", "r1i1p1f1"), ("ssp585", "r2i1p1f1"), ("historical", "r2i1p1f1"),
    }  # fmt: skip


def test_a_scenario_needs_the_historical_run_of_its_own_member(collection):
    rows = [
        *runs("A", ["r1i1p1f1"], SCENARIOS),
        *runs("A", ["r2i1p1f1"]),
        *runs("B", ["r1i1p1f1"], SCENARIOS),
        *runs("B", ["r2i1p1f1"], ["historical"]),
    ]
    selection = select(collection(*rows), study())
    assert {r.member_id for r in selection.rows} == {"r2i1p1f1"}
    assert {r.source_id for r in selection.rows} == {"A"}
    (failure,) = selection.failures
    assert (failure.dataset, failure.stage) == ("B", "catalog")
    assert failure.reason == "no ssp126, ssp585 with historical of the same member in the catalog"


def test_a_model_of_other_forcing_keeps_its_label(collection):
    selection = select(collection(*runs("UKESM1-0-LL", ["r2i1p1f2", "r1i1p1f2"])), study())
    assert {r.member_id for r in selection.rows} == {"r1i1p1f2"}


def test_all_members_are_all_that_have_both_runs(collection):
    rows = [*runs("A", ["r1i1p1f1", "r2i1p1f1"]), *runs("A", ["r3i1p1f1"], ["ssp585"])]
    for members in ("all", "mean"):
        selection = select(collection(*rows), study(members=members))
        assert {r.member_id for r in selection.rows} == {"r1i1p1f1", "r2i1p1f1"}
        assert len(selection.rows) == 6


def test_named_members_are_taken_and_their_absence_is_said(collection):
    rows = [*runs("A", ["r1i1p1f1", "r2i1p1f1"]), *runs("B", ["r1i1p1f1"])]
    selection = select(collection(*rows), study(members=["r2i1p1f1"]))
    assert set(members_of(selection)) == {("A", e) for e in ("historical", *SCENARIOS)}
    assert set(members_of(selection).values()) == {"r2i1p1f1"}
    assert "among the members r2i1p1f1" in selection.failures[0].reason


def test_a_model_without_one_scenario_is_out_unless_that_is_allowed(collection):
    rows = [*runs("A", ["r1i1p1f1"]), *runs("B", ["r1i1p1f1"], ["historical", "ssp585"])]
    strict = select(collection(*rows), study())
    assert {r.source_id for r in strict.rows} == {"A"}
    assert [f.dataset for f in strict.failures] == ["B"]
    assert strict.failures[0].reason.startswith("no ssp126 ")
    loose = select(collection(*rows), study(require_all_experiments=False))
    assert ("B", "ssp585") in members_of(loose)
    assert [f.dataset for f in loose.failures] == ["B"]


def test_scenarios_may_stand_alone(collection):
    selection = select(collection(*runs("A", ["r1i1p1f1"], ["ssp585"])), study(experiments="ssp585", historical=None))
    assert chosen(selection) == [("A", "ssp585", "r1i1p1f1")]


@pytest.mark.parametrize(
    ("labels", "preference", "grid"),
    [
        (["gr", "gn"], ("gn", "gr"), "gn"),
        (["gn", "gr"], ("gr", "gn"), "gr"),
        (["gr1", "gr2"], ("gn",), "gr1"),
    ],
)
def test_the_preferred_grid_is_taken(collection, labels, preference, grid):
    rows = [r for label in labels for r in runs("A", ["r1i1p1f1"], grid_label=label)]
    selection = select(collection(*rows), study(grid_labels=preference))
    assert {r.grid_label for r in selection.rows} == {grid}


def test_a_grid_with_every_experiment_beats_the_preferred_one(collection):
    rows = [*runs("A", ["r1i1p1f1"], ["historical"], grid_label="gn"), *runs("A", ["r1i1p1f1"], grid_label="gr")]
    assert {r.grid_label for r in select(collection(*rows), study()).rows} == {"gr"}


def test_the_latest_version_is_taken_whatever_the_order(collection):
    rows = runs("A", ["r1i1p1f1"])
    versions = ["20190101", "20200909", "20180101"]
    selection = select(collection(*(r | {"version": v} for v in versions for r in rows)), study())
    assert [r.version for r in selection.rows] == ["20200909"] * 3


def test_duplicate_rows_count_once(collection):
    rows = runs("A", ["r1i1p1f1"])
    assert len(select(collection(*rows, *rows), study()).rows) == 3


def test_of_two_copies_of_one_version_the_first_address_counts_whatever_the_order(collection):
    rows = [*runs("A", ["r1i1p1f1"], zstore="gs://cmip6/b/"), *runs("A", ["r1i1p1f1"], zstore="gs://cmip6/a/")]
    for given in (rows, rows[::-1]):
        assert {r.zstore for r in select(collection(*given), study()).rows} == {"gs://cmip6/a/"}


def test_two_stores_of_one_dataset_without_a_version_are_not_chosen_between(collection):
    twins = [runs("A", ["r1i1p1f1"], version="", zstore=f"gs://cmip6/{place}/") for place in "ab"]
    selection = select(collection(*twins[0], *twins[1], *runs("B", ["r1i1p1f1"])), study())
    assert {r.source_id for r in selection.rows} == {"B"}
    reasons = {f.reason for f in selection.failures if f.dataset.startswith("A.")}
    assert "2 stores without a version, nothing says which to use: gs://cmip6/a/, gs://cmip6/b/" in reasons


@pytest.mark.parametrize(
    ("version", "zstore", "expected"),
    [
        ("20190909", "gs://cmip6/a/", "20190909"),
        (20190909.0, "gs://cmip6/a/", "20190909"),
        ("v20190909", "gs://cmip6/a/", "20190909"),
        (np.nan, "gs://cmip6/CMIP6/tas/gn/v20200101/", "20200101"),
        ("", "gs://cmip6/CMIP6/tas/gn/v20200101", "20200101"),
        (np.nan, "gs://cmip6/a/", ""),
    ],
)
def test_a_version_is_read_from_the_table_or_the_path(collection, version, zstore, expected):
    rows = runs("A", ["r1i1p1f1"], version=version, zstore=zstore)
    assert {r.version for r in select(collection(*rows), study()).rows} == {expected}


def test_decadal_predictions_are_left_out(collection):
    rows = [
        *runs("A", ["r1i1p1f1"], dcpp_init_year=1960.0, zstore="wrong"),
        *runs("A", ["r2i1p1f1"]),
    ]
    assert {r.member_id for r in select(collection(*rows), study()).rows} == {"r2i1p1f1"}


def test_models_are_chosen_and_left(collection):
    make = collection(*(r for m in "ABC" for r in runs(m, ["r1i1p1f1"])))
    assert {r.source_id for r in select(make, study(models=["C", "A"])).rows} == {"A", "C"}
    assert {r.source_id for r in select(make, study(exclude_models=["A"])).rows} == {"B", "C"}
    assert [r.source_id for r in select(make, study()).rows] == ["A"] * 3 + ["B"] * 3 + ["C"] * 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"models": ["MIROC9"]}, "models: 'MIROC9' has no Amon.tas, did you mean 'MIROC6'"),
        ({"exclude_models": ["MIROC9"]}, "exclude_models: 'MIROC9' has no Amon.tas"),
        ({"experiments": ["ssp126", "ssp558"]}, "experiments: 'ssp558' has no Amon.tas, did you mean 'ssp585'"),
        ({"experiments": ["ssp558", "ssp162"]}, "'ssp558' has no Amon.tas, .*'ssp162' has no Amon.tas, did you mean"),
        ({"historical": "hist"}, "experiments: 'hist' has no Amon.tas"),
        ({"variable_id": "pr"}, "nothing found.*no variable_id 'pr' in the catalog"),
        ({"exclude_models": ["MIROC6"]}, "no model is left"),
        ({"members": ["r7i1p1f1"]}, "no model is left of 1: MIROC6: no ssp126, ssp585 .* among the members r7i1p1f1"),
    ],
)
def test_what_the_catalog_lacks_is_said(collection, fields, said):
    with pytest.raises(NotFound, match=said):
        select(collection(*runs("MIROC6", ["r1i1p1f1"])), study(**fields))


def test_all_that_the_catalog_lacks_is_said_at_once(collection):
    with pytest.raises(NotFound) as refused:
        select(collection(*runs("MIROC6", ["r1i1p1f1"])), study(models=["X", "Y"], experiments=["ssp126", "ssp119"]))
    for said in ("'X'", "'Y'", "'ssp119'"):
        assert said in str(refused.value)


def test_fixed_fields_come_from_historical_in_their_latest_version(collection):
    fx = {"table_id": "fx", "source_id": "A", "variable_id": "areacella"}
    rows = [
        *runs("A", ["r1i1p1f1"]),
        fx | {"experiment_id": "ssp585", "version": "20220101", "zstore": "other"},
        fx | {"experiment_id": "historical", "version": "20180101", "zstore": "old"},
        fx | {"experiment_id": "historical", "version": "20190101", "zstore": "right"},
        fx | {"experiment_id": "piControl", "version": "20210101", "zstore": "control"},
        fx | {"variable_id": "sftlf", "experiment_id": "piControl", "zstore": "land"},
        fx | {"source_id": "B", "zstore": "of another model"},
    ]
    found = select(collection(*rows), study()).supplementary
    assert {key: r.zstore for key, r in found.items()} == {
        ("A", "gn", "areacella"): "right",
        ("A", "gn", "sftlf"): "land",
    }


def test_search_finds_exact_facets(collection):
    found = collection(*runs("A", ["r1i1p1f1", "r11i1p1f1"]), *runs("AB", ["r1i1p1f1"]))
    assert len(search(found)) == 9
    assert len(search(found, source_id="A")) == 6
    assert len(search(found, source_id=["A", "AB"], member_id="r1i1p1f1")) == 6
    assert set(search(found, experiment_id="ssp126")["experiment_id"]) == {"ssp126"}


@pytest.mark.parametrize(
    ("facets", "said"),
    [
        ({"source": "A"}, "unknown facet 'source', did you mean 'source_id'"),
        (
            {"source_id": "MIROC9"},
            r"source_id=MIROC9: no source_id 'MIROC9' in the catalog \(did you mean 'MIROC6'\?\)",
        ),
        ({"source_id": "MIROC6", "experiment_id": "abrupt-4xCO2"}, "each value exists, but no dataset has them all"),
    ],
)
def test_a_search_in_vain_says_why(collection, facets, said):
    found = collection(*runs("MIROC6", ["r1i1p1f1"]), *runs("CESM2", ["r1i1p1f1"], ["abrupt-4xCO2"]))
    with pytest.raises(NotFound, match=said):
        search(found, **facets)


def test_variants_are_ordered_as_numbers():
    labels = ["r10i1p1f1", "r2i1p1f1", "r1i1p2f1", "r1i1p1f2", "r1i2p1f1"]
    assert sorted(labels, key=variant_order) == ["r1i1p1f2", "r1i1p2f1", "r1i2p1f1", "r2i1p1f1", "r10i1p1f1"]


@pytest.mark.parametrize("name", ["pangeo-cmip6", "pangeo-cmip6-s3"])
def test_shipped_catalogs_are_found_by_name(name):
    assert locate(name).endswith(f"{name}.json")


def test_a_catalog_that_is_not_there_is_said(tmp_path):
    with pytest.raises(
        NotFound, match="'pangeo-cmip': neither a shipped catalog nor a file; did you mean 'pangeo-cmip6'"
    ):
        read("pangeo-cmip")
    with pytest.raises(NotFound, match="neither"):
        read(str(tmp_path / "absent.json"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"catalog_file": "absent.csv"}'])
def test_a_damaged_catalog_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "damaged.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NotFound, match=r"damaged\.json.*cannot be read") as refused:
        read(str(path))
    assert "\n" not in str(refused.value)


def test_a_catalog_without_a_facet_is_said(tmp_path):
    rows = [{k: v for k, v in r.items() if k not in ("member_id", "zstore")} for r in records(*runs("A", ["r1i1p1f1"]))]
    with pytest.raises(NotFound, match="missing: member_id, zstore"):
        read(write_collection(tmp_path, rows))


def test_a_table_without_versions_or_decadal_column_is_enough(tmp_path):
    rows = [
        {k: v for k, v in r.items() if k not in ("version", "dcpp_init_year")}
        for r in records(*runs("A", ["r1i1p1f1"]))
    ]
    assert len(select(read(write_collection(tmp_path, rows)), study()).rows) == 3


def test_a_real_catalog_is_searched_in_half_a_second(shared_data, tmp_path):
    table = shared_data / "catalogs" / "pangeo-gcp-subset.csv.gz"
    if not table.is_file():
        pytest.skip(f"the sample of the Pangeo catalog is not here ({table})")
    path = Path(write_collection(tmp_path, records({})))
    path.write_text(path.read_text(encoding="utf-8").replace(str(path.with_suffix(".csv")), str(table)))
    collection = read(str(path))
    assert len(collection.df) > 3000
    start = time.perf_counter()
    found = search(collection, variable_id="tas", table_id="Amon", experiment_id=["historical", "ssp585"])
    selection = select(collection, Study.make(experiments="ssp585"))
    assert time.perf_counter() - start < 0.5
    assert found["source_id"].nunique() > 20
    models = {r.source_id for r in selection.rows}
    assert len(selection.rows) == 2 * len(models)
    assert models | {f.dataset for f in selection.failures} == set(
        search(collection, variable_id="tas", table_id="Amon", experiment_id=["historical", "ssp585"])["source_id"]
    )
    # each model's pair is of one member and one grid
    for model in models:
        assert len({(r.member_id, r.grid_label) for r in selection.rows if r.source_id == model}) == 1


@pytest.mark.slow
def test_half_a_million_rows_are_searched_in_two_seconds(tmp_path, capsys):
    rng = np.random.default_rng(0)
    count = 500_000

    def column(prefix, kinds):
        return np.char.add(prefix, rng.integers(kinds, size=count).astype(str))

    table = pd.DataFrame(records({}) * 1)
    path = write_collection(tmp_path, table.to_dict("records"))
    columns = {
        "activity_id": column("A", 10), "institution_id": column("I", 40), "source_id": column("M", 100),
        "experiment_id": column("ssp", 60), "member_id": column("r", 50), "table_id": "Amon",
        "variable_id": column("v", 300), "grid_label": "gn", "version": "20200101", "dcpp_init_year": "",
    }  # fmt: skip
    big = pd.DataFrame(columns, index=range(count))
    big["zstore"] = "gs://cmip6/" + big["source_id"] + "/" + big.index.astype(str)
    pd.concat([table, big]).to_csv(tmp_path / "collection.csv", index=False)
    start = time.perf_counter()
    collection = read(path)
    opened = time.perf_counter()
    found = search(collection, variable_id="v7", experiment_id=["ssp3", "ssp5"], table_id="Amon")
    end = time.perf_counter()
    with capsys.disabled():
        print(f"\n500,001 rows: read {opened - start:.2f} s, search {end - opened:.2f} s")
    assert 20 < len(found) < 100
    assert end - opened < 2.0
