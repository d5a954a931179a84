"""An honest evaluation: candidates beside every baseline, the floor of another run, an oracle, and gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from spread.emulator import scores, tails, variability
from spread.emulator.baselines import GAUSSIAN, all_baselines
from spread.emulator.comparison import Comparison
from spread.emulator.copies import copied_share
from spread.emulator.estimates import Estimate, Score, estimate
from spread.emulator.gates import gates
from spread.emulator.samples import Samples
from spread.emulator.scorecard import Row, Scorecard
from spread.emulator.splits import Split
from spread.errors import BadModel

__all__ = ["FLOOR", "ORACLE", "evaluate", "score_all"]

FLOOR = "another run of the model"
ORACLE = "oracle (fitted on the test run)"

SCORES: Mapping[str, Callable[[Comparison], Score]] = {
    "crps": scores.fair_crps, "energy": scores.energy_score, "variogram": scores.variogram_score,
    "ssr": scores.spread_skill, "rank": scores.rank_chi2, "spectrum": variability.spectrum_ratio,
    "global_sd": variability.global_mean_deviation, "memory": variability.global_mean_memory,
    "sd_map": variability.local_deviation, "q99": tails.quantile_error, "q99_season": tails.season_quantile_error,
    "level": tails.return_level_error, "amplitude": variability.cycle_amplitude, "phase": variability.cycle_phase,
}  # fmt: skip
"""Of every method."""


def score_all(given: Comparison, seed: int = 0) -> dict[str, Estimate]:
    """Work out every score with its errors.

    Parameters
    ----------
    given : Comparison
        Maps and truth.
    seed : int
        Of the bootstrap over years; the same one draws the same years for every method.

    Returns
    -------
    dict of str to Estimate
    """
    return {name: estimate(score(given), seed=seed) for name, score in SCORES.items()}


def evaluate(
    candidates: Mapping[str, NDArray[np.floating]], split: Split, members: int = 20, seed: int = 0,
    other: Samples | None = None, flagged: Mapping[str, float] | None = None,
) -> Scorecard:  # fmt: skip
    """Score candidates, all baselines, the floor and the oracle on one run that was kept back.

    Parameters
    ----------
    candidates : mapping of str to ndarray
        Temperature [K] of each, ``(member, time, lat, lon)``, for the steps of ``split.test``.
    split : Split
        What was learned from, and the run to be scored on.
    members : int
        Of baselines and oracle.
    seed : int
        Of their draws and of the bootstrap.
    other : Samples, optional
        Another run of the same model, scenario and steps: the floor.
    flagged : mapping of str to float, optional
        Share of steps that a candidate itself flags as outside of its training.

    Returns
    -------
    Scorecard

    Raises
    ------
    BadModel
        For a test of several runs, or arrays that do not fit it.

    Notes
    -----
    All methods get the same forced warming, ``split.test.warming``; that of a real forecast has an error of its own.
    """
    test = split.test
    if len(np.unique(test.run)) != 1:
        raise BadModel(
            f"evaluation: expected one run to score on, got {', '.join(test.runs[r] for r in np.unique(test.run))}"
        )
    model = test.models[test.model[0]]
    given = (model, test.warming, test.day, test.step, members, seed)
    notes = [
        "All methods are given the same forced warming, so the error of a real forecast of it is not in these scores."
    ]
    made: list[tuple[str, str, NDArray[np.floating]]] = [(name, "candidate", maps) for name, maps in candidates.items()]
    made += [(name, "baseline", each.sample(*given)) for name, each in all_baselines(split.train).items()]
    if other is None:
        notes.append("There is no other run of this model and scenario, so the floor is not known.")
    else:
        made.append((FLOOR, "floor", _aligned(other, test)[None]))
    try:
        made.append((ORACLE, "oracle", all_baselines(test)[GAUSSIAN].sample(*given)))
    except BadModel as error:
        notes.append(f"There is no oracle: {error}")
    rows, comparison = [], None
    known, days = np.concatenate([split.train.tas, test.tas]), np.concatenate([split.train.day, test.day])
    for name, kind, maps in made:
        comparison = Comparison(maps, test.tas, test.area, test.day, test.year, test.warming)
        copied = copied_share(maps, test.day, known, days, test.area) if kind != "floor" else float("nan")
        rows.append(Row(name, {**score_all(comparison, seed), "copied": _exact(copied)}, kind))
    assert comparison is not None
    own = estimate(variability.spectrum_of_truth(comparison), seed=seed)
    there = own.value > variability.NO_POWER * own.value.sum()
    uncertain = np.where(there, own.time_error / np.where(there, own.value, 1.0), 0.0)
    sampling = tails.sampling_variance(comparison, seed=seed)
    notes.append(
        f"The truth's own q99 is known to {np.sqrt(sampling):.3f} K, and its power to"
        f" {uncertain.max():.1%} at the least certain wavenumber, from the years of one run."
    )
    found = gates(rows, split.in_range, uncertain, sampling, dict(flagged or {}))
    years = (int(test.year.min()), int(test.year.max()))
    return Scorecard(split.kind, test.runs[test.run[0]], years, tuple(rows), tuple(found), tuple(notes))


def _exact(value: float) -> Estimate:
    return Estimate(np.asarray(value), np.asarray(np.nan), np.asarray(np.nan))


def _aligned(other: Samples, test: Samples) -> NDArray[np.floating]:
    if not np.array_equal(other.step, test.step):
        raise BadModel(f"evaluation: the other run has {len(other)} steps that are not the {len(test)} of the test")
    if other.runs[other.run[0]] == test.runs[test.run[0]]:
        raise BadModel(f"evaluation: the other run is {test.runs[test.run[0]]} itself; a floor needs a second one")
    return other.tas
