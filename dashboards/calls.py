"""The Python that remakes what a view shows."""

from __future__ import annotations

from dashboards.calculating.emulating import departure
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


def pathway(
    file: str, state: State, departs: bool, base: tuple[int, int], late: tuple[int, int], members: int
) -> list[str]:
    """Lines that give ``warming`` of every model under the chosen pathway, and the emulated map ``change``.

    Parameters
    ----------
    file : str
        Name of the emulator's.
    state : State
        What is chosen.
    departs : bool
        Whether the pathway is another one than the scenario.
    base, late : tuple of int
        First and last years of the means that the map compares.
    members : int
        Over which it is averaged.
    """
    scale, peak = departure(state.scale, state.peak)
    return [
        "import numpy as np", "from dashboards.calculating.working import annual",
        "from spread.coupled import pathway", "from spread.emulator import load",
        "from spread.simulate.emulating import emulate", "",
        f"emulator = load({file!r})",
        f"path = pathway({state.pathway!r}, scale={scale!r}, peak={peak!r})", "middle = np.full(251, 0.5)",
        "warming = {m: emulator.warming(m, path.forcing, path.years, middle) for m in emulator.facts.models}",
        f"path = pathway({state.pathway!r}, np.arange(1850, {late[1] + 2}), {scale!r}, {peak!r})",
        f"now = emulate(emulator, {state.source!r}, 'historical', {base}, members={members}, coherent=True)",
        f"late = emulate(emulator, {state.source!r}, {state.pathway!r}, {late}, members={members},"
        f" coherent=True{', pathway=path' if departs else ''})",
        f"now, late = annual(now, {base}).tas, annual(late, {late}).tas",
        "change = late.mean((0, 1), dtype=float) - now.mean((0, 1), dtype=float)",
    ]  # fmt: skip


def site(latitude: float, draws: str, seed: int, change: str) -> list[str]:
    """Lines that give the embedded site with and without a change, and the ``ranges`` of its last ten years.

    Parameters
    ----------
    latitude : float
        Of the site [degrees_north].
    draws, seed
        Of parameters.
    change : str
        As :func:`spread.counterfactual.named` reads it.
    """
    return [
        "", "from spread import counterfactual", "from spread.drivers import drivers",
        "from spread.simulate import SpinUp", "from spread.simulations import forcing_of", "",
        "setup = counterfactual.Setup.of(", f"    drivers(forcing_of('site', {latitude:g})),"
        f" spin_up=SpinUp(), drawing=counterfactual.Drawing({draws}, {seed}))",
        f"pair = counterfactual.whatif(setup, counterfactual.named({change!r}))",
        "last = counterfactual.differences(pair).isel(year=slice(-10, None)).mean('year', keep_attrs=True)",
        "ranges = counterfactual.ranges(last)",
    ]  # fmt: skip
