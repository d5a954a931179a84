"""One bad store among a hundred: ninety-nine results, one reason, an exit code that says so."""

import json

import numpy as np
import pandas as pd
import pytest
from synthetic import published, row

from spread.__main__ import SOME_UNREADABLE, main
from spread.vocabulary import FACETS

MODELS = [f"MODEL-{number:03d}" for number in range(100)]
BAD = MODELS[42]

STUDY = """
catalog = "c.json"
experiments = ["ssp585"]
base_period = [2015, 2019]
periods = [[2020, 2024]]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A hundred models of ten years each, of which one has lost a chunk."""
    root, rows = tmp_path_factory.mktemp("hundred"), []
    for number, model in enumerate(MODELS):
        weather = np.random.default_rng(number).normal(scale=0.5, size=(60, 6, 8))
        season = 2.0 * np.cos(2 * np.pi * (np.arange(60) - 6.5) / 12)[:, None, None]
        values = 285.0 + number / 100 + np.concatenate([season + weather, season - weather[::-1]])
        values[60:] -= values[60:].mean(axis=0) - values[:60].mean(axis=0) - number / 50
        store = root / model
        ds = published(values.astype(np.float32), start=(2015, 1), months=120, chunks=(60, 6, 8))
        ds.to_zarr(store, zarr_format=2)
        rows.append(row(source_id=model, experiment_id="ssp585", zstore=str(store)))
    (root / BAD / "tas" / "1.0.0").unlink()
    table = pd.DataFrame([{f: getattr(r, f) for f in (*FACETS, "zstore", "version")} for r in rows])
    table.to_csv(root / "c.csv", index=False)
    description = {
        "esmcat_version": "0.1.0", "id": "hundred", "description": "", "catalog_file": "c.csv",
        "attributes": [{"column_name": f} for f in FACETS], "assets": {"column_name": "zstore", "format": "zarr"},
    }  # fmt: skip
    (root / "c.json").write_text(json.dumps(description))
    (root / "study.toml").write_text('historical = "none"\n' + STUDY)
    return root


def test_ninety_nine_results_one_reason_and_the_exit_code(folder, tmp_path, capsys):
    assert main(["run", str(folder / "study.toml"), "--out", str(tmp_path / "out"), "--json"]) == SOME_UNREADABLE
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["spread"][0]["models"] == 99
    assert [f["dataset"] for f in found["left_out"]] == [f"{BAD}.ssp585.r1i1p1f1.tas"]
    assert "chunk 1.0.0 is not in the store" in found["left_out"][0]["reason"]
    assert "1 stores could not be read" in printed.err
    changes = {m["source_id"]: m["change"] for m in found["members"]}
    for number, model in enumerate(MODELS):
        if model != BAD:
            assert changes[model] == pytest.approx(number / 50, abs=1e-2)
