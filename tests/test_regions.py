"""Regions of a study: polygons are read once and carried, every breach is said, and a report needs no file."""

import json

import numpy as np
import pytest
from test_figures import make

from spread import figures, page
from spread.errors import BadStudy
from spread.grids import share_in_polygons
from spread.operators import operator, region_weights
from spread.outlines import AR6_REGIONS
from spread.regions import REGIONS, Region
from spread.study import Study

TRIANGLE = [[[[0, 0], [40, 0], [20, 30], [0, 0]]]]
MED = [[-10, 30], [40, 30], [40, 45], [-10, 45], [-10, 30]]


def feature(ring, **properties):
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.fixture
def places(tmp_path):
    """A GeoJSON file with two places, one across the date line."""
    features = [feature([[0, 45], [8, 45], [4, 50], [0, 45]], name="France"),
                feature([[177, -19], [-179, -19], [-179, -16], [177, -16]], name="Fiji")]  # fmt: skip
    path = tmp_path / "places.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@pytest.fixture
def ar6(tmp_path, monkeypatch):
    """A file that has a square for each AR6 region, and the Mediterranean as it is."""
    squares = {a: [[i, 0], [i + 1, 0], [i + 1, 1], [i, 1], [i, 0]] for i, a in enumerate(AR6_REGIONS)} | {"MED": MED}
    path = tmp_path / "ar6.geojson"
    features = [feature(ring, Acronym=acronym) for acronym, ring in squares.items()]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    monkeypatch.setenv("SPREAD_AR6_REGIONS", str(path))
    return path


def asked(*regions):
    return Study.make(regions=list(regions)).regions


def test_an_ar6_region_comes_by_its_acronym(ar6):
    (region,) = asked("AR6:MED")
    assert (region.name, region.long_name, region.surface) == ("MED", "Mediterranean", "all")
    assert region.source == "AR6 reference region MED, Mediterranean"
    assert region.polygons == ((((-10, 30), (-10, 45), (40, 45), (40, 30), (-10, 30)),),)
    assert asked("ar6:med") == (region,)
    assert asked({"name": "MED", "ar6": "MED"}) == (region,)
    (land,) = asked({"name": "MED land", "ar6": "AR6:MED", "surface": "land"})
    assert (land.name, land.surface, land.polygons, land.source) == ("MED land", "land", region.polygons, region.source)
    assert Region(name="x", ar6="MED").polygons == region.polygons


def test_groups_of_ar6_regions_are_each_there_once(ar6):
    assert [len(asked(f"AR6:{kind}")) for kind in ("all", "land", "ocean")] == [58, 46, 15]
    both = asked("global", "AR6:land", "AR6:ocean")
    assert len(both) == 59
    assert len({region.name for region in both}) == 59
    with pytest.raises(BadStudy, match="two regions have the same name"):
        asked("AR6:MED", "AR6:MED")


def test_a_region_of_a_file_says_where_it_is_from(places):
    france, fiji, both = asked({"name": "France", "file": str(places), "select": "France"},
                               {"name": "fiji", "file": str(places), "select": {"name": "Fiji"}, "surface": "land"},
                               {"name": "both", "file": str(places)})  # fmt: skip
    assert [r.source for r in (france, fiji, both)] == [
        "places.geojson, France", "places.geojson, name Fiji", "places.geojson"]  # fmt: skip
    assert len(both.polygons) == 3
    assert set(both.polygons) == {*france.polygons, *fiji.polygons}
    assert france.extent == (45, 50, 0, 8)
    assert fiji.extent == (-19, -16, 177, -179)
    assert both.extent == (-19, 50, 0, -179)


def test_a_study_with_polygons_survives_being_written_without_the_file(ar6, places):
    study = Study.make(regions=["global", "AR6:MED", {"name": "p", "file": str(places)},
                                {"name": "t", "polygons": TRIANGLE},
                                {"name": "wrapped", "polygons": [[[[170, 0], [-170, 0], [180, 10]]]]}])  # fmt: skip
    text = study.model_dump_json()
    ar6.unlink()
    places.unlink()
    back = Study.make(**json.loads(text))
    assert back == study
    assert back.model_dump_json() == text
    assert hash(back.regions) == hash(study.regions)
    assert Study.make(**study.model_dump()) == study
    with pytest.raises(ValueError, match="frozen"):
        study.regions[1].polygons = ()
    assert "177" not in repr(study), "a reader is not shown coordinates"


def test_sound_polygons_of_a_study_stay_as_they_are_written():
    ring = ((0.0, 10.0), (0.0, 5.0), (0.0, 0.0), (10.0, 0.0), (0.0, 10.0))  # a point on a side, begun anywhere
    (region,) = asked({"name": "t", "polygons": [[ring]]})
    assert region.polygons == ((ring,),)


def test_coordinates_are_those_of_the_file(tmp_path):
    ring = [[0.1, 0.2], [33.79999999999999, 7.6], [20.123456789012345, 40.4], [0.1, 0.2]]
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    (region,) = asked({"name": "odd", "file": str(path)})
    back = Study.make(**json.loads(Study.make(regions=[region]).model_dump_json())).regions[0]
    assert set(back.polygons[0][0]) == {tuple(point) for point in ring}


def test_paths_of_a_study_file_start_at_the_file(tmp_path, places, ar6, monkeypatch):
    (tmp_path / "deep").mkdir()
    places.rename(tmp_path / "deep" / "mine.geojson")
    path = tmp_path / "deep" / "study.toml"
    path.write_text(
        'regions = ["global", "AR6:MED", {name = "France", file = "mine.geojson", select = "France"}]\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert [region.name for region in Study.from_toml(path).regions] == ["global", "MED", "France"]
    assert Study.from_toml(path).regions[2].source == "mine.geojson, France"


@pytest.mark.parametrize(("region", "said"), [
    ("AR6:MEDD", "unknown AR6 region 'MEDD', did you mean 'MED'"),
    ("MED", "unknown region 'MED', did you mean 'AR6:MED'"),
    ("nonsense", "unknown region 'nonsense', known: arctic, global,.* AR6:MED and so on, AR6:land, AR6:ocean, AR6:all"),
    ({"name": "x", "ar6": "MEDD"}, "region 'x': unknown AR6 region 'MEDD', did you mean 'MED'"),
    ({"name": "x", "ar6": "land"}, "region 'x': 'land' is many regions.* write 'AR6:land' by itself"),
    ({"name": "x", "file": "gone.geojson"}, "region 'x': outlines gone.geojson: not found"),
    ({"name": "x", "file": "PLACES", "select": "Frence"}, "nothing is called 'Frence', did you mean 'France'"),
    ({"name": "x", "file": "PLACES", "select": []}, "region 'x': .*select is empty"),
    ({"name": "x", "select": "France"}, "region 'x': select needs a file"),
    ({"name": "x", "file": "PLACES", "selects": "France"}, "unknown key 'regions.0.selects', did you mean 'select'"),
    ({"name": "x", "file": "PLACES", "ar6": "MED"}, "one of a box .lat, lon., ar6, file or polygons, got ar6 and f"),
    ({"name": "x", "file": "PLACES", "lat": [0, 10]}, "expected one of .* got file and lat"),
    ({"name": "x", "polygons": TRIANGLE, "lon": 5}, "expected one of .* got polygons and lon"),
    ({"name": "x", "polygons": 3}, "region 'x': polygons must be those of a GeoJSON MultiPolygon"),
    ({"name": "x", "polygons": TRIANGLE[0]}, "region 'x': polygons must be those of a GeoJSON MultiPolygon"),
    ({"name": "x", "polygons": [[[[0, 0], [1, 1]]]]}, "region 'x': a ring needs three different points"),
    ({"name": "x", "polygons": [[[[0, 0], [1, 95], [3, 3]]]]}, r"region 'x': point \[1.0, 95.0\] is no longitude"),
    ({"file": "PLACES"}, "regions.0.name: Field required"),
])  # fmt: skip
def test_a_bad_region_gives_one_line_that_names_it(places, ar6, region, said):
    if isinstance(region, dict) and region.get("file") == "PLACES":
        region = region | {"file": str(places)}
    with pytest.raises(BadStudy, match=said) as refused:
        asked(region)
    assert "\n" not in str(refused.value)
    assert "at least 1 item" not in str(refused.value)


def test_all_bad_regions_are_listed_at_once(ar6):
    with pytest.raises(BadStudy, match=r"'MEDD'.*'artic'"):
        asked("AR6:MEDD", "global", "artic")
    with pytest.raises(BadStudy, match=r"'gone.shp'|gone.shp.*no.json"):
        asked({"name": "x", "file": "gone.shp"}, {"name": "y", "file": "no.json"})


def grid_and_land():
    from synthetic import regular

    from spread.grids import make_grid

    grid = make_grid(*regular(36, 72))
    return grid, np.random.default_rng(3).random(grid.shape)


def test_weights_of_a_polygon_add_up_to_one_and_follow_its_surface(ar6):
    grid, land = grid_and_land()
    regions = asked("AR6:MED", {"name": "sea", "ar6": "MED", "surface": "ocean"}, {"name": "t", "polygons": TRIANGLE},
                    {"name": "box", "lat": [30, 45], "lon": [-10, 40]})  # fmt: skip
    all_, sea, triangle, box = region_weights(grid, regions, grid.area(), land)
    np.testing.assert_allclose(all_, box, rtol=0, atol=1e-12)
    expected = grid.area() * share_in_polygons(grid, regions[0].polygons) * (1 - land)
    np.testing.assert_allclose(sea, expected / expected.sum(), rtol=1e-12)
    np.testing.assert_allclose([all_.sum(), sea.sum(), triangle.sum()], 1.0, rtol=1e-12)


def test_two_polygons_of_one_name_are_two_operators():
    grid, land = grid_and_land()
    made = [operator(grid, asked({"name": "t", "polygons": [[[[0, 0], [40, 0], [20, top]]]]}), grid.area(), land)
            for top in (30, 31, 30)]  # fmt: skip
    assert made[0].digest != made[1].digest
    assert made[0] is made[2]


def test_a_polygon_without_a_cell_is_named():
    from synthetic import regular

    from spread.grids import make_grid

    lat, lon = regular(12, 16)[:2]
    part = make_grid(lat[:3], lon)
    regions = asked({"name": "t", "polygons": TRIANGLE}, {"name": "u", "polygons": TRIANGLE, "surface": "land"})
    with pytest.raises(ValueError, match=r"region 't' holds no cell of this grid; region 'u' holds no land cell"):
        region_weights(part, regions, part.area(), np.ones(part.shape))


def test_page_and_figures_name_polygons_without_coordinates(ar6, places):
    report = make(regions=["AR6:MED", {"name": "MED_sea", "ar6": "MED", "surface": "ocean"}, "arctic",
                           {"name": "France", "file": str(places), "select": "France", "surface": "land"},
                           {"name": "t", "polygons": TRIANGLE}])  # fmt: skip
    assert page.settings(report)["Regions"] == (
        "MED (AR6 reference region MED, Mediterranean); MED sea (AR6 reference region MED, Mediterranean, ocean only); "
        "arctic (66.5°N to 90°N); France (places.geojson, France; 45°N to 50°N, 0° to 8°E, land only); "
        "t (polygons of the study; 0° to 30°N, 0° to 40°E)"
    )
    assert "Mediterranean (MED), annual" in figures.title(report, "MED", "annual")
    assert ": MED sea, annual" in figures.title(report, "MED_sea", "annual")
    assert page.spread_rows(report)[0]["region"] == "Mediterranean (MED)"
    assert "(Mediterranean (MED), annual mean)" in page.headline(report) or "Mediterranean (MED)" in page.headline(
        report
    )


def test_only_the_globe_itself_stands_beside_its_assessed_range():
    from spread.ensemble.assessed import assessed_ranges

    assert assessed_ranges(Study.make())
    assert not assessed_ranges(Study.make(regions=[{"name": "global", "lat": [0, 10]}]))
    assert REGIONS["global"] == Region(name="global")
