"""One way to weights, whatever makes them: choose the engine, look what is kept, make, normalise, keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spread.errors import did_you_mean
from spread.grids import Grid
from spread.regrid import cdo, esmf, exact, interpolation, kept, spherical
from spread.regrid.weights import METHODS, NORMS, Links, Weights, weights_from

ENGINES = ("exact", "spherical", "xesmf", "cdo")


def make_weights(
    source: Grid,
    target: Grid,
    method: str = "conservative",
    engine: str = "auto",
    norm: str = "fracarea",
    folder: str | Path | None = None,
) -> Weights:
    """Weights that turn fields on one grid into fields on another.

    Parameters
    ----------
    source, target : Grid
        The grids, see :func:`spread.grids.make_grid` and :func:`spread.grids.regular`.
    method : str
        ``conservative`` (first order), ``bilinear`` or ``nearest``.
    engine : str
        ``exact`` (rectilinear grids, between parallels and meridians), ``spherical`` (any grids, great circles),
        ``xesmf`` (ESMF, where installed), ``cdo`` (where installed), or ``auto``: ``exact`` where both grids are
        rectilinear, else ``spherical``. It never depends on what is installed.
    norm : str
        ``fracarea``: a partly covered cell has the mean of what covers it; ``dstarea``: that, times the share covered.
    folder : str or Path, optional
        Folder or URL where weights are kept between processes; in memory they are kept anyway.

    Returns
    -------
    Weights
        Their arrays are shared and read-only.

    Raises
    ------
    ValueError
        If a word is unknown, or the engine cannot take the grids.
    NotFound
        If the engine asked for is not installed.
    """
    wrong = [
        f"{what} {given!r}: {did_you_mean(given, known)}"
        for what, given, known in (
            ("method", method, METHODS), ("engine", engine, ("auto", *ENGINES)), ("norm", norm, NORMS),
        )
        if given not in known
    ]  # fmt: skip
    if wrong:
        raise ValueError("; ".join(wrong))
    if engine == "auto":
        engine = "exact" if source.rectilinear and target.rectilinear else "spherical"
    own = {"exact": exact.VERSION, "spherical": spherical.VERSION}
    # what another's engine makes is kept in memory only: its version is known when it has made it
    folder = folder if engine in own else None
    key = kept.key(source, target, method, engine, norm, own.get(engine, ""))
    found = kept.recall(key, source, target, folder)
    if found is None:
        found = weights_from(_links(source, target, method, engine), source, target, method, engine, norm)
        kept.keep(key, found, folder)
    return found


def _links(source: Grid, target: Grid, method: str, engine: str) -> Links:
    if engine == "cdo":
        return cdo.links(source, target, method)
    if engine == "xesmf":
        return esmf.links(source, target, method)
    if engine == "exact" and not source.rectilinear:
        raise ValueError("engine 'exact' needs a rectilinear source; engine 'spherical' takes any")
    makers: dict[tuple[str, str], Callable[[Grid, Grid], Links]] = {
        ("exact", "conservative"): exact.conservative,
        ("exact", "bilinear"): exact.bilinear,
        ("exact", "nearest"): interpolation.nearest,
        ("spherical", "conservative"): spherical.conservative,
        # between rows and columns that are straight, linear in latitude and longitude is what is meant
        ("spherical", "bilinear"): exact.bilinear if source.rectilinear else interpolation.bilinear,
        ("spherical", "nearest"): interpolation.nearest,
    }
    return makers[engine, method](source, target)
