"""Clean archives: whatever spread leaves out of them that it should not is a false rejection."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gauntlet.archive import Archive, write
from gauntlet.ensemble import MODELS, ON_LAND, UNITS, dataset, fixed
from spread import flow
from spread.study import Study

Found = dict[str, tuple[int, list[str]]]
"""By archive: how many datasets there are, and the sentences of those that were left out wrongly."""


def of_ensemble() -> Found:
    """The gauntlet's own clean ensemble, every variable."""
    found = []
    count = 0
    with tempfile.TemporaryDirectory(prefix="clean-") as folder:
        archive = Archive(Path(folder), folder)
        for variable_id in UNITS:
            rows = []
            for source_id in MODELS:
                for run in ("historical", "ssp585"):
                    path = f"{variable_id}/{source_id}/{run}"
                    write(dataset(source_id, run, variable_id), archive.root / path)
                    rows.append(archive.row(source_id, run, variable_id, path))
                if variable_id in ON_LAND:
                    write(fixed(source_id, "sftlf"), archive.root / f"{variable_id}/{source_id}/sftlf")
                    rows.append(archive.row(source_id, "historical", "sftlf", f"{variable_id}/{source_id}/sftlf"))
            collection = archive._collection(archive.root / variable_id, rows)
            table_id = "Lmon" if variable_id in ON_LAND else "Amon"
            study = Study.make(
                catalog=str(collection), variable_id=variable_id, table_id=table_id, experiments=["ssp585"]
            )
            count += len(rows)
            found += [failure.sentence for failure in flow.run(study).failures]
    return {"the clean ensemble": (count, found)}


def of_demo(collection: Path | str = "demo") -> Found:
    """The demo archive: what is left out although no fault was planted in it."""
    from spread.demo import FAULTS

    planted = {f"{f.source_id}.{f.experiment_id}.{f.member_id}.{f.variable_id}" for f in FAULTS}
    bad = {fault.source_id for fault in FAULTS}
    found, count = [], 0
    for variable_id in ("tas", "pr"):
        report = flow.run(Study.make(catalog=str(collection), variable_id=variable_id, incomplete_periods="allow"))
        count += len(report.member_records())
        for failure in report.failures:
            of_planted = failure.dataset in planted or failure.dataset.split(".")[0] in bad
            if not of_planted and _false(failure.stage, failure.reason):
                found.append(failure.sentence)
    return {"the demo archive": (count, found)}


def of_atlas(collection: Path | str) -> Found:
    """Real monthly temperatures of 35 models: whatever is refused by anything but the catalog's own gaps."""
    report = flow.run(Study.make(catalog=str(collection), incomplete_periods="allow", require_all_experiments=False))
    found = [failure.sentence for failure in report.failures if _false(failure.stage, failure.reason)]
    return {"the Atlas archive": (len(report.member_records()) + len(found), found)}


def _false(stage: str, reason: str) -> bool:
    """A model that lacks a scenario, or a version with errata, is left out rightly."""
    return stage != "catalog"


def false_rejections() -> Found:
    """Every clean archive that is here; the Atlas one is made from real data where they are."""
    found = of_ensemble() | of_demo()
    shared = Path(os.environ.get("SPREAD_SHARED_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
    tool = shared.parent / "tools" / "make_atlas_archive.py"
    if not tool.is_file():
        return found | {"the Atlas archive (not here)": (0, [])}
    with tempfile.TemporaryDirectory(prefix="atlas-") as folder:
        command = [sys.executable, str(tool), folder, "--coarsen", "6"]
        subprocess.run(command, check=True, capture_output=True)
        return found | of_atlas(Path(folder) / "pangeo-cmip6.json")
