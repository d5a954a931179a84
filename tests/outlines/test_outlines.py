"""Outlines from files: what is read, what is chosen, and what is said where it cannot be."""

import json
import sys
import types

import numpy as np
import pytest
import shapely

from spread.outlines import (
    AR6_REGIONS,
    ar6,
    ar6_outline,
    ar6_region_names,
    files,
    is_sound,
    read_features,
    selected,
    united,
)

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
FAR = [[20.5, 0], [30, 0], [30, 10], [20.5, 0]]


def feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def written(folder, content, name="places.geojson"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


PLACES = collection(
    feature(polygon(SQUARE), name="Square", group="north", iso="SQ"),
    feature({"type": "MultiPolygon", "coordinates": [[FAR], [[[x, y + 20] for x, y in FAR]]]},
            name="Far", group="north"),
    feature({"type": "Point", "coordinates": [3, 4]}, name="Capital", group="north"),
    feature({"type": "GeometryCollection", "geometries": [polygon(FAR), {"type": "Point", "coordinates": [0, 0]}]},
            name="Mixed", group="Far", size=3),
    feature(None, name="Nowhere"),
)  # fmt: skip


@pytest.mark.parametrize("whole", [
    collection(feature(polygon(SQUARE))), feature(polygon(SQUARE)), polygon(SQUARE),
    {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
    {"type": "GeometryCollection", "geometries": [polygon(SQUARE)]},
    collection(feature(polygon(SQUARE))) | {"crs": {"properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
    collection(feature(polygon(SQUARE))) | {"crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}},
    collection(feature(polygon([[x, y, 55.0] for x, y in SQUARE]))),
])  # fmt: skip
def test_geojson_is_read_however_it_is_wrapped(tmp_path, whole):
    (found,) = read_features(written(tmp_path, whole))
    assert united(found.polygons) == ((((0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0), (0.0, 0.0)),),)


def test_only_what_has_an_area_is_read(tmp_path):
    found = read_features(written(tmp_path, PLACES))
    assert [f.properties["name"] for f in found] == ["Square", "Far", "Mixed"]
    assert [len(f.polygons) for f in found] == [1, 2, 1]


@pytest.mark.parametrize(("content", "said"), [
    ("{", "not readable as GeoJSON"),
    ("[]", "expected a GeoJSON FeatureCollection, Feature or Polygon, got None"),
    ({"type": "Topology"}, "got 'Topology'"),
    ({"type": "FeatureCollection"}, "not sound GeoJSON"),
    ({"type": "FeatureCollection", "features": [3]}, "not sound GeoJSON"),
    (collection(feature({"type": "Point", "coordinates": [3, 4]})), "no polygon in the file"),
    (collection(feature(polygon(SQUARE))) | {"crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}},
     "coordinates are in urn:ogc:def:crs:EPSG::3857, expected longitude and latitude; reproject"),
])  # fmt: skip
def test_what_is_no_outline_is_refused(tmp_path, content, said):
    with pytest.raises(ValueError, match=said):
        read_features(written(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.shp: not found; expected a GeoJSON file or a shapefile"):
        read_features(tmp_path / "nowhere.shp")


@pytest.mark.parametrize(("select", "names"), [
    (None, ["Square", "Far", "Mixed"]),
    ("Square", ["Square"]),
    ("north", ["Square", "Far"]),
    (["Mixed", "Square"], ["Square", "Mixed"]),
    ({"name": "Far"}, ["Far"]),
    ({"group": "Far"}, ["Mixed"]),
    ({"name": ["Far", "Square"]}, ["Square", "Far"]),
    (3, ["Mixed"]),
])  # fmt: skip
def test_features_are_chosen_by_a_value(tmp_path, select, names):
    found = selected(read_features(written(tmp_path, PLACES)), select, "places")
    assert [f.properties["name"] for f in found] == names


@pytest.mark.parametrize(("select", "said"), [
    ("Squares", "places: nothing is called 'Squares', did you mean 'Square'"),
    ("Far", "'Far' is not clear, 1 by 'name', 1 by 'group'; say which, such as select = {name = \"Far\"}"),
    ([], "places: select is empty"),
    ({}, "must name one property"),
    ({"names": "Far"}, "no property 'names', did you mean 'name'"),
    ({"name": "north"}, "nothing is called 'north', known: Far, Mixed, Square"),
])  # fmt: skip
def test_what_cannot_be_chosen_is_said(tmp_path, select, said):
    with pytest.raises(ValueError, match="places") as refused:
        selected(read_features(written(tmp_path, PLACES)), select, "places")
    assert said in str(refused.value)


@pytest.fixture
def shapefile(tmp_path):
    """Two places as a shapefile, written by GDAL."""
    raw = pytest.importorskip("pyogrio.raw")
    shapes = [shapely.Polygon(SQUARE, [[[2, 2], [4, 2], [4, 4], [2, 2]]]), shapely.Polygon(FAR)]
    columns = [np.array(["Square", "Får"], dtype=object), np.array([1, 2])]

    def write(name="places.shp", crs="EPSG:4326"):
        raw.write(tmp_path / name, shapely.to_wkb(shapes), columns, ["name", "number"], geometry_type="Polygon",
                  crs=crs, encoding="UTF-8")  # fmt: skip
        return tmp_path / name

    return write


def test_a_shapefile_gives_the_same_as_geojson(shapefile, tmp_path):
    found = read_features(shapefile())
    assert [f.properties for f in found] == [{"name": "Square", "number": 1}, {"name": "Får", "number": 2}]
    other = polygon(SQUARE, [[2, 2], [4, 2], [4, 4], [2, 2]])
    assert united(found[0].polygons) == united(read_features(written(tmp_path, other))[0].polygons)
    assert selected(found, 2, "places") == [found[1]]


def test_a_zipped_shapefile_is_read(shapefile, tmp_path):
    import zipfile

    path = shapefile()
    with zipfile.ZipFile(tmp_path / "places.zip", "w") as file:
        for part in path.parent.glob("places.*"):
            if part.suffix != ".zip":
                file.write(part, part.name)
    assert read_features(tmp_path / "places.zip") == read_features(path)


def test_projected_outlines_are_refused(shapefile):
    with pytest.raises(ValueError, match="coordinates are in EPSG:3857, expected longitude and latitude; reproject"):
        read_features(shapefile("mercator.shp", "EPSG:3857"))


def test_a_shapefile_that_is_none_is_refused(tmp_path):
    pytest.importorskip("pyogrio")
    with pytest.raises(ValueError, match=r"bad.shp: cannot be read"):
        read_features(written(tmp_path, "nothing", "bad.shp"))


def test_without_pyogrio_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    monkeypatch.setitem(sys.modules, "pyogrio.raw", None)
    with pytest.raises(ValueError, match=r"needs pyogrio; `pip install 'cmip-spread\[regions\]'`, or convert it"):
        read_features(written(tmp_path, "", "x.shp"))


@pytest.mark.parametrize(("ring", "said"), [
    ([], "list of points"),
    ([[0, 0], [1, 1], [0, 0]], "three different points, got"),
    ([[0, 0], [1, 1], [2, 2], [0, 0]], "no area"),
    ([[0, 0], [1, float("nan")], [2, 0]], "not finite"),
    ([[0, 0], [1, 91], [2, 0]], r"\[1.0, 91.0\] is no longitude and latitude in degrees; reproject"),
    ([[500000, 0], [1, 1], [2, 0]], r"500000.* reproject"),
    ([["a", 0], [1, 1], [2, 0]], "list of points"),
    ([0, 1, 2], "list of points"),
    ([(x % 360, 10 + x / 100) for x in range(0, 1081, 60)], "more than once"),
])  # fmt: skip
def test_a_ring_that_is_none_is_refused(ring, said):
    with pytest.raises(ValueError, match=said):
        united([[ring]])


def test_points_on_a_straight_side_are_left_out_and_the_others_are_the_files():
    corners = [(0.1, 0.2), (33.8, 7.6), (20.7, 40.4)]
    dense = [tuple(np.array(a) + (np.array(b) - a) * t) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
             for t in np.arange(40) / 40]  # fmt: skip
    ((ring,),) = united([[dense]])
    assert set(ring) == set(corners)
    assert len(ring) == 4


def test_what_is_united_is_sound_and_stays():
    for ring in (SQUARE, [[170, 0], [-170, 0], [180, 10]], [[0, 70], [120, 75], [-120, 70]]):
        made = united([[ring]])
        assert is_sound(made)
        assert united(made) == made
    assert not is_sound(())
    assert not is_sound(((),))
    assert not is_sound((((0.0, 0.0), (200.0, 0.0), (200.0, 9.0), (0.0, 0.0)),))
    assert not is_sound(((((0.0, 0.0), (60.0, 9.0), (60.0, 0.0), (0.0, 9.0), (0.0, 0.0)),),))


def test_every_acronym_is_known():
    assert len(AR6_REGIONS) == 58
    assert [len(ar6_region_names(kind)) for kind in ("all", "land", "ocean")] == [58, 46, 15]
    assert set(ar6_region_names("land")) & set(ar6_region_names("ocean")) == {"CAR", "MED", "SEA"}
    assert ar6_region_names("med") == ["MED"]


@pytest.mark.parametrize(("asked", "said"), [
    ("MEDD", "unknown AR6 region 'MEDD', did you mean 'MED'"),
    ("mediterranean", "did you mean 'MED'"),
    ("", "unknown AR6 region ''"),
])  # fmt: skip
def test_an_unknown_acronym_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        ar6_region_names(asked)


@pytest.fixture
def no_ar6(monkeypatch):
    monkeypatch.delenv("SPREAD_AR6_REGIONS", raising=False)
    ar6._by_regionmask.cache_clear()
    yield
    ar6._by_regionmask.cache_clear()


def test_ar6_regions_of_a_file(tmp_path, monkeypatch):
    made = written(tmp_path, collection(feature(polygon(SQUARE), Acronym="MED"), feature(polygon(FAR), Acronym="SAH")))
    monkeypatch.setenv("SPREAD_AR6_REGIONS", str(made))
    assert ar6_outline("SAH") == united([[FAR]])
    with pytest.raises(ValueError, match=r"places.geojson: no region whose 'Acronym' is 'CNA'; is it version 4"):
        ar6_outline("CNA")
    monkeypatch.setenv("SPREAD_AR6_REGIONS", str(tmp_path / "gone.zip"))
    with pytest.raises(ValueError, match=r"SPREAD_AR6_REGIONS: outlines .*gone.zip: not found"):
        ar6_outline("MED")


def test_without_either_source_the_error_names_both(no_ar6, monkeypatch):
    monkeypatch.setitem(sys.modules, "regionmask", None)
    with pytest.raises(ValueError, match=r"set SPREAD_AR6_REGIONS to .*, or install regionmask") as refused:
        ar6_outline("MED")
    assert "cmip-spread[regions]" in str(refused.value)


def test_regionmask_that_cannot_download_is_no_crash(no_ar6, monkeypatch):
    class Offline:
        @property
        def all(self):
            raise ConnectionError("no network")

    stub = types.SimpleNamespace(defined_regions=types.SimpleNamespace(ar6=Offline()))
    monkeypatch.setitem(sys.modules, "regionmask", stub)
    with pytest.raises(ValueError, match=r"regionmask has none \(ConnectionError.*set SPREAD_AR6_REGIONS"):
        ar6_outline("MED")


def test_regionmask_gives_the_same_as_its_file(no_ar6, shared_data, tmp_path, monkeypatch):
    regionmask = pytest.importorskip("regionmask")
    import shutil

    source = shared_data / "map_outlines" / "IPCC-WGI-reference-regions-v4.zip"
    frame = pytest.importorskip("geopandas").read_file(source)
    regions = regionmask.from_geopandas(frame, names="Name", abbrevs="Acronym", overlap=False)
    monkeypatch.setattr(type(regionmask.defined_regions.ar6), "all", regions)
    found = {acronym: ar6_outline(acronym) for acronym in AR6_REGIONS}
    monkeypatch.setenv("SPREAD_AR6_REGIONS", str(shutil.copy(source, tmp_path)))
    assert found == {acronym: ar6_outline(acronym) for acronym in AR6_REGIONS}


def test_the_names_are_those_of_the_file(shared_data):
    pytest.importorskip("pyogrio")
    found = read_features(shared_data / "map_outlines" / "IPCC-WGI-reference-regions-v4.zip")
    kinds = {f.properties["Acronym"]: f.properties["Type"].lower() for f in found}
    assert kinds == {acronym: kind for acronym, (_, kind) in AR6_REGIONS.items()}
    letters = {f.properties["Acronym"]: "".join(filter(str.isalpha, f.properties["Name"])) for f in found}
    ours = {acronym: "".join(filter(str.isalpha, name)) for acronym, (name, _) in AR6_REGIONS.items()}
    assert {a: name.lower() for a, name in ours.items()} == {a: name.lower() for a, name in letters.items()}


def test_values_are_plain(shapefile):
    assert all(type(f.properties["number"]) is int for f in read_features(shapefile()))
    assert files.Feature({}, []) == files.Feature({}, [])
