"""Reads outlines from files: GeoJSON with the standard library, shapefiles and GeoPackages with pyogrio."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spread.errors import did_you_mean

_GEOJSON = (".geojson", ".json")

# geographic reference systems in degrees from Greenwich, within 2 m of each other: WGS 84, CRS84, NAD83, ETRS89
_DEGREES = ("EPSG:4326", "OGC:CRS84", "EPSG:4269", "EPSG:4258")


@dataclass(frozen=True)
class Feature:
    """One thing in a file of outlines.

    Parameters
    ----------
    properties : dict
        What the file says of it, for example its name.
    polygons : list
        As the coordinates of a GeoJSON MultiPolygon [degrees].
    """

    properties: dict[str, Any]
    polygons: list[Any]


def read_features(path: str | Path) -> list[Feature]:
    """Read the polygons of a file.

    Parameters
    ----------
    path : str or Path
        GeoJSON (``.geojson``, ``.json``), or what pyogrio reads: a shapefile (``.shp``, zipped or not), a GeoPackage.

    Returns
    -------
    list of Feature
        Those that have polygons, in the file's order.

    Raises
    ------
    ValueError
        If there is no such file, it cannot be read, holds no polygon, or is not in degrees; or pyogrio is needed and
        not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"outlines {path}: not found; expected a GeoJSON file or a shapefile")
    found = _geojson(path) if path.suffix.lower() in _GEOJSON else _by_pyogrio(path)
    if not found:
        raise ValueError(f"outlines {path}: no polygon in the file; lines and points surround no area")
    return found


def selected(features: Sequence[Feature], select: Any, who: str) -> list[Feature]:
    """Choose features by what a file says of them.

    Parameters
    ----------
    features : sequence of Feature
        Those of a file.
    select : None, str, number, sequence or mapping
        A value or several that one property has, whichever it is; ``{property = value}`` says which; None takes all.
    who : str
        Whose they are, for messages.

    Returns
    -------
    list of Feature
        At least one.

    Raises
    ------
    ValueError
        If a value is not there, or several properties have it, in different features.
    """
    if select is None:
        return list(features)
    if isinstance(select, Mapping):
        if len(select) != 1:
            raise ValueError(f"{who}: select must name one property, such as {{name = 'France'}}, got {dict(select)}")
        ((column, wanted),) = select.items()
        columns = list(dict.fromkeys(key for feature in features for key in feature.properties))
        if column not in columns:
            raise ValueError(f"{who}: no property {column!r}, {did_you_mean(str(column), columns)}")
        columns = [column]
    else:
        wanted, columns = select, list(dict.fromkeys(key for feature in features for key in feature.properties))
    values = [wanted] if isinstance(wanted, str | int | float) else list(wanted)
    if not values:
        raise ValueError(f"{who}: select is empty; leave it out to take the whole file")
    chosen = [index for value in values for index in _having(features, columns, value, who)]
    return [features[index] for index in sorted(set(chosen))]


def _having(features: Sequence[Feature], columns: Sequence[str], value: Any, who: str) -> list[int]:
    """Where a property has a value."""
    by_column = {
        column: [at for at, feature in enumerate(features) if _same(feature.properties.get(column), value)]
        for column in columns
    }
    found = {column: where for column, where in by_column.items() if where}
    if not found:
        known = {v for f in features for c, v in f.properties.items() if c in columns and isinstance(v, str)}
        raise ValueError(f"{who}: nothing is called {value!r}, {did_you_mean(str(value), sorted(known))}")
    if len({tuple(where) for where in found.values()}) > 1:
        said = ", ".join(f"{len(where)} by {column!r}" for column, where in found.items())
        first = next(iter(found))
        raise ValueError(
            f"{who}: {value!r} is not clear, {said}; say which, such as select = {{{first} = {json.dumps(value)}}}"
        )
    return next(iter(found.values()))


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.strip() == wanted.strip()
    return bool(type(found) is not bool and found == wanted)


def _geojson(path: Path) -> list[Feature]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"outlines {path}: not readable as GeoJSON: {error}") from None
    kind = whole.get("type") if isinstance(whole, dict) else None
    items = {
        "FeatureCollection": lambda: whole["features"],
        "Feature": lambda: [whole],
        "Polygon": lambda: [{"geometry": whole}],
        "MultiPolygon": lambda: [{"geometry": whole}],
        "GeometryCollection": lambda: [{"geometry": whole}],
    }.get(str(kind))
    if items is None:
        raise ValueError(f"outlines {path}: expected a GeoJSON FeatureCollection, Feature or Polygon, got {kind!r}")
    try:
        _check_reference(path, str(((whole.get("crs") or {}).get("properties") or {}).get("name", "OGC:CRS84")))
        found = [Feature(dict(item.get("properties") or {}), _polygons(item.get("geometry"))) for item in items()]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"outlines {path}: not sound GeoJSON ({type(error).__name__}: {error})") from None
    return [feature for feature in found if feature.polygons]


def _polygons(geometry: Any) -> list[Any]:
    if geometry is None:
        return []
    if geometry["type"] == "GeometryCollection":
        return [polygon for part in geometry["geometries"] for polygon in _polygons(part)]
    coordinates = geometry.get("coordinates") or []
    return {"Polygon": [coordinates] if coordinates else [], "MultiPolygon": list(coordinates)}.get(
        geometry["type"], []
    )


def _check_reference(path: Path, name: str) -> None:
    """Refuse coordinates that are no longitudes and latitudes; GeoJSON of 2008 has ``urn:ogc:def:crs:EPSG::4326``."""
    short = name.removeprefix("urn:ogc:def:crs:").replace("1.3:", "").replace("::", ":")
    if short not in _DEGREES and not name.startswith(("GEOGCS", "GEOGCRS")):
        raise ValueError(
            f"outlines {path}: coordinates are in {name[:60]}, expected longitude and latitude; reproject them first, "
            "for example `ogr2ogr -t_srs EPSG:4326 out.geojson IN`"
        )


def _by_pyogrio(path: Path) -> list[Feature]:
    try:
        import pyogrio.raw
    except ImportError:
        raise ValueError(
            f"outlines {path}: reading it needs pyogrio; `pip install 'cmip-spread[regions]'`, or convert it to GeoJSON"
        ) from None
    import shapely

    try:
        layers = pyogrio.list_layers(path)
        if len(layers) != 1:
            got = ", ".join(str(name) for name, _ in layers)
            raise ValueError(f"outlines {path}: expected one layer, got {len(layers)} ({got})")
        meta, _, shapes, columns = pyogrio.raw.read(path)
    except pyogrio.errors.DataSourceError as error:
        raise ValueError(f"outlines {path}: cannot be read: {error}") from None
    if meta["crs"] is not None:
        _check_reference(path, str(meta["crs"]))
    names = [str(name) for name in meta["fields"]]
    found = []
    for row, shape in enumerate(shapely.from_wkb(shapes) if shapes is not None else []):
        properties = {name: _plain(column[row]) for name, column in zip(names, columns, strict=True)}
        found.append(Feature(properties, [] if shape is None else coordinates(shape)))
    return [feature for feature in found if feature.polygons]


def coordinates(shape: Any) -> list[Any]:
    """Coordinates of a shapely geometry as those of a GeoJSON MultiPolygon; empty where it is none."""
    import shapely

    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return [[list(ring.coords) for ring in (part.exterior, *part.interiors)] for part in parts]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
