"""The miniature archive that spread works on when given nothing: synthetic, in the layout of CMIP6, made on first use.

Its global-mean warming is that of real CMIP6 models; its maps and weather are idealised, and its faults are those
that real datasets had. Every store says `synthetic = "true"`. It is for tests, teaching and the first five minutes,
and is never evidence on climate.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spread.demo.faults import FAULTS, Fault

__all__ = ["FAULTS", "Fault", "location", "make_archive", "make_daily"]


def __getattr__(name: str) -> Any:
    if name in ("FAULTS", "Fault"):
        from spread.demo import faults

        return getattr(faults, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def location() -> Path:
    """Folder of the demo archive: below `$SPREAD_DATA`, or else the user's cache.

    Returns
    -------
    Path
        It names the version of the recipe, and may not exist yet.
    """
    from spread.demo.archive import RECIPE

    if data := os.environ.get("SPREAD_DATA"):
        return Path(data).expanduser() / f"demo-{RECIPE}"
    import platformdirs

    return Path(platformdirs.user_cache_dir("spread")) / f"demo-{RECIPE}"


def make_archive(
    root: Path | str | None = None,
    *,
    progress: Callable[[int, int, str], None] | None = None,
    workers: int | None = None,
    models: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    variables: Iterable[str] | None = None,
) -> Path:
    """Make the demo archive once, and say where its catalog is.

    Parameters
    ----------
    root : path, optional
        Folder; `location()` if none is given.
    progress : callable, optional
        Called with stores done, stores in all, and what was made.
    workers : int, optional
        Processes; by default one a processor, four at most. The bytes do not depend on it.
    models, experiments, variables : iterable of str, optional
        Make only these; then `root` has to be given.

    Returns
    -------
    Path
        The intake-esm collection file `demo.json`.

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    ValueError
        If a name is not in the demo, or a part is wanted without a `root`.
    """
    from spread.demo.archive import build

    if root is None and not (models is None and experiments is None and variables is None):
        raise ValueError("make_archive: a part of the demo archive needs a root of its own, got none; give root=...")
    return build(Path(root) if root is not None else location(), progress, workers, models, experiments, variables)


def make_daily(
    root: Path | str | None = None,
    *,
    progress: Callable[[int, int, str], None] | None = None,
    workers: int | None = None,
    models: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
) -> Path:
    """Add daily temperature of four models to the demo archive once, and say where its own catalog is.

    Parameters
    ----------
    root : path, optional
        Folder of the archive, which is made first if it is missing; `location()` if none is given.
    progress : callable, optional
        As in `make_archive`.
    workers : int, optional
        As in `make_archive`.
    models, experiments : iterable of str, optional
        Make only these.

    Returns
    -------
    Path
        The intake-esm collection file `demo-daily.json`, of the daily stores only.
    """
    from spread.demo.archive import build_daily

    return build_daily(Path(root) if root is not None else location(), progress, workers, models, experiments)
