"""On a dask cluster the land commands give the same bits as in one process."""

import pytest
import xarray as xr

from spread.__main__ import main

pytestmark = pytest.mark.slow
CLUSTER = ["--scheduler", "local", "--workers", "2"]


@pytest.mark.parametrize(
    ("command", "store"),
    [
        (["land", "run", "--grid", "--draws", "4"], "simulated.zarr"),
        (["whatif", "+2K", "no-fire", "--grid", "--draws", "2"], "whatif.zarr"),
    ],
)
def test_workers_change_no_bit(command, store, tmp_path):
    pytest.importorskip("distributed")
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    assert main([*command, *CLUSTER, "--out", str(tmp_path / "there")]) == 0
    here, there = (
        xr.open_zarr(tmp_path / w / store, consolidated=False, decode_times=False) for w in ("here", "there")
    )
    xr.testing.assert_identical(here.load(), there.load())
