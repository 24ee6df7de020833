"""Adding a source costs one file: a declaration is dropped in, and everything else follows."""

import json
import sys

import numpy as np
import pytest
import xarray as xr
import yaml

from aurora_prep import sources
from aurora_prep.pipelines.cli import main
from aurora_prep.providers.embedded import truth
from aurora_prep.sources.spec import SpecError

DECLARATION = '''
"""A product that nobody offers: sea ice and ozone, every 12 hours on 5 degrees."""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Cds, Collection, Files, Grid, Kind, Levels, Native, Product, Source, Unit,
)
from aurora_prep.sources.spec.composition import GO3
from aurora_prep.sources.spec.dialect import ATMOSPHERE
from aurora_prep.sources.spec.surface import CI

SOURCE = Source(
    name="dropped_in",
    title="A source that was dropped in",
    product=Product.REANALYSIS,
    grid=Grid.regular("5"),
    levels=Levels((50, 500)),
    first=datetime(2010, 1, 1),
    cadence=timedelta(hours=12),
    natives=(
        Native(variable=CI, request="sea_ice", fields=("siconc",), units="(0 - 1)"),
        Native(variable=GO3, request="ozone", fields=("go3",), units="kg kg**-1"),
    ),
    accesses=(
        Cds(
            (
                Collection(
                    dataset="dropped-in-everything",
                    kinds=(Kind.SURFACE, Kind.ATMOSPHERIC),
                    constants=(),
                    unit=Unit.DAY,
                    max_fields=50,
                    dialect=ATMOSPHERE,
                ),
            ),
            name="ads",
        ),
        Files(),
    ),
    licence="none",
    attribution="none",
)
'''
INDEXED = '''
"""A product that nobody offers, on two hosts: a file a lead time, cut by its index."""

from datetime import datetime, timedelta

from aurora_prep.sources.spec import (
    Files, Grid, Index, IndexedFiles, IndexForm, Levels, Native, Product, Source, Term,
)
from aurora_prep.sources.spec.composition import GO3
from aurora_prep.sources.spec.surface import CI

SOURCE = Source(
    name="dropped_in",
    title="A source that was dropped in",
    product=Product.REANALYSIS,
    grid=Grid.regular("5"),
    levels=Levels((50, 500)),
    first=datetime(2010, 1, 1),
    cadence=timedelta(hours=12),
    natives=(
        Native(variable=CI, request="ice", fields=("siconc",), units="(0 - 1)"),
        Native(variable=GO3, request="ozone", fields=("go3",), units="kg kg**-1"),
    ),
    accesses=(
        Index(
            files=(
                IndexedFiles(
                    dataset="dropped-in-bucket",
                    hosts=("https://one.example.org", "https://two.example.org"),
                    patterns=("{time:%Y}/{time:%m%d}/made_up.{time:%H}.f{lead:03d}.grb",),
                    form=IndexForm.NOAA,
                    grid=Grid.regular("5"),
                    paths=("surface/ci", "atmospheric/go3"),
                ),
            ),
            terms=(
                Term(path="surface/ci", words="ICEC:surface"),
                Term(path="atmospheric/go3", words="O3MR:{level} mb"),
            ),
        ),
        Files(),
    ),
    licence="none",
    attribution="none",
    centres=("kwbc",),
)
'''
# A day, or a time.
REQUESTS = {"ads": 2, "index": 4}
ENTRY = {
    "source": "dropped_in",
    "grid": "5",
    "period": {"start": "2020-02-29T00", "end": "2020-03-01T12"},
}


@pytest.fixture(params=[("store", "grib"), ("store", "netcdf"), ("index", "grib")], ids="-".join)
def data_format(request, tmp_path):
    """The declaration as a file, and a format that its provider delivers."""
    sort, data_format = request.param
    folder = tmp_path / "sources"
    folder.mkdir()
    declaration = {"store": DECLARATION, "index": INDEXED}[sort]
    (folder / "dropped_in.py").write_text(declaration)
    return data_format


@pytest.fixture
def dropped_in(tmp_path, monkeypatch, data_format):  # noqa: ARG001  it writes the file
    """The declaration as a file among the sources."""
    folder = tmp_path / "sources"
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(folder)])
    yield sources.load("dropped_in")
    sys.modules.pop("aurora_prep.sources.dropped_in")


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    body = {"name": "new", "output": str(tmp_path / "out"), "sources": [ENTRY]}
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.mark.usefixtures("dropped_in")
def test_the_command_line_knows_it(capsys, recipe):
    assert main(["sources"]) == 0
    assert "dropped_in" in capsys.readouterr().out
    assert main(["sources", "dropped_in"]) == 0
    assert "surface/ci" in capsys.readouterr().out
    assert main(["plan", str(recipe), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["sources"]
    assert (row["source"], row["frames"], row["requests"]) == ("dropped_in", 4, 4)


def test_it_is_asked_made_up_decoded_and_written(dropped_in, tmp_path, recipe, data_format):
    body = yaml.safe_load(recipe.read_text())
    body["sources"][0]["data_format"] = data_format
    recipe.write_text(yaml.safe_dump(body))
    cache = str(tmp_path / "cache")
    assert main(["run", str(recipe), "--embedded", "--cache", cache]) == 0
    assert main(["verify", str(tmp_path / "out"), "--deep"]) == 0
    with xr.open_zarr(tmp_path / "out/dropped_in/5.zarr") as stored:
        assert dict(stored.sizes) == {"time": 4, "level": 2, "latitude": 37, "longitude": 72}
        for variable in dropped_in.variables:
            field = stored[variable.short_name].isel(time=3)
            for level in dropped_in.levels if variable.has_levels else (None,):
                exact = truth(
                    variable,
                    level,
                    np.datetime64("2020-03-01T12", "s").item(),
                    stored["latitude"].values,
                    stored["longitude"].values,
                )
                found = (field if level is None else field.sel(level=level)).values
                span = np.nanmax(exact) - np.nanmin(exact)
                assert np.nanmax(np.abs(found - exact)) <= 2.0**-15 * span
                np.testing.assert_array_equal(np.isnan(found), np.isnan(exact))


def test_it_is_gone_when_its_file_is():
    assert "dropped_in" not in sources.names()
    with pytest.raises(SpecError, match="no such source"):
        sources.load("dropped_in")
