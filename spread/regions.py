"""Regions of a study: boxes, polygons of a file, AR6 reference regions, and the few that have a name of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spread.errors import did_you_mean
from spread.outlines import (
    AR6_REGIONS,
    Polygons,
    ar6_outline,
    ar6_region_names,
    is_sound,
    read_features,
    selected,
    united,
)

READ_FROM = ("ar6", "file", "select")
"""Keys of a region in a study that say where its polygons are read; a parsed region has the polygons instead."""

AR6_SOURCE = "AR6 reference region"
"""How the source of an AR6 region begins."""

_AR6 = "AR6:"


class Region(BaseModel):
    """A part of the globe over which a field is averaged: a box of latitude and longitude, or polygons.

    Parameters
    ----------
    name : str
        What tables and figures call it; an AR6 region is called by its acronym where there is no name.
    lat : tuple of float
        Southern and northern edge [degrees_north].
    lon : tuple of float
        Western and eastern edge [degrees_east]; a western edge east of the eastern one crosses the meridian 0.
    surface : str
        ``all``, or only the ``land`` or ``ocean`` share of each cell.
    polygons : tuple
        As the coordinates of a GeoJSON MultiPolygon: of each polygon the outer ring, then its holes, of points
        (longitude, latitude) [degrees]. Sides are straight in longitude and latitude; one of more than 180 degrees of
        longitude is taken the shorter way, across the date line. A ring that goes round a pole holds it.
    long_name : str
        What figures call it beside its name.
    source : str
        Where the polygons come from, for the reader of a report.
    ar6 : str
        Only when it is made: acronym of an AR6 reference region, whose polygons are read from the file that
        ``SPREAD_AR6_REGIONS`` names, or from regionmask.
    file : str
        Only when it is made: a GeoJSON file or a shapefile, all of whose polygons are taken together.
    select : str, number, list or table
        Only when it is made: which features of the file, by a value that one property has, several values, or
        ``{property = value}``.

    Notes
    -----
    A region carries its polygons: read once, equal to itself wherever it is written and read back, without the file.
    How much of a cell is inside: :func:`spread.grids.share_in_polygons`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    name: str = Field(pattern=r"^[\w.+ -]+$")
    lat: tuple[float, float] = (-90.0, 90.0)
    lon: tuple[float, float] = (0.0, 360.0)
    surface: Literal["all", "land", "ocean"] = "all"
    polygons: Polygons = Field(default=(), repr=False)
    long_name: str = ""
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = dict(value)
        who = f"region {given.get('name', given.get('ar6', '?'))!r}"
        shapes = [key for key in ("ar6", "file", "polygons") if given.get(key)]
        if len(shapes) > 1 or (shapes and {"lat", "lon"} & set(given) and not _is_whole(given)):
            said = " and ".join([*shapes, *sorted({"lat", "lon"} & set(given))])
            raise ValueError(f"{who}: expected one of a box (lat, lon), ar6, file or polygons, got {said}")
        if "select" in given and "file" not in given:
            raise ValueError(f"{who}: select needs a file to select from")
        try:
            if "ar6" in given:
                return _of_ar6(given)
            if "file" in given:
                return _of_file(given)
            return _of_study(given) if given.get("polygons") else given
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from None

    @model_validator(mode="after")
    def _edges(self) -> Self:
        if not -90.0 <= self.lat[0] < self.lat[1] <= 90.0:
            raise ValueError(f"region {self.name!r}: lat must rise within -90..90, got {list(self.lat)}")
        if not all(-360.0 <= edge <= 360.0 for edge in self.lon) or self.lon[0] == self.lon[1]:
            got = list(self.lon)
            raise ValueError(f"region {self.name!r}: lon must be two different edges in -360..360, got {got}")
        return self

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Southern, northern [degrees_north], western and eastern edge [degrees_east] of a box round it.

        The narrowest one, which crosses the date line where that is shorter: there the western edge is the greater.
        """
        if not self.polygons:
            return (*self.lat, *self.lon)
        points = [point for polygon in self.polygons for ring in polygon for point in ring]
        spans = sorted((min(lon for lon, _ in rings[0]), max(lon for lon, _ in rings[0])) for rings in self.polygons)
        west, east = spans[0][0], max(end for _, end in spans)
        widest, reached = west + 360.0 - east, spans[0][1]
        for start, end in spans[1:]:
            if start - reached > widest:
                widest, west, east = start - reached, start, reached
            reached = max(reached, end)
        lats = [lat for _, lat in points]
        return min(lats), max(lats), west, east


REGIONS = {
    "global": Region(name="global"),
    "northern_hemisphere": Region(name="northern_hemisphere", lat=(0.0, 90.0)),
    "southern_hemisphere": Region(name="southern_hemisphere", lat=(-90.0, 0.0)),
    "land": Region(name="land", surface="land"),
    "ocean": Region(name="ocean", surface="ocean"),
    "tropics": Region(name="tropics", lat=(-30.0, 30.0)),
    "arctic": Region(name="arctic", lat=(66.5, 90.0)),
}
"""Regions that can be asked for by name."""


def regions_asked(value: Any) -> list[Any]:
    """Make of what a study says of its regions one entry for each.

    Parameters
    ----------
    value : str, mapping, Region or a sequence of them
        Names of :data:`REGIONS`; ``AR6:MED`` and so on, or all AR6 regions of a kind, ``AR6:all``, ``AR6:land``,
        ``AR6:ocean``; the fields of a region.

    Returns
    -------
    list
        Regions, and mappings that are yet to become one. A region that two kinds of AR6 regions have is there once.

    Raises
    ------
    ValueError
        With every name that is not known and every region whose polygons are not here.
    """
    found: list[Any] = []
    breaches: list[str] = []
    for item in [value] if isinstance(value, str | Mapping | Region) else value:
        try:
            found += _named(item, found) if isinstance(item, str) else [item]
        except ValueError as error:
            breaches.append(str(error))
    if breaches:
        raise ValueError("; ".join(dict.fromkeys(breaches)))
    return found


def _named(name: str, before: list[Any]) -> list[Region]:
    if name in REGIONS:
        return [REGIONS[name]]
    if name.upper().startswith(_AR6):
        asked = name[len(_AR6) :].strip()
        acronyms = ar6_region_names(asked)
        made = [Region.model_validate(_of_ar6({"ar6": acronym})) for acronym in acronyms]
        return made if asked.upper() in AR6_REGIONS else [region for region in made if region not in before]
    known = [*REGIONS, *(_AR6 + acronym for acronym in AR6_REGIONS)]
    hint = f"did you mean '{_AR6}{name}'?" if name in AR6_REGIONS else did_you_mean(name, known)
    if not hint.startswith("did"):
        hint = did_you_mean(name, list(REGIONS)) + ", AR6:MED and so on, AR6:land, AR6:ocean, AR6:all"
    raise ValueError(f"unknown region {name!r}, {hint}")


def _of_ar6(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of an AR6 region, whatever its surface and name."""
    asked = str(given.pop("ar6"))
    acronyms = ar6_region_names(asked.upper().removeprefix(_AR6))
    if len(acronyms) != 1:
        raise ValueError(
            f"{asked!r} is many regions, which cannot have one name; write 'AR6:{asked.lower()}' by itself"
        )
    (acronym,) = acronyms
    long_name = AR6_REGIONS[acronym][0]
    facts = {"name": acronym, "long_name": long_name, "source": f"{AR6_SOURCE} {acronym}, {long_name}"}
    if given.get("name", acronym) != acronym:
        facts["long_name"] = ""
    return facts | given | {"polygons": ar6_outline(acronym)}


def _of_study(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a region whose polygons a study has; those of a report stay as they are, to the last bit."""
    try:
        polygons = tuple(
            tuple(tuple((float(lon), float(lat)) for lon, lat, *_ in ring) for ring in polygon)
            for polygon in given["polygons"]
        )
    except (TypeError, ValueError):
        raise ValueError("polygons must be those of a GeoJSON MultiPolygon, [[[[lon, lat], ...]]]") from None
    return (
        {"source": "polygons of the study"} | given | {"polygons": polygons if is_sound(polygons) else united(polygons)}
    )


def _of_file(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a region whose polygons are those of a file."""
    file, select = Path(given.pop("file")), given.pop("select", None)
    features = selected(read_features(file), select, str(file))
    polygons = united(polygon for feature in features for polygon in feature.polygons)
    # not the folder: two who read the same file ask the same
    source = file.name if select is None else f"{file.name}, {_words(select)}"
    return {"source": source} | given | {"polygons": polygons}


def _words(select: Any) -> str:
    if isinstance(select, Mapping):
        return ", ".join(f"{key} {_words(value)}" for key, value in select.items())
    return select if isinstance(select, str) else json.dumps(select, ensure_ascii=False).strip("[]").replace('"', "")


def _is_whole(given: Mapping[str, Any]) -> bool:
    """Tell whether a box is the whole globe, as it is written out beside polygons."""
    edges = {"lat": [-90.0, 90.0], "lon": [0.0, 360.0]}
    return all(key not in given or (given[key] in (tuple(whole), whole)) for key, whole in edges.items())
