"""Frames of the published spans, by the arithmetic of the declarations alone."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import Timeline

SPANS = [
    ("era5", datetime(1979, 1, 1), datetime(2020, 12, 31, 23), 368_184),
    ("hres_forecast", datetime(2016, 1, 1), datetime(2020, 12, 31, 12), 149_814),
    ("hres_t0", datetime(2016, 1, 1), datetime(2021, 12, 31, 18), 8_768),
    ("hres_analysis", datetime(2016, 1, 1), datetime(2022, 12, 31, 18), 10_228),
    ("cams_analysis", datetime(2017, 10, 1), datetime(2022, 5, 31, 12), 3_408),
    ("cams_reanalysis", datetime(2003, 1, 1), datetime(2021, 12, 31, 21), 55_520),
    ("gfs_t0", datetime(2015, 1, 15), datetime(2020, 12, 31, 18), 8_712),
    ("gfs_forecast", datetime(2015, 1, 15), datetime(2020, 12, 31, 18), 810_216),
    ("ifs_ens_mean", datetime(2018, 1, 1), datetime(2020, 12, 31, 12), 133_712),
]


@pytest.mark.parametrize(("name", "start", "end", "frames"), SPANS)
def test_published_spans_hold_the_published_frames(name, start, end, frames):
    source = sources.load(name)
    assert source.first <= start
    timeline = Timeline(start, end, source.cadence)
    assert timeline[-1] == end
    assert len(timeline) * len(source.lead_times) == frames


FIELDS = {
    "era5": 69,
    "hres_forecast": 69,
    "hres_t0": 69,
    "hres_analysis": 69,
    "cams_forecast": 142,
    "cams_analysis": 142,
    "cams_reanalysis": 142,
    "wave": 18,
    "era5_wave": 18,
    "gfs_t0": 69,
    "gfs_forecast": 69,
    "ifs_open": 69,
    "ifs_open_forecast": 69,
    "gefs_reforecast": 4 + 5 * 10,
    "ifs_ens": 4 + 5 * 3,
    "ifs_ens_mean": 4 + 5 * 3,
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_frame_holds_the_fields_aurora_takes(name):
    source = sources.load(name)
    moving = [n for n in source.of_kind("surface", "atmospheric") if not n.optional]
    assert source.field_count(moving, source.levels) == FIELDS[name]


@pytest.mark.parametrize("name", sources.names())
def test_a_month_of_any_source_can_be_asked_by_a_recipe(name):
    """Period, cadence and lead times of the declaration pass the recipe's own checks."""
    source = sources.load(name)
    year = max(2020, source.first.year + 1)
    entry = {
        "source": name,
        "grid": source.grid.name,
        "period": {"start": f"{year}-01-01T00", "end": f"{year}-01-31"},
    }
    if source.accesses[0].name == "files":
        entry["path"] = "*.grib"
    steps = set(np.diff(source.lead_times))
    if len(steps) == 1:
        first, last = (source.lead_times[end] // timedelta(hours=1) for end in (0, -1))
        step = steps.pop() // timedelta(hours=1)
        entry["lead_time"] = {"start": f"{first}h", "end": f"{last}h", "step": f"{step}h"}
    (parsed,) = Recipe.parse({"name": "x", "output": "out", "sources": [entry]}).sources
    assert (parsed.lead_times or source.lead_times) == source.lead_times
    assert len(parsed.period) == timedelta(days=31) // source.cadence
