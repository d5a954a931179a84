"""The same land model in plain NumPy, float64, written from the equations for one test: DALEC with competing losses.

Nothing is shared with ``spread.land`` but parameter names: published forms are used where ours are rearranged.
"""

import numpy as np
from scipy.special import expm1


def rate_of_year(life, day, period, doy):
    s, log = 365.25 / np.pi, np.log(life - 1)
    offset = np.polyval(
        [2.3599784710e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3, -2.0836027517787e-2,
         1.26972018064287e-1, -1.88459767342504e-1],
        log,
    ) * period / np.sqrt(2)  # fmt: skip
    inner = s * np.sqrt(2) / period * np.sin((doy - day + offset) / s)
    return 2 / np.sqrt(np.pi) * 0.5 * np.log(life / (life - 1)) * np.sqrt(2) / period * np.exp(-(inner**2))


def acm(leaf_area, efficiency, tasmin, tasmax, rsds, co2, lat, doy):
    gc = 2.0**0.789798 / (0.37836 + 0.5 * (tasmax - tasmin))
    p = leaf_area * efficiency * np.exp(0.011136 * tasmax) / gc
    q = 4.22273 - 208.868
    s = co2 + q - p
    ci = 0.5 * (s + np.sqrt(s**2 - 4 * (co2 * q - p * 4.22273)))
    light = 7.19298 * leaf_area**2 / (2.1001 + leaf_area**2) * rsds
    diffusion = gc * (co2 - ci)
    dec = -23.4 * np.pi / 180 * np.cos(2 * np.pi * (doy + 10) / 365)
    hours = 24 / np.pi * np.arccos(-np.clip(np.tan(lat * np.pi / 180) * np.tan(dec), -1, 1))
    return light * diffusion / (light + diffusion) * (0.0156935 * hours + 0.0453194)


def lesser(a, b, curvature=0.98):
    return (a + b - np.sqrt((a + b) ** 2 - 4 * curvature * a * b)) / (2 * curvature)


def trajectory(p, x, forcing, lat, tas_mean, pr_mean):
    """Pools at the end of every step and fluxes, for dicts of arrays: parameters ``p``, pools ``x``, forcing."""
    x = {name: np.array(value, float) for name, value in x.items()}
    out = []
    for t in range(len(forcing["doy"])):
        f = {name: value[t] for name, value in forcing.items()}
        dt, doy, temp = f["days"], f["doy"], 0.5 * (f["tasmin"] + f["tasmax"])
        leaf_area = x["foliar"] / p["leaf_mass"]
        dry, full = p["wilting"] * p["field_capacity"], p["field_capacity"]
        beta = np.clip((x["water"] - dry) / (full - dry), 0, 1)
        gpp = beta * acm(leaf_area, p["ce"], f["tasmin"], f["tasmax"], f["rsds"], f["co2"], lat, doy)
        then = beta * acm(leaf_area, p["ce"], f["tasmin"], f["tasmax"], f["rsds"], 380.0, lat, doy)
        then = then * (380.0 / f["co2"]) ** p["closure"]
        asked = then * np.sqrt(f["vpd"]) / p["wue"] + p["evaporation"] * f["rsds"]

        factor = np.exp(p["theta"] * (temp - tas_mean)) * (1 + p["moisture"] * (f["pr"] / pr_mean - 1))
        burnt = {"foliar": p["cf_fol"], "labile": p["cf_live"], "root": p["cf_live"], "wood": p["cf_live"],
                 "litter": (p["cf_fol"] + p["cf_live"]) / 2, "soil": p["cf_soil"]}  # fmt: skip
        heir = {"foliar": "litter", "labile": "litter", "root": "litter", "wood": "soil", "litter": "soil"}
        edges = [
            ("labile", "foliar", rate_of_year(p["labile_life"], p["unfold_day"], p["unfold_period"], doy)),
            ("foliar", "litter", rate_of_year(p["leaf_life"], p["fall_day"], p["fall_period"], doy)),
            ("root", "litter", p["k_root"]),
            ("wood", "soil", p["k_wood"]),
            ("litter", "rh", factor * p["k_litter"]),
            ("litter", "soil", factor * p["k_humus"]),
            ("soil", "rh", factor * p["k_soil"]),
        ]
        for pool, cf in burnt.items():
            dies = (1 - cf) * (1 - p["resilience"]) if pool in heir else 0.0
            hazard = -np.log(1 - f["burned"] * (cf + dies)) / dt
            edges.append((pool, "fire", hazard * cf / (cf + dies)))
            if pool in heir:
                edges.append((pool, heir[pool], hazard * dies / (cf + dies)))
        gain = dict.fromkeys([*burnt, "rh", "fire"], 0.0)
        loss = {}
        for pool in burnt:
            total = sum(rate for source, _, rate in edges if source == pool)
            loss[pool] = -x[pool] * expm1(-total * dt)
            for source, target, rate in edges:
                if source == pool:
                    gain[target] = gain[target] + loss[pool] * rate / total
        npp = (1 - p["f_auto"]) * gpp
        leaves = p["f_fol"] * npp
        labile = p["f_lab"] * (npp - leaves)
        roots = p["f_root"] * (npp - leaves - labile)
        grown = {"labile": labile, "foliar": leaves, "root": roots, "wood": npp - leaves - labile - roots}
        leaves_before = x["foliar"]
        for pool in burnt:
            x[pool] = x[pool] - loss[pool] + gain[pool] + grown.get(pool, 0.0) * dt

        wet = x["water"] + f["pr"] * dt
        et = lesser(asked * dt, 0.9999 * wet)
        kept = wet - et
        x["water"] = kept / (1 + kept * dt / (30 * p["capacity"]))
        rh, fire = gain["rh"] / dt, gain["fire"] / dt
        lai = 0.5 * (leaves_before + x["foliar"]) / p["leaf_mass"]
        ra = p["f_auto"] * gpp
        carbon = {"ra": ra, "npp": npp, "rh": rh, "fFire": fire, "nep": npp - rh, "nbp": npp - rh - fire, "lai": lai}
        out.append({"gpp": gpp, **carbon, "evspsbl": et / dt, "mrro": (kept - x["water"]) / dt, **x})
    return {name: np.array([row[name] for row in out]) for name in out[0]}
