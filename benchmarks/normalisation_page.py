"""Make what ``docs/normalisation.md`` shows: the curves, and the table of real files.

Run: python benchmarks/normalisation_page.py figure docs/pollutant-transform.svg
     AURORA_PREP_REAL_DATA=FOLDER python benchmarks/normalisation_page.py table

The figure needs matplotlib; the table needs the real files that the tests use.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.normalisation import (
    Statistics,
    area_weights,
    compare_aurora,
    finish,
    reduce_fields,
)
from aurora_prep.normalisation.aurora import Rule
from aurora_prep.normalisation.transforms import DEPTH, Pollutant, pollutant_features
from aurora_prep.sources.spec import FrameKey, Grid

Field = tuple[str, str, int | None, datetime, NDArray[np.float32]]
SURFACE = {"t2m": "2t", "u10": "10u", "v10": "10v"}
STATIC = {"z", "slt", "lsm"}
LEVELS = (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)


def main() -> None:
    """Draw, or print."""
    match sys.argv[1:]:
        case ["figure", path]:
            figure(Path(path))
        case ["table"]:
            table(Path(os.environ["AURORA_PREP_REAL_DATA"]))
        case _:
            sys.exit(__doc__)


def figure(path: Path) -> None:
    """The corrected and the printed curve, for equal weights of one half."""
    import matplotlib as mpl  # noqa: PLC0415  the table does not need it

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "aurora-prep", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot as plt  # noqa: PLC0415  after the backend is chosen

    x = np.geomspace(1e-6, 10, 400)
    linear, logarithm = pollutant_features(x)
    drawn, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axes.plot(x, Pollutant().forward(x), label="corrected, divided by -ln 1e-4", color="#1b6ca8")
    axes.plot(
        x,
        0.5 * linear - 0.5 * logarithm,
        label="as printed, divided by ln 1e-4",
        color="#c2452d",
        linestyle="--",
    )
    for edge, name in ((1e-4, "1e-4"), (0.5 / (0.5 * DEPTH), "0.1086"), (2.5, "2.5")):
        axes.axvline(edge, color="0.8", linewidth=0.8, zorder=0)
        axes.annotate(name, (edge, 1.95), ha="center", fontsize=8, color="0.4")
    axes.set(xscale="log", ylim=(-0.6, 2.1), xlim=(x[0], x[-1]))
    axes.set_xlabel("scaled pollutant, x")
    axes.set_ylabel("transformed, c1 = c2 = 0.5")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.88), frameon=False)
    drawn.savefig(path, metadata={"Date": None, "Creator": "benchmarks/normalisation_page.py"})


def table(folder: Path) -> None:
    """Statistics of the real files beside the published constants, as Markdown."""
    cases = {
        "ERA5, globe at 1 degree, 2007-01-01 12 UTC": netcdf(
            folder / "era5_pl/era5_tz_1deg_test4.nc"
        ),
        "IFS open data, globe at 0.25 degree, 2026-04-04 00 UTC": grib(
            *sorted(folder.glob("ifs/ifs_oper_[2t]*_025_20260404.grib2"))
        ),
        "ERA5, Norway at 0.25 degree, 1 to 7 June 2025": (
            *netcdf(folder / "era5_sfc/era5_sfc_norway_202506_newcds.nc"),
            *netcdf(folder / "era5_pl/era5_pl_norway_202506_newcds.nc"),
        ),
        "ERA5 waves, Dutch coast at 0.5 degree, 27 to 29 October 2017": netcdf(
            folder / "wave/ERA5_wave_DutchCoast.nc"
        ),
        "CAMS reanalysis, British Isles at 0.75 degree, 1 to 2 January 2003": grib(
            folder / "cams/cams_eac4_go3_25lev_uk.grib1"
        ),
        "CAMS reanalysis, 3 by 3 points in Egypt, 1 to 2 July 2020": netcdf(
            folder / "cams/cams_eac4_gtco3_tcwv.nc"
        ),
    }
    for title, fields in cases.items():
        print(f"\n**{title}**\n")
        print(
            "| Key | Location | Published | Shift in scales | Scale | Published | Ratio"
            " | Mean by area |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        found = statistics_of(tuple(fields))
        for row, entry in zip(compare_aurora(found), found.values, strict=True):
            if not math.isnan(row.published_scale):
                by_area = f"{entry.area_mean:.5g}" if row.rule is Rule.STANDARDISE else ""
                print(
                    f"| `{row.key}` | {row.location:.5g} | {row.published_location:.5g}"
                    f" | {row.shift:+.2f} | {row.scale:.4g} | {row.published_scale:.4g}"
                    f" | {row.ratio:.2f} | {by_area} |"
                )


def statistics_of(fields: tuple[Field, ...]) -> Statistics:
    """Reduce the fields of one file or more, with the row weights of their grid."""
    keys = {time: FrameKey("files", time) for *_, time, _ in fields if time != START}
    digests = {key: str(key) for key in keys.values()}
    rows = fields[0][-1].shape[0]
    weights = WEIGHTS[fields[0][0]]
    if weights.size != rows:
        sys.exit(f"{rows} rows, {weights.size} weights")
    reduced = reduce_fields(
        (
            (None if path.startswith("static/") else keys[time], path, level, values)
            for _, path, level, time, values in fields
        ),
        digests,
        weights,
    )
    return finish(
        reduced,
        source="files",
        grid="native",
        split="all",
        frames=list(digests.items()),
        software_version="documentation",
    )


START = datetime(1970, 1, 1)
"""Stands for the time of a static field."""

WEIGHTS: dict[str, NDArray[np.float64]] = {}


def remember(name: str, latitude: NDArray[Any]) -> None:
    """Keep the row weights of a file's grid by the file's name."""
    step = abs(float(latitude[1]) - float(latitude[0]))
    whole = area_weights(Grid.regular(f"{step:g}"))
    first = round((90 - float(latitude.max())) / step)
    WEIGHTS[name] = whole[first : first + latitude.size]


def netcdf(path: Path) -> Iterator[Field]:
    """Fields of a NetCDF file, north to south."""
    import xarray as xr  # noqa: PLC0415  the figure does not need it

    with xr.open_dataset(path) as opened:
        names = {"valid_time": "time", "pressure_level": "level"}
        dataset = opened.rename({k: v for k, v in names.items() if k in opened.dims})
        dataset = dataset.sortby("latitude", ascending=False)
        remember(path.name, dataset.latitude.values)
        for name, array in dataset.data_vars.items():
            short = SURFACE.get(str(name), str(name))
            kind = "atmospheric" if "level" in array.dims else "surface"
            if kind == "surface" and short in STATIC:
                first = array.isel(time=0).values.astype(np.float32)
                yield path.name, f"static/{short}", None, START, first
                continue
            for time in array.time.values:
                at = array.sel(time=time)
                moment = datetime.fromisoformat(str(time)[:19])
                if kind == "surface":
                    yield path.name, f"surface/{short}", None, moment, at.values.astype("f4")
                    continue
                for level in at.level.values:
                    values = at.sel(level=level).values.astype(np.float32)
                    yield path.name, f"atmospheric/{short}", int(level), moment, values


def grib(*paths: Path) -> Iterator[Field]:
    """Fields of regular GRIB files on Aurora's levels, north to south."""
    import eccodes  # noqa: PLC0415  the figure does not need it

    for path in paths:
        with path.open("rb") as stream:
            while (message := eccodes.codes_grib_new_from_file(stream)) is not None:
                get = lambda key, message=message: eccodes.codes_get(message, key)  # noqa: E731
                level = int(get("level")) if get("typeOfLevel") == "isobaricInhPa" else None
                if level in (None, *LEVELS):
                    shape = int(get("Nj")), int(get("Ni"))
                    values = eccodes.codes_get_values(message).reshape(shape)
                    latitude = np.linspace(
                        get("latitudeOfFirstGridPointInDegrees"),
                        get("latitudeOfLastGridPointInDegrees"),
                        shape[0],
                    )
                    remember(path.name, latitude)
                    kind = "surface" if level is None else "atmospheric"
                    day = datetime.strptime(str(get("dataDate")), "%Y%m%d")
                    time = day + timedelta(hours=int(get("dataTime")) // 100)
                    name = f"{kind}/{get('shortName')}"
                    yield path.name, name, level, time, values.astype(np.float32)
                eccodes.codes_release(message)


if __name__ == "__main__":
    main()
