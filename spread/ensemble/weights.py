"""Weights of models: equal votes, or votes by performance and independence (ClimWIP).

Every scheme gives weights that add up to 1 over ``source_id`` (and ``member_id``, where a model shares its weight
equally among its members), and says in its attributes which scheme it is and with which parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.ensemble.distances import Distances, distances
from spread.ensemble.shape_parameters import calibrated_sigma_d, members_sigma_s, weight_parts
from spread.errors import BadStudy, NotComparable

Floats = NDArray[np.float64]


def democracy(data: xr.DataArray) -> xr.DataArray:
    """Weights by model: each model has one vote, shared equally by its members.

    Parameters
    ----------
    data : xarray.DataArray
        With ``source_id`` and perhaps ``member_id`` and more; a run takes part where it has any number.

    Returns
    -------
    xarray.DataArray
        Weights [1] on ``source_id[, member_id]``, 0 where there is no run.

    Raises
    ------
    NotComparable
        If no run has a number.
    """
    there = _there(data, "democracy")
    models = _by_model(there)
    return _named(_shared(models / models.sum(), there), "democracy", _synthetic(data))


def by_member(data: xr.DataArray) -> xr.DataArray:
    """Weights by run: every run has one vote, so that a model with many members has many.

    Parameters
    ----------
    data : xarray.DataArray
        As in :func:`democracy`.

    Returns
    -------
    xarray.DataArray
        Weights [1] on ``source_id[, member_id]``, 0 where there is no run.

    Raises
    ------
    NotComparable
        If no run has a number.
    """
    there = _there(data, "by_member").astype(np.float64)
    return _named(there / there.sum(), "by_member", _synthetic(data))


def climwip(
    diagnostics: Mapping[str, xr.DataArray],
    observed: Mapping[str, xr.DataArray | float],
    sigma_d: float | Literal["calibrated"] = "calibrated",
    sigma_s: float | Literal["members"] = "members",
    target: xr.DataArray | None = None,
    independence: Sequence[str] | None = None,
    performance: Sequence[str] | None = None,
    area: xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Weights by performance and independence (ClimWIP).

    Parameters
    ----------
    diagnostics : mapping of str to xarray.DataArray
        Each on ``source_id[, member_id]`` and perhaps places (``region``, or ``lat, lon``), over which the distance is
        a root mean square, weighted by ``area`` or by the cosine of latitude.
    observed : mapping of str to xarray.DataArray or float
        The observed value of each diagnostic that measures performance, on its places, in its unit.
    sigma_d : float or "calibrated"
        Shape parameter of performance, in median distances to the observations; infinite: no performance. Calibrated
        needs ``target``.
    sigma_s : float or "members"
        Shape parameter of independence, in median distances between models; 0: only identical models share a vote.
        Estimated from members it needs models with several.
    target : xarray.DataArray, optional
        What the weights shall constrain, on ``source_id[, member_id]``, for the calibration.
    independence, performance : sequence of str, optional
        Names of the diagnostics for either part; by default all, and all that are observed.
    area : xarray.DataArray, optional
        Weights of the places.

    Returns
    -------
    xarray.DataArray
        Weights [1] on ``source_id[, member_id]``; beside them on ``source_id`` the coordinates ``performance``
        (numerator) and ``independence`` (one over the denominator), each scaled to add up to 1, and ``distance``.
        Attributes: ``scheme``, ``sigma_d``, ``sigma_s``, how they were found, ``effective_number``, and
        ``without_diagnostics``: models whose weight is 0 because a diagnostic is not there.

    Raises
    ------
    BadStudy
        With every breach of the arguments.
    NotComparable
        If fewer than three models have every diagnostic, or a shape parameter cannot be estimated.

    Notes
    -----
    :math:`w_i \propto \exp(-D_i^2/\sigma_D^2) / (1 + \sum_{j \ne i} \exp(-S_{ij}^2/\sigma_S^2))`, Knutti et al. (2017),
    Geophys. Res. Lett. 44, doi:10.1002/2016GL072012, eq. 1; distances and members as in Brunner et al. (2020), Earth
    Syst. Dynam. 11, doi:10.5194/esd-11-995-2020: see :func:`spread.ensemble.distances.distances`.
    """
    _check_arguments(diagnostics, observed, sigma_d, sigma_s, target, independence, performance)
    between = {name: diagnostics[name] for name in independence or diagnostics}
    judged = {name: diagnostics[name] for name in performance or observed}
    found = distances(between, judged, observed, area)
    attrs: dict[str, object] = {"without_diagnostics": ", ".join(found.left_out)}
    if sigma_s == "members":
        sigma_s = members_sigma_s(found.within, found.between)
        attrs["sigma_s_from"] = "members of one model against other models"
    if sigma_d == "calibrated":
        assert target is not None
        calibrated = calibrated_sigma_d(found, _model_values(target, found.source_id), float(sigma_s))
        sigma_d = calibrated.sigma_d
        attrs["sigma_d_from"] = (
            f"perfect models: {calibrated.coverage:.2f} of them lie in the 10-90 % range of the others, "
            f"required {calibrated.required:.2f}, with equal votes {calibrated.equal_votes:.2f}"
        )
    parts = weight_parts(found.observed, found.between, float(sigma_d), float(sigma_s))
    attrs |= {
        "sigma_d": float(sigma_d),
        "sigma_s": float(sigma_s),
        "diagnostics": ", ".join(sorted({*between, *judged})),
    }
    return _dressed(parts, found, [*judged.values(), *between.values()], attrs)


def effective_number(weights: xr.DataArray) -> float:
    """Number of models with equal votes that would average noise as well as these weights do.

    Parameters
    ----------
    weights : xarray.DataArray
        On ``source_id[, member_id]``; a model's weight is the sum over its members.

    Returns
    -------
    float
        One over the sum of squared weights of models, between 1 and their number.

    Notes
    -----
    Kish (1965), Survey Sampling, section 11.7.
    """
    models = _summed(weights).values
    return float(models.sum() ** 2 / (models**2).sum())


def _check_arguments(
    diagnostics: Mapping[str, xr.DataArray],
    observed: Mapping[str, xr.DataArray | float],
    sigma_d: float | str,
    sigma_s: float | str,
    target: xr.DataArray | None,
    independence: Sequence[str] | None,
    performance: Sequence[str] | None,
) -> None:
    breaches = []
    if not diagnostics:
        breaches.append("diagnostics: expected at least one, got none")
    for what, names, known in (
        ("independence", independence or (), diagnostics),
        ("performance", performance or (), observed),
        ("observed", observed, diagnostics),
    ):
        unknown = [name for name in names if name not in known]
        if unknown:
            there = ", ".join(known) or "nothing"
            breaches.append(f"{what}: {', '.join(unknown)} is not among {there}; give it there or leave it out")
    if not (performance or observed) and sigma_d != np.inf:
        breaches.append("observed: nothing to judge models by; give observations, or sigma_d=inf for independence only")
    for what, sigma, word in (("sigma_d", sigma_d, "calibrated"), ("sigma_s", sigma_s, "members")):
        if isinstance(sigma, str):
            if sigma != word:
                breaches.append(f"{what}: expected a number or {word!r}, got {sigma!r}")
        elif not (sigma > 0 or (sigma == 0 and what == "sigma_s")):
            breaches.append(f"{what}: expected a positive number, got {sigma}")
    if sigma_d == "calibrated" and target is None:
        breaches.append(
            "target: calibrating sigma_d needs what the weights shall constrain; give target, or sigma_d as a number"
        )
    if breaches:
        raise BadStudy("climwip: " + "; ".join(breaches))


def _synthetic(data: xr.DataArray) -> bool:
    return str(data.attrs.get("synthetic", "false")) == "true"


def _there(data: xr.DataArray, scheme: str) -> xr.DataArray:
    """Which runs have a number, on ``source_id[, member_id]``."""
    runs = [dim for dim in ("source_id", "member_id") if dim in data.dims]
    if "source_id" not in runs:
        raise BadStudy(f"{scheme}: expected the dimension source_id, got {', '.join(map(str, data.dims)) or 'none'}")
    there = data.notnull().any([dim for dim in data.dims if dim not in runs]).transpose(*runs)
    if not there.any():
        raise NotComparable(f"{scheme}: no model has a number")
    return there.reset_coords(drop=True)


def _by_model(there: xr.DataArray) -> xr.DataArray:
    found = there.any("member_id") if "member_id" in there.dims else there
    return found.astype(np.float64)


def _summed(weights: xr.DataArray) -> xr.DataArray:
    return weights.sum("member_id") if "member_id" in weights.dims else weights


def _shared(models: xr.DataArray, there: xr.DataArray) -> xr.DataArray:
    """A model's weight in equal parts to its members."""
    if "member_id" not in there.dims:
        return models
    number = there.sum("member_id")
    return (models / number.where(number > 0, 1) * there).transpose(*there.dims)


def _named(weights: xr.DataArray, scheme: str, synthetic: bool) -> xr.DataArray:
    weights = weights.rename("weight")
    number = effective_number(weights)
    said = "true" if synthetic else "false"
    weights.attrs = {"units": "1", "scheme": scheme, "effective_number": number, "synthetic": said}
    return weights


def _model_values(target: xr.DataArray, source_id: tuple[str, ...]) -> Floats:
    """One value a model of what is to be constrained, NaN where there is none."""
    more = [str(dim) for dim in target.dims if dim not in ("source_id", "member_id")]
    if "source_id" not in target.dims or more:
        raise BadStudy(f"climwip target: expected source_id[, member_id], got also {', '.join(more) or 'no source_id'}")
    values = target.mean("member_id") if "member_id" in target.dims else target
    return np.asarray(values.reindex(source_id=list(source_id)).values, dtype=np.float64)


def _dressed(
    parts: tuple[Floats, Floats, Floats], found: Distances, diagnostics: list[xr.DataArray], attrs: dict[str, object]
) -> xr.DataArray:
    """Weights with labels: 0 for models that could not be judged, shared by the members that a diagnostic has."""
    there = max((_there(data, "climwip") for data in diagnostics), key=lambda runs: (runs.ndim, int(runs.sum())))
    models = sorted({*found.source_id, *found.left_out}, key=list(map(str, there["source_id"].values)).index)
    weights, performance, independence, distance = (
        xr.DataArray(values, {"source_id": list(found.source_id)}, "source_id").reindex(
            source_id=models, fill_value=fill
        )
        for values, fill in zip((*parts, found.observed), (0.0, 0.0, 0.0, np.nan), strict=True)
    )
    out = _named(_shared(weights, there), "climwip", any(map(_synthetic, diagnostics)))
    return out.assign_attrs(attrs).assign_coords(
        performance=performance.assign_attrs(long_name="performance part", units="1"),
        independence=independence.assign_attrs(long_name="independence part", units="1"),
        distance=distance.assign_attrs(long_name="distance to the observations in medians over models", units="1"),
    )
