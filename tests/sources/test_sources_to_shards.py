"""Sources at full size, from the embedded provider by cdsapi to shards, against the truth.

What is stored on the provider's own grid differs from the truth by packing
alone. What is regridded differs by the grid too: bilinear and area-weighted
means err by the square of the step times the curvature, and where a field has
an edge (clean air, a coast) by the step times the slope.
"""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.providers.embedded import truth
from aurora_prep.sources.spec import HOUR, Kind, Nature

NEW_YEAR = {"start": "2021-12-31T12", "end": "2022-01-01T00"}
PACKED = {"grib": 2.0**-16, "netcdf": 2.0**-22}


def differences(made):
    """Per field: variable, largest difference over the field's range, points whose mask differs."""
    source, stored = sources.load(made.source), made.frames
    latitude, longitude = stored["latitude"].values, stored["longitude"].values
    for row in made.rows():
        for variable in source.variables:
            if variable.kind is Kind.STATIC or variable.short_name not in stored:
                continue
            field = stored[variable.short_name]
            if "init_time" in field.dims:
                leads = list(source_hours(stored["lead_time"].values))
                position = leads.index(row["lead_time"] / HOUR)
                field = field.sel(init_time=row["init_time"]).isel(lead_time=position)
            else:
                field = field.sel(time=row["valid_time"])
            for level in stored["level"].values.tolist() if variable.has_levels else [None]:
                found = (field if level is None else field.sel(level=level)).values
                exact = truth(variable, level, row["valid_time"], latitude, longitude)
                apart = np.abs(found - exact)
                if variable.nature is Nature.DIRECTION:
                    apart = np.minimum(apart, 360.0 - apart)
                span = float(np.nanmax(exact) - np.nanmin(exact))
                size = float(np.nanmax(np.abs(exact)))
                rounding = np.spacing(np.float32(size)) / span
                masks = float((np.isnan(found) != np.isnan(exact)).mean())
                yield variable, float(np.nanmax(apart)) / span - rounding, masks


def source_hours(leads):
    return [
        float(lead / np.timedelta64(1, "h")) if lead.dtype.kind == "m" else float(lead)
        for lead in leads
    ]


@pytest.mark.parametrize("data_format", ["grib", pytest.param("netcdf", marks=pytest.mark.slow)])
def test_two_composition_frames_of_142_fields(prepare, data_format):
    made = prepare(
        "cams_analysis", embedded=True, grid="0.4", period=NEW_YEAR, data_format=data_format
    )
    assert (made.outcome.frames, made.outcome.absent) == (2, 0)
    stored = made.frames
    assert dict(stored.sizes) == {"time": 2, "level": 13, "latitude": 451, "longitude": 900}
    assert len(stored.data_vars) == 22
    compared = list(differences(made))
    assert len(compared) == 2 * 142
    for variable, worst, masks in compared:
        assert worst <= PACKED[data_format], variable.path
        assert masks == 0
    assert not verify(made.outcome.root, deep=True).problems


@pytest.mark.slow
def test_a_reanalysis_is_regridded_to_aurora_s_grid(prepare):
    """0.75 to 0.4 degrees: 2e-4 of the range where fields are smooth, 4e-3 at edges of plumes."""
    period = {"start": "2021-01-31T21", "end": "2021-02-01T00"}
    made = prepare("cams_reanalysis", embedded=True, grid="0.4", period=period)
    assert (made.frames.sizes["latitude"], made.frames.sizes["longitude"]) == (451, 900)
    for variable, worst, masks in differences(made):
        edged = variable.short_name != "go3" and variable.param > 200_000
        assert worst <= (4e-3 if edged else 3e-4), variable.path
        assert masks == 0


@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_waves_come_with_directions_and_coasts(prepare, data_format):
    period = {"start": "2020-02-29T23", "end": "2020-03-01T00"}
    made = prepare("era5_wave", embedded=True, grid="0.5", period=period, data_format=data_format)
    compared = list(differences(made))
    assert len(compared) == 2 * 18
    for variable, worst, masks in compared:
        assert worst <= PACKED[data_format], variable.path
        assert masks == 0
    assert 0.3 < float(made.frames["swh"].isnull().mean()) < 0.6


def test_waves_are_regridded_without_bleeding_over_coasts(prepare):
    """0.5 to 0.25 degrees: every value within 1 % of the range, the mask off by a row of coast."""
    period = {"start": "2020-02-29T23", "end": "2020-02-29T23"}
    made = prepare("era5_wave", embedded=True, grid="0.25", period=period)
    for variable, worst, masks in differences(made):
        assert worst <= 1e-2, variable.path
        assert masks < 3e-3, variable.path


@pytest.mark.parametrize("data_format", ["grib", "netcdf"])
def test_forecasts_have_init_times_and_lead_times(prepare, data_format):
    made = prepare(
        "cams_forecast",
        embedded=True,
        grid="0.4",
        period=NEW_YEAR,
        lead_time={"start": "3h", "end": "9h", "step": "6h"},
        variables=["pm10", "go3"],
        levels=[50],
        data_format=data_format,
    )
    assert (made.outcome.frames, made.outcome.absent) == (4, 0)
    stored = made.frames
    assert stored["go3"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")
    assert source_hours(stored["lead_time"].values) == [3.0, 9.0]
    rows = made.rows()
    assert {row["valid_time"] - row["init_time"] for row in rows} == {3 * HOUR, 9 * HOUR}
    assert len({row["valid_time"] for row in rows}) == 4
    for variable, worst, masks in differences(made):
        assert worst <= PACKED[data_format], variable.path
        assert masks == 0


def test_statistics_of_a_forecast_know_their_frames(prepare):
    made = prepare(
        "cams_forecast",
        embedded=True,
        grid="0.4",
        period={"start": "2022-01-01T00", "end": "2022-01-01T00"},
        lead_time={"start": "0h", "end": "120h", "step": "60h"},
        variables=["2t"],
    )
    document = json.loads(Path(made.outcome.root, "statistics/cams_forecast-0.4.json").read_text())
    (entry,) = document["values"]
    assert entry["count"] == 3 * 451 * 900
    assert [row["lead_time"] for row in made.rows()] == [
        timedelta(hours=hours) for hours in (0, 60, 120)
    ]
