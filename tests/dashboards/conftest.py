"""A small report, a report that means harm, and a server of them in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dashboard_server import Server
from visits import Visit

pytest.importorskip("panel", reason="the dashboard needs Panel: pip install 'cmip-spread[dashboard]'")

MODELS = [
    "ACCESS-ESM1-5", "BCC-CSM2-MR", "CAMS-CSM1-0", "CanESM5", "CNRM-CM6-1", "FGOALS-g3", "GFDL-ESM4", "INM-CM4-8",
    "IPSL-CM6A-LR", "MIROC6", "MRI-ESM2-0", "UKESM1-0-LL",
]  # fmt: skip
SCRIPT = "<script>window.harmed = 1</script>"
IMAGE = "<img src=x onerror='window.harmed=1'>"


def study_of(archive, **fields):
    from spread import Study

    return Study.make(
        name="small", catalog=str(archive), experiments=["ssp126", "ssp585"], members="all",
        regions=["global", "arctic", "land"], periods=[(2041, 2060), (2081, 2100)], seasons=["annual", "DJF"],
        incomplete_periods="allow", maps={"grid": "10"}, warming_levels=[1.5, 2.0], **fields,
    )  # fmt: skip


@pytest.fixture(scope="session")
def observations(tmp_path_factory):
    """A synthetic series of observed global temperature, 1850-2024, that warms by 1.2 K since 1970."""
    path = tmp_path_factory.mktemp("observed") / "series.csv"
    rows = [f"{year},{14 + max(0, year - 1970) * 1.2 / 54 + 0.05 * ((year * 7) % 5 - 2)}" for year in range(1850, 2025)]
    path.write_text("year,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def twelve_models(tmp_path_factory):
    """Collection of twelve synthetic models: a constraint needs ten."""
    from spread.demo import make_archive

    return make_archive(
        tmp_path_factory.mktemp("twelve") / "archive",
        models=MODELS,
        experiments=["historical", "ssp126", "ssp585"],
        variables=["tas", "areacella", "sftlf"],
    )


@pytest.fixture(scope="session")
def small_study(twelve_models, observations):
    return study_of(
        twelve_models,
        observations={"name": "observed (made up)", "file": str(observations), "kind": "GSAT"},
        constraint={},
        weights={"sigma_d": 0.5, "sigma_s": 0.5},
    )


@pytest.fixture(scope="session")
def small_report(small_study, tmp_path_factory):
    """Folder of a report with every answer that one variable can have."""
    os.environ["SPREAD_CACHE"] = str(tmp_path_factory.mktemp("dashboard-cache") / "cache")
    import spread

    report = spread.run(small_study)
    assert {"partition", "warming_levels", "constraint", "weights", "maps"} <= set(report.answers), report.silent
    return report.save(tmp_path_factory.mktemp("reports") / "small-report")


@pytest.fixture(scope="session")
def hostile_report(small_report, tmp_path_factory):
    """Folder of a report whose names and texts are scripts."""
    from spread import Report
    from spread.errors import Failure

    report = Report.load(small_report)
    names = [f"{SCRIPT}{n}" if n % 2 else f"{IMAGE}'\"{n}" for n in range(report.members.sizes["source_id"])]
    versions = report.members["version"].astype(object).where(False, SCRIPT).astype(str)
    parts = {
        name: getattr(report, name).assign_coords(source_id=names)
        for name in ("members", "yearly", "change")
    }  # fmt: skip
    parts["members"] = parts["members"].assign_coords(
        version=versions.assign_coords(source_id=names), fixes=versions.assign_coords(source_id=names),
        zstore=versions.assign_coords(source_id=names),
    )  # fmt: skip
    study = report.study.model_copy(
        update={"regions": tuple(r.model_copy(update={"long_name": IMAGE}) for r in report.study.regions)}
    )
    answers = {name: report.answers[name] for name in ("partition",)}
    answers["partition"] = answers["partition"].assign_attrs(definition=IMAGE, scenarios=SCRIPT)
    hostile = replace(
        report, study=study, answers=answers, silent={"constraint": SCRIPT, "warming_levels": IMAGE},
        failures=(Failure(SCRIPT, IMAGE, f"{SCRIPT} {IMAGE}", facets={}),), **parts,
        provenance={"spread": IMAGE, "created": SCRIPT, "errata": {}, "libraries": {SCRIPT: IMAGE}},
        observations={**report.observations, "name": IMAGE},
    )  # fmt: skip
    return hostile.save(tmp_path_factory.mktemp("reports") / "hostile-report")


@pytest.fixture(scope="session")
def server(small_report, hostile_report, tmp_path_factory):
    """A server of both reports; the small one is what it shows first."""
    running = Server(tmp_path_factory.mktemp("server"), small_report, hostile_report)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory):
    """A server of the demo's report: that of ``SPREAD_DEMO_REPORT``, or one that is made."""
    folder = tmp_path_factory.mktemp("demo")
    report = Path(os.environ.get("SPREAD_DEMO_REPORT") or folder / "demo-report")
    if not report.is_dir():
        subprocess.run([sys.executable, "-m", "spread", "demo", "--out", str(report)], check=True, capture_output=True)
    running = Server(folder, report)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def emulator_file(twelve_models, tmp_path_factory):
    """An emulator of two synthetic models, hardly trained: what it draws is of no worth, how it is drawn is."""
    pytest.importorskip("jax", reason="an emulator needs jax")
    from spread import Study
    from spread.emulations import train_emulator
    from spread.emulator import Recipe

    study = Study.make(
        name="small-emulator", catalog=str(twelve_models), experiments=("ssp126", "ssp585"), historical="historical",
        models=("CanESM5", "MIROC6"), base_period=(1995, 2014), incomplete_periods="allow",
        require_all_experiments=False,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("emulator") / "small.safetensors"
    train_emulator(study, out, "15", Recipe(steps=20, modes=20))
    return out


@pytest.fixture(scope="session")
def evaluation_folder(tmp_path_factory):
    """A scorecard as ``spread emulate evaluate`` writes it, with made-up numbers and a method that means harm."""
    score = {"value": 0.5, "member_error": 0.01, "time_error": None, "unit": "K"}
    rows = [
        {"method": "diffusion emulator", "kind": "candidate", "scores": {"crps": score, "ssr": score, "q99": score}},
        {"method": "pattern scaling", "kind": "baseline", "scores": {"crps": score | {"value": 0.7}}},
        {"method": SCRIPT, "kind": IMAGE, "scores": {}},
    ]
    card = {
        "kind": "held-out scenario", "run": "CanESM5.ssp245.r1i1p1f1", "years": [2015, 2100], "notes": [],
        "rows": rows,
        "gates": [{"name": "g", "method": "m", "value": 1, "limit": [0, 1], "held": False, "sentence": IMAGE}],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "scorecard.json").write_text(json.dumps({"scorecards": [card]}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def calculating_server(small_report, emulator_file, evaluation_folder, tmp_path_factory):
    """A server of the small report with an emulator and an evaluation."""
    options = ("--emulator", str(emulator_file), "--evaluation", str(evaluation_folder))
    running = Server(tmp_path_factory.mktemp("calculating"), small_report, options=options)
    yield running
    running.stop()


@pytest.fixture
def visit(chromium, server):
    opened = []

    def open_(query="", **how):
        opened.append(Visit(chromium, server.url + query, **how))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()
