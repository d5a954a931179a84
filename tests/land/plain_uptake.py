"""Photosynthesis and water stress once more: one cell at a time, in float64 of NumPy, from the papers' formulae."""

import numpy as np

R = 8.3145


def daylight(lat, doy):
    """Hours of daylight and zenith angle at noon [rad]."""
    dec = np.radians(-23.4 * np.cos(np.radians(360.0 * (doy + 10.0) / 365.0)))
    phi = np.radians(lat)
    cosine = np.clip(-np.sin(phi) * np.sin(dec) / (np.cos(phi) * np.cos(dec)), -1.0, 1.0)
    return 2.0 * np.degrees(np.arccos(cosine)) / 15.0, abs(phi - dec)


def acm1(p, leaf_area, stress, w, site):
    gc = 2.0**0.789798 / (0.37836 * 1.0 + 0.5 * max(w["tasmax"] - w["tasmin"], 0.0))
    pp = leaf_area * p["efficiency"] * np.exp(0.011136 * w["tasmax"]) / gc
    q = 4.22273 - 208.868
    s = w["co2"] + q - pp
    ci = 0.5 * (s + np.sqrt(s**2 - 4.0 * (w["co2"] * q - pp * 4.22273)))
    pd = gc * (w["co2"] - ci)
    light = 7.19298 * leaf_area**2 / (2.1001 + leaf_area**2) * w["rsds"]
    hours, _ = daylight(site["lat"], w["doy"])
    gpp = 0.0 if light * pd == 0 else 1.0 / (1.0 / light + 1.0 / pd)
    return stress * gpp * (0.0156935 * hours + 0.0453194), None


def arrhenius(kelvin, energy):
    return np.exp(energy / R * (1.0 / 298.15 - 1.0 / kelvin))


def enzymes(kelvin, pressure):
    """Gamma* and K [Pa]."""
    gamma = 4.332 * pressure / 101325.0 * arrhenius(kelvin, 37830.0)
    kc, ko = 39.97 * arrhenius(kelvin, 79430.0), 27480.0 * arrhenius(kelvin, 36380.0)
    return gamma, kc * (1.0 + 0.209476 * pressure / ko)


def viscosity(kelvin):
    t = kelvin / 300.0
    return 280.68 / t**1.9 + 511.45 / t**7.7 + 61.131 / t**19.6 + 0.45903 / t**40


def pressure_at(z):
    return 101325.0 * ((288.15 - 0.0065 * z) / 288.15) ** 5.25588


def p_model(p, leaf_area, stress, w, site):
    t = (w["tasmin"] + w["tasmax"]) / 2.0
    patm = pressure_at(site["elevation"])
    ca = w["co2"] * patm / 1e6
    gamma, k = enzymes(t + 273.15, patm)
    eta = viscosity(t + 273.15) / viscosity(298.15)
    xi = np.sqrt(p["cost_ratio"] * (k + gamma) / (1.6 * eta))
    d = max(100.0 * w["vpd"], 50.0)
    chi = gamma / ca + (1.0 - gamma / ca) * xi / (xi + np.sqrt(d))
    ci = chi * ca
    m = (ci - gamma) / (ci + 2.0 * gamma)
    if ca <= gamma or m <= p["capacity_cost"]:
        return 0.0, 0.0
    phi = p["quantum_yield"] * max(0.352 + 0.022 * t - 0.00034 * t * t, 0.0)
    lue = 12.0107 * phi * m * np.sqrt(1.0 - (p["capacity_cost"] / m) ** (2.0 / 3.0))
    gpp = stress * lue * (1.0 - np.exp(-p["extinction"] * leaf_area)) * 2.04 * w["rsds"]
    return gpp, 1.6 * gpp / 12.0107 / 86400.0 * patm / (ca - ci)


def mod17(p, leaf_area, stress, w, site):
    cold = np.interp(w["tasmin"], [p["frozen"], p["warm"]], [0.0, 1.0])
    arid = np.interp(w["vpd"], [p["humid"], p["dry"]], [1.0, 0.0])
    apar = 0.45 * w["rsds"] * (1.0 - np.exp(-p["extinction"] * leaf_area))
    return stress * p["efficiency"] * cold * arid * apar, None


def smaller_root(curvature, a, b):
    return np.min(np.roots([curvature, -(a + b), a * b]).real)


def farquhar_medlyn(p, leaf_area, stress, w, site):
    t = (w["tasmin"] + w["tasmax"]) / 2.0
    patm = pressure_at(site["elevation"])
    gamma, k = (1e6 * x / patm for x in enzymes(t + 273.15, patm))
    hours, zenith = daylight(site["lat"], w["doy"])
    if hours == 0.0:
        return 0.0, 0.0
    kb = 0.5 / np.cos(min(zenith, np.radians(89.0)))
    rate = p["sensitivity"] ** ((t - 25.0) / 10.0)
    v = p["carboxylation"] * rate
    v /= (1.0 + np.exp(0.3 * (t - p["heat"]))) * (1.0 + np.exp(0.3 * (p["cold"] - t)))
    par = 2.04e6 * w["rsds"] / (3600.0 * hours)
    top = kb * p["clumping"] * (1.0 - p["reflectance"]) * par
    j = smaller_root(0.9, 0.3 * top, p["electron_ratio"] * v)
    medlyn = 1.0 + p["slope"] / np.sqrt(max(w["vpd"], 0.5))
    ci = max(w["co2"] - w["co2"] / medlyn, gamma)
    ac = stress * v * (ci - gamma) / (ci + k)
    aj = j / 4.0 * (ci - gamma) / (ci + 2.0 * gamma)
    gross = smaller_root(0.98, ac, aj)
    depth = kb * p["clumping"]
    leaves = (1.0 - np.exp(-depth * leaf_area)) / depth
    gpp = 12.0107e-6 * gross * leaves * hours * 3600.0
    net = max(gross - p["respiration"] * v, 0.0)
    return gpp, 1.6 * medlyn * net / w["co2"] * leaves * hours / 24.0


def layers(network):
    return {name: [np.asarray(layer) for layer in getattr(network, name)] for name in ("weights", "biases")}


def forward(weights, biases, x):
    for n, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = np.tanh(x) if n else x
        x = np.array([sum(a * b for a, b in zip(row, x, strict=True)) for row in weight]) + bias
    return x


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def neural_light_use(p, leaf_area, stress, w, site):
    t = (w["tasmin"] + w["tasmax"]) / 2.0
    seen = np.array([(t - 10.0) / 15.0, (w["rsds"] - 15.0) / 10.0, (w["vpd"] - 10.0) / 10.0])
    e, h = sigmoid(forward(p["weights"], p["biases"], seen))
    apar = 2.04 * w["rsds"] * (1.0 - np.exp(-p["extinction"] * leaf_area))
    return stress * 12.0107 * e / 8.0 * w["co2"] / (w["co2"] + 1000.0 * h) * apar, None


def no_stress(p, water):
    return 1.0


def linear_stress(p, water):
    return np.interp(water, [p["wilting"] * p["field_capacity"], p["field_capacity"]], [0.0, 1.0])


def quadratic_stress(p, water):
    m = water / p["field_capacity"]
    q = (p["dry"] - 1.0) / p["threshold"] ** 2
    return 1.0 if m > p["threshold"] else q * (m - p["threshold"]) ** 2 + 1.0


def potential_stress(p, water):
    theta = min(water / (1000.0 * p["porosity"] * p["depth"]), 1.0)
    psi = -1000.0 if theta < 1e-5 else max(-1.17e-3 * theta ** -p["retention"], -1000.0)
    exponent = p["steepness"] * (-psi / p["half"] - 1.0)
    return 0.0 if exponent > 700 else 1.0 / (1.0 + np.exp(exponent))


def neural_stress(p, water):
    return sigmoid(forward(p["weights"], p["biases"], np.array([np.log(1.0 + water / 100.0) - 1.0]))[0])


def monotone_neural_stress(p, water):
    weights = [np.log1p(np.exp(weight)) for weight in p["weights"]]
    return sigmoid(forward(weights, p["biases"], np.array([np.log(1.0 + water / 100.0) - 1.0]))[0])
