"""Engines are chosen by the grids alone, weights are made once, and come back from a folder bit by bit."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from rotated import rotated
from tripolar import tripolar

from spread.errors import NotFound
from spread.grids import Grid, make_grid, regular
from spread.regrid import cdo, forget, kept, make_weights, making

SOURCE, TARGET = regular("10"), regular("15")


@pytest.fixture(autouse=True)
def _nothing_kept():
    forget()
    yield
    forget()


def counted(monkeypatch):
    """A list that grows whenever weights are really made."""
    made = []
    real = making._links

    def links(*arguments):
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(making, "_links", links)
    return made


def test_auto_depends_on_the_grids_and_on_nothing_installed(monkeypatch):
    monkeypatch.setenv("PATH", "")
    curvilinear = make_grid(*rotated())
    assert make_weights(SOURCE, TARGET).engine == "exact"
    assert make_weights(SOURCE, curvilinear).engine == "spherical"
    assert make_weights(curvilinear, TARGET).engine == "spherical"
    assert make_weights(curvilinear, TARGET, "nearest").engine == "spherical"


def test_every_wrong_word_is_named_at_once():
    with pytest.raises(ValueError, match=r"method 'conservativ'.*'conservative'.*engine 'esmf'.*norm 'area'"):
        make_weights(SOURCE, TARGET, "conservativ", "esmf", "area")


def test_engines_refuse_what_they_cannot_take():
    with pytest.raises(ValueError, match="engine 'spherical'"):
        make_weights(make_grid(*rotated()), TARGET, engine="exact")
    with pytest.raises(ValueError, match="engine 'spherical'"):
        make_weights(SOURCE, make_grid(*rotated()), engine="exact")
    half = Grid(np.array([0.0]), np.array([90.0, 270.0]), np.array([[-90.0, 90.0]]), np.array([[0, 180.0], [180, 360]]))
    with pytest.raises(ValueError, match=r"narrower than 180.*'exact'"):
        make_weights(half, TARGET, engine="spherical")


def test_a_missing_cdo_is_said_to_be_missing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotFound, match="cdo, which is not on the PATH"):
        cdo.links(SOURCE, TARGET, "conservative")


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for cdo")
def test_a_cdo_that_fails_is_quoted(monkeypatch, tmp_path):
    fake = tmp_path / "cdo"
    fake.write_text("#!/bin/sh\necho 'cdo (Abort): no such grid' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="no such grid"):
        cdo.links(SOURCE, TARGET, "conservative")


def test_weights_are_made_once_for_equal_grids(monkeypatch):
    made = counted(monkeypatch)
    first = make_weights(SOURCE, TARGET)
    again = make_weights(regular("10"), regular("15"))
    assert len(made) == 1
    assert again.matrix is first.matrix
    with pytest.raises(ValueError, match="read-only"):
        again.matrix.data[0] = 1.0
    for change in ({"method": "bilinear"}, {"norm": "dstarea"}, {"engine": "spherical"}):
        make_weights(SOURCE, TARGET, **change)
    assert len(made) == 4
    # a hundred-millionth of a degree is another grid
    make_weights(Grid(SOURCE.lat + 1e-8, SOURCE.lon, SOURCE.lat_bounds, SOURCE.lon_bounds), TARGET)
    assert len(made) == 5


def test_memory_is_bounded_and_the_least_used_goes_first(monkeypatch):
    made = counted(monkeypatch)
    size = kept._size(make_weights(SOURCE, TARGET))
    monkeypatch.setattr(kept, "_LARGEST", int(2.5 * size))
    make_weights(SOURCE, TARGET, norm="dstarea")
    make_weights(SOURCE, TARGET)  # used again
    make_weights(SOURCE, TARGET, engine="spherical")  # one too many
    assert len(made) == 3
    make_weights(SOURCE, TARGET)
    assert len(made) == 3
    make_weights(SOURCE, TARGET, norm="dstarea")
    assert len(made) == 4


def test_threads_get_the_same_weights():
    found = []
    grid = make_grid(*tripolar(20, 30, 4))
    threads = [threading.Thread(target=lambda: found.append(make_weights(grid, TARGET))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({weights.matrix.digest for weights in found}) == 1
    assert len(found) == 6


@pytest.mark.parametrize("source", [SOURCE, make_grid(*tripolar(20, 30, 4))], ids=["exact", "spherical"])
def test_weights_come_back_from_a_folder(monkeypatch, tmp_path, source):
    made = counted(monkeypatch)
    first = make_weights(source, TARGET, folder=tmp_path / "weights")
    forget()
    again = make_weights(source, TARGET, folder=tmp_path / "weights")
    assert len(made) == 1
    assert again.matrix.digest == first.matrix.digest
    for name in ("frac", "source_area", "target_area"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    for name in ("method", "engine", "engine_version", "norm", "notes"):
        assert getattr(again, name) == getattr(first, name)
    assert not list((tmp_path / "weights").rglob(".writing-*"))


def test_a_damaged_file_is_made_again(monkeypatch, tmp_path):
    made = counted(monkeypatch)
    first = make_weights(SOURCE, TARGET, folder=tmp_path)
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    forget()
    assert make_weights(SOURCE, TARGET, folder=tmp_path).matrix.digest == first.matrix.digest
    assert len(made) == 2
    forget()
    make_weights(SOURCE, TARGET, folder=tmp_path)
    assert len(made) == 2


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert make_weights(SOURCE, TARGET, folder=tmp_path / "file" / "weights").matrix.data.size


def test_digests_are_the_same_in_another_process():
    code = """
from spread.grids import regular
from spread.regrid import make_weights
weights = make_weights(regular("10"), regular("15"))
print(weights.source.digest, weights.matrix.digest)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [SOURCE.digest, make_weights(SOURCE, TARGET).matrix.digest]
    assert SOURCE.digest != TARGET.digest


def test_importing_regrid_compiles_and_loads_nothing_heavy():
    code = "import sys, spread.regrid; print(sorted({'numba', 'scipy', 'xarray', 'xesmf'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_areas_are_made_where_no_folder_may_be_written_to():
    code = """
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
import numpy as np
from spread.regrid.clipping import common_areas
third = np.eye(3)[None]  # an eighth of the sphere
out = np.empty(1)
common_areas(np.zeros(1, np.int64), np.zeros(1, np.int64), third, third, out)
print(out[0] / np.pi)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) == pytest.approx(0.5)
