"""What is learned from and what is kept back: four questions, and no way to keep back what was learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spread.emulator.samples import Samples
from spread.errors import BadModel, NotFound, did_you_mean

__all__ = ["Split", "check_apart", "few_shot", "held_out_member", "held_out_scenario", "out_of_range"]

MEMBER, SCENARIO, BEYOND, FEW_SHOT = "held-out member", "held-out scenario", "out of range", "few-shot model"


@dataclass(frozen=True)
class Split:
    """Maps to learn from and maps to be scored on.

    Parameters
    ----------
    kind : str
        Which of the four questions.
    train, test : Samples
        With nothing in common.
    """

    kind: str
    train: Samples
    test: Samples

    def __post_init__(self) -> None:
        check_apart(self.train, self.test)

    @property
    def in_range(self) -> bool:
        """Whether training held the warming of the test: the gates are other ones outside."""
        return self.kind != BEYOND


def held_out_member(samples: Samples, run: str) -> Split:
    """Keep back a run, and what else there is of its member: another realisation of what was learned.

    Parameters
    ----------
    samples : Samples
        All there is.
    run : str
        ``source_id.experiment_id.member_id``.

    Returns
    -------
    Split
        Every experiment of the member is left out of training: scenarios branch off from its historical run.

    Raises
    ------
    NotFound
        For a run that is not there.
    BadModel
        Where nothing is left to learn from.
    """
    model, _, member = _facets(_known(run, samples.runs, "run"))
    same = np.array([_facets(each)[0] == model and _facets(each)[2] == member for each in samples.runs])
    return _split(MEMBER, samples, ~same[samples.run], samples.run == samples.runs.index(run), run)


def held_out_scenario(samples: Samples, scenario: str, model: str | None = None) -> Split:
    """Keep back all runs of a scenario.

    Parameters
    ----------
    samples : Samples
        All there is.
    scenario : str
        ``experiment_id``.
    model : str, optional
        ``source_id`` that is tested; all by default.

    Returns
    -------
    Split

    Raises
    ------
    NotFound
        For a scenario or model that is not there.
    BadModel
        Where nothing is left to learn from.
    """
    chosen = samples.scenario == samples.scenarios.index(_known(scenario, samples.scenarios, "scenario"))
    tested = (
        chosen
        if model is None
        else chosen & (samples.model == samples.models.index(_known(model, samples.models, "model")))
    )
    return _split(SCENARIO, samples, ~chosen, tested, scenario)


def out_of_range(samples: Samples, run: str, after: int | None = None, above: float | None = None) -> Split:
    """Keep back the warm end: years of a run, with all that is as warm left out of training.

    Parameters
    ----------
    samples : Samples
        All there is.
    run : str
        ``source_id.experiment_id.member_id`` that is tested.
    after : int, optional
        Last year in training; later years of every run of the scenario are left out, and those of the run are the test.
    above : float, optional
        Forced warming [K]; maps of any run above it are left out, and those of the run are the test.

    Returns
    -------
    Split

    Raises
    ------
    NotFound
        For a run that is not there.
    BadModel
        Without a limit, with both, or where training would be as warm as the test.
    """
    if (after is None) == (above is None):
        raise BadModel("out of range: expected a year or a warming, one of them")
    mine = samples.run == samples.runs.index(_known(run, samples.runs, "run"))
    if after is None:
        beyond = samples.warming > float(above or 0.0)
        learned = ~beyond
    else:
        scenario = samples.scenario[mine][0] if mine.any() else -1
        beyond = samples.year > after
        learned = ~(beyond & (samples.scenario == scenario))
    made = _split(BEYOND, samples, learned, mine & beyond, run)
    model = made.test.model[0]
    same = made.train.model == model
    if same.any() and made.train.warming[same].max() >= made.test.warming.min():
        raise BadModel(
            f"out of range: training reaches {made.train.warming[same].max():.2f} K and {run} begins at"
            f" {made.test.warming.min():.2f} K; take a later test or an earlier limit"
        )
    return made


def few_shot(samples: Samples, model: str, years: int, scenario: str = "historical") -> Split:
    """Keep back a model but for the first years of one run of one scenario.

    Parameters
    ----------
    samples : Samples
        All there is.
    model : str
        ``source_id`` that is new.
    years : int
        Of it that may be learned from.
    scenario : str
        ``experiment_id`` in which they are.

    Returns
    -------
    Split
        The test is all that is left of the model but the rest of the run that was learned from.

    Raises
    ------
    NotFound
        For a model or scenario that is not there.
    BadModel
        Where nothing is left to be scored on.
    """
    mine = samples.model == samples.models.index(_known(model, samples.models, "model"))
    given = mine & (samples.scenario == samples.scenarios.index(_known(scenario, samples.scenarios, "scenario")))
    if not given.any():
        raise NotFound(f"few shots: {model} has no run of {scenario}")
    run = samples.run[given].min()
    first = given & (samples.run == run)
    first &= samples.year < samples.year[first].min() + years
    return _split(FEW_SHOT, samples, ~mine | first, mine & (samples.run != run), model)


def check_apart(train: Samples, test: Samples) -> None:
    """See that nothing to be scored on was learned from.

    Parameters
    ----------
    train, test : Samples
        Of the same names.

    Raises
    ------
    BadModel
        Naming every run of the test whose steps, or whose maps under another name, are in training.
    """
    found = []
    steps = {(train.runs[r], int(s)) for r, s in zip(train.run, train.step, strict=True)}
    maps = {_print(each): train.runs[r] for each, r in zip(train.tas, train.run, strict=True)}
    for number in np.unique(test.run):
        name, mine = test.runs[number], test.where(test.run == number)
        shared = sum((name, int(s)) in steps for s in mine.step)
        if shared:
            found.append(f"{shared} of {len(mine)} steps of {name} are in training")
            continue
        others = [maps[_print(each)] for each in mine.tas if _print(each) in maps]
        if others:
            found.append(
                f"{len(others)} of {len(mine)} maps of {name} are in training as {', '.join(sorted(set(others)))}"
            )
    if found:
        raise BadModel("leakage: " + "; ".join(found) + "; scores of what was learned by heart say nothing")


def _print(values: NDArray[np.floating]) -> bytes:
    """A map as far as single precision keeps it."""
    return np.ascontiguousarray(values, np.float32).tobytes()


def _split(kind: str, samples: Samples, train: NDArray[np.bool_], test: NDArray[np.bool_], what: str) -> Split:
    for name, chosen in (("learn from", train), ("score on", test)):
        if not chosen.any():
            raise BadModel(
                f"{kind}: with {what} kept back there is nothing to {name}; give more runs, years or scenarios"
            )
    return Split(kind, samples.where(train), samples.where(test))


def _facets(run: str) -> tuple[str, str, str]:
    parts = run.split(".")
    if len(parts) != 3:
        raise BadModel(f"run: expected source_id.experiment_id.member_id, got {run!r}")
    return parts[0], parts[1], parts[2]


def _known(name: str, names: tuple[str, ...], kind: str) -> str:
    if name not in names:
        raise NotFound(f"split: there is no {kind} {name!r}; {did_you_mean(name, list(names))}")
    return name
