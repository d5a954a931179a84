"""Figures as files: a PNG each, and pages to look closely that need no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spread.figures import words
from spread.figures.drawing import holoviews, plume
from spread.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAXIMUM_FIGURES = 12
MAXIMUM_INTERACTIVE = 3

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><script src="{library}"></script></head>
<body style="margin:1rem;background:#fff">{div}{script}</body></html>
"""


def call(region: str, season: str, folder: str = ".") -> str:
    """Code that remakes a figure.

    Parameters
    ----------
    region, season : str
        As given to :func:`spread.figures.plume`.
    folder : str
        Where the report lies.

    Returns
    -------
    str
        One line of Python, to run after ``import spread.figures``.
    """
    return f"spread.figures.plume(spread.Report.load({folder!r}), region={region!r}, season={season!r})"


def save(report: Report, folder: str | Path) -> list[dict[str, str]]:
    """Write the figures of a report: a PNG each, and a page to look closely for the first few.

    Parameters
    ----------
    report : Report
        The report.
    folder : str or Path
        Where; made if it is not there.

    Returns
    -------
    list of dict
        ``region``, ``season``, ``title``, ``png``, ``html`` (empty where there is none) and ``call``, at most
        :data:`MAXIMUM_FIGURES` of them, annual means first; files are named relative to the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number, (region, season, stem) in enumerate(islice(_combinations(report), MAXIMUM_FIGURES)):
        title = words.title(report, region, season)
        html = f"{stem}.html" if number < MAXIMUM_INTERACTIVE else ""
        _write_printed(report, region, season, title, folder / f"{stem}.png")
        if html:
            _write_interactive(report, region, season, title, folder / html)
        files = {"png": f"{stem}.png", "html": html}
        records.append({"region": region, "season": season, "title": title} | files | {"call": call(region, season)})
    return records


def stem_of(*names: str) -> str:
    """Name of a file without its ending, of letters that any file system takes."""
    return "_".join(re.sub(r"[^A-Za-z0-9_-]+", "-", name) for name in names)


def about(report: Report, title: str) -> dict[str, str]:
    """What a PNG says of itself."""
    return {"Title": title, "Software": "spread", "Source": words.SYNTHETIC if report.synthetic else "climate models"}


def write_png(figure: Figure, path: Path, title: str, source: str) -> None:
    """Write a figure of Matplotlib as PNG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : Path
        Of the file.
    title, source : str
        What its metadata say: its title, and where the numbers come from.
    """
    figure.savefig(path, dpi=150, facecolor="white", metadata={"Title": title, "Software": "spread", "Source": source})


def _combinations(report: Report) -> Iterator[tuple[str, str, str]]:
    """Region, season and the stem of the file; names that differ only in odd characters get a number."""
    seasons = sorted(report.study.seasons, key=lambda season: season != "annual")
    taken: set[str] = set()
    for season, region in product(seasons, [region.name for region in report.study.regions]):
        stem = stem_of("plume", region, season)
        stem += f"-{len(taken)}" if stem.lower() in taken else ""
        taken.add(stem.lower())
        yield region, season, stem


def _write_printed(report: Report, region: str, season: str, title: str, path: Path) -> None:
    hv = holoviews()
    figure = hv.render(plume(report, region, season, "matplotlib"), backend="matplotlib")
    figure.savefig(path, dpi=150, facecolor="white", metadata=about(report, title))


def _write_interactive(report: Report, region: str, season: str, title: str, path: Path) -> None:
    """Write a page; BokehJS lies beside it, once for all of them."""
    import bokeh
    from bokeh.embed import components
    from bokeh.models import Plot
    from bokeh.resources import Resources

    library = path.parent / f"bokeh-{bokeh.__version__}.min.js"
    if not library.exists():
        library.write_text("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw), encoding="utf-8")
    model: Any = holoviews().render(plume(report, region, season), backend="bokeh")
    for figure in model.select({"type": Plot}):
        figure.sizing_mode = None  # frames have sizes, figures take what they need: else bokeh warns of it on stderr
    script, div = components(model)
    page = _PAGE.format(title=escape(title), library=library.name, div=div, script=script)
    path.write_text(page, encoding="utf-8")
