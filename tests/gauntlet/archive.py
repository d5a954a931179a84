"""The archive on disk: clean stores once, and for each case a folder with the victim's stores and a catalog."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from gauntlet.cases import Case, as_is
from gauntlet.ensemble import HEALTHY, ON_LAND, dataset, fixed

CHUNK = 360
"""Months in a chunk: six for a historical run, three for a scenario."""

COLUMNS = ("activity_id", "institution_id", "source_id", "experiment_id", "member_id", "table_id", "variable_id",
           "grid_label", "zstore", "dcpp_init_year", "version")  # fmt: skip


def write(ds: xr.Dataset, path: Path, zarr_format: int = 2, **stored: Any) -> None:
    """Write one store as cloud copies of CMIP6 are: consolidated, Blosc-lz4, chunks in time."""
    import numcodecs
    import zarr

    name = str(ds.attrs["variable_id"])
    name = name if name in ds.variables else next((str(n) for n in ds.data_vars if str(n).strip().startswith(name)), "")
    encoding: dict[str, dict[str, Any]] = {}
    if name:
        sizes = ds[name].sizes
        blosc: Any = numcodecs.Blosc(cname="lz4", clevel=5, shuffle=1)
        if zarr_format == 3:
            blosc = (zarr.codecs.BloscCodec(cname="lz4"), zarr.codecs.Crc32cCodec())
        chunks = tuple(min(CHUNK, n) if d == "time" else n for d, n in sizes.items())
        encoding[name] = {"compressors": blosc, **stored}
        if all(chunks):
            encoding[name]["chunks"] = chunks
    if "_FillValue" in stored:
        encoding[name].pop("_FillValue")
    ds.to_zarr(path, mode="w", zarr_format=zarr_format, consolidated=True, encoding=encoding)


class Archive:
    """The folder that the object store serves.

    Parameters
    ----------
    root : Path
        Where; made here.
    prefix : str
        What the catalog puts before a store's path: ``gs://cmip6``, or the root itself.
    """

    def __init__(self, root: Path, prefix: str) -> None:
        self.root, self.prefix = root, prefix
        root.mkdir(parents=True, exist_ok=True)

    def row(self, source_id: str, experiment_id: str, variable_id: str, path: str, **facets: str) -> dict[str, str]:
        """One row of a catalog."""
        table_id = "fx" if variable_id in ("areacella", "sftlf") else "Lmon" if variable_id in ON_LAND else "Amon"
        made = {
            "activity_id": "CMIP" if experiment_id in ("historical", "1pctCO2") else "ScenarioMIP",
            "institution_id": "GAUNTLET", "source_id": source_id, "experiment_id": experiment_id,
            "member_id": "r1i1p1f1", "table_id": table_id, "variable_id": variable_id, "grid_label": "gn",
            "zstore": f"{self.prefix}/{path}/", "dcpp_init_year": "", "version": "20200101",
        }  # fmt: skip
        return made | facets

    def healthy(self, variable_id: str, scenario_id: str) -> list[dict[str, str]]:
        """Rows of the healthy models, their stores made on first use."""
        rows = []
        wanted = ["historical", scenario_id]
        for source_id in HEALTHY:
            names = [(run, variable_id) for run in wanted]
            names += [("historical", "sftlf")] if variable_id in ON_LAND else []
            for run, name in names:
                path = f"clean/{source_id}/{name}/{run}"
                if not (self.root / path).exists():
                    ds = fixed(source_id, name) if name == "sftlf" else dataset(source_id, run, name)
                    write(ds, self.root / path)
                rows.append(self.row(source_id, run, name, path))
        return rows

    def build(self, case: Case) -> Path:
        """Write the stores and the catalog of a case; return the path of its collection."""
        folder = self.root / case.name
        if folder.exists():
            shutil.rmtree(folder)
        facets = {"version": case.version, "grid_label": case.grid_label}
        make = partial(dataset, case.source_id, variable_id=case.variable_id, member_id=case.member_id)
        rows = []
        runs = [("historical", case.historical, 0, "historical"), (case.scenario_id, case.scenario, 1, "scenario")]
        if case.study.get("historical", "") is None:
            runs = runs[1:]
        for run, change, side, place in runs:
            ds = change(make(experiment_id=run, calendar=case.calendars[side]))
            write(ds, folder / place, case.formats, **case.stored)
            rows.append(self.row(case.source_id, run, case.variable_id, f"{case.name}/{place}",
                                 member_id=case.member_id, **facets))  # fmt: skip
        for name, change in (("areacella", case.areacella), ("sftlf", case.sftlf)):
            if change is not None:
                write(change(fixed(case.source_id, name)), folder / name)
                rows.append(self.row(case.source_id, "historical", name, f"{case.name}/{name}", **facets))
        case.on_disk(folder)
        rows = case.catalog(rows, folder) + self.healthy(case.variable_id, case.scenario_id)
        return self._collection(folder, rows)

    def clean(self, case: Case) -> dict[str, xr.Dataset]:
        """The victim's and the healthy models' clean datasets by model and run, decoded."""
        runs = [("historical", 0), (case.scenario_id, 1)]
        found = {}
        for source_id in (case.source_id, *HEALTHY):
            for run, side in runs:
                calendar = case.calendars[side] if source_id == case.source_id else ""
                ds = dataset(source_id, run, case.variable_id, calendar)
                found[f"{source_id}.{run}"] = xr.decode_cf(ds, decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))
        return found

    def _collection(self, folder: Path, rows: list[dict[str, str]]) -> Path:
        with (folder / "catalog.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        description = {
            "esmcat_version": "0.1.0", "id": folder.name, "description": "the gauntlet",
            "catalog_file": str(folder / "catalog.csv"),
            "attributes": [{"column_name": name} for name in COLUMNS if name not in ("zstore", "version")],
            "assets": {"column_name": "zstore", "format": "zarr"},
            "aggregation_control": {
                "variable_column_name": "variable_id",
                "groupby_attrs": ["activity_id", "institution_id", "source_id", "experiment_id", "table_id", "grid_label"],
                "aggregations": [
                    {"type": "union", "attribute_name": "variable_id"},
                    {"type": "join_new", "attribute_name": "member_id",
                     "options": {"coords": "minimal", "compat": "override"}},
                    {"type": "join_new", "attribute_name": "dcpp_init_year",
                     "options": {"coords": "minimal", "compat": "override"}},
                ],
            },
        }  # fmt: skip
        path = folder / "catalog.json"
        path.write_text(json.dumps(description), encoding="utf-8")
        return path


__all__ = ["CHUNK", "Archive", "as_is", "write"]
