import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from spread.demo import FAULTS, location, make_archive, make_daily
from spread.demo import archive as maker
from spread.demo.energy_balance import HERE, SCENARIOS, warming
from spread.demo.grid import model_grid
from spread.demo.models import MODELS, stores

MISFIT = {name: row["misfit"] for name, row in json.loads((HERE / "energy_balance.json").read_text())["models"].items()}
# faults that leave the numbers of tas, and its 2081-2100, as they should be
HARMLESS_TO_MEANS = {
    "names",
    "swapped_lat_bounds",
    "cut_lon_bounds",
    "short_time_bounds",
    "jittered_lat",
    "mixed_calendar",
}


IDEALISED = {
    "models": ["CanESM5"],
    "experiments": ["abrupt-4xCO2", "1pctCO2", "piControl", "ssp126"],
    "variables": ["tas", "rsdt", "rsut", "rlut", "pr"],
}


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted((root / "CMIP6").rglob("*")) if p.is_file()}


def global_means(zstore: str, source_id: str) -> np.ndarray:
    with xr.open_zarr(zstore, decode_times=False) as ds:
        return ds["tas"].values.reshape(ds.sizes["time"], -1) @ model_grid(source_id).weights


def test_catalog_lists_what_is_there(part):
    table = pd.read_csv(part / "demo.csv")
    assert tuple(table.columns) == maker.COLUMNS
    assert table["zstore"].str.endswith("/").all()
    assert table["zstore"].map(lambda path: Path(path).is_absolute() and Path(path).is_dir()).all()
    assert table["zstore"].is_unique
    assert not list(part.parent.glob(".part-*"))
    assert len(list(part.rglob("v2026*"))) == len(table)


def test_catalog_opens_with_intake_esm(part):
    intake = pytest.importorskip("intake")
    catalog = intake.open_esm_datastore(str(part / "demo.json"))
    assert catalog.esmcat.id == "spread-demo"
    found = catalog.search(source_id="MIROC-ES2L", experiment_id="historical", variable_id="tas")
    assert len(found.df) == 1
    # intake-esm passes empty storage_options, which zarr refuses for local paths
    ds = next(
        iter(
            found.to_dataset_dict(
                progressbar=False, xarray_open_kwargs={"backend_kwargs": {"storage_options": None}}
            ).values()
        )
    )
    assert ds["tas"].sizes["time"] == 1980


def test_every_store_is_labelled_synthetic_and_is_cf(part):
    for row in pd.read_csv(part / "demo.csv").itertuples():
        with xr.open_zarr(row.zstore, chunks=None) as ds:
            assert ds.attrs["synthetic"] == "true"
            for name in ("title", "comment"):
                assert "ynthetic" in ds.attrs[name]
                assert "not model output" in ds.attrs[name]
            for name in (
                "source_id",
                "experiment_id",
                "table_id",
                "variable_id",
                "grid_label",
                "activity_id",
                "institution_id",
            ):
                assert ds.attrs[name] == getattr(row, name)
            assert ds.attrs["variant_label"] == row.member_id
            field = ds[row.variable_id]
            assert field.dtype == np.float32
            assert field.encoding["_FillValue"] == np.float32(1e20)
            assert {"units", "standard_name", "cell_methods"} <= set(field.attrs)
            assert {ds["lat"].attrs["bounds"], ds["lon"].attrs["bounds"]} <= set(ds.variables)
            if row.table_id != "fx":
                assert ds["time"].attrs["bounds"] == "time_bnds"
                assert ds["time"].encoding["calendar"] == MODELS[row.source_id].calendar
            if row.variable_id == "tas":
                assert ds["height"] == 2.0
            if row.table_id != "Eyr":
                assert np.isfinite(field.values).all()


def test_formats_and_chunks(part):
    assert (part / stores(["MIROC-ES2L"], ["historical"], ["tas"])[0].path / "zarr.json").is_file()
    old = part / stores(["IPSL-CM6A-LR"], ["historical"], ["tas"])[0].path
    assert (old / ".zmetadata").is_file()
    assert len(list((old / "tas").glob("[0-9]*"))) == 4


def test_global_mean_cell(part):
    store = next(s for s in stores(["MIROC-ES2L", "IPSL-CM6A-LR"], ["abrupt-4xCO2"], ["tas"]))
    with xr.open_zarr(part / store.path) as ds:
        assert ds.attrs["grid_label"] == "gm"
        assert ds["tas"].shape == (1800, 1, 1)
        assert ds["lat_bnds"].values.tolist() == [[-90, 90]]
        assert ds["lon_bnds"].values.tolist() == [[0, 360]]


@pytest.mark.parametrize("name", ["IPSL-CM6A-LR", "MIROC-ES2L", "AWI-CM-1-1-MR"])
def test_warming_of_a_store(part, name):
    past, future = (part / next(s for s in stores([name], [run], ["tas"])).path for run in ("historical", "ssp126"))
    base = global_means(str(past), name)[: 51 * 12].mean()
    warm = global_means(str(future), name)[66 * 12 :].mean() - base
    real = np.float64(warming(name, "ssp126", 2081, 2100).mean())
    assert abs(warm - real + MISFIT[name]["ssp126"]) < 0.1


def test_bytes_depend_neither_on_workers_nor_on_the_build(tmp_path, part):
    wanted = {"models": ["IPSL-CM6A-LR", "MIROC-ES2L"], "experiments": ["historical", "ssp126"]}
    wanted["variables"] = ["tas", "pr", "areacella", "sftlf", "nbp", "cVeg"]
    one = contents(make_archive(tmp_path / "one", workers=1, **wanted).parent)
    two = contents(make_archive(tmp_path / "two", workers=2, **wanted).parent)
    earlier = contents(part)
    assert one == two
    assert all(earlier[path] == data for path, data in one.items())
    assert len(one) > 100


def test_made_once_and_never_over_something_else(tmp_path):
    calls, few = [], {"models": ["INM-CM4-8"], "experiments": ["historical"], "variables": ["sftlf"]}
    first = make_archive(tmp_path / "a", progress=lambda *args: calls.append(args), **few)
    stamp = first.stat().st_mtime_ns
    assert calls[-1][:2] == (1, 1)
    assert make_archive(tmp_path / "a", progress=lambda *args: calls.append(args), **few).stat().st_mtime_ns == stamp
    assert len(calls) == 1
    with pytest.raises(FileExistsError, match="another archive"):
        make_archive(tmp_path / "a", models=["INM-CM4-8"], experiments=["historical"], variables=["areacella"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        make_archive(tmp_path / "b", **few)
    assert (tmp_path / "b" / "thesis.txt").read_text() == "mine"


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(maker, "_write_catalog", fail)
    with pytest.raises(OSError, match="disk full"):
        make_archive(tmp_path / "a", models=["INM-CM4-8"], experiments=["historical"], variables=["sftlf"])
    assert list(tmp_path.iterdir()) == []


def test_interruption_leaves_nothing(tmp_path):
    def interrupt(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_archive(tmp_path / "a", workers=2, progress=interrupt, **IDEALISED)
    assert list(tmp_path.iterdir()) == []


def test_two_makers_at_once(tmp_path):
    few, found = {"models": ["INM-CM4-8"], "experiments": ["ssp126"], "variables": ["tas"]}, []
    threads = [
        threading.Thread(target=lambda: found.append(make_archive(tmp_path / "a", workers=1, **few))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(tmp_path / "a" / "demo.json").resolve()] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("command", [["no-such-program"], [sys.executable, "-c", "input()"]])
def test_dead_workers_are_replaced_by_this_process(tmp_path, monkeypatch, command):
    real, seen = subprocess.Popen, []
    monkeypatch.setattr(maker.subprocess, "Popen", lambda _, **options: real(command, **options))
    root = make_archive(
        tmp_path / "a", workers=2, progress=lambda done, total, _: seen.append((done, total)), **IDEALISED
    ).parent
    assert seen[-1] == (16, 16)
    assert len(seen) == 16
    assert all(Path(path).is_dir() for path in pd.read_csv(root / "demo.csv")["zstore"])


def test_script_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from spread.demo import make_archive\nprint('once')\n"
        f"make_archive({str(tmp_path / 'a')!r}, workers=2, **{IDEALISED})\n"
    )
    path = os.environ | {"PYTHONPATH": str(HERE.parent.parent)}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=path, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["once"]
    assert (tmp_path / "a" / "demo.json").is_file()


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match="CanESM6"):
        stores(["CanESM6"])
    with pytest.raises(TypeError, match="list"):
        stores("CanESM5")
    with pytest.raises(ValueError, match="root"):
        make_archive(models=["CanESM5"])


def test_location(monkeypatch, tmp_path):
    monkeypatch.setenv("SPREAD_DATA", str(tmp_path))
    assert location() == tmp_path / f"demo-{maker.RECIPE}"
    monkeypatch.delenv("SPREAD_DATA")
    assert "spread" in str(location())


def test_enough_models_survive_the_rejections():
    lost = {(f.source_id, f.experiment_id) for f in FAULTS if f.expected == "rejected" and f.variable_id == "tas"}
    complete = [
        m
        for m in MODELS.values()
        if m.scenarios == SCENARIOS and not any((m.source_id, e) in lost for e in ("historical", *SCENARIOS))
    ]
    assert len(complete) >= 13
    assert sum(len(m.members) >= 3 for m in complete) >= 2


def test_daily_has_its_own_catalog(tmp_path, part):
    root = tmp_path / "demo"
    shutil.copytree(part, root)
    collection = make_daily(root, workers=1, models=["IPSL-CM6A-LR"], experiments=["historical"])
    assert collection == root.resolve() / "demo-daily.json"
    table = pd.read_csv(root / "demo-daily.csv")
    assert table["table_id"].tolist() == ["day"]
    with xr.open_zarr(table["zstore"][0]) as ds:
        assert ds.attrs["frequency"] == "day"
        assert ds["time"].size == 7305
        assert str(ds["time"].values[0])[:10] == "1995-01-01"
    assert "day" not in set(pd.read_csv(root / "demo.csv")["table_id"])
    assert make_daily(root, models=["IPSL-CM6A-LR"], experiments=["historical"]) == collection
    make_daily(root, workers=1, models=["UKESM1-0-LL"], experiments=["ssp126"])
    assert pd.read_csv(root / "demo-daily.csv")["source_id"].tolist() == ["IPSL-CM6A-LR", "UKESM1-0-LL"]


@pytest.mark.slow
def test_whole_archive(tmp_path):
    root = make_archive(tmp_path / "demo").parent
    table = pd.read_csv(root / "demo.csv")
    assert len(table) == len(stores())
    assert sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) < 250e6
    touched = {
        (f.source_id, f.experiment_id, f.member_id)
        for f in FAULTS
        if f.variable_id == "tas" and f.kind not in HARMLESS_TO_MEANS
    }
    rows = table[(table["variable_id"] == "tas") & (table["grid_label"] != "gm")].set_index(
        ["source_id", "experiment_id", "member_id"]
    )["zstore"]
    checked = 0
    for (source, run, member), zstore in rows.items():
        if (
            run == "historical"
            or {(source, run, member), (source, "historical", member)} & touched
            or run not in MISFIT[source]
        ):
            continue
        base = global_means(rows[source, "historical", member], source)[: 51 * 12].mean()
        warm = global_means(zstore, source)[66 * 12 :].mean() - base
        assert abs(warm - warming(source, run, 2081, 2100).mean() + MISFIT[source][run]) < 0.1, (source, run, member)
        checked += 1
    assert checked > 70
