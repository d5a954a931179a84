"""The benchmarks work: a small size of each runs to its end, its answers agree, its figures are there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
SMALL = ["--share", "0.05", "--chunk-mb", "2", "--rounds", "1"]

pytestmark = pytest.mark.slow


def printed(script, tmp_path, *arguments) -> tuple[str, dict]:
    command = [sys.executable, "-m", f"benchmarks.{script}", "--folder", str(tmp_path / "archives"), *SMALL,
               "--json", str(tmp_path / "figures.json"), *arguments]  # fmt: skip
    run = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout, json.loads((tmp_path / "figures.json").read_text())


def test_gsat(tmp_path):
    said, figures = printed("gsat", tmp_path, "--models", "2")
    assert "CPU, spread / peer" in said
    assert figures["apart"] < 0.05
    assert {len(rounds) for rounds in figures["figures"].values()} == {1}
    assert all(ratio > 0 for ratio in figures["ratios"].values())


def test_latency(tmp_path):
    said, figures = printed("latency", tmp_path, "--models", "2", "--latencies", "10", "--peer")
    assert "wall/bound" in said
    ours, peer = (figures["10 ms"][name][0] for name in ("spread", "peer"))
    assert ours["chunks"] == peer["chunks"] > 0  # each chunk is asked for once
    assert ours["over"] >= 1.0  # nothing comes faster than the bandwidth


def test_diagnostics(tmp_path):
    said, figures = printed("diagnostics", tmp_path, "--models", "2")
    assert "CPU, 20 / 1" in said
    assert figures["warm"]["warm 20"][0]["answer"]["warm"] > 0


def test_scaling(tmp_path):
    said, figures = printed("scaling", tmp_path, "--counts", "2", "4", "--figure", str(tmp_path / "curves.png"))
    assert "catalog of 500,000 rows" in said
    assert figures["rows"]["answer"]["found"] > 0
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_regrid(tmp_path):
    command = [sys.executable, "-m", "benchmarks.regrid", "--folder", str(tmp_path), "--steps", "20", "--rounds", "1",
               "--targets", "10", "--json", str(tmp_path / "figures.json")]  # fmt: skip
    run = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]  # our answers are those of scipy
    figures = json.loads((tmp_path / "figures.json").read_text())
    for case in ("10 complete", "10 masked"):
        assert figures["ratios"][case]["scipy"] == 1.0
        assert figures["cases"][case]["spread"][0]["answer"][1] >= 0.0
    assert all(figures["reasons"].values())


def test_land(tmp_path):
    command = [sys.executable, "-m", "benchmarks.land", "--cells", "256", "--years", "20", "--block", "15",
               "--rounds", "1", "--json", str(tmp_path / "figures.json")]  # fmt: skip
    run = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert all(rounds[0]["finite"] and rounds[0]["rate"] > 0 for rounds in figures.values())
    assert figures["gradient in blocks"][0]["kept"] < figures["gradient"][0]["kept"]
