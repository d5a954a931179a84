"""The reference regions of the sixth assessment report of IPCC working group I, by acronym.

Source: Iturbide et al. (2020), Earth Syst. Sci. Data 12, doi:10.5194/essd-12-2959-2020, version 4: 46 land regions and
15 of the ocean, of which 3 (CAR, MED, SEA) are both. Names and kinds are facts of that paper; the polygons (CC BY 4.0)
are not shipped: they are read from a file or from regionmask.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from spread.errors import did_you_mean
from spread.outlines.files import Feature, coordinates, read_features
from spread.outlines.rings import Polygons, united

FILE_VARIABLE = "SPREAD_AR6_REGIONS"
"""Environment variable with the file of the AR6 regions, for example ``IPCC-WGI-reference-regions-v4.zip``."""

_LAND = """
GIC Greenland/Iceland; NWN N.W. North America; NEN N.E. North America; WNA W. North America; CNA C. North America;
ENA E. North America; NCA N. Central America; SCA S. Central America; NWS N.W. South America; NSA N. South America;
NES N.E. South America; SAM South American Monsoon; SWS S.W. South America; SES S.E. South America;
SSA S. South America; NEU N. Europe; WCE West & Central Europe; EEU E. Europe; SAH Sahara; WAF Western Africa;
CAF Central Africa; NEAF N. Eastern Africa; SEAF S. Eastern Africa; WSAF W. Southern Africa; ESAF E. Southern Africa;
MDG Madagascar; RAR Russian Arctic; WSB W. Siberia; ESB E. Siberia; RFE Russian Far East; WCA W.C. Asia; ECA E.C. Asia;
TIB Tibetan Plateau; EAS E. Asia; ARP Arabian Peninsula; SAS S. Asia; NAU N. Australia; CAU C. Australia;
EAU E. Australia; SAU S. Australia; NZ New Zealand; EAN E. Antarctica; WAN W. Antarctica
"""
_BOTH = "CAR Caribbean; MED Mediterranean; SEA S.E. Asia"
_OCEAN = """
ARO Arctic Ocean; NPO N. Pacific Ocean; EPO Equatorial Pacific Ocean; SPO S. Pacific Ocean; NAO N. Atlantic Ocean;
EAO Equatorial Atlantic Ocean; SAO S. Atlantic Ocean; ARS Arabian Sea; BOB Bay of Bengal;
EIO Equatorial Indic Ocean; SIO S. Indic Ocean; SOO Southern Ocean
"""

AR6_REGIONS: dict[str, tuple[str, str]] = {
    acronym: (name, kind)
    for kind, listed in (("land", _LAND), ("land-ocean", _BOTH), ("ocean", _OCEAN))
    for acronym, name in (" ".join(item.split()).split(" ", 1) for item in listed.split(";"))
}
"""Name and kind (``land``, ``ocean``, ``land-ocean``) of the 58 regions, by acronym."""


def ar6_region_names(asked: str) -> list[str]:
    """Acronyms behind a word of a study.

    Parameters
    ----------
    asked : str
        An acronym in any case, or ``all``, ``land``, ``ocean``: every region of that kind (the three that are land and
        ocean are of both).

    Returns
    -------
    list of str
        Acronyms.

    Raises
    ------
    ValueError
        If there is no such region.
    """
    if asked.lower() in ("all", "land", "ocean"):
        return [name for name, (_, kind) in AR6_REGIONS.items() if asked.lower() in ("all", *kind.split("-"))]
    if asked.upper() not in AR6_REGIONS:
        by_name = {name.lower(): acronym for acronym, (name, _) in AR6_REGIONS.items()}
        near = by_name.get(asked.strip().lower())
        hint = f"did you mean {near!r}?" if near else did_you_mean(asked.upper(), list(AR6_REGIONS))
        raise ValueError(f"unknown AR6 region {asked!r}, {hint}")
    return [asked.upper()]


def ar6_outline(acronym: str) -> Polygons:
    """The polygons of a region.

    Parameters
    ----------
    acronym : str
        One of :data:`AR6_REGIONS`.

    Returns
    -------
    tuple
        As :func:`spread.outlines.united` makes them.

    Raises
    ------
    ValueError
        If neither the file nor regionmask has them.
    """
    file = os.environ.get(FILE_VARIABLE)
    if not file:
        return united(_by_regionmask()[acronym])
    path = Path(file)
    moment = path.stat().st_mtime_ns if path.is_file() else 0
    outlines = _of_file(file, moment)
    if acronym not in outlines:
        raise ValueError(f"{FILE_VARIABLE} = {file}: no region whose 'Acronym' is {acronym!r}; is it version 4?")
    return united(outlines[acronym])


@lru_cache(maxsize=2)
def _of_file(file: str, moment: int) -> dict[str, list[Any]]:
    """Polygons by acronym, of a file as it was at a moment."""
    try:
        features: list[Feature] = read_features(file)
    except ValueError as error:
        raise ValueError(f"{FILE_VARIABLE}: {error}") from None
    return {str(feature.properties.get("Acronym")): feature.polygons for feature in features}


@lru_cache(maxsize=1)
def _by_regionmask() -> dict[str, list[Any]]:
    both = (
        f"set {FILE_VARIABLE} to IPCC-WGI-reference-regions-v4.zip or .geojson (github.com/IPCC-WG1/Atlas), or install "
        "regionmask (`pip install 'cmip-spread[regions]'`), which downloads it once"
    )
    try:
        import regionmask
    except ImportError:
        raise ValueError(f"AR6 regions: no polygons here; {both}") from None
    try:
        regions = regionmask.defined_regions.ar6.all
        return {abbrev: coordinates(regions[abbrev].polygon) for abbrev in regions.abbrevs}
    except Exception as error:
        # pooch, requests and urllib raise each their own
        raise ValueError(f"AR6 regions: regionmask has none ({type(error).__name__}: no download?); {both}") from None
