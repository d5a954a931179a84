"""Weights go into datasets under the names of SCRIP and ESMF, and come back; those of cdo are read."""

import shutil
import subprocess

import numpy as np
import pytest
import xarray as xr
from rotated import rotated
from scipy.sparse import csr_array
from tripolar import tripolar

from spread.grids import make_grid, regular
from spread.regrid import cdo, make_weights
from spread.regrid.files import from_dataset, to_dataset

GRIDS = [
    (regular("10"), regular("15x12")),
    (make_grid(*rotated()), regular("15x12")),
    (regular("15x12"), make_grid(*tripolar(20, 30, 4))),
]
every_pair = pytest.mark.parametrize(("source", "target"), GRIDS, ids=["regular", "rotated", "to tripolar"])


@every_pair
@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest"])
def test_weights_come_back_from_a_file(tmp_path, source, target, method):
    made = make_weights(source, target, method, norm="dstarea" if method == "conservative" else "fracarea")
    to_dataset(made).to_netcdf(tmp_path / "weights.nc")
    with xr.open_dataset(tmp_path / "weights.nc") as ds:
        read = from_dataset(ds)
    assert read.matrix.digest == made.matrix.digest
    assert (read.source.digest, read.target.digest) == (source.digest, target.digest)
    for name in ("frac", "source_area", "target_area"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    for name in ("method", "engine", "engine_version", "norm", "notes"):
        assert getattr(read, name) == getattr(made, name)


@every_pair
@pytest.mark.parametrize("names", ["scrip", "esmf"])
def test_either_set_of_names_is_enough(source, target, names):
    made = make_weights(source, target)
    ds = to_dataset(made)
    esmf = {"S", "row", "col"} | {name for name in ds.variables if name[-2:] in ("_a", "_b")}
    keep = {"src_grid_dims", "dst_grid_dims"}  # both have them
    scrip = {name for name in ds.variables if name[:4] in ("src_", "dst_")} | {"remap_matrix"}
    ds = ds[sorted(keep | (esmf if names == "esmf" else scrip - keep))]
    ds.attrs = {"normalization": ds.attrs["normalization"], "map_method": "Conservative remapping"}
    read = from_dataset(ds)
    assert read.matrix.digest == made.matrix.digest
    assert read.engine == "file"
    for one, other in ((read.source, source), (read.target, target)):
        assert one.shape == other.shape
        assert one.rectilinear == other.rectilinear
        np.testing.assert_allclose(one.area(), other.area(), rtol=1e-9)
        np.testing.assert_allclose(one.lat, other.lat, rtol=1e-12)


def test_addresses_count_from_one_and_rows_conserve():
    made = make_weights(*GRIDS[0])
    ds = to_dataset(made)
    for row, col, values in (("row", "col", ds["S"]), ("dst_address", "src_address", ds["remap_matrix"][:, 0])):
        assert ds[row].min() == 1
        assert ds[row].max() == made.matrix.shape[0]
        assert ds[col].min() == 1
        assert ds[col].max() == made.matrix.shape[1]
        sums = np.bincount(ds[row].values - 1, values.values)
        np.testing.assert_allclose(sums, 1.0, atol=1e-12)
    assert ds["src_grid_dims"].values.tolist() == [36, 18]  # Fortran's order, columns first
    np.testing.assert_allclose(ds["src_grid_frac"], 1.0, atol=1e-12)
    np.testing.assert_allclose(ds["area_b"].sum(), 4 * np.pi)


def test_what_is_missing_or_changed_is_named():
    ds = to_dataset(make_weights(*GRIDS[0]))
    with pytest.raises(ValueError, match=r"expected weights .* and the target grid"):
        from_dataset(ds[["src_grid_center_lat", "src_grid_center_lon"]])
    with pytest.raises(ValueError, match="largest area fraction"):
        from_dataset(ds.drop_attrs().assign_attrs(map_method="Largest area fraction"))
    ds["S"] = ds["S"] * 2.0
    with pytest.raises(ValueError, match="not those that spread wrote"):
        from_dataset(ds)


@pytest.mark.skipif(shutil.which("cdo") is None, reason="the command cdo is not installed")
@every_pair
def test_weights_that_cdo_wrote_are_read(tmp_path, source, target):
    (tmp_path / "source.txt").write_text(cdo.description(source, np.array([True])))
    (tmp_path / "target.txt").write_text(cdo.description(target, np.array([True])))
    command = ["cdo", "-s", "-b", "F64", "-f", "nc", "gencon,target.txt", "-const,1,source.txt", "weights.nc"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with xr.open_dataset(tmp_path / "weights.nc") as ds:
        read = from_dataset(ds)
    made = make_weights(source, target, engine="cdo")
    assert read.engine_version.startswith("Climate Data Operators")
    one, other = (csr_array((w.matrix.data, w.matrix.indices, w.matrix.indptr), w.matrix.shape) for w in (read, made))
    assert abs(one - other).max() < 1e-12
    np.testing.assert_allclose(read.target.area(), target.area(), rtol=1e-6)


@pytest.mark.skipif(shutil.which("cdo") is None, reason="the command cdo is not installed")
def test_cdo_applies_our_weights(tmp_path):
    source, target = GRIDS[0]
    made = make_weights(source, target)
    ds = to_dataset(made)
    scrip = [name for name in ds.variables if name[:4] in ("src_", "dst_")] + ["remap_matrix"]
    ds[scrip].to_netcdf(tmp_path / "weights.nc", format="NETCDF3_CLASSIC")
    values = np.random.default_rng(0).random(source.shape)
    field = xr.Dataset(
        {"v": (("lat", "lon"), values)},
        {"lat": ("lat", source.lat, {"units": "degrees_north"}), "lon": ("lon", source.lon, {"units": "degrees_east"})},
    )
    field.to_netcdf(tmp_path / "in.nc")
    (tmp_path / "target.txt").write_text(cdo.description(target, np.array([True])))
    command = ["cdo", "-s", "-b", "F64", "remap,target.txt,weights.nc", "in.nc", "out.nc"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "out.nc") as out:
        theirs = out["v"].values
    ours = csr_array((made.matrix.data, made.matrix.indices, made.matrix.indptr), made.matrix.shape) @ values.ravel()
    np.testing.assert_allclose(theirs.ravel(), ours, rtol=1e-12)
