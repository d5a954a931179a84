"""spread: how far do climate models disagree, why, and what would change it?

The flow, one line a stage::

    catalog    an intake-esm collection of CMIP6 Zarr stores; the datasets of a study and comparable members
    opening    one row of it -> one lazy dataset with its version; chunks strict, nothing changed
    conform    CF names, canonical units, real calendars, sound bounds; or a rejection with its reason
    reduce     area means over regions, every operator in one read of each chunk
    ensemble   members side by side, anomalies, spread across models
    report     numbers, members, versions, fixes and rejections in one store; figures and a page

In one line each::

    ens = spread.open_ensemble("demo", variable_id="tas", regions="land", models=["CESM2", "MIROC6"])   # lazy
    spread.model_spread(ens, period=(2081, 2100), base=(1850, 1900))
    report = spread.run(spread.Study.from_toml("study.toml"))

Everything is imported where it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Study": "spread.study",
    "Region": "spread.regions",
    "Report": "spread.report",
    "SpreadError": "spread.errors",
    "Failure": "spread.errors",
    "VARIABLES": "spread.vocabulary",
    "read_catalog": "spread.catalog",
    "search": "spread.catalog",
    "model_spread": "spread.ensemble",
    "open_ensemble": "spread.flow",
    "run": "spread.flow",
    "check": "spread.plan",
}

__all__ = [
    "VARIABLES",
    "Failure",
    "Region",
    "Report",
    "SpreadError",
    "Study",
    "__version__",
    "check",
    "model_spread",
    "open_ensemble",
    "read_catalog",
    "run",
    "search",
]

if TYPE_CHECKING:
    from spread.catalog import read as read_catalog
    from spread.catalog import search
    from spread.ensemble import model_spread
    from spread.errors import Failure, SpreadError
    from spread.flow import open_ensemble, run
    from spread.plan import check
    from spread.regions import Region
    from spread.report import Report
    from spread.study import Study
    from spread.vocabulary import VARIABLES


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'spread' has no attribute {name!r}")
    module = import_module(_WHERE[name])
    return getattr(module, "read" if name == "read_catalog" else name)


def __dir__() -> list[str]:
    return list(__all__)
