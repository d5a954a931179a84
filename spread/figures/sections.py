"""What a report says beside its spread, section by section: figures, a table where one helps, the answer in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product, zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from spread import ensemble
from spread.figures.constraint import constrained_ranges
from spread.figures.drawing import holoviews
from spread.figures.files import about, stem_of
from spread.figures.findings import FINDINGS, level_table, sensitivity_table, simulated_table
from spread.figures.gregory import gregory_plot
from spread.figures.maps import change_maps
from spread.figures.partition import partition_stack
from spread.figures.warming_levels import warming_level_timeline
from spread.figures.weights import model_weights
from spread.figures.words import SEASONS, in_words
from spread.figures.zonal import zonal_means
from spread.report import Report

MAXIMUM_PICTURES = 6
"""Pictures of one section; a report holds the numbers of all."""


class Picture(NamedTuple):
    """A figure in a file.

    Parameters
    ----------
    png : str
        Name of the file.
    title : str
        What it shows; also for those who do not see it.
    call : str
        Code that remakes it, to run after ``import spread, spread.figures``.
    width, height : int
        Size [pixel].
    """

    png: str
    title: str
    call: str
    width: int
    height: int


class Section(NamedTuple):
    """One answer of a report.

    Parameters
    ----------
    name : str
        As in ``report.answers``.
    heading : str
        What is answered.
    words : str
        The answer, or why there is none.
    pictures : list of Picture
        Figures, if there are some.
    head, rows : list
        A table, if there is one.
    """

    name: str
    heading: str
    words: str
    pictures: list[Picture]
    head: list[str]
    rows: list[list[str]]

    @property
    def numeric(self) -> list[bool]:
        """Which columns of the table hold numbers, a number with its error, or nothing."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.head)
        return [all(_NUMBER.fullmatch(cell) for cell in column) for column in columns]


_NUMBER = re.compile(r"([−-]?\d[\d.e+-]*( ± [\d.]+)?|after \d+|–|)")
_HEADINGS = {
    "simulated": "Simulated land beside the models",
    "maps": "Where models agree, and where they differ",
    "partition": "Where the uncertainty comes from",
    "warming_levels": "When levels of global warming are crossed",
    "sensitivity": "How sensitive the models are",
    "constraint": "What observations say about the range",
    "weights": "Which models deserve weight",
}


def save_sections(report: Report, folder: str | Path, where: str = ".") -> list[Section]:
    """Write the figures of a report's answers.

    Parameters
    ----------
    report : Report
        The report.
    folder : str or Path
        Where; made if it is not there.
    where : str
        Where the report lies, for the code that remakes a figure.

    Returns
    -------
    list of Section
        One for each answer, and for each that was asked for and is not there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    for name, heading in _HEADINGS.items():
        if name in report.silent:
            sections.append(Section(name, heading, f"No answer: {report.silent[name]}.", [], [], []))
        elif name in report.answers:
            drawings = islice(_PICTURES[name](report), MAXIMUM_PICTURES)
            pictures = [_write(report, folder, where, *drawing) for drawing in drawings]
            head, rows = _TABLES[name](report) if name in _TABLES else ([], [])
            sections.append(Section(name, heading, FINDINGS[name](report), pictures, head, rows))
    return sections


type _Drawing = tuple[str, str, str, Callable[[], Any]]  # stem, title, code, what draws it


def _maps(report: Report) -> Iterator[_Drawing]:
    maps = report.answers["maps"]
    crossed = (maps["count"].max(["experiment_id", "season", "lat", "lon"]) > 0).values
    for season, period in product(report.study.seasons, map(str, maps["period"].values[crossed])):
        when = f"at {period} of global warming" if period.startswith("+") else f"by {period}"
        title = f"Maps of the change {when}, {SEASONS[season]}, and of its standard deviation across models"
        yield (stem_of("maps", period, season), title, f"spread.figures.change_maps(REPORT, {period!r}, {season!r})",
               partial(change_maps, report, period, season))  # fmt: skip


def _zones(report: Report) -> Iterator[_Drawing]:
    for season, period in product(report.study.seasons, map(str, report.across["period"].values)):
        yield (stem_of("zonal", period, season), f"Zonal mean change by {period}, {SEASONS[season]}",
               f"spread.figures.zonal_means(REPORT, {period!r}, {season!r})",
               partial(zonal_means, report, period, season))  # fmt: skip


def _partitions(report: Report) -> Iterator[_Drawing]:
    found = report.answers["partition"]
    for region in map(str, np.atleast_1d(found["region"].values)):
        yield (stem_of("partition", region), f"Sources of uncertainty: {in_words(region)}, annual mean",
               f"spread.figures.partition_stack(REPORT.answers['partition'], region={region!r})",
               partial(partition_stack, found, "matplotlib", region=region))  # fmt: skip


def _timeline(report: Report) -> Iterator[_Drawing]:
    crossings, synthetic = report.answers["warming_levels"], report.synthetic
    votes: Literal["median", "all"] = "all" if report.study.votes == "all" else "median"
    yield ("warming_levels", "When models pass global warming levels, by scenario",
           f"spread.figures.warming_level_timeline(REPORT.answers['warming_levels'], members={votes!r})",
           partial(warming_level_timeline, crossings, "matplotlib", members=votes, synthetic=synthetic))  # fmt: skip


def _regressions(report: Report) -> Iterator[_Drawing]:
    found = report.answers["sensitivity"]
    if np.isfinite(found["slope"]).any():
        yield ("gregory", "Net radiation against warming after CO₂ is quadrupled, with the fits that give ECS",
               "spread.figures.gregory_plot(REPORT.answers['sensitivity'], backend='matplotlib')",
               partial(gregory_plot, found, backend="matplotlib", synthetic=report.synthetic))  # fmt: skip


def _constraints(report: Report) -> Iterator[_Drawing]:
    found = report.answers["constraint"]
    for place, period in enumerate(map(str, found["period"].values)):
        known = ensemble.assessed_ranges(report.study) if period == "2081-2100" else {}
        yield (f"constraint_{period}", f"Raw and constrained ranges of the change by {period}",
               f"spread.figures.constrained_ranges(REPORT.answers['constraint'].isel(period={place}))",
               partial(constrained_ranges, found.isel(period=place), known, "matplotlib"))  # fmt: skip


def _votes(report: Report) -> Iterator[_Drawing]:
    weights = report.answers["weights"]["weights"].assign_attrs(synthetic=str(report.synthetic).lower())
    yield ("weights", "Weight of each model", "spread.figures.model_weights(REPORT.answers['weights']['weights'])",
           partial(model_weights, weights, "matplotlib"))  # fmt: skip


def _mapped(report: Report) -> Iterator[_Drawing]:
    """The first map, the first zonal mean, then the others by turns."""
    return (one for pair in zip_longest(_maps(report), _zones(report)) for one in pair if one is not None)


_PICTURES: dict[str, Callable[[Report], Iterator[_Drawing]]] = {
    "maps": _mapped, "partition": _partitions, "warming_levels": _timeline, "constraint": _constraints,
    "weights": _votes, "simulated": lambda report: iter(()), "sensitivity": _regressions,
}  # fmt: skip

_TABLES = {"warming_levels": level_table, "simulated": simulated_table, "sensitivity": sensitivity_table}


def _write(
    report: Report, folder: Path, where: str, stem: str, title: str, code: str, draw: Callable[[], Any]
) -> Picture:
    from matplotlib.figure import Figure

    drawn = draw()
    figure = drawn if isinstance(drawn, Figure) else holoviews().render(drawn, backend="matplotlib")
    figure.savefig(folder / f"{stem}.png", dpi=150, facecolor="white", metadata=about(report, title))
    width, height = (round(150 * inches) for inches in figure.get_size_inches())
    return Picture(f"{stem}.png", title, code.replace("REPORT", f"spread.Report.load({where!r})"), width, height)
