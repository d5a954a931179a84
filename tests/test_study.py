"""A study means exactly what it says, or every breach is listed at once."""

import json

import pytest
from pydantic import ValidationError

from spread.errors import BadStudy
from spread.study import REGIONS, Region, Study


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "a b/c"}, "name"),
        ({"variable_id": "tass"}, "variable 'tass' is not in the table of variables, did you mean 'tas'"),
        ({"variable_id": 3}, "variable_id"),
        ({"experiments": []}, "experiments"),
        ({"experiments": ["ssp585", "ssp585"]}, "experiments: something is named twice"),
        ({"experiments": ["historical", "ssp585"]}, "experiments: 'historical' is the run that precedes"),
        ({"models": ["A", "A"]}, "models: something is named twice"),
        ({"members": "last"}, "members: expected 'first', 'mean', 'all' or a list of labels"),
        ({"members": 3}, "members: expected"),
        (
            {"base_period": [1900, 1850]},
            r"base_period: expected \[first year, last year\] in order, got \[1900, 1850\]",
        ),
        ({"base_period": [1850]}, "base_period"),
        ({"base_period": "1850-1900"}, "base_period"),
        ({"base_period": [0, 10]}, "base_period: expected"),
        ({"periods": [[2081, 2100], [2100, 2081]]}, r"periods: expected .* got \[2100, 2081\]"),
        ({"periods": []}, "periods"),
        ({"periods": [2081, 2100]}, "periods"),
        ({"periods": [[2081, 2100], [2081, 2100]]}, "periods: something is named twice"),
        ({"seasons": ["DFJ"]}, "seasons.*'DFJ'"),
        ({"seasons": ["DJF", "DJF"]}, "seasons: something is named twice"),
        ({"regions": ["artic"]}, "unknown region 'artic', did you mean 'arctic'"),
        ({"regions": [{"name": "x", "lat": [10, -10]}]}, "region 'x': lat must rise within -90..90"),
        ({"regions": [{"name": "x", "lat": [0, 91]}]}, "region 'x': lat must rise within -90..90"),
        ({"regions": [{"name": "x", "lon": [20, 20]}]}, "region 'x': lon must be two different edges"),
        ({"regions": [{"name": "x", "lon": [0, 400]}]}, "region 'x': lon must be two different edges"),
        ({"regions": [{"name": "x", "surface": "sea"}]}, "regions.*surface"),
        ({"regions": [{"name": "x", "lats": [0, 1]}]}, "unknown key 'regions.0.lats', did you mean 'lat'"),
        ({"regions": ["global", {"name": "global", "lat": [0, 10]}]}, "regions: two regions have the same name"),
        ({"regions": []}, "regions"),
        ({"anomaly": "relative"}, "anomaly.*'relative'"),
        ({"incomplete_periods": "maybe"}, "incomplete_periods"),
        ({"minimum_years": 0}, "minimum_years"),
        ({"minimum_years": 1.5}, "minimum_years"),
        ({"quantiles": [0.5, 1.5]}, "quantiles: 1.5 is not between 0 and 1"),
        ({"ddof": 2}, "ddof"),
        ({"observations": {"name": "x"}}, "observations.file"),
        ({"observations": {"name": "x", "file": "x.csv", "colum": 1}}, "unknown key 'observations.colum'"),
        ({"observations": {"name": "x", "file": "x.csv", "kind": "SST"}}, "observations.kind"),
        ({"observations": {"name": "x", "file": "x.csv", "kind": "GMST"}}, "observations.conversion: GMST is not tas"),
        (
            {"observations": {"name": "x", "file": "x.csv", "kind": "GSAT", "conversion": "ar6"}},
            "only GMST is converted, got kind = 'GSAT'",
        ),
        ({"observations": {"name": "x", "file": "x.csv", "conversion": "ar6"}}, "only GMST is converted, got no kind"),
        (
            {"observations": {"name": "x", "file": "x.csv", "kind": "GMST", "conversion": "x"}},
            "observations.conversion",
        ),
        (
            {"variable_id": "pr", "observations": {"name": "x", "file": "x.csv", "kind": "GSAT"}},
            "observations.kind: it tells temperatures apart, pr has none",
        ),
        ({"require_all_experiments": "perhaps"}, "require_all_experiments"),
        ({"varable_id": "tas"}, "unknown key 'varable_id', did you mean 'variable_id'"),
        ({"nonsense": 1}, "unknown key 'nonsense', known: "),
    ],
)
def test_a_bad_value_gives_one_line_that_names_it(values, said):
    with pytest.raises(BadStudy, match=said) as refused:
        Study.make(**values)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("study")
    assert refused.value.exit_code == 2


def test_all_breaches_are_listed_at_once():
    with pytest.raises(BadStudy) as refused:
        Study.make(name="mine", variable_id="tass", ddof=7, seasons=["DFJ"], colour="red", anomaly="relative")
    for said in ("study 'mine': ", "'tass'", "ddof", "'DFJ'", "'colour'", "anomaly"):
        assert said in str(refused.value), said


def test_breaches_between_fields_are_listed_at_once():
    with pytest.raises(BadStudy) as refused:
        Study.make(base_period=[1900, 1850], quantiles=[-1, 2], experiments=["historical"])
    for said in ("base_period", "quantiles: -1.0", "quantiles: 2.0", "'historical' is the run"):
        assert said in str(refused.value), said


def test_the_defaults_are_a_study():
    study = Study.make()
    assert study.all_experiments == ("historical", "ssp126", "ssp245", "ssp370", "ssp585")
    assert (study.anomaly_kind, study.votes, study.required_years) == ("absolute", "mean", 1.0)


def test_what_follows_from_a_study():
    assert Study.make(historical=None).all_experiments == ("ssp126", "ssp245", "ssp370", "ssp585")
    assert Study.make(variable_id="pr").anomaly_kind == "percent"
    assert Study.make(variable_id="pr", anomaly="absolute").anomaly_kind == "absolute"
    assert Study.make(members="all").votes == "all"
    assert Study.make(members=["r1i1p1f1"]).votes == "mean"
    assert Study.make(incomplete_periods="allow", minimum_years=0.6).required_years == 0.6
    assert Study.make(minimum_years=0.6).required_years == 1.0


def test_regions_come_by_name_or_as_a_box():
    box = {"name": "sahel", "lat": [10, 20], "lon": [340, 40], "surface": "land"}
    study = Study.make(regions=["global", box])
    assert study.regions == (REGIONS["global"], Region(name="sahel", lat=(10, 20), lon=(340, 40), surface="land"))
    assert Study.make(regions="arctic").regions == (REGIONS["arctic"],)
    assert Study.make(regions=box).regions == (study.regions[1],)
    assert Study.make(regions=[study.regions[1]]).regions == (study.regions[1],)


def test_one_name_stands_for_a_list_of_one():
    study = Study.make(models="CESM2", exclude_models="MIROC6", experiments="ssp585")
    assert (study.models, study.exclude_models, study.experiments) == (("CESM2",), ("MIROC6",), ("ssp585",))


def test_a_study_survives_being_written():
    study = Study.make(
        name="round", variable_id="pr", members=["r1i1p1f1", "r2i1p1f1"],
        regions=["land", {"name": "b", "lat": [0, 9]}],
        periods=[[2041, 2060], [2081, 2100]], observations={"name": "o", "file": "o.csv"}, historical=None,
        storage_options={"gs": {"token": "anon"}},
    )  # fmt: skip
    assert Study.make(**study.model_dump()) == study
    assert Study.make(**json.loads(study.model_dump_json())) == study


def test_a_study_is_frozen():
    study = Study.make()
    with pytest.raises(ValidationError):
        study.variable_id = "pr"
    with pytest.raises(ValidationError):
        study.regions[0].name = "other"
    assert Study.make() == study
    assert Study.make(ddof=0) != study


def test_secrets_are_not_shown():
    assert "hidden" not in repr(Study.make(storage_options={"s3": {"secret": "hidden"}}))


def toml(folder, text, name="study.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_in_a_file_start_at_the_file(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "collection.json").write_text("{}", encoding="utf-8")
    (tmp_path / "deep" / "observed.csv").write_text("year,value", encoding="utf-8")
    path = toml(tmp_path / "deep", 'catalog = "collection.json"\n[observations]\nname = "o"\nfile = "observed.csv"\n')
    monkeypatch.chdir(tmp_path)
    study = Study.from_toml(path)
    assert study.catalog == str(tmp_path / "deep" / "collection.json")
    assert study.observations.file == str(tmp_path / "deep" / "observed.csv")
    assert study.name == "study"


def test_shipped_names_and_urls_in_a_file_stay(tmp_path):
    assert Study.from_toml(toml(tmp_path, 'catalog = "pangeo-cmip6"')).catalog == "pangeo-cmip6"
    assert Study.from_toml(toml(tmp_path, 'catalog = "gs://bucket/c.json"')).catalog == "gs://bucket/c.json"
    assert Study.from_toml(toml(tmp_path, 'name = "own"', "warming.toml")).name == "own"


def test_a_whole_file(tmp_path):
    study = Study.from_toml(toml(tmp_path, """
        variable_id = "pr"
        experiments = ["ssp126", "ssp585"]
        base_period = [1995, 2014]
        periods = [[2041, 2060], [2081, 2100]]
        seasons = ["annual", "JJA"]
        regions = ["global", {name = "sahel", lat = [10, 20], lon = [340, 40]}]
        members = "all"
    """))  # fmt: skip
    assert study.periods == ((2041, 2060), (2081, 2100))
    assert study.regions[1].lon == (340.0, 40.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"variable_id = tas", "not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"experimets = ['ssp585']", "unknown key 'experimets', did you mean 'experiments'"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path, content, said):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(BadStudy, match=said) as refused:
        Study.from_toml(path)
    assert "bad" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadStudy, match=r"absent\.toml: not found"):
        Study.from_toml(tmp_path / "absent.toml")
    with pytest.raises(BadStudy, match="cannot be read"):
        Study.from_toml(tmp_path)
