"""The adapter to xESMF: its contract on a stub of esmpy, which proves nothing about ESMF; against ESMF where it is."""

import sys
import types

import numpy as np
import pytest
from rotated import rotated
from scipy.sparse import csr_array
from tripolar import tripolar

from spread.errors import NotFound
from spread.grids import Grid, make_grid, regular
from spread.regrid import esmf, make_weights, weights


def stub_esmpy():
    """A STUB of esmpy: grids that hold coordinates and nothing that could make weights. It is not ESMF."""

    class Holder:
        def __init__(self, shape=None, staggerloc=0, coord_sys=None, num_peri_dims=None, **_):
            self.max_index = np.asarray(shape)
            self.num_peri_dims, self.periodic_dim = num_peri_dims or 0, 0 if num_peri_dims else None
            self.size = {0: self.max_index, 3: self.max_index + 1}
            self.coords = {0: [np.empty(self.max_index) for _ in range(2)], 3: [None, None]}
            self.mask, self.has_corners = [None], False

        def add_item(self, item, **_):
            self.mask = [np.empty(self.max_index, dtype=np.int32)]

        def add_coords(self, staggerloc):
            self.coords[staggerloc] = [np.empty(self.size[staggerloc]) for _ in range(2)]
            self.has_corners = True

        def get_coords(self, coord_dim, staggerloc):
            return self.coords[staggerloc][coord_dim]

        def destroy(self):
            pass

    module = types.ModuleType("esmpy")
    module.__version__ = "stub"
    module.Grid = module.LocStream = module.Mesh = Holder
    names = types.SimpleNamespace
    module.StaggerLoc, module.GridItem = names(CENTER=0, CORNER=3), names(MASK=1)
    module.CoordSys, module.MeshLoc = names(SPH_DEG=1), names(ELEMENT=1, NODE=0)

    def refuse(*arguments, **options):
        raise AssertionError("the stub of esmpy cannot make weights")

    module.Regrid = module.Field = refuse
    return module


@pytest.fixture
def _stub(monkeypatch):
    from importlib.util import find_spec

    if find_spec("xesmf") is None:
        pytest.skip("xesmf is not installed (extra 'test')")
    for name in [name for name in sys.modules if name.split(".")[0] in ("xesmf", "esmpy", "ESMF")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "esmpy", stub_esmpy())
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "xesmf"]:
        del sys.modules[name]  # it has the stub inside


@pytest.mark.usefixtures("_stub")
@pytest.mark.filterwarnings("ignore:.*F_CONTIGUOUS")
@pytest.mark.parametrize(
    ("source", "target", "method"),
    [
        (regular("10"), regular("15x12"), "conservative"),
        (regular("10"), regular("15x12"), "bilinear"),
        (regular("10"), regular("15x12"), "nearest"),
        (make_grid(*rotated(12, 24)), regular("15x12"), "conservative"),
        (regular("15x12"), make_grid(*tripolar(20, 30, 4)), "conservative"),
        (make_grid(*rotated(12, 24)), regular("15x12"), "bilinear"),
    ],
)
def test_what_xesmf_holds_becomes_weights(source, target, method):
    made = make_weights(source, target, method, engine="spherical", norm="dstarea")
    links = esmf.links(source, target, method, weights=made.to_xesmf())
    assert links.version.endswith("ESMF stub")
    for norm in ("fracarea", "dstarea"):
        read = weights.weights_from(links, source, target, method, "xesmf", norm)
        expected = make_weights(source, target, method, engine="spherical", norm=norm)
        np.testing.assert_array_equal(read.matrix.indices, expected.matrix.indices)
        np.testing.assert_allclose(read.matrix.data, expected.matrix.data, rtol=1e-12)
        np.testing.assert_allclose(read.frac, expected.frac, rtol=1e-12)


@pytest.mark.usefixtures("_stub")
@pytest.mark.filterwarnings("ignore:.*F_CONTIGUOUS")
def test_xesmf_applies_our_weights():
    # the field that xESMF itself makes of them, for weights travel both ways
    import xarray as xr
    import xesmf

    source, target = regular("10"), regular("15x12")
    made = make_weights(source, target)
    field = np.random.default_rng(0).random(source.shape)
    held = esmf._dataset(source, weights.used(source), True), esmf._dataset(target, ~target.void.ravel(), True)
    regridder = xesmf.Regridder(*held, "conservative", weights=made.to_xesmf())
    theirs = regridder(xr.DataArray(field, dims=("lat", "lon"))).values
    ours = csr_array((made.matrix.data, made.matrix.indices, made.matrix.indptr), made.matrix.shape) @ field.ravel()
    np.testing.assert_allclose(theirs.ravel(), ours, rtol=1e-13)


@pytest.mark.usefixtures("_stub")
@pytest.mark.filterwarnings("ignore:.*F_CONTIGUOUS")
def test_unmapped_and_masked_cells_have_no_weights():
    lat, lon, lat_b, lon_b = (array.copy() for array in rotated(12, 24))
    lat[3:5, 4:9] = np.nan
    target = make_grid(lat, lon, lat_b, lon_b)
    source = make_grid(np.linspace(32.5, 57.5, 6), np.linspace(2.5, 37.5, 8))
    made = make_weights(source, target, "nearest", norm="dstarea")
    links = esmf.links(source, target, "nearest", weights=made.to_xesmf())  # xESMF writes NaN where nothing is mapped
    assert np.isfinite(links.values).all()
    read = weights.weights_from(links, source, target, "nearest", "xesmf", "fracarea")
    assert read.matrix.digest == made.matrix.digest


def test_a_missing_xesmf_is_said_to_be_missing(monkeypatch):
    for name in ("xesmf", "esmpy", "ESMF"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotFound, match=r"engine 'xesmf'.*conda-forge.*engine 'auto'"):
        make_weights(regular("10"), regular("20"), engine="xesmf")


def test_netcdf_is_imported_before_xesmf(monkeypatch):
    # libesmf's HDF5 must not come first (xESMF #334)
    asked = []

    def record(name):
        asked.append(name)
        if name == "xesmf":
            return types.ModuleType("xesmf")
        raise ImportError(name)

    monkeypatch.setattr(esmf, "import_module", record)
    esmf._xesmf()
    assert asked == ["netCDF4", "h5py", "xesmf"]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("clockwise", [False, True])
def test_corners_become_vertices_wherever_they_begin(turn, clockwise):
    arrays = rotated(6, 9)
    corners = [np.roll(array[..., ::-1] if clockwise else array, turn, axis=-1) for array in arrays[2:]]
    lat_b, lon_b = esmf.vertices(Grid(*arrays[:2], *corners))
    assert lat_b.shape == (7, 10)
    for array, made in zip(arrays[2:], (lat_b, lon_b), strict=True):
        np.testing.assert_allclose(made[:-1, :-1], array[..., 0])
        np.testing.assert_allclose(made[1:, 1:], array[..., 2])
        np.testing.assert_allclose(made[:-1, 1:], array[..., 1])


def test_cells_that_do_not_meet_are_refused():
    lat, lon, lat_b, lon_b = rotated(6, 9)
    with pytest.raises(ValueError, match="do not share corners"):
        esmf.vertices(Grid(lat, lon, lat[..., None] + 0.9 * (lat_b - lat[..., None]), lon_b))


def test_edges_keep_the_order_of_the_centres():
    lat_bounds, lon_bounds = (
        np.array([[30.0, 90], [-30, 30], [-90, -30]]),
        np.array([[330.0, 350], [-10, 10], [10, 30]]),
    )
    grid = Grid(np.array([60.0, 0.0, -60.0]), np.array([340.0, 0.0, 20.0]), lat_bounds, lon_bounds)
    held = esmf._dataset(grid, np.ones(9, bool), True)
    np.testing.assert_array_equal(held["lat_b"], [90, 30, -30, -90])
    np.testing.assert_array_equal(held["lon_b"], [330, 350, 370, 390])
    assert "mask" not in held


@pytest.mark.esmf
@pytest.mark.parametrize(
    ("source", "target"),
    [(regular("5"), regular("7.5x6")), (make_grid(*tripolar()), regular("5")), (regular("5"), make_grid(*tripolar()))],
    ids=["regular", "tripolar", "to tripolar"],
)
def test_spherical_weights_are_those_of_esmf(source, target):
    made, theirs = make_weights(source, target, engine="spherical"), make_weights(source, target, engine="xesmf")
    one, other = (csr_array((w.matrix.data, w.matrix.indices, w.matrix.indptr), w.matrix.shape) for w in (made, theirs))
    assert abs(one - other).max() < 1e-11
    np.testing.assert_allclose(made.frac, theirs.frac, atol=1e-11)


@pytest.mark.esmf
def test_bilinear_weights_are_those_of_esmf_away_from_the_poles():
    source, target = regular("5"), regular("7.5x6")
    made, theirs = (make_weights(source, target, "bilinear", engine=engine) for engine in ("exact", "xesmf"))
    lat, lon = source.centres()
    field = np.cos(np.radians(lat)) * np.cos(np.radians(lon))
    one, other = (csr_array((w.matrix.data, w.matrix.indices, w.matrix.indptr), w.matrix.shape) for w in (made, theirs))
    inner = np.abs(target.centres()[0]) < 80.0
    np.testing.assert_allclose(
        (one @ field)[inner], (other @ field)[inner], atol=2e-3
    )  # ESMF's sides are great circles
