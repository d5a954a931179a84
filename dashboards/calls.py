"""The Python that remakes what a view shows."""

from __future__ import annotations

from dashboards.results import Results
from dashboards.state import State


def load(results: Results, state: State, figures: bool = True) -> str:
    """Lines that give ``report`` under the chosen definition.

    Parameters
    ----------
    results : Results
        The report.
    state : State
        What is chosen.
    figures : bool
        Whether the figures of spread are needed next.

    Returns
    -------
    str
        Python; the folder is named without where it lies.
    """
    lines = ["import spread" + (", spread.figures" if figures else "")]
    study = results.report.study
    given = []
    if state.base != study.base_period:
        given.append(f"base_period={state.base!r}")
    if state.votes != ("runs" if study.votes == "all" else "models"):
        given.append(f"votes={state.votes!r}")
    if not state.assessed and study.assessed:
        given.append("assessed=False")
    loaded = f"spread.Report.load({results.folder.name!r})"
    if given:
        lines.append("from dashboards.definitions import redefined")
        lines.append(f"report = redefined({loaded}, {', '.join(given)})")
    else:
        lines.append(f"report = {loaded}")
    return "\n".join(lines)
