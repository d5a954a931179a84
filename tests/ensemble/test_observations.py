"""Observed series are read as they are, and become comparable with tas only in a way that is named."""

import atlas
import numpy as np
import pytest
import xarray as xr

from spread.ensemble import BLENDINGS, annual_series, as_gsat, observed
from spread.ensemble.blending import NORMAL_95, blending
from spread.errors import BadStudy, NotFound
from spread.study import Observations, Study

CSV = "# a comment\nyear,value,\n2001.5,0.3,\n2000.5,0.1,\n2002.5,,\n2003.5,0.8,\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "observed.csv"
    path.write_text(CSV, encoding="utf-8")
    return str(path)


def asked(file, **values):
    return Observations(name="Thermometers", file=file, **values)


def study(file, conversion=None, **values):
    kind = {} if conversion is None else {"kind": "GMST", "conversion": conversion}
    return Study.make(observations={"name": "T", "file": file} | kind, base_period=[2000, 2001], **values)


def test_a_series_is_read_in_order_without_its_gaps(file):
    series = annual_series(asked(file))
    assert series["year"].values.tolist() == [2000, 2001, 2003]
    assert series.values.tolist() == [0.1, 0.3, 0.8]
    assert series.attrs == {"name": "Thermometers", "file": file}
    named = annual_series(asked(file, kind="GMST", conversion="ar6")).attrs
    assert (named["kind"], named["conversion"]) == ("GMST", "ar6")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("year,other\n2000,1\n", "no column value; the file has year, other"),
        ("year,value\n2000,1\n2000.5,2\n2001,3\n", "expected one row a year, got several for 2000"),
        ("year,value\n2000,warm\n", "expected numbers"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_is_no_annual_series_is_refused(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotFound, match=said):
        annual_series(asked(str(path)))
    with pytest.raises(NotFound, match="cannot be read"):
        annual_series(asked(str(tmp_path / "nowhere.csv")))


def test_a_series_stands_on_the_studys_base(file):
    found = observed(study(file, minimum_years=1.0))
    assert found["name"] == "T"
    assert found["year"] == [2000, 2001, 2003]
    np.testing.assert_allclose(found["anomaly"], [-0.1, 0.1, 0.6])
    assert set(found) == {"name", "year", "anomaly"}
    assert observed(Study.make()) == {}
    with pytest.raises(NotFound, match="2 of 3 years of the base period 2000-2002"):
        observed(Study.make(observations={"name": "T", "file": file}, base_period=[2000, 2002]))


def test_gmst_becomes_gsat_by_the_ratio_that_is_named(file):
    np.testing.assert_allclose(observed(study(file, "ar6"))["anomaly"], [-0.1, 0.1, 0.6])
    assert observed(study(file, "ar6"))["name"] == "T"
    found = observed(study(file, "richardson2018"))
    np.testing.assert_allclose(found["anomaly"], 1.08 * np.array([-0.1, 0.1, 0.6]))
    assert found["name"] == "T (GMST x 1.08)"
    assert found["kind"] == "GMST"
    assert found["conversion_ratio"] == 1.08
    assert "10.1088/1748-9326/aab305" in found["conversion_source"]


def test_a_converted_series_says_so():
    series = xr.DataArray([1.0, 2.0], dims="year", attrs={"kind": "GMST", "conversion": "richardson2018-fixed-ice"})
    before = series.copy(deep=True)
    gsat = as_gsat(series)
    np.testing.assert_allclose(gsat, [1.04, 2.08])
    assert (gsat.attrs["kind"], gsat.attrs["converted_from"]) == ("GSAT", "GMST")
    assert "conversion" not in gsat.attrs
    assert gsat.attrs["conversion_ratio"] == 1.04
    xr.testing.assert_identical(series, before)
    again = as_gsat(gsat.assign_attrs())
    np.testing.assert_allclose(again, gsat)


def test_nothing_is_converted_silently():
    with pytest.raises(NotFound, match="which temperature is it"):
        as_gsat(xr.DataArray([1.0], dims="year"))
    with pytest.raises(BadStudy, match="GMST is not tas; say how"):
        as_gsat(xr.DataArray([1.0], dims="year", attrs={"kind": "GMST"}))
    with pytest.raises(BadStudy, match="did you mean 'richardson2018'"):
        blending("GMST", "richardson")
    with pytest.raises(BadStudy, match="GSAT needs none"):
        blending("GSAT", "ar6")
    with pytest.raises(BadStudy, match="expected 'GSAT' or 'GMST'"):
        blending("SST", None)
    assert blending("GSAT", None).ratio == 1.0
    assert blending("GSAT", None).sd == 0.0


def test_ranges_of_the_ratios_are_the_published_ones():
    np.testing.assert_allclose(1 - NORMAL_95 * BLENDINGS["ar6"].sd, 0.9)  # at most 10 %
    width = 2 * NORMAL_95 * BLENDINGS["richardson2018"].sd
    np.testing.assert_allclose(width, 0.21 - 0.06)  # 5-95 % range 6-21 %
    names = Observations.model_fields["conversion"].annotation.__args__[0].__args__
    assert set(names) == set(BLENDINGS), "the study knows every conversion"


def test_the_igcc_series_warms_as_published(shared_data):
    series = atlas.igcc(shared_data)
    assert series["year"].values[[0, -1]].tolist() == [1850, 2024]
    assert abs(float(series.sel(year=slice(1850, 1900)).mean())) < 0.005
    # Forster et al. (2025), Earth Syst. Sci. Data 17, 2641: 1.24 K in 2015-2024, 1.52 K in 2024
    assert float(series.sel(year=slice(2015, 2024)).mean()) == pytest.approx(1.24, abs=0.01)
    assert float(series.sel(year=2024)) == pytest.approx(1.52, abs=0.01)
    # AR6: 0.85 K from 1850-1900 to 1995-2014, Cross-Chapter Box 2.3
    assert float(series.sel(year=slice(1995, 2014)).mean()) == pytest.approx(0.85, abs=0.02)
