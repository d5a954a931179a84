"""AR6 regions, countries and the IPCC Atlas: the polygons of the world on the grids of models."""

import importlib.util
import itertools
import json

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
import zarr
from synthetic import records, write_collection
from test_polygons import area_inside, clipped, of_edges

from spread import flow
from spread.grids import EARTH_RADIUS, make_grid, share_in_polygons
from spread.outlines import AR6_REGIONS, ar6_outline, is_sound, read_features, united
from spread.report import Report
from spread.study import Study

CESM = make_grid(np.linspace(-90, 90, 192), np.arange(288) * 1.25)


@pytest.fixture
def ar6(shared_data, monkeypatch):
    """The outlines of the 58 regions, as published."""
    pytest.importorskip("pyogrio")
    monkeypatch.setenv("SPREAD_AR6_REGIONS", str(shared_data / "map_outlines" / "IPCC-WGI-reference-regions-v4.zip"))
    return {acronym: ar6_outline(acronym) for acronym in AR6_REGIONS}


def shape_of(polygons):
    return shapely.multipolygons([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])


def polygons_of(shape):
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 1e-9]
    return united([[list(part.exterior.coords), *(list(r.coords) for r in part.interiors)] for part in parts])


def test_outlines_are_those_of_the_file_with_few_points(ar6, shared_data):
    file = shared_data / "map_outlines" / "IPCC-WGI-reference-regions-v4.zip"
    for feature in read_features(file):
        made, published = shape_of(ar6[feature.properties["Acronym"]]), shape_of(feature.polygons)
        assert shapely.symmetric_difference(made, published).area < 1e-7
    assert sum(len(ring) for outline in ar6.values() for rings in outline for ring in rings) < 450
    assert ar6["MED"] == ((((-10, 30), (-10, 45), (40, 45), (40, 30), (-10, 30)),),)


def test_ar6_regions_cover_the_earth_once_but_where_their_corners_miss_each_other(ar6):
    """Version 4 has sides that pass beside a neighbour's corner: 9 pairs overlap, and 3 triangles are nobody's."""
    shapes = {acronym: shape_of(outline) for acronym, outline in ar6.items()}
    twice = [shapely.intersection(one, two) for one, two in itertools.combinations(shapes.values(), 2)]
    twice = [polygons_of(shape) for shape in twice if shape.area > 1e-6]
    nowhere = shapely.difference(shapely.box(-180, -90, 180, 90), shapely.union_all(list(shapes.values())))
    gaps = polygons_of(nowhere)
    assert (len(twice), len(gaps)) == (9, 3)
    total = sum(share_in_polygons(CESM, outline) for outline in ar6.values())
    expected = 1.0 + sum(share_in_polygons(CESM, shape) for shape in twice) - share_in_polygons(CESM, gaps)
    np.testing.assert_allclose(total, expected, rtol=0, atol=1e-9)
    assert np.abs(total - 1.0).max() > 0.1, "the file is not the partition it is said to be"
    assert ((np.abs(total - 1.0) > 1e-9).sum(), total.size) == (251, 55296)
    assert (CESM.area() * total).sum() / CESM.area().sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.slow
def test_shares_in_ar6_regions_are_those_of_cutting_each_cell(ar6):
    grid = of_edges(np.linspace(-90, 90, 37), np.linspace(0, 360, 61))
    for acronym, outline in ar6.items():
        np.testing.assert_allclose(
            share_in_polygons(grid, outline), clipped(grid, outline), rtol=0, atol=2e-7, err_msg=acronym
        )


@pytest.mark.parametrize(
    ("country", "million_km2"), [("Brazil", 8.51), ("Australia", 7.7), ("Russia", 17.1), ("Fiji", 0.018)]
)
def test_countries_have_their_areas(shared_data, country, million_km2):
    """At 1:110 million, on a sphere; Russia and Fiji cross the date line. Areas: CIA World Factbook."""
    pytest.importorskip("pyogrio")
    file = shared_data / "map_outlines" / "naturalearth_lowres.shp"
    (region,) = Study.make(regions=[{"name": country, "file": str(file), "select": {"name": country}}]).regions
    area = area_inside(CESM, region.polygons) * (EARTH_RADIUS / 1e3) ** 2 / 1e6
    assert area == pytest.approx(million_km2, rel=0.1)


def test_the_land_of_all_countries_is_that_of_the_earth(shared_data):
    pytest.importorskip("pyogrio")
    file = shared_data / "map_outlines" / "naturalearth_lowres.shp"
    features = read_features(file)
    assert all(is_sound(united(feature.polygons)) for feature in features)
    everything = united(p for feature in features for p in feature.polygons)
    assert area_inside(CESM, everything) / (4 * np.pi) == pytest.approx(0.29, abs=0.005)


def test_a_study_over_a_polygon_from_catalog_to_report(small_archive, tmp_path):
    """The series over a polygon, for each model, by shapely, zarr and NumPy; again from the report without the file."""
    ring = [[-10, 30], [40, 30], [60, 52], [18, 48], [-10, 62], [-10, 30]]
    file = tmp_path / "mine.geojson"
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    study = Study.make(catalog=str(small_archive), experiments=["ssp585"], incomplete_periods="allow",
                       regions=[{"name": "mine", "file": str(file)}, "global"])  # fmt: skip
    report = flow.run(study)
    file.unlink()
    compared = 0
    for run in report.member_records():
        group = zarr.open_group(run["zstore"].removeprefix("file://"), mode="r")
        lat, lon = group["lat_bnds"][...], group["lon_bnds"][...]
        grid = make_grid(group["lat"][...], group["lon"][...], lat, lon)
        weights = clipped(grid, [[ring]]) * grid.area()
        expected = (group["tas"][...].astype(float) * weights).sum((1, 2)) / weights.sum()
        at = {"source_id": run["source_id"], "experiment_id": run["experiment_id"], "region": "mine"}
        ours = report.members["tas"].sel(at).max("member_id").dropna("time").values
        np.testing.assert_allclose(ours[-600:], expected[-600:], rtol=0, atol=1e-5)
        compared += 1
    assert compared == 10
    again = Report.load(report.save(tmp_path / "report"))
    assert again.study == study
    assert flow.run(again.study).summary() == report.summary()


@pytest.fixture(scope="module")
def painted(shared_data, tmp_path_factory):
    """One model's real regional temperatures on the half-degree map of regions, and the Atlas' own series."""
    tool_file = shared_data.parent / "tools" / "make_atlas_archive.py"
    if not tool_file.is_file():
        pytest.skip(f"the tool that makes the Atlas archive is not here ({tool_file})")
    spec = importlib.util.spec_from_file_location("make_atlas_archive", tool_file)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    whole = tool.region_fractions

    def filled(*arguments):
        """26 half-degree cells are in no region: they get that of the cell west of them."""
        fractions = whole(*arguments)
        while (empty := fractions.sum(-1) == 0.0).any():
            fractions[empty] = np.roll(fractions, 1, axis=1)[empty]
        return fractions

    tool.region_fractions = filled
    root, rows, series = tmp_path_factory.mktemp("painted"), [], {}
    for experiment, years in (("historical", ("2005", "2014")), ("ssp585", ("2091", "2100"))):
        ds = xr.open_dataset(shared_data / "atlas_cmip6_tas" / f"cmip6_ar6regions_monthly_{experiment}.nc")
        ds = ds.isel(run=list(ds["source_id"].values).index("CanESM5")).sel(time=slice(*years)).load()
        tool.GRIDS["CanESM5"] = (360, 720)
        tas, months = ds["tas"].transpose("time", "region"), pd.DatetimeIndex(ds["time"].values).to_period("M")
        member = str(ds["member_id"].values)
        store = root / experiment
        names = [str(name) for name in ds["region"].values if name != "world"]
        tool.write_store(store, "CanESM5", experiment, member, tas.sel(region=names).values, months, 1)
        rows.append({"source_id": "CanESM5", "experiment_id": experiment, "member_id": member, "zstore": f"{store}/",
                     "activity_id": "CMIP" if experiment == "historical" else "ScenarioMIP"})  # fmt: skip
        series[experiment] = tas.sel(region=names) + 273.15
    return rows, root, series


@pytest.mark.slow
def test_means_over_ar6_regions_are_those_of_the_atlas(painted, ar6):
    """To 0.4 K for a month and 0.06 K for a change of ten years, which is what the painted map allows.

    It has the region of each half-degree cell's centre, so that 1 to 3 % of a region (NEAF the most) are painted as its
    neighbours, from which it differs by some 10 K in a month and 2 K in a change.
    """
    rows, root, series = painted
    study = Study.make(
        catalog=write_collection(root, records(*rows)), experiments=["ssp585"],
        base_period=[2005, 2014], periods=[[2091, 2100]], regions=["AR6:all"], incomplete_periods="allow",
    )  # fmt: skip
    report = flow.run(study)
    for experiment, expected in series.items():
        ours = report.members["tas"].sel(experiment_id=experiment, region=expected["region"].values)
        ours = ours.squeeze().dropna("time").transpose("time", "region").values
        ours = ours[-expected.sizes["time"] :]
        difference = ours - expected.values
        assert np.abs(difference).max() < 0.4
        assert np.sqrt((difference**2).mean()) < 0.06
    change = report.change["change"].squeeze().sel(region=series["ssp585"]["region"].values)
    days = xr.DataArray([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dims="month", coords={"month": range(1, 13)})
    means = [
        s.groupby("time.month").mean().weighted(days).mean("month") for s in (series["historical"], series["ssp585"])
    ]
    difference = change.values - (means[1] - means[0]).values
    assert np.abs(difference).max() < 0.06
