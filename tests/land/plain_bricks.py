"""Bricks of the land model in plain NumPy, float64, written from the papers for one test.

Nothing is shared with ``spread.land`` but the names of parameters: published forms are used where ours are rearranged.
Each takes the brick's parameters, the state, the weather and the place as plain namespaces.
"""

import numpy as np
from scipy.stats import norm


def lesser(a, b, curvature=0.98):
    return (a + b - np.sqrt((a + b) ** 2 - 4 * curvature * a * b)) / (2 * curvature)


def kilopascal(t):
    return 0.6108 * np.exp(17.27 * t / (t + 237.3))


def slope(t):
    return 4098 * kilopascal(t) / (t + 237.3) ** 2


def gamma(z):
    return 0.665e-3 * 101.3 * ((293 - 0.0065 * z) / 293) ** 5.26


def top_of_atmosphere(lat, doy):
    phi, dec = lat * np.pi / 180, 0.409 * np.sin(2 * np.pi * doy / 365 - 1.39)
    ws = np.arccos(np.clip(-np.tan(phi) * np.tan(dec), -1, 1))
    inner = ws * np.sin(phi) * np.sin(dec) + np.cos(phi) * np.cos(dec) * np.sin(ws)
    return 24 * 60 / np.pi * 0.0820 * (1 + 0.033 * np.cos(2 * np.pi * doy / 365)) * np.maximum(inner, 0)


def net(albedo, f, site):
    clear = (0.75 + 2e-5 * site.elevation) * top_of_atmosphere(site.lat, f.doy)
    with np.errstate(divide="ignore", invalid="ignore"):
        cloud = np.where(np.maximum(clear, f.rsds) > 0, f.rsds / np.maximum(clear, f.rsds), 0)
    ea = np.maximum((kilopascal(f.tasmax) + kilopascal(f.tasmin)) / 2 - f.vpd / 10, 0)
    black = 4.903e-9 * ((f.tasmax + 273.16) ** 4 + (f.tasmin + 273.16) ** 4) / 2
    lost = black * np.maximum(0.34 - 0.14 * np.sqrt(ea), 0) * (1.35 * np.clip(cloud, 0.3, 1) - 0.35)
    return np.maximum((1 - albedo) * f.rsds - lost, 0)


def underlying_wue(p, shown, leaf_area, stress, f, site):
    efficiency = p.efficiency * (f.co2 / 380.0) ** p.closure
    return shown.gpp * np.sqrt(f.vpd) / efficiency + p.evaporation * f.rsds


def priestley_taylor(p, shown, leaf_area, stress, f, site):
    t = (f.tasmin + f.tasmax) / 2
    wet = p.coefficient * slope(t) / (slope(t) + gamma(site.elevation)) * net(p.albedo, f, site) / 2.45
    caught = 1 - np.exp(-leaf_area / 2)
    return wet * (caught * stress + (1 - caught) * p.ground)


def penman_monteith(p, shown, leaf_area, stress, f, site):
    t = (f.tasmin + f.tasmax) / 2
    pressure = 101.3e3 * ((293 - 0.0065 * site.elevation) / 293) ** 5.26
    rn = net(p.albedo, f, site)
    caught = 1 - np.exp(-leaf_area / 2)
    gs = shown.conductance * (380.0 / f.co2) ** p.closure * 8.314462618 * (t + 273.15) / pressure
    heat = pressure / (287.05 * (t + 273.15)) * 1.013e-3 * 86400  # MJ s m-3 K-1 d-1
    s, g = slope(t), gamma(site.elevation)
    with np.errstate(divide="ignore"):
        leaves = (s * caught * rn + heat * f.vpd / 10 * p.aerodynamic) / (s + g * (1 + p.aerodynamic / gs))
    ground = 1.26 * p.ground * s / (s + g) * (1 - caught) * rn
    return (leaves + ground) / 2.45


def day_length(lat, doy):
    dec = -23.4 * np.pi / 180 * np.cos(2 * np.pi * (doy + 10) / 365)
    return 24 / np.pi * np.arccos(-np.clip(np.tan(lat * np.pi / 180) * np.tan(dec), -1, 1))


def knorr(p, state, leaf_area, f, site):
    t, kept = (f.tasmin + f.tasmax) / 2, np.exp(-f.days / 30)
    warm = kept * (state.memory["warmth"] + site.tas) + (1 - kept) * t
    wet = 1.26 * slope(t) / (slope(t) + gamma(site.elevation)) * net(0.23, f, site) / 2.45
    transpiration = wet * (1 - np.exp(-leaf_area / 2))
    # Lambda_W = W L / (tau_W E), with the least need of 1e-3 mm for a unit of leaf area
    limited = state.water * leaf_area / (p.endurance * transpiration + 1e-3 * leaf_area)
    largest = lesser(limited, p.largest)
    target = kept * (1 - state.memory["drought"]) * p.largest + (1 - kept) * largest
    growing = norm.cdf((warm - p.onset_temperature) / p.onset_range)
    growing = growing * norm.cdf((day_length(site.lat, f.doy) - p.shedding_day) / p.shedding_range)
    unfold = p.growth * growing * np.maximum(1 - leaf_area / target, 0)
    fall = p.growth * growing * np.maximum(1 - target / leaf_area, 0) + (1 - growing) * p.senescence
    return {("labile", "foliar"): unfold, ("foliar", "litter"): fall}


def dalec(p, state, leaf_area, f, site):
    def rate(life, day, period):
        s, x = 365.25 / np.pi, np.log(life - 1)
        shift = period / np.sqrt(2) * (
            -1.88459767342504e-1 + 1.26972018064287e-1 * x - 2.0836027517787e-2 * x**2 - 5.437736864888e-3 * x**3
            + 9.01865258885e-4 * x**4 + 3.32730053021e-4 * x**5 + 2.3599784710e-5 * x**6
        )  # fmt: skip
        inner = s * np.sqrt(2) / period * np.sin((f.doy - day + shift) / s)
        return np.sqrt(2 / np.pi) / period * np.log(life / (life - 1)) * np.exp(-(inner**2))

    return {
        ("labile", "foliar"): rate(p.labile_life, p.unfold_day, p.unfold_period),
        ("foliar", "litter"): rate(p.leaf_life, p.fall_day, p.fall_period),
    }


def degree_day(p, state, f, site):
    t = (f.tasmin + f.tasmax) / 2
    frozen = 1 / (1 + np.exp(4 * (t - p.freezing) / p.span))
    pack = state.snow + frozen * f.pr * f.days
    melted = 0.9999 * lesser(p.melt * np.maximum(t - p.threshold, 0) * f.days, pack + 0.01) * pack / (pack + 0.01)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(pack > 0, melted / pack, 0)
    return frozen, share


def fire(p, state, f, site):
    """Shares of each pool that burn and that die, were there nothing else."""
    burns = {"labile": p.live, "foliar": p.foliar, "root": p.live, "wood": p.live, "soil": p.soil}
    burns["litter"] = (p.foliar + p.live) / 2
    dies = {pool: (1 - burns[pool]) * (1 - p.resilience) for pool in burns if pool != "soil"}
    return {pool: f.burned * x for pool, x in burns.items()}, {pool: f.burned * x for pool, x in dies.items()}


def exponential(p, state, f, site):
    t = (f.tasmin + f.tasmax) / 2
    wet = np.where(site.pr > 0, f.pr / np.where(site.pr > 0, site.pr, 1), 1)
    factor = np.exp(p.temperature * (t - site.tas)) * (1 + p.moisture * (wet - 1))
    return {
        ("litter", "rh"): factor * p.litter,
        ("litter", "soil"): factor * p.humification,
        ("soil", "rh"): factor * p.soil,
    }


def q10(p, state, f, site):
    t = (f.tasmin + f.tasmax) / 2
    full = np.minimum(state.water / p.saturation, 1)
    m = p.moisture
    if hasattr(m, "enough"):
        wet = np.where(full < m.enough, m.dry + (1 - m.dry) * full / m.enough, 1)
    else:
        wet = np.exp(-((full - m.optimum) ** 2) / (2 * m.width**2))
    factor = p.q10 ** ((t - site.tas) / 10) * wet
    return {
        ("litter", "rh"): factor * p.litter,
        ("litter", "soil"): factor * p.humification,
        ("soil", "rh"): factor * p.soil,
    }


def drained(water, capacity, days):
    """What is left after dW/dt = -W^2 / (30 d capacity)."""
    return 1 / (1 / water + days / (30 * capacity))
