"""The report: one self-describing store from every number back to members, versions, fixes and code.

A report keeps the reduced members themselves, so that another base period or another vote is a small computation on
small arrays and never touches a chunk. It is written whole or not at all.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spread.errors import Failure, NotFound
from spread.placing import check_writable, whole_folder
from spread.report import records
from spread.study import Study

SCHEMA = 1
"""Version of the layout of ``report.zarr``; grows when a reader of the old layout would fail."""

_GROUPS = ("members", "yearly", "change", "across", "plume")
_TABLES = {
    "partition": ["share", "variance"],
    "warming_levels": ["quantiles", "after_end", "votes_reached", "votes"],
    "constraint": ["mean", "sd", "quantiles", "correlation", "count", "refused"],
    "weights": ["weights"],
    "simulated": ["change"],
    "sensitivity": ["ecs", "ecs_se", "erf_2x", "erf_2x_se", "feedback", "feedback_se", "r2", "tcr", "reason",
                    "tcr_reason"],
}  # fmt: skip
"""What of each answer is written as a table."""

_ANSWERS = ("partition", "warming_levels", "constraint", "weights", "maps", "simulated", "sensitivity")
STORE = "report.zarr"
"""Name of the store in a report's folder."""


@dataclass(frozen=True)
class Report:
    """What a study found, and where every number comes from.

    Parameters
    ----------
    study : Study
        What was asked.
    members : xarray.Dataset
        Reduced members, monthly: ``source_id, experiment_id, member_id, time, region``, with versions and fixes.
    yearly : xarray.Dataset
        ``anomaly`` of each run, on ``..., season, year, region``, scenarios behind their historical runs.
    change : xarray.Dataset
        ``change`` of each run between periods, ``complete``, ``years``.
    across : xarray.Dataset
        Statistics of ``change`` across models: ``experiment_id, period, season, region``.
    plume : xarray.Dataset
        Statistics of ``anomaly`` across models: ``experiment_id, season, year, region``.
    failures : tuple of Failure
        What was left out, and why.
    provenance : dict
        Versions of code and libraries, catalog, time.
    observations : dict
        ``name`` and yearly ``anomaly`` by year, where the study has some.
    answers : dict of str to xarray.Dataset
        ``partition``, ``warming_levels``, ``constraint`` and ``weights`` as :func:`spread.ensemble.answers` gives them;
        ``maps``, lazy, as :func:`spread.maps.map_changes` does; ``sensitivity``, as
        :func:`spread.sensitivities.climate_sensitivity` does; ``simulated``, the anomalies and changes of simulated
        runs, as :func:`spread.beside.compared` does.
    silent : dict of str to str
        Why there is no such answer though the study asks for it.
    """

    study: Study
    members: xr.Dataset
    yearly: xr.Dataset
    change: xr.Dataset
    across: xr.Dataset
    plume: xr.Dataset
    failures: tuple[Failure, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    observations: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, xr.Dataset] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def maps(self) -> xr.Dataset | None:
        """Lazy maps of the changes of each run and their statistics, where the study asks for them."""
        return self.answers.get("maps")

    @property
    def synthetic(self) -> bool:
        """True where any member is made by spread's demo and not by a climate model."""
        return str(self.members.attrs.get("synthetic")) == "true"

    @property
    def units(self) -> str:
        """Unit of changes and anomalies."""
        return str(self.change["change"].attrs.get("units", ""))

    def summary(self) -> list[dict[str, Any]]:
        """Spread across models, one record for each experiment, period, season and region.

        Returns
        -------
        list of dict
            ``experiment_id, period, season, region, models, mean, sd, minimum, maximum`` and ``quantiles``.
        """
        return records.summary(self)

    def member_records(self) -> list[dict[str, Any]]:
        """One record for each run that was read: facets, version, fixes, gaps, errata and its change.

        Returns
        -------
        list of dict
            Sorted by model, experiment and member.
        """
        return records.member_records(self)

    def simulated_records(self) -> list[dict[str, Any]]:
        """One record for each simulated run, period, season and region: the median of its draws and their range.

        Returns
        -------
        list of dict
            ``source_id, experiment_id, version, draws, period, season, region, base, change, low, high`` [units of the
            report]; None where the run lacks years of the period, or has no draws for a range.
        """
        return records.simulated_records(self)

    def simulated_sentences(self) -> list[str]:
        """Of each simulated run and period, its change over the first region and season, in the unit shown."""
        return records.simulated_sentences(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything a machine may want of the summary, ready for JSON.

        Returns
        -------
        dict
            ``study``, ``synthetic``, ``spread``, ``members``, ``left_out``, ``provenance``.
        """
        return {
            "schema": SCHEMA,
            "synthetic": self.synthetic,
            "study": self.study.model_dump(mode="json", exclude={"storage_options"}),
            "votes": self.across.attrs.get("votes", ""),
            "spread": self.summary(),
            "members": self.member_records(),
            "simulated": self.simulated_records(),
            "left_out": [asdict(failure) for failure in self.failures],
            "answers": sorted(self.answers),
            "silent": self.silent,
            "provenance": self.provenance,
        }

    def table(self) -> str:
        """The spread as text, for a terminal.

        Returns
        -------
        str
            A title, one line for each record of :meth:`summary`, and what was left out.
        """
        return records.table(self)

    def save(self, folder: str | Path, extras: Callable[[Path], object] | None = None) -> Path:
        """Write the report into a folder, whole or not at all.

        Parameters
        ----------
        folder : str or Path
            Where; an older report there is replaced, anything else is not touched.
        extras : callable, optional
            Writes figures and pages into the folder before it gets its name.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        NotWritable
            If it cannot be written; then nothing is left behind.
        """
        folder = Path(folder).absolute()
        check_writable(folder, STORE)
        with whole_folder(folder) as aside:
            self._write_store(aside / STORE)
            self._write_tables(aside)
            if extras is not None:
                extras(aside)
        return folder

    def _write_store(self, path: Path) -> None:
        import zarr
        from zarr.codecs import BloscCodec, Crc32cCodec

        root: dict[str, Any] = {
            "schema": SCHEMA,
            "title": f"spread report: {self.study.name}",
            "synthetic": str(self.synthetic).lower(),
            "study": self.study.model_dump_json(exclude={"storage_options"}),
            "failures": json.dumps([asdict(failure) for failure in self.failures]),
            "provenance": json.dumps(self.provenance),
            "observations": json.dumps(self.observations),
            "silent": json.dumps(self.silent),
        }
        zarr.open_group(path, mode="w", zarr_format=3, attributes=root)
        groups: dict[str, xr.Dataset] = {name: getattr(self, name) for name in _GROUPS} | self.answers
        for name, ds in groups.items():
            encoding = {v: {"compressors": (BloscCodec(cname="zstd"), Crc32cCodec())} for v in ds.data_vars}
            plain = ds.drop_encoding().assign_coords(
                {c: ds[c].astype(str) for c in ds.coords if ds[c].dtype.kind in "OU"}
            )
            plain.to_zarr(path, group=name, mode="w", zarr_format=3, consolidated=False, encoding=encoding)

    def _write_tables(self, folder: Path) -> None:
        (folder / "summary.json").write_text(
            json.dumps(self.as_dict(), indent=1, allow_nan=True) + "\n", encoding="utf-8"
        )
        flat = [
            {k: v for k, v in r.items() if k != "quantiles"} | {f"q{q}": v for q, v in r["quantiles"].items()}
            for r in self.summary()
        ]
        _write_csv(folder / "spread.csv", flat)
        _write_csv(folder / "members.csv", self.member_records())
        _write_csv(
            folder / "left_out.csv", [{k: v for k, v in asdict(f).items() if k != "facets"} for f in self.failures]
        )

        for name, columns in _TABLES.items():
            if name in self.answers:
                table = self.answers[name][columns].to_dataframe().reset_index()
                table.replace("", np.nan).dropna(subset=columns, how="all").to_csv(folder / f"{name}.csv", index=False)

    @classmethod
    def load(cls, folder: str | Path) -> Report:
        """Read a report back.

        Parameters
        ----------
        folder : str or Path
            As given to :meth:`save`.

        Returns
        -------
        Report
            Equal to the one that was saved.

        Raises
        ------
        NotFound
            If there is no report, or one of a later schema.
        """
        path = Path(folder) / STORE
        if not path.is_dir():
            raise NotFound(f"report {folder}: not found; `spread run STUDY --out {folder}` writes one")
        import zarr

        attrs = dict(zarr.open_group(path, mode="r").attrs)
        if int(str(attrs["schema"])) > SCHEMA:
            raise NotFound(
                f"report {folder}: written by a newer spread (schema {attrs['schema']}, this one reads {SCHEMA})"
            )
        groups = {name: xr.open_zarr(path, group=name, consolidated=False, chunks=None).load() for name in _GROUPS}
        answers = {
            name: xr.open_zarr(path, group=name, consolidated=False) for name in _ANSWERS if (path / name).is_dir()
        }
        answers = {name: ds if name == "maps" else ds.load() for name, ds in answers.items()}
        return cls(
            answers=answers,
            silent=json.loads(str(attrs.get("silent", "{}"))),
            study=Study.make(**json.loads(str(attrs["study"]))),
            failures=tuple(Failure(**item) for item in json.loads(str(attrs["failures"]))),
            provenance=json.loads(str(attrs["provenance"])),
            observations=json.loads(str(attrs["observations"])),
            **groups,
        )


def _write_csv(path: Path, records: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        if records:
            writer = csv.DictWriter(file, fieldnames=list(records[0]))
            writer.writeheader()
            writer.writerows(records)
