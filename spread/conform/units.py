"""Canonical units: converted once, here; afterwards a unit is a fact.

Units are read by pint with the CF definitions of cf_xarray. A field is converted lazily and in float64.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr

from spread.vocabulary import Variable

WATER_DENSITY = 1000.0
"""Density of liquid water that turns a depth of rain into a mass [kg m-3] (CMIP6: 1 mm is 1 kg m-2)."""


@lru_cache(maxsize=256)
def linear_conversion(units: str, canonical: str) -> tuple[float, float]:
    """Factor and offset from a unit to the canonical one.

    Parameters
    ----------
    units, canonical : str
        CF unit strings.

    Returns
    -------
    tuple of float
        ``value_in_canonical = factor * value + offset``.

    Raises
    ------
    ValueError
        If the two measure different things or cannot be read.
    """
    if " ".join(units.split()) == canonical:
        return 1.0, 0.0
    from cf_xarray.units import units as registry

    try:
        given, wanted = registry.Unit(units.strip()), registry.Unit(canonical)
        scale = 1.0
        if registry.get_base_units(1 * wanted)[1] / registry.get_base_units(1 * given)[1] == registry.Unit("kg m-3"):
            scale = WATER_DENSITY  # a depth of water was given where a mass is meant
            given = given * registry.Unit("kg m-3")
        zero, one = (float(registry.Quantity(scale * value, given).to(wanted).magnitude) for value in (0.0, 1.0))
    except Exception as error:  # pint raises AttributeError, ValueError, its own, and tokenizer errors alike
        raise ValueError(f"units: expected something convertible to {canonical!r}, got {units!r}") from error
    return one - zero, zero


def conform_units(ds: xr.Dataset, variable: Variable) -> tuple[xr.Dataset, list[str]]:
    """Convert the data variable to its canonical unit, lazily.

    Parameters
    ----------
    ds : xarray.Dataset
        With the data variable.
    variable : Variable
        Its row of the variable table.

    Returns
    -------
    xarray.Dataset, list of str
        The converted dataset (float64 where values changed), and the fixes applied.

    Raises
    ------
    ValueError
        If the unit is missing or measures something else.
    """
    field = ds[variable.variable_id]
    units = str(field.attrs.get("units", ""))
    if not units:
        raise ValueError(f"units: expected {variable.units!r}, got none")
    factor, offset = linear_conversion(units, variable.units)
    attrs = field.attrs | {"units": variable.units}
    if (factor, offset) == (1.0, 0.0):
        return ds.assign({variable.variable_id: field.assign_attrs(attrs)}), []
    converted = (field.astype(np.float64) * factor + offset).assign_attrs(attrs)
    return ds.assign({variable.variable_id: converted}), [f"units: {units} -> {variable.units}"]


def land_share(sftlf: xr.DataArray) -> tuple[xr.DataArray, list[str]]:
    """Land share of each cell as a fraction.

    Parameters
    ----------
    sftlf : xarray.DataArray
        Land area fraction in % (or 1), in memory; missing means no land.

    Returns
    -------
    xarray.DataArray, list of str
        Values in 0..1, and the fixes applied.

    Raises
    ------
    ValueError
        If values lie outside what a percentage or a fraction can be.

    Notes
    -----
    FGOALS-f3-L publishes 0..1 under the unit % (IPCC-WG1/Chapter-11 ``_fixes_cmip6.py``): a field without any value
    above 1 cannot be a percentage, since every grid has cells that are all land.
    """
    values = np.nan_to_num(sftlf.values.astype(np.float64), nan=0.0)
    if values.min() < -1e-3 or values.max() > 100.1 or values.max() <= 0.0:
        raise ValueError(f"sftlf: expected 0..100 %, got {values.min():g}..{values.max():g}")
    declared = str(sftlf.attrs.get("units", "%")).strip()
    if values.max() <= 1.0 + 1e-6:
        fixes = ["sftlf: values are fractions though units say %"] if declared == "%" else []
        return sftlf.copy(data=np.clip(values, 0.0, 1.0)), fixes
    return sftlf.copy(data=np.clip(values / 100.0, 0.0, 1.0)), []
