"""Synthetic weather and places for tests of the land model: whole prior boxes, and plausible climates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from spread.land import Forcing, LandModel, Site, State, draw, parameters_of

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


def at(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


def on_edges(module, key, share=0.1):
    """Parameters of a drawn module moved to an edge of their box, each with a probability of ``share``."""
    known = parameters_of(module)
    draws = jax.random.uniform(key, (len(known), *jnp.shape(at(module, next(iter(known))))))
    moved = [
        jnp.where(u < share / 2, box.low, jnp.where(u < share, box.high, at(module, path)))
        for (path, box), u in zip(known.items(), draws, strict=True)
    ]
    return eqx.tree_at(lambda m: [at(m, path) for path in known], module, moved)


def anything(seed, cells, model=None):
    """Model, state, weather and place drawn from everything there is, edges of the boxes included."""
    keys = jax.random.split(jax.random.key(seed), 6)
    model = draw(LandModel() if model is None else model, keys[0], cells)
    model, state = on_edges(model, keys[1]), on_edges(draw(State(), keys[2], cells), keys[3])
    return model, state, any_weather(keys[4], cells), any_place(keys[5], cells)
