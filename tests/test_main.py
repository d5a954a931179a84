"""The command line: what it prints, how it ends, and that bad input leaves nothing behind."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spread.__main__ import INTERRUPTED, SOME_UNREADABLE, main

STUDY = """
name = "small"
catalog = "{catalog}"
experiments = ["ssp126", "ssp585"]
models = ["CanESM5", "MIROC6"]
"""


@pytest.fixture
def study(small_archive, tmp_path):
    def write(extra="", text=STUDY):
        path = tmp_path / "study.toml"
        path.write_text(text.format(catalog=small_archive) + extra)
        return path

    return write


@pytest.fixture
def one_bad_line(capsys, tmp_path):
    """Run a command that must fail: exit code 2, one line, nothing written."""

    def run(*arguments):
        out = tmp_path / "somewhere" / "out"
        before = {p for p in tmp_path.rglob("*") if not p.is_file()}
        code = main([*map(str, arguments), "--out", str(out)] if "run" in arguments else [*map(str, arguments)])
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert printed.err.startswith("spread: ")
        assert printed.err.count("\n") == 1
        assert {p for p in tmp_path.rglob("*") if not p.is_file()} - before <= {tmp_path / "somewhere"}
        return printed.err

    return run


def test_run_writes_a_report_and_prints_the_spread(study, tmp_path, capsys):
    assert main(["run", str(study()), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "ssp585" in printed.out
    assert "SYNTHETIC" in printed.out
    for name in ("index.html", "summary.json", "spread.csv", "members.csv", "left_out.csv", "report.zarr"):
        assert (tmp_path / "out" / name).exists(), name
    assert list((tmp_path / "out" / "figures").glob("*.png"))
    assert not list(tmp_path.glob(".out*"))


def test_json_summary_is_the_report_s(study, tmp_path, capsys):
    assert main(["run", str(study()), "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["synthetic"] is True
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {r["experiment_id"] for r in printed["spread"]} == {"ssp126", "ssp585"}


def test_an_older_report_is_replaced_and_anything_else_is_not(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["run", str(study()), "--out", str(out)]) == 0
    (out / "stale.txt").write_text("old")
    assert main(["run", str(study()), "--out", str(out)]) == 0
    assert not (out / "stale.txt").exists()
    capsys.readouterr()
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.tex").write_text("dear reader")
    assert main(["run", str(study()), "--out", str(thesis)]) == 2
    assert "something else is there" in capsys.readouterr().err
    assert (thesis / "chapter1.tex").read_text() == "dear reader"


def test_check_reads_no_chunk(study, capsys, monkeypatch):
    import zarr.core.array

    read = zarr.core.array.Array.__getitem__
    touched = []

    def watched(array, selection):
        touched.append(array.path)
        return read(array, selection)

    monkeypatch.setattr(zarr.core.array.Array, "__getitem__", watched)
    assert main(["check", str(study())]) == 0
    printed = capsys.readouterr().out
    assert "2 models have every experiment" in printed
    assert not [path for path in touched if path.rsplit("/", 1)[-1] == "tas"]


def test_check_tells_what_would_be_left_out(study, capsys):
    text = STUDY.replace('"MIROC6"]', '"CAMS-CSM1-0"]')
    assert main(["check", str(study(text=text)), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["models"] == 1
    assert any("2081-2100 has 19 of 20 years" in left["reason"] for left in plan["left_out"])
    assert plan["bytes_decoded"] > 0


def test_search(small_archive, capsys):
    assert (
        main(["search", "--catalog", str(small_archive), "source_id=MIROC6", "experiment_id=ssp585,ssp126", "--json"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert {r["source_id"] for r in rows} == {"MIROC6"}
    assert {r["experiment_id"] for r in rows} == {"ssp585", "ssp126"}


def test_doctor_looks_at_everything(capsys, demo_home):
    main(["doctor", "--json"])
    found = {f["what"]: f for f in json.loads(capsys.readouterr().out)}
    assert found["zarr"]["state"] == "ok"
    assert found["catalog pangeo-cmip6"]["state"] in ("ok", "absent")
    assert found["demo archive"]["state"] == "ok"


# ---- bad input: one clear line, exit code 2, nothing written


def test_unknown_catalog(study, one_bad_line):
    assert "did you mean 'demo'" in one_bad_line("run", study(text=STUDY.replace("{catalog}", "demmo")))


def test_unknown_model(study, one_bad_line):
    assert "did you mean 'CanESM5'" in one_bad_line("run", study(text=STUDY.replace("CanESM5", "CanESM-5")))


def test_empty_search(small_archive, one_bad_line):
    message = one_bad_line(
        "search", "--catalog", small_archive, "source_id=MIROC6", "variable_id=areacella", "experiment_id=ssp585"
    )
    assert "no dataset has them all" in message
    assert "no source_id 'MIROC7'" in one_bad_line("search", "--catalog", small_archive, "source_id=MIROC7")
    assert "FACET=VALUE" in one_bad_line("search", "--catalog", small_archive, "MIROC7")


def test_misspelt_key(study, one_bad_line):
    assert "unknown key 'regoins', did you mean 'regions'" in one_bad_line("run", study('regoins = ["global"]\n'))


def test_all_breaches_of_a_study_at_once(study, one_bad_line):
    message = one_bad_line("run", study('regoins = ["global"]\nbase_period = [1900, 1850]\nquantiles = [5]\n'))
    assert "regoins" in message


def test_period_outside_the_data(study, one_bad_line):
    assert "2181-2200 has 0 of 20 years" in one_bad_line("run", study("periods = [[2181, 2200]]\n"))


def test_base_period_missing(study, one_bad_line):
    assert "base period 1700-1750 has 0 of 51 years" in one_bad_line("run", study("base_period = [1700, 1750]\n"))


def test_variable_not_in_the_table(study, one_bad_line):
    assert "'tass' is not in the table" in one_bad_line("run", study('variable_id = "tass"\n'))


def test_study_that_is_not_toml_and_study_that_is_not_there(study, one_bad_line, tmp_path):
    assert "not valid TOML" in one_bad_line("run", study("experiments = [\n"))
    assert "not found" in one_bad_line("run", tmp_path / "nothing.toml")


def test_catalog_that_is_not_a_collection(study, one_bad_line, tmp_path):
    (tmp_path / "odd.json").write_text("[1, 2]")
    assert "cannot be read" in one_bad_line("run", study(text=STUDY.replace("{catalog}", str(tmp_path / "odd.json"))))


def broken_copy(small_archive, tmp_path, damage):
    """A copy of the catalog whose CanESM5 stores go through `damage`."""
    import pandas as pd

    table = pd.read_csv(small_archive.with_suffix(".csv"))
    bad = table["source_id"] == "CanESM5"
    table.loc[bad, "zstore"] = [damage(store) for store in table.loc[bad, "zstore"]]
    table.to_csv(tmp_path / "c.csv", index=False)
    description = json.loads(small_archive.read_text()) | {"catalog_file": "c.csv"}
    (tmp_path / "c.json").write_text(json.dumps(description))
    return tmp_path / "c.json"


def test_only_unreadable_stores(small_archive, tmp_path, study, one_bad_line):
    catalog = broken_copy(small_archive, tmp_path, lambda store: "/nowhere" + store)
    text = STUDY.replace("{catalog}", str(catalog)).replace(', "MIROC6"', "")
    message = one_bad_line("run", study(text=text))
    assert "CanESM5" in message
    assert "no such folder" in message


def test_one_unreadable_store_among_others_gives_a_report_and_says_so(small_archive, tmp_path, study, capsys):
    catalog = broken_copy(small_archive, tmp_path, lambda store: "/nowhere" + store)
    code = main(["run", str(study(text=STUDY.replace("{catalog}", str(catalog)))), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert code == SOME_UNREADABLE
    assert "could not be read" in printed.err
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["spread"][0]["models"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_to_read(small_archive, tmp_path, study, one_bad_line):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    catalog = broken_copy(small_archive, tmp_path, lambda store: str(locked))
    assert "ermission" in one_bad_line(
        "run", study(text=STUDY.replace("{catalog}", str(catalog)).replace(', "MIROC6"', ""))
    )


def test_no_permission_to_write(study, capsys, monkeypatch, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    monkeypatch.setattr(
        "spread.placing.os.access", lambda path, mode: Path(path) != folder
    )  # root may write everywhere
    assert main(["run", str(study()), "--out", str(folder / "out")]) == 2
    assert "no permission to write" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_disk_full_while_writing(study, capsys, monkeypatch, tmp_path):
    def full(report, folder):
        (folder / "half.png").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("spread.page.write", full)
    assert main(["run", str(study()), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert "the disk is full" in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.slow
def test_disk_really_full(study, capsys, tmp_path):
    """On a file system of 200 kB, where this machine lets us mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        assert main(["run", str(study()), "--out", str(small / "out")]) == 2
        printed = capsys.readouterr()
        assert "the disk is full" in printed.err
        assert printed.err.count("\n") == 1
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.slow
def test_interruption_leaves_nothing(study, tmp_path):
    out = tmp_path / "out"
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-m", "spread", "run", str(study()), "--out", str(out)], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"SPREAD_CACHE": str(cache)},
    )  # fmt: skip
    while process.poll() is None and not any(path.is_file() for path in cache.rglob("*")):
        time.sleep(0.01)  # until it is reading
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the run was over before it could be interrupted")
    assert process.returncode == INTERRUPTED
    assert "interrupted" in err
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))


def test_help_is_quick_and_light():
    started = time.process_time()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "spread", "--help"], capture_output=True, text=True, check=True
    )
    assert "COMMAND" in done.stdout
    for heavy in ("numpy", "pandas", "xarray", "dask", "zarr", "pydantic", "intake_esm"):
        assert f" {heavy}\n" not in done.stderr, heavy
    assert time.process_time() - started < 5


def test_land_run_leaves_a_folder_that_explains_itself(tmp_path, capsys):
    out = tmp_path / "land"
    assert main(["land", "run", "--site", "45", "--draws", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "SYNTHETIC" in printed.out
    assert "cSoil" in printed.out
    summary = json.loads((out / "summary.json").read_text())
    assert summary["synthetic"] is True
    assert summary["draws"] == 3
    assert summary["means"]["gpp"]["units"] == "kg m-2 s-1"
    assert summary["largest_rest_of_carbon_kg_m-2"] < 1e-4
    for name in ("yearly.csv", "simulated.zarr", "figures/budget.png"):
        assert (out / name).exists(), name
    assert main(["land", "run", "--out", str(out), "--json"]) == 0  # replaces it
    assert json.loads(capsys.readouterr().out)["draws"] == 0


def test_whatif_shows_pairs_and_attributes_several(tmp_path, capsys):
    out = tmp_path / "whatif"
    assert main(["whatif", "co2-2000", "+2K", "--draws", "4", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "effect of co2-2000 x +2K on nbp" in printed.out
    summary = json.loads((out / "summary.json").read_text())
    effects = summary["attribution"]["effects"]
    assert set(effects) == {"co2-2000", "+2K", "co2-2000 x +2K"}
    for name in (
        "whatif.zarr",
        "figures/whatif-1.png",
        "figures/whatif-2.png",
        "figures/attribution.png",
        "attribution.csv",
    ):
        assert (out / name).exists(), name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["land", "run", "fire=NoFir"], "did you mean 'NoFire'"),
        (["land", "run", "--site", "95"], "-90 to 90"),
        (["land", "run", "--forcing", "nowhere.nc"], "not found"),
        (["land", "run", "--draws", "-1"], "0 or more"),
        (["land", "run", "--workers", "2"], "of what cluster"),
        (["whatif", "warmer"], "expected co2-YEAR"),
        (["whatif", "+2K", "--outcome", "tas"], "no simulated variable"),
        (["whatif", "co2-1850"], "1995-2014"),
    ],
)
def test_bad_simulations_are_one_line(arguments, said, one_bad_line):
    assert said in one_bad_line(*arguments)


def test_a_land_run_goes_on_where_another_ended(tmp_path, capsys):
    """A historical file, then a scenario: the pools of the last step are those of one run over both."""
    import numpy as np
    import xarray as xr

    from spread.demo.land_forcing import site_forcing

    whole = site_forcing(50, 2011, 2014)
    parts = {"whole": whole, "past": whole.isel(time=slice(0, 731)), "later": whole.isel(time=slice(731, None))}
    for name, part in parts.items():
        part.to_netcdf(tmp_path / f"{name}.nc")
        more = ["--restart", str(tmp_path / "land-past")] if name == "later" else ["--draws", "2"]
        command = ["land", "run", "--forcing", str(tmp_path / f"{name}.nc"), "--out", str(tmp_path / f"land-{name}")]
        assert main([*command, *more]) == 0
    ends = {n: xr.open_zarr(tmp_path / f"land-{n}" / "simulated.zarr", consolidated=False, decode_times=False)
            for n in ("past", "later")}  # fmt: skip
    assert ends["later"].sizes["draw"] == 2
    np.testing.assert_array_equal(ends["later"]["reference_tas"], ends["past"]["reference_tas"])
    gap = ends["later"]["mrso"].isel(time=0).values - ends["past"]["mrso"].isel(time=-1).values
    assert np.abs(gap).max() < 50  # mm in a day
    told = json.loads((tmp_path / "land-later" / "summary.json").read_text())
    assert told["branch_time_in_parent"] == told["branch_time_in_child"]
    assert told["spun_up_of"] == 2
    assert main(["land", "run", "--restart", str(tmp_path / "land-past"), "--draws", "3"]) == 2
    assert main(["land", "run", "--restart", str(tmp_path / "nowhere")]) == 2
    assert "expected the folder of a land run" in capsys.readouterr().err
