"""A folder appears whole or not at all: beside dead writers, beside living ones, over older ones."""

import multiprocessing
import os

import pytest

from spread.errors import NotWritable
from spread.placing import _prefix, check_writable, whole_folder


def write(folder, text, parts=30):
    with whole_folder(folder) as aside:
        (aside / "mark").mkdir()
        for part in range(parts):
            (aside / f"{part}.txt").write_text(text)


def texts(folder):
    return {p.read_text() for p in folder.glob("*.txt")}, len(list(folder.glob("*.txt")))


def test_it_is_not_there_until_it_is_whole(tmp_path):
    out = tmp_path / "out"
    with whole_folder(out) as aside:
        (aside / "a.txt").write_text("a")
        assert not out.exists()
    assert (out / "a.txt").read_text() == "a"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_older_one_is_replaced_and_one_that_fails_leaves_it(tmp_path):
    out = tmp_path / "out"
    write(out, "old")
    write(out, "new")
    assert texts(out) == ({"new"}, 30)

    def fail():
        with whole_folder(out) as aside:
            (aside / "0.txt").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert texts(out) == ({"new"}, 30)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    out = tmp_path / "out"
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    dead, living = (tmp_path / (_prefix(out, process) + "x") for process in (child.pid, os.getpid()))
    for folder in (dead, living):
        folder.mkdir()
    write(out, "new")
    assert not dead.exists()
    assert living.exists()


def _write_often(folder, text):
    for _ in range(25):
        write(folder, text)


def test_two_processes_that_write_the_same_folder_do_not_mix(tmp_path):
    out = tmp_path / "out"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(out, name)) for name in ("first", "second")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found, count = texts(out)
    assert found in ({"first"}, {"second"})
    assert count == 30
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_place_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear reader")
    with pytest.raises(NotWritable, match="something else is there"):
        check_writable(tmp_path, "mark")
    with pytest.raises(NotWritable, match="something else is there"):
        check_writable(tmp_path / "thesis.tex", "mark")
    check_writable(tmp_path / "out", "mark")
