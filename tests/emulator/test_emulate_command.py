"""``spread emulate`` from end to end on a small synthetic archive, and what it says of requests that make no sense."""

import json
import sys

import numpy as np
import pytest
import xarray as xr
from test_learning import YEARS, archive, monthly

from spread.__main__ import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Studies of training and of what is kept back, and an emulator trained by the command."""
    made = tmp_path_factory.mktemp("emulate")
    archive(made, {(model, experiment, "r1i1p1f1"): monthly(model, experiment, south_first=model == "ALPHA")
                   for model in ("ALPHA", "BETAS") for experiment in YEARS})  # fmt: skip
    text = 'catalog = "{}"\nexperiments = {}\nhistorical = "{}"\nrequire_all_experiments = false\n'
    (made / "learned.toml").write_text(text.format(made / "collection.json", '["ssp126"]', "historical"))
    (made / "kept.toml").write_text(text.format(made / "collection.json", '["ssp585"]', "none"))
    given = ["--out", str(made / "tas.safetensors"), "--grid", "30", "--steps", "20", "--patterns", "20", "--json"]
    assert main(["emulate", "train", str(made / "learned.toml"), *given]) == 0
    return made


def refused(capsys, *arguments):
    code = main(["emulate", *map(str, arguments)])
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("spread: ")
    return printed.err


def test_sample_writes_maps_with_flags_and_a_figure(place, tmp_path, capsys):
    out = tmp_path / "maps"
    given = ["--years", "2020", "2022", "--members", "2", "--out", str(out), "--json"]
    assert main(["emulate", "sample", str(place / "tas.safetensors"), "ALPHA", "ssp585", *given]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["maps"] == 72
    assert said["emulated"] is True
    assert "no run of this scenario" in said["flags"]
    ds = xr.open_zarr(out / "emulated.zarr", consolidated=False, decode_times=False)
    assert ds["tas"].shape == (2, 36, 6, 12)
    assert np.isfinite(ds["tas"].values).all()
    assert (out / "figures" / "sample.png").stat().st_size > 20_000
    assert json.loads((out / "summary.json").read_text()) == said


def test_a_changed_pathway_is_flagged(place, tmp_path, capsys):
    given = ["--years", "2050", "2050", "--members", "1", "--scale", "0.5", "--out", str(tmp_path / "maps"), "--json"]
    assert main(["emulate", "sample", str(place / "tas.safetensors"), "ALPHA", "ssp126", *given]) == 0
    assert "departs from its scenario's aerosols" in json.loads(capsys.readouterr().out)["flags"]


def test_evaluate_puts_all_baselines_beside_the_emulator(place, tmp_path, capsys):
    out = tmp_path / "judged"
    studies = ["--learned", str(place / "learned.toml"), "--kept-back", str(place / "kept.toml")]
    given = [*studies, "--members", "3", "--model", "BETAS", "--out", str(out)]
    assert main(["emulate", "evaluate", str(place / "tas.safetensors"), *given]) == 0
    text = capsys.readouterr().out
    for method in ("diffusion emulator", "nearest warming", "PS + white noise", "PS + residual bootstrap",
                   "PS + Gaussian covariance", "oracle"):  # fmt: skip
        assert method in text
    assert ("held" in text) or ("MISSED" in text)
    card = json.loads((out / "scorecard.json").read_text())
    assert [each["run"] for each in card["scorecards"]] == ["BETAS.ssp585.r1i1p1f1"]
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"BETAS-{name}.png" for name in ("maps", "spectra", "reliability", "scores")
    }


def test_the_studies_of_an_evaluation_have_to_be_those_of_the_training(place, tmp_path, capsys):
    studies = ["--learned", place / "kept.toml", "--kept-back", place / "kept.toml"]
    said = refused(capsys, "evaluate", place / "tas.safetensors", *studies, "--out", tmp_path / "x")
    assert "the study that it was trained with" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "{file}", "ALFA", "ssp126"], "no model 'ALFA'"),
        (["sample", "{file}", "ALPHA", "ssp127"], "ssp127"),
        (["sample", "nowhere.safetensors", "ALPHA", "ssp126"], "there is no such file"),
        (["sample", "{study}", "ALPHA", "ssp126"], "cannot be read"),
        (["sample", "{file}", "ALPHA", "ssp126", "--members", "0"], "one member or more"),
        (["sample", "{file}", "ALPHA", "ssp126", "--years", "2050", "2040"], "first year before the last"),
        (["sample", "{file}", "ALPHA", "ssp126", "--scale", "-1"], "scale"),
        (["train", "{study}", "--steps", "0"], "steps"),
        (["train", "{study}", "--out", "{folder}"], "got a folder"),
        (["train", "{study}", "--grid", "7 parsecs"], "7 parsecs"),
        (["train", "{study}", "--resume", "--grid", "30", "--patterns", "20"], "no such file"),
    ],
)
def test_requests_that_make_no_sense_are_one_line(arguments, said, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"file": place / "tas.safetensors", "study": place / "learned.toml", "folder": tmp_path}
    assert said in refused(capsys, *(word.format(**names) for word in arguments))
    assert list(tmp_path.iterdir()) == []


def test_without_the_kernels_it_says_what_to_install(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.split(".")[0] == "spread" and "emulation" in name]:
        monkeypatch.delitem(sys.modules, name)

    def absent(*_):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")

    monkeypatch.setattr("spread.commands.emulating.run", absent)
    assert "cmip-spread[kernels]" in refused(capsys, "train")
