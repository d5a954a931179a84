"""Synthetic weather and places for tests of the land model: whole prior boxes, and plausible climates."""

import jax
import jax.numpy as jnp
import numpy as np

from spread.land import Forcing, Site

MONTHS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def any_weather(key, cells):
    """One step of weather anywhere on land, extremes included."""
    keys = iter(jax.random.split(key, 10))

    def between(low, high):
        return jax.random.uniform(next(keys), (cells,), minval=low, maxval=high)

    def often_zero(top):
        return jnp.maximum(between(-0.5 * top, top), 0)

    tasmin = between(-45.0, 28.0)
    return Forcing(
        tasmin=tasmin,
        tasmax=tasmin + between(0.0, 22.0),
        rsds=often_zero(32.0),
        vpd=often_zero(50.0),
        pr=often_zero(40.0),
        co2=between(180.0, 1200.0),
        burned=often_zero(1.0),
        doy=between(0.0, 366.0),
        days=between(1.0, 31.0),
    )


def any_place(key, cells):
    """Places from pole to pole, some without precipitation in their reference climate."""
    one, two, three, four = jax.random.split(key, 4)
    return Site(
        lat=jax.random.uniform(one, (cells,), minval=-90.0, maxval=90.0),
        elevation=jax.random.uniform(two, (cells,), minval=0.0, maxval=5000.0),
        tas=jax.random.uniform(three, (cells,), minval=-25.0, maxval=30.0),
        pr=jnp.maximum(jax.random.uniform(four, (cells,), minval=-1.0, maxval=10.0), 0),
    )


def monthly(years, cells, seed=0):
    """Plausible monthly weather of places between 60 S and 75 N, and the places."""
    rng = np.random.default_rng(seed)
    steps = 12 * years
    lat = rng.uniform(-60.0, 75.0, cells)
    mid = np.cumsum(MONTHS) - MONTHS / 2
    doy = np.tile(mid, years)
    season = np.cos(2 * np.pi * (doy[:, None] - 196) / 365.25) * np.sign(lat)
    tas = 27.0 - 0.006 * lat**2 + 0.28 * np.abs(lat) * season + rng.normal(0.0, 1.5, (steps, cells))
    span = rng.uniform(4.0, 15.0, (steps, cells))
    rsds = np.maximum(20.0 - 0.14 * np.abs(lat) + 0.13 * np.abs(lat) * season, 0.2)
    wet = rng.uniform(0.3, 6.0, cells)
    burned = np.where(rng.random((steps, cells)) < 0.1, rng.uniform(0.0, 0.1, (steps, cells)), 0.0)
    saturated = 6.11 * np.exp(17.27 * tas / (tas + 237.3))
    forcing = Forcing(
        tasmin=tas - span / 2,
        tasmax=tas + span / 2,
        rsds=rsds,
        vpd=saturated * rng.uniform(0.1, 0.6, (steps, cells)),
        pr=rng.gamma(2.0, 0.5, (steps, cells)) * wet,
        co2=380.0 + 0.18 * np.arange(steps),
        burned=burned,
        doy=doy,
        days=np.tile(MONTHS, years),
    )
    forcing = jax.tree.map(jnp.asarray, forcing)
    return forcing, Site.of(jnp.asarray(lat), jnp.zeros(cells), forcing)
