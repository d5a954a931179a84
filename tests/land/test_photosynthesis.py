"""Photosynthesis: the same as the papers' formulae, and what must hold for any scheme, parameter and weather."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plain_uptake
import pytest

from spread.land import Forcing, Site, draw, parameters_of
from spread.land.photosynthesis import ACM1, MOD17, FarquharMedlyn, NeuralLightUse, PModel, leaf
from spread.land.photosynthesis.light_use import BIOMES

CELLS = 512
PLAIN = {
    ACM1: plain_uptake.acm1,
    PModel: plain_uptake.p_model,
    MOD17: plain_uptake.mod17,
    FarquharMedlyn: plain_uptake.farquhar_medlyn,
    NeuralLightUse: plain_uptake.neural_light_use,
}
# the discriminant of ACM and the cost of capacity take differences of nearly equal numbers
FLOAT32 = {ACM1: 2e-5, PModel: 1e-4, MOD17: 1e-5, FarquharMedlyn: 1e-5, NeuralLightUse: 1e-5}
every_scheme = pytest.mark.parametrize("scheme", PLAIN, ids=lambda scheme: scheme.__name__)
either_width = pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])


def made(scheme):
    return NeuralLightUse(jax.random.key(5)) if scheme is NeuralLightUse else scheme()


def hostile(key, cells):
    """Leaf area, stress, weather and place: every value is at an end of its range in every second cell."""
    keys = iter(jax.random.split(key, 40))

    def between(low, high):
        inside = jax.random.uniform(next(keys), (cells,), minval=low, maxval=high)
        end = jnp.where(jax.random.bernoulli(next(keys), 0.5, (cells,)), low, high)
        return jnp.where(jax.random.bernoulli(next(keys), 0.5, (cells,)), end, inside)

    forcing = Forcing(
        tasmin=between(-60.0, 60.0), tasmax=between(-60.0, 60.0), rsds=between(0.0, 40.0), vpd=between(0.0, 100.0),
        pr=jnp.zeros(cells), co2=between(150.0, 2000.0), burned=jnp.zeros(cells), doy=between(0.0, 366.0),
        days=jnp.ones(cells),
    )  # fmt: skip
    site = Site(between(-90.0, 90.0), between(-400.0, 6000.0), jnp.zeros(cells), jnp.ones(cells))
    return between(0.0, 12.0), between(0.0, 1.0), forcing, site


def mild(key, cells):
    """The same away from the ends, where a scheme may have a corner."""
    keys = iter(jax.random.split(key, 10))

    def between(low, high):
        return jax.random.uniform(next(keys), (cells,), minval=low, maxval=high)

    tasmin = between(-5.0, 25.0)
    forcing = Forcing(
        tasmin=tasmin, tasmax=tasmin + between(1.0, 15.0), rsds=between(2.0, 30.0), vpd=between(1.0, 30.0),
        pr=jnp.ones(cells), co2=between(300.0, 1000.0), burned=jnp.zeros(cells), doy=between(0.0, 366.0),
        days=jnp.ones(cells),
    )  # fmt: skip
    site = Site(between(-60.0, 60.0), between(0.0, 3000.0), jnp.zeros(cells), jnp.ones(cells))
    return between(0.1, 8.0), between(0.1, 1.0), forcing, site


@eqx.filter_jit
def gpp_of(brick, leaf_area, stress, forcing, site):
    return brick(leaf_area, stress, forcing, site).gpp


@eqx.filter_jit
def both_of(brick, given):
    """Production and conductance, and the derivatives of their sum by all that goes in."""

    def total(inputs):
        taken, (leaf_area, stress, forcing, site) = inputs
        got = taken(leaf_area, stress, forcing, site)
        conductance = 0 * got.gpp if got.conductance is None else got.conductance
        return jnp.sum(got.gpp + conductance), (got.gpp, conductance)

    return eqx.filter_value_and_grad(total, has_aux=True)((brick, given))


@eqx.filter_jit
def by_co2(brick, leaf_area, stress, forcing, site):
    def at(co2):
        return brick(leaf_area, stress, eqx.tree_at(lambda f: f.co2, forcing, co2), site).gpp

    return jax.jvp(at, (forcing.co2,), (jnp.ones_like(forcing.co2),))


def cell_of(tree, cell):
    return {
        name: np.float64(np.broadcast_to(value, (CELLS,))[cell])
        for name, value in vars(tree).items()
        if eqx.is_array(value)
    }


def plain(scheme, brick, given):
    """Production and conductance of the plain version, and 0 where it has no conductance."""
    leaf_area, stress, forcing, site = given
    found = []
    for cell in range(CELLS):
        known = cell_of(brick, cell)
        if scheme is NeuralLightUse:
            known |= {
                "weights": list(map(np.asarray, brick.network.weights)),
                "biases": list(map(np.asarray, brick.network.biases)),
            }
        inputs = float(leaf_area[cell]), float(stress[cell]), cell_of(forcing, cell), cell_of(site, cell)
        found.append([value or 0.0 for value in PLAIN[scheme](known, *inputs)])
    return np.array(found).T


@every_scheme
@pytest.mark.parametrize("weather", [mild, hostile])
def test_it_is_what_the_papers_say(scheme, weather):
    with jax.enable_x64(True):
        brick = draw(made(scheme), jax.random.key(1), CELLS)
        given = weather(jax.random.key(2), CELLS)
        (_, (gpp, conductance)), _ = both_of(brick, given)
        expected_gpp, expected_conductance = plain(scheme, brick, given)
    assert np.count_nonzero(expected_gpp) > CELLS / 20
    np.testing.assert_allclose(gpp, expected_gpp, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(conductance, expected_conductance, rtol=1e-10, atol=1e-12)
    assert bool(np.any(expected_conductance)) == scheme.gives_conductance


@every_scheme
@either_width
def test_values_and_gradients_are_finite_for_any_draw_and_hostile_weather(scheme, wide):
    with jax.enable_x64(wide):
        brick = draw(made(scheme), jax.random.key(3), 8 * CELLS)
        given = hostile(jax.random.key(4), 8 * CELLS)
        (_, (gpp, conductance)), slopes = both_of(brick, given)
        for value in (gpp, conductance):
            assert bool(jnp.all((value >= 0) & jnp.isfinite(value)))
        assert all(bool(jnp.all(jnp.isfinite(slope))) for slope in jax.tree.leaves(slopes))
        assert any(bool(jnp.any(slope != 0)) for slope in jax.tree.leaves(slopes))


@every_scheme
@either_width
def test_co2_never_lowers_production(scheme, wide):
    with jax.enable_x64(wide):
        brick = draw(made(scheme), jax.random.key(3), 8 * CELLS)
        _, slope = by_co2(brick, *hostile(jax.random.key(4), 8 * CELLS))
        assert float(jnp.min(slope)) >= 0
        assert (float(jnp.max(slope)) > 0) == (scheme is not MOD17)


@every_scheme
def test_production_vanishes_with_leaves_light_and_water(scheme):
    brick = made(scheme)
    leaf_area, stress, forcing, site = mild(jax.random.key(6), 8 * CELLS)
    whole = gpp_of(brick, leaf_area, stress, forcing, site)
    for share in (1e-6, 0.0):
        dark = eqx.tree_at(lambda f: f.rsds, forcing, forcing.rsds * share)
        little = [
            gpp_of(brick, leaf_area * share, stress, forcing, site),
            gpp_of(brick, leaf_area, stress * share, forcing, site),
            gpp_of(brick, leaf_area, stress, dark, site),
        ]
        # the efficiency that a network gives may rise in the dark, to the quantum limit
        bar = 100 * share * jnp.maximum(whole, 12 * forcing.rsds)
        assert all(bool(jnp.all(part <= bar)) for part in little)


@every_scheme
def test_polar_night(scheme):
    _, _, forcing, site = mild(jax.random.key(6), 8 * CELLS)
    night = eqx.tree_at(lambda f: (f.rsds, f.doy), forcing, (0 * forcing.rsds, 0 * forcing.doy + 355.0))
    north = eqx.tree_at(lambda s: s.lat, site, 0 * site.lat + 80.0)
    assert float(jnp.max(gpp_of(made(scheme), 3.0, 1.0, night, north))) == 0


@pytest.mark.parametrize("scheme", [PModel, FarquharMedlyn, NeuralLightUse])
def test_no_more_carbon_than_photons_can_fix(scheme):
    brick = draw(made(scheme), jax.random.key(7), 8 * CELLS)
    given = hostile(jax.random.key(8), 8 * CELLS)
    assert bool(jnp.all(gpp_of(brick, *given) <= 2.04 * 12.0107 / 8 * given[2].rsds * (1 + 1e-5)))


@every_scheme
def test_little_leaf_area_assimilates_in_proportion(scheme):
    _, stress, forcing, site = mild(jax.random.key(6), 8 * CELLS)
    one, two = (np.asarray(gpp_of(made(scheme), size, stress, forcing, site)) for size in (1e-3, 2e-3))
    seen = one > 0
    power = np.log2(two[seen] / one[seen])
    # the light limit of ACM rises with the square
    assert power == pytest.approx(2 if scheme is ACM1 else 1, abs=0.03)


@eqx.filter_jit
def forward_derivative(inputs, tangents):
    return jax.jvp(lambda given: gpp_of.__wrapped__(given[0], *given[1]), (inputs,), (tangents,))


@every_scheme
def test_gradient_is_that_of_central_differences(scheme):
    with jax.enable_x64(True):
        inputs = draw(made(scheme), jax.random.key(9), CELLS), mild(jax.random.key(10), CELLS)
        leaves, shape = jax.tree.flatten(inputs)
        keys = jax.random.split(jax.random.key(11), len(leaves))
        along = jax.tree.unflatten(
            shape,
            [value * jax.random.normal(key, value.shape) for value, key in zip(leaves, keys, strict=True)],
        )
        value, slope = forward_derivative(inputs, along)
        step = 1e-5

        def moved(size):
            brick, given = jax.tree.map(lambda x, v: x + size * v, inputs, along)
            return gpp_of(brick, *given)

        coarse = (moved(step) - moved(-step)) / (2 * step)
        fine = (moved(step / 2) - moved(-step / 2)) / step
        central = (4 * fine - coarse) / 3
        error = np.abs(central - slope) / (np.abs(slope) + value + 1e-3)
    assert np.max(error) <= 1e-6


@every_scheme
def test_float32_is_float64(scheme):
    narrow = draw(made(scheme), jax.random.key(12), CELLS), mild(jax.random.key(13), CELLS)
    single = gpp_of(narrow[0], *narrow[1])
    with jax.enable_x64(True):
        brick, given = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), narrow)
        double = gpp_of(brick, *given)
    assert (single.dtype, double.dtype) == (jnp.float32, jnp.float64)
    np.testing.assert_allclose(single, double, rtol=FLOAT32[scheme], atol=1e-6)


@every_scheme
def test_every_parameter_has_a_source(scheme):
    known = parameters_of(made(scheme))
    assert known
    assert all(len(p.source) > 10 and p.units for p in known.values())


def test_published_values_of_the_p_model_at_20_degrees():
    with jax.enable_x64(True):
        standard = jnp.asarray(101325.0)
        assert round(float(leaf.compensation_point(jnp.asarray(20.0), standard)), 5) == 3.33925
        assert round(float(leaf.michaelis_menten(jnp.asarray(20.0), standard)), 5) == 46.09928
        assert round(float(leaf.relative_viscosity(jnp.asarray(20.0))), 5) == 1.12536


def test_p_model_of_pyrealm():
    pmodel = pytest.importorskip("pyrealm.pmodel")
    axes = np.arange(-4.0, 40.1, 4.0), np.array([50.0, 300, 1000, 2500]), np.array([200.0, 400, 900]), [0.0, 2500.0]
    tas, vpd, co2, elevation = (values.ravel() for values in np.meshgrid(*axes, indexing="ij"))
    pressure = plain_uptake.pressure_at(elevation)
    env = pmodel.PModelEnvironment(
        tc=tas, vpd=vpd, co2=co2, patm=pressure, fapar=np.full(tas.size, 0.6), ppfd=np.full(tas.size, 600.0)
    )
    peer = pmodel.PModel(env, method_kphio="temperature", reference_kphio=0.081785)
    with jax.enable_x64(True):
        rsds = jnp.asarray(600.0 * 86400 / 2.04e6)
        leaf_area = jnp.asarray(-np.log(0.4) / 0.5)
        weather = Forcing(*map(jnp.asarray, (tas - 5, tas + 5, rsds, vpd / 100, 0.0, co2, 0.0, 180.0, 1.0)))
        site = Site(*map(jnp.asarray, (45.0, elevation, 10.0, 2.0)))
        got = PModel()(leaf_area, jnp.asarray(1.0), weather, site)
    expected = np.nan_to_num(peer.gpp) * 86400e-6  # NaN: no capacity pays
    assert np.mean(expected > 0) > 0.8
    np.testing.assert_allclose(got.gpp, expected, rtol=1e-4, atol=1e-9)
    drawdown = (env.ca - peer.optchi.ci) / pressure
    np.testing.assert_allclose(got.conductance, 1.6 * expected / 12.0107 / 86400 / drawdown, rtol=1e-4, atol=1e-12)


def test_acm_worked_by_hand():
    """Lat 0: 12 h of light whatever the day; tasmax = tasmin: gc = 2^0.789798 / 0.37836 = 4.569279."""
    with jax.enable_x64(True):
        weather = Forcing(*map(jnp.asarray, (0.0, 0.0, 10.0, 5.0, 0.0, 400.0, 0.0, 80.0, 1.0)))
        site = Site(*map(jnp.asarray, (0.0, 0.0, 10.0, 2.0)))
        got = ACM1()(jnp.asarray(1.0), jnp.asarray(0.5), weather, site).gpp
    # p = 20 / 4.569279 = 4.377058; s = 400 + 4.22273 - 208.868 - p = 190.977672
    # ci = (s + sqrt(s^2 + 4 (400 x 204.64527 + 4.22273 p))) / 2 = (s + 603.306585) / 2 = 397.142128
    # Pd = gc (400 - ci) = 13.058412; e0 = 7.19298 / 3.1001 = 2.320241; Pi = 10 e0 Pd / (10 e0 + Pd) = 8.355758
    # GPP = 0.5 Pi (0.0156935 x 12 + 0.0453194) = 0.976125
    assert float(got) == pytest.approx(0.976125, abs=1e-6)


def test_biomes_differ_as_published():
    evergreen = MOD17.of("ENF")
    assert float(evergreen.efficiency) == pytest.approx(1.211)
    assert float(evergreen.dry) == pytest.approx(30.0)
    for values in BIOMES.values():
        boxes = list(parameters_of(MOD17()).values())[:5]
        assert all(box.low <= value <= box.high for box, value in zip(boxes, values, strict=True))


def test_a_summer_day_in_a_temperate_forest():
    """LAI 4, 20 MJ, 12 to 24 degC, 10 hPa, 400 ppm: towers see 8 to 14 gC m-2 d-1 (Baldocchi 2008)."""
    weather = Forcing(*map(jnp.asarray, (12.0, 24.0, 20.0, 10.0, 2.0, 400.0, 0.0, 180.0, 1.0)))
    site = Site(*map(jnp.asarray, (45.0, 200.0, 10.0, 2.0)))
    for scheme in (ACM1, PModel, MOD17, FarquharMedlyn):
        got = scheme()(jnp.asarray(4.0), jnp.asarray(1.0), weather, site)
        assert 6 < float(got.gpp) < 16
        if scheme.gives_conductance:
            assert 0.05 < float(got.conductance) < 0.6  # mol m-2 s-1 over the day
