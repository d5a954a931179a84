"""Real annual temperatures (IPCC WGI Atlas, Iturbide et al., 2021) and the observed IGCC series, for several tests."""

import xarray as xr

from spread.ensemble import annual_series
from spread.study import Observations

SCENARIOS = ("ssp126", "ssp245", "ssp370", "ssp585")


def monthly(folder, experiment):
    """Monthly ``tas`` [degC] on ``source_id, time, region``."""
    path = folder / "atlas_cmip6_tas" / f"cmip6_ar6regions_monthly_{experiment}.nc"
    with xr.open_dataset(path) as data:
        tas = data["tas"].load()
    return tas.drop_vars("member_id").set_index(run="source_id").rename(run="source_id")


def global_years(folder, scenarios=SCENARIOS):
    """Annual global means on ``source_id, experiment_id, year``; K, for only their differences are used."""
    past = _years(monthly(folder, "historical").sel(region="world", drop=True))
    joined = []
    for scenario in scenarios:
        later = _years(monthly(folder, scenario).sel(region="world", drop=True)).sel(year=slice(2015, None))
        earlier = past.sel(year=slice(None, 2014)).reindex(source_id=later["source_id"])
        joined.append(xr.concat([earlier, later], "year"))
    return (
        xr.concat(joined, "experiment_id", join="outer")
        .assign_coords(experiment_id=list(scenarios))
        .assign_attrs(units="K")
    )


def _years(tas):
    days = tas["time"].dt.days_in_month
    sums = (tas * days).groupby("time.year").sum("time", skipna=False)
    return sums / days.groupby("time.year").sum()


def warming(years, period=(2081, 2100), base=(1995, 2014)):
    """Change of each model between two periods [K]."""
    return years.sel(year=slice(*period)).mean("year") - years.sel(year=slice(*base)).mean("year")


def igcc(folder, conversion="ar6"):
    """Observed annual GMST of the Indicators of Global Climate Change, to 2024 [K]."""
    return annual_series(
        Observations(
            name="IGCC",
            file=str(folder / "carbon_budget" / "igcc_annual_averages.csv"),
            year_column="time",
            value_column="GMST",
            kind="GMST",
            conversion=conversion,
        )
    )


def seasons_of_regions(folder):
    """Mean seasons 1995-2014 of the 58 reference regions [degC] on ``source_id, place``."""
    tas = monthly(folder, "historical").sel(time=slice("1995", "2014")).drop_sel(region="world")
    means = tas.groupby("time.season").mean("time")
    return means.stack(place=("region", "season")).reset_index("place", drop=True)
