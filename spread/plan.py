"""What a study would read and reject, known before any chunk is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spread import beside, cores, ensemble, reduce, sensitivities
from spread.datasets import Progress, conformed_members, planned_members, silent
from spread.errors import Failure, SpreadError
from spread.study import Study
from spread.vocabulary import Row


@dataclass(frozen=True)
class Plan:
    """What a study would read.

    Parameters
    ----------
    study : Study
        What is asked.
    datasets : tuple of dict
        One record a dataset: name, version, grid, chunks, bytes when decoded, fixes, errata.
    failures : tuple of Failure
        What would be left out, as far as metadata tell.
    models : int
        Models that would have a number for every experiment.
    """

    study: Study
    datasets: tuple[dict[str, Any], ...]
    failures: tuple[Failure, ...]
    models: int

    @property
    def chunks(self) -> int:
        """Number of chunks to read."""
        return sum(d["chunks"] for d in self.datasets)

    @property
    def bytes_decoded(self) -> int:
        """Volume of the fields once decoded [bytes]."""
        return sum(d["bytes"] for d in self.datasets)

    @property
    def peak_memory(self) -> int:
        """Memory for chunks [bytes], whatever the number of models: each core holds one as it came and one decoded."""
        return cores.memory_for(max((d["largest_chunk"] for d in self.datasets), default=0))

    @property
    def kept(self) -> int:
        """Volume of the yearly maps that the cache will keep [bytes]; twice as much where cells come and go."""
        return sum(d["kept"] for d in self.datasets)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "study": self.study.model_dump(mode="json", exclude={"storage_options"}),
            "models": self.models,
            "datasets": list(self.datasets),
            "chunks": self.chunks,
            "bytes_decoded": self.bytes_decoded,
            "peak_memory": self.peak_memory,
            "kept": self.kept,
            "left_out": [{"dataset": f.dataset, "stage": f.stage, "reason": f.reason} for f in self.failures],
        }

    def table(self) -> str:
        """The plan as text, for a terminal."""
        width = max(len(d["name"]) for d in self.datasets)
        lines = [f"{'dataset':<{width}} {'version':>9} {'grid':>9} {'calendar':>20} {'chunks':>6} {'MB':>8}  notes"]
        for d in self.datasets:
            notes = "; ".join([*d["fixes"], *(f"no {m}" for m in d["missing"]), *d["errata"]])
            shape = "x".join(map(str, d["shape"]))
            lines.append(
                f"{d['name']:<{width}} {d['version']:>9} {shape:>9} {d['calendar']:>20} {d['chunks']:>6d} "
                f"{d['bytes'] / 1e6:>8.1f}  {notes}"
            )
        lines.append(
            f"{len(self.datasets)} datasets of which {self.models} models have every experiment; {self.chunks} chunks, "
            f"{self.bytes_decoded / 1e9:.2f} GB decoded, about {self.peak_memory / 1e6:.0f} MB of memory for chunks"
        )
        if self.kept:
            lines.append(
                f"yearly maps: {self.kept / 1e9:.2f} GB kept in the cache, so that other periods read no chunk"
            )
        lines.append(f"would be left out: {len(self.failures)} (besides what only the values can show)")
        lines += [f"  - {failure.sentence}" for failure in self.failures]
        return "\n".join(lines)


def check(study: Study, progress: Progress = silent) -> Plan:
    """Plan a study: open and conform its datasets, and judge their coverage, without reading a chunk.

    Parameters
    ----------
    study : Study
        What is asked.
    progress : callable, optional
        As in :func:`spread.flow.run`.

    Returns
    -------
    Plan
        What would be read and left out.

    Raises
    ------
    SpreadError
        If the study cannot be answered at all.
    """
    if study.simulated is not None:
        beside.open_runs(study.simulated.runs)
    records, members, failures = _planned(study, progress)
    # a member that has a value in each of its months: the flow's own rules then tell what is incomplete
    stand_ins = [planned.template.copy(data=np.ones(planned.template.shape)) for planned in members.values()]
    _, _, change, incomparable = ensemble.compare(stand_ins, study)
    failures += incomparable
    whole: xr.DataArray = change["change"].notnull().any("member_id").all(["period", "season", "region"])
    models = int(whole.reindex(experiment_id=list(study.experiments), fill_value=False).all("experiment_id").sum())
    if study.sensitivity is not None:
        try:
            for part in sensitivities.parts(study, sorted({row.source_id for row in members})):
                more, _, lost = _planned(part, progress)
                records += more
                failures += lost
        except SpreadError as error:
            failures.append(Failure("sensitivity", "catalog", str(error).removeprefix("sensitivity: ")))
    return Plan(study, tuple(records), tuple(failures), models)


def _planned(
    study: Study, progress: Progress
) -> tuple[list[dict[str, Any]], dict[Row, reduce.Reduction], list[Failure]]:
    """Records of the datasets that a study would read, their planned means, and what would be left out."""
    selection, conformed, failures = conformed_members(study, progress)
    members, unreduced = planned_members(conformed, study)
    records = []
    for row, planned in members.items():
        ds = conformed[row]
        field = ds[row.variable_id]
        itemsize = np.dtype(field.encoding.get("dtype", field.dtype)).itemsize
        chunk = int(np.prod([max(c) for c in field.chunks])) if field.chunks else field.size
        records.append(
            {
                "name": row.name,
                "version": str(ds.attrs["version"]),
                "shape": field.shape[1:],
                "calendar": ds.attrs["calendar"],
                "chunks": int(np.prod([len(c) for c in field.chunks])) if field.chunks else 1,
                "bytes": field.size * itemsize,
                "kept": planned.kept,
                "largest_chunk": chunk * max(itemsize, field.dtype.itemsize),
                "fixes": list(ds.attrs["fixes"]),
                "missing": list(ds.attrs["missing_periods"]),
                "errata": list(selection.notes.get(row, ())),
            }
        )
    return records, members, failures + unreduced
