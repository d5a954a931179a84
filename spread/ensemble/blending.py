"""From blended surface temperature (GMST) to surface air temperature (GSAT), by a named and sourced ratio of changes.

GSAT is ``tas`` everywhere. GMST blends air temperature over land and ice with sea surface temperature over the ice-free
ocean; models say that its changes are smaller, and observations do not decide. Nothing here is applied unless named.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from spread.errors import BadStudy, did_you_mean

NORMAL_95 = 1.6448536269514722  # 95 % quantile of the standard normal distribution


@dataclass(frozen=True)
class Blending:
    """Ratio of a change of GSAT to the change of GMST.

    Parameters
    ----------
    ratio : float
        Best estimate [1].
    sd : float
        Its standard deviation [1].
    source : str
        Where they come from.
    """

    ratio: float
    sd: float
    source: str


_RICHARDSON = "Richardson, Cowtan and Millar (2018), Environ. Res. Lett. 13 054004, doi:10.1088/1748-9326/aab305"
# The paper's 5-95 % range, 6-21 % about 15 %, is of its third case, blended and with HadCRUT4's gaps. No range is given
# for full coverage, which removes one cause of spread: this is an upper bound.
_RICHARDSON_SD = (0.21 - 0.06) / (2 * NORMAL_95)

BLENDINGS = MappingProxyType(
    {
        "ar6": Blending(
            1.0,
            0.10 / NORMAL_95,  # "at most 10 %" read as a 5-95 % range
            "IPCC AR6 WGI (2021), Cross-Chapter Box 2.3: best estimate no difference, at most 10 % in either direction",
        ),
        "richardson2018": Blending(
            1.08,
            _RICHARDSON_SD,
            f"{_RICHARDSON}: CMIP5, low emissions, 2090s: 8 % more than blended with global coverage",
        ),
        "richardson2018-fixed-ice": Blending(
            1.04,
            _RICHARDSON_SD,
            f"{_RICHARDSON}: as before, 4 % where the effect of changing sea-ice cover is removed too",
        ),
    }
)
"""Conversions from GMST to GSAT by name."""


def blending(kind: str, conversion: str | None) -> Blending:
    """Ratio by which changes of an observed series are multiplied to compare with ``tas``.

    Parameters
    ----------
    kind : str
        ``GSAT``, which needs none, or ``GMST``.
    conversion : str or None
        A name of :data:`BLENDINGS`; None for GSAT.

    Returns
    -------
    Blending
        Ratio, its standard deviation and source.

    Raises
    ------
    BadStudy
        If GMST comes without a known conversion, or GSAT with one.
    """
    names = list(BLENDINGS)
    if kind == "GSAT":
        if conversion is not None:
            raise BadStudy(f"conversion: GSAT needs none, got {conversion!r}; leave it out, or say kind = 'GMST'")
        return Blending(1.0, 0.0, "surface air temperature, as tas")
    if kind != "GMST":
        raise BadStudy(f"kind: expected 'GSAT' or 'GMST', got {kind!r}")
    if conversion is None:
        raise BadStudy(f"conversion: GMST is not tas; say how changes are converted: {', '.join(names)}")
    if conversion not in BLENDINGS:
        raise BadStudy(f"conversion: unknown {conversion!r}, {did_you_mean(conversion, names)}")
    return BLENDINGS[conversion]
