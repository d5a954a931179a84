"""The ClimWIP weighting function, and how its two shape parameters are found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spread import stats
from spread.ensemble.distances import Distances
from spread.errors import NotComparable

Floats = NDArray[np.float64]

COVERAGE = 0.8  # a 10-90 % range shall hold that many truths: Brunner et al. (2020), doi:10.5194/esd-11-995-2020
RANGE = (0.1, 0.9)
CANDIDATES = (*np.geomspace(0.1, 10.0, 81).tolist(), np.inf)
"""Values of sigma_D that are tried: at 0.1 of a median distance one model rules, at 10 votes are equal to 1 %."""


class Calibrated(NamedTuple):
    """A calibrated sigma_D.

    Parameters
    ----------
    sigma_d : float
        The shape parameter.
    coverage : float
        Share of pseudo-truths in the weighted 10-90 % range of the other models.
    required : float
        The share that was asked for.
    equal_votes : float
        The share without performance weights.
    """

    sigma_d: float
    coverage: float
    required: float
    equal_votes: float


def weight_parts(distance: Floats, between: Floats, sigma_d: float, sigma_s: float) -> tuple[Floats, Floats, Floats]:
    """Weights, and their performance and independence parts, each adding up to 1.

    Parameters
    ----------
    distance : numpy.ndarray, shape (model,)
        Distances to the observations.
    between : numpy.ndarray, shape (model, model)
        Distances between models.
    sigma_d, sigma_s : float
        Shape parameters; infinity, and 0 for ``sigma_s``, are the limits.

    Returns
    -------
    weights, performance, independence : numpy.ndarray, shape (model,)
        Knutti et al. (2017), doi:10.1002/2016GL072012, eq. 1: the whole, its numerator and one over its denominator.
    """
    nearest = distance.min()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # relative to the nearest model, so that a small sigma_D cannot leave every weight 0
        performance = np.exp(-(distance - nearest) * (distance + nearest) / sigma_d / sigma_d)
        alike = np.exp(-np.square(np.where(between == 0.0, 0.0, between / sigma_s)))
    np.fill_diagonal(alike, 0.0)
    independence = 1.0 / (1.0 + alike.sum(axis=1))
    weights = performance * independence
    return weights / weights.sum(), performance / performance.sum(), independence / independence.sum()


def members_sigma_s(within: Floats, between: Floats) -> float:
    r"""Find the sigma_S that tells members of one model from other models.

    Parameters
    ----------
    within : numpy.ndarray, shape (model,)
        Mean distance between members of each model; NaN where it has one.
    between : numpy.ndarray, shape (model, model)
        Distances between models.

    Returns
    -------
    float
        Sigma_S in the unit of ``between``.

    Raises
    ------
    NotComparable
        If no model has several members, or members differ as much as models.

    Notes
    -----
    With :math:`w` the median of ``within`` and :math:`b` the median of ``between``, the similarity that is missed for
    members shall equal the similarity that is falsely seen between models:
    :math:`1 - e^{-w^2/\sigma_S^2} = e^{-b^2/\sigma_S^2}`. To fit sigma_S to the members of one model is done by Brunner
    et al. (2020); this equation is ours.
    """
    known = within[np.isfinite(within)]
    if known.size == 0:
        raise NotComparable("sigma_s: no model has several members to estimate it from; give sigma_s as a number")
    inside, outside = float(np.median(known)), float(np.median(between[~np.eye(between.shape[0], dtype=bool)]))
    if inside >= outside:
        raise NotComparable(
            f"sigma_s: members of one model differ by {inside:.2g}, models by {outside:.2g}: these diagnostics do not "
            "tell models apart; take diagnostics with less internal variability, or give sigma_s as a number"
        )
    low, high = np.log(1e-3 * outside), np.log(1e3 * outside)
    for _ in range(200):
        middle = 0.5 * (low + high)
        sigma = np.exp(middle)
        missed, false = -np.expm1(-((inside / sigma) ** 2)), np.exp(-((outside / sigma) ** 2))
        low, high = (middle, high) if missed > false else (low, middle)
    return float(np.exp(0.5 * (low + high)))


def calibrated_sigma_d(found: Distances, target: Floats, sigma_s: float) -> Calibrated:
    """Find the strongest performance weighting that is not overconfident, with each model as the truth once.

    Parameters
    ----------
    found : Distances
        Distances of the models.
    target : numpy.ndarray, shape (model,)
        What is to be constrained; NaN where a model has none.
    sigma_s : float
        Shape parameter of independence.

    Returns
    -------
    Calibrated
        The smallest candidate such that it and every larger one reach the required coverage.

    Raises
    ------
    NotComparable
        If fewer than four models have the target.

    Notes
    -----
    Each model in turn is the truth: the others are weighted by their distance to it (in medians of those distances)
    and by their independence of each other, and the weighted 10-90 % range of their targets holds the truth's or does
    not (after Brunner et al., 2020). Of such ranges 80 % should hold it, which a sample of ``n`` others cannot give:
    its quantiles (type 7) lie inside those of what it was drawn from, so that even a further draw of the same falls
    between them in 0.8 (n - 1) / (n + 1) of all cases. That share is required, or that of equal performance where it
    is less. The share moves by steps of one model, hence "and every larger one".
    """
    index = np.flatnonzero(np.isfinite(target))
    if index.size < 4:
        raise NotComparable(
            f"sigma_d: expected a target for at least 4 models, got {index.size}; give sigma_d as a number"
        )
    truths = [_seen_by(found, target, int(truth), index) for truth in index]
    coverage = np.array([_coverage(truths, sigma_d, sigma_s) for sigma_d in CANDIDATES])
    others = index.size - 1
    required = min(COVERAGE * (others - 1) / (others + 1), coverage[-1])
    first = np.flatnonzero(coverage < required)[-1] + 1 if (coverage < required).any() else 0
    return Calibrated(float(CANDIDATES[first]), float(coverage[first]), float(required), float(coverage[-1]))


class _Seen(NamedTuple):
    """The other models as a pseudo-truth sees them."""

    truth: float
    target: Floats
    distance: Floats
    between: Floats


def _seen_by(found: Distances, target: Floats, truth: int, index: NDArray[np.intp]) -> _Seen:
    others = index[index != truth]
    apart = found.judged[:, others, truth]
    unit = np.median(apart, axis=1, keepdims=True)
    distance = (apart / np.where(unit > 0, unit, 1.0)).mean(axis=0)
    return _Seen(float(target[truth]), target[others], distance, found.between[np.ix_(others, others)])


def _coverage(truths: list[_Seen], sigma_d: float, sigma_s: float) -> float:
    inside = 0
    for seen in truths:
        weights = weight_parts(seen.distance, seen.between, sigma_d, sigma_s)[0]
        low, high = stats.quantile(seen.target, RANGE, weights)
        inside += bool(low <= seen.truth <= high)
    return inside / len(truths)
