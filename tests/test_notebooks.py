"""Notebooks as they are kept: without outputs, one question each, and a way to real data in each. CI executes them."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def cells(request):
    return json.loads(request.param.read_text(encoding="utf-8"))["cells"]


def texts(cells, kind):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def test_there_are_some():
    assert len(NOTEBOOKS) >= 7


def test_nothing_that_ran_is_kept(cells):
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_it_asks_one_question_and_leads_to_real_data(cells):
    said = "\n".join(texts(cells, "markdown"))
    assert len(re.findall(r"^# ", said, flags=re.MULTILINE)) == 1
    assert "gs://" in said
    assert "ynthetic" in said


def test_it_opens_nothing_of_this_machine(cells):
    for text in texts(cells, "code"):
        assert not re.search(r"[\"'](/home|/tmp|/work|/root|[A-Z]:\\\\)", text)


def test_plots_need_nothing_that_a_hub_does_not_serve(cells):
    # below the prefix of a hub Panel's server extension is not where Panel looks for it, and it says so in red
    for text in texts(cells, "code"):
        for call in re.findall(r"pn\.extension\((.*)\)", text):
            assert "inline=True" in call
            assert 'notebook_resources="cdn"' in call
        # its import loads all of that again, without a word of inline
        assert not re.search(r"^\s*(import|from) hvplot", text, flags=re.MULTILINE)


def test_links_between_notebooks_lead_somewhere(cells):
    for text in texts(cells, "markdown"):
        for name in re.findall(r"\]\(([\w-]+\.ipynb)\)", text):
            assert (FOLDER / name).is_file(), name


def test_the_list_of_notebooks_is_complete():
    listed = set(re.findall(r"([\w-]+\.ipynb)", (FOLDER / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in NOTEBOOKS}
