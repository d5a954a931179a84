"""Cures of known faults touch only whom they concern, only where the fault is, and say where it is documented."""

import re

import numpy as np
import pytest
import xarray as xr
from synthetic import field, published, row

from spread.conform import conform
from spread.conform.quirks import QUIRKS
from spread.errors import NotConforming


def repeated() -> xr.Dataset:
    """Two overlapping files behind each other; the second has other values."""
    first, second = published(months=18), published(field(12, 6, 8, seed=9), months=12, start=(2001, 1))
    second = second.assign_coords(time=("time", second["time"].values + 365.0, first["time"].attrs))
    second["time_bnds"] = second["time_bnds"] + 365.0
    return xr.concat([first, second], "time", data_vars="minimal", coords="minimal", compat="override")


@pytest.mark.parametrize("who", [{"source_id": "FGOALS-g3"}, {"source_id": "CESM2-WACCM", "experiment_id": "ssp370"}])
def test_of_repeated_steps_the_first_is_kept(who):
    ds = conform(repeated(), row(**who))
    assert ds["month_number"].values.tolist() == list(range(24000, 24024))
    np.testing.assert_array_equal(ds["tas"].values[:18], field(18, 6, 8))
    np.testing.assert_array_equal(ds["tas"].values[18:], field(12, 6, 8, seed=9)[6:])
    (fix,) = ds.attrs["fixes"]
    assert fix.startswith("quirk: time steps of overlapping files are repeated")
    assert "ESMValCore" in fix


@pytest.mark.parametrize("who", [{"source_id": "MIROC6"}, {"source_id": "FGOALS-g3", "experiment_id": "ssp585"}])
def test_repeated_steps_of_others_are_refused(who):
    with pytest.raises(NotConforming, match="appear twice"):
        conform(repeated(), row(**who))


def rain(units="kg m-2 s-1") -> xr.Dataset:
    return published(np.full((24, 6, 8), 3e-8, np.float32), variable_id="pr", units=units)


def test_rain_of_ciesm_is_a_thousand_times_more():
    ds = conform(rain(), row(source_id="CIESM", variable_id="pr", version="20200417"))
    np.testing.assert_allclose(ds["pr"], np.float64(np.float32(3e-8)) * 1000.0, rtol=1e-15)
    assert ds["pr"].attrs["units"] == "kg m-2 s-1"
    assert len(ds.attrs["fixes"]) == 1


@pytest.mark.parametrize("other", [{"version": "20210101"}, {"source_id": "CIESM2"}])
def test_rain_of_others_is_kept(other):
    who = {"source_id": "CIESM", "variable_id": "pr", "version": "20200417"} | other
    ds = conform(rain(), row(**who))
    np.testing.assert_array_equal(ds["pr"], rain()["pr"])
    assert ds.attrs["fixes"] == []


def test_the_land_of_sam0_takes_up_what_it_is_said_to_give():
    values = (field(24, 6, 8) * 1e-11).astype(np.float32)
    ds = published(-values, variable_id="nbp", units="kg m-2 s-1")
    who = {"source_id": "SAM0-UNICON", "variable_id": "nbp", "table_id": "Lmon"}
    cured = conform(ds, row(**who, version="20190323"))
    np.testing.assert_array_equal(cured["nbp"], values)
    assert "wrong sign" in cured.attrs["fixes"][0]
    np.testing.assert_array_equal(conform(ds, row(**who, version="20991231"))["nbp"], -values)


def test_a_cure_leaves_its_input_alone():
    ds = rain()
    before = ds.copy(deep=True)
    conform(ds, row(source_id="CIESM", variable_id="pr", version="20200417"))
    xr.testing.assert_identical(ds, before)


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda q: f"{q.source_id} {q.variable_id}")
def test_a_quirk_has_a_receipt_and_leaves_the_sound_alone(quirk):
    assert re.search(r"\.py|errata|issue|doi", quirk.receipt)
    assert len(quirk.what) > 20
    sound = conform(published(), row())
    if quirk.cure.__name__ not in ("times_thousand", "turn_sign"):  # told by the version alone
        assert quirk.cure(sound, "tas") is sound
