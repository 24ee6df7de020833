"""``aurora-prep regrid``: what it refuses, what it keeps, and how much memory it takes."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.commands.regrid import METHODS as NAMED
from aurora_prep.regridding import METHODS

LATITUDE, LONGITUDE = np.arange(87.5, -88.0, -5.0), np.arange(2.5, 360.0, 5.0)


def netcdf(path, values, attributes=None, name="t2m", **more):
    """A NetCDF file of one variable on 5 degrees."""
    values = np.broadcast_to(np.asarray(values, "f4"), (len(LATITUDE), len(LONGITUDE)))
    axes = {"latitude": LATITUDE, "longitude": LONGITUDE}
    variable = ("latitude", "longitude"), values, attributes or {"units": "K"}
    xr.Dataset({name: variable, **more}, axes).to_netcdf(path)
    return path


def regrid(source, output, *words):
    """Exit code of the command on 10 degrees."""
    return main(["regrid", str(source), str(output), "--grid", "10", *words])


def test_the_command_names_its_methods(capsys):
    assert ("auto", *NAMED) == METHODS
    with pytest.raises(SystemExit):
        main(["regrid", "--help"])
    told = capsys.readouterr().out
    assert "mir-average" in told
    assert "memory is a few" in " ".join(told.split())


def test_a_method_that_is_not_there_is_answered_with_those_that_are(tmp_path, capsys):
    source = netcdf(tmp_path / "in.nc", 280.0)
    assert regrid(source, tmp_path / "out.nc", "--method", "cubic") == 2
    told = capsys.readouterr().err
    assert all(name in told for name in METHODS)
    assert [p.name for p in tmp_path.iterdir()] == ["in.nc"]


@pytest.mark.parametrize("name", ["out.grib", "out", "out.nc.gz", "out.h5"])
def test_an_ending_that_is_not_written_is_refused(tmp_path, capsys, name):
    source = netcdf(tmp_path / "in.nc", 280.0)
    assert regrid(source, tmp_path / name) == 2
    assert ".zarr" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["in.nc"]


def test_its_own_input_is_not_replaced(tmp_path, capsys):
    source = netcdf(tmp_path / "in.nc", 280.0)
    before = source.read_bytes()
    (tmp_path / "link.nc").symlink_to(source)
    for name in ("in.nc", "link.nc", "../" + tmp_path.name + "/in.nc"):
        assert regrid(source, tmp_path / name) == 2
        assert "its own input" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_store_around_the_input_is_not_replaced(tmp_path, capsys):
    folder = tmp_path / "mine.zarr"
    folder.mkdir()
    source = netcdf(folder / "in.nc", 280.0)
    assert regrid(source, folder) == 2
    assert "its own input" in capsys.readouterr().err
    assert source.is_file()


def test_a_folder_that_is_no_store_is_not_replaced(tmp_path, capsys):
    source = netcdf(tmp_path / "in.nc", 280.0)
    folder = tmp_path / "letters.zarr"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    assert regrid(source, folder) == 2
    assert "no Zarr store" in capsys.readouterr().err
    assert (folder / "letter.txt").read_text() == "dear"


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    source = netcdf(tmp_path / "in.nc", 280.0)
    assert regrid(source, tmp_path / "absent" / "out.nc") == 2
    assert "absent" in capsys.readouterr().err


def test_a_zip_says_what_to_do(tmp_path, capsys):
    source = tmp_path / "answer.zip"
    source.write_bytes(b"PK\x03\x04" + bytes(200))
    assert regrid(source, tmp_path / "out.nc") == 2
    assert "unpack" in capsys.readouterr().err


def test_bytes_before_the_first_message_are_passed_over(grib, tmp_path):
    field = grib.regular(10.0), {"paramId": 167}, np.full(19 * 36, 280.0)
    path = grib.write(tmp_path / "in.grib", [field])
    path.write_bytes(bytes(200) + path.read_bytes())
    assert regrid(path, tmp_path / "out.nc") == 0
    with xr.open_dataset(tmp_path / "out.nc") as data:
        assert float(data["2t"].max()) == 280.0


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("dir", {"units": "degree", "standard_name": "sea_surface_wave_from_direction"}),
        ("dir", {"units": "deg", "standard_name": "wind_to_direction"}),
        ("dir", {"units": "degrees_true", "long_name": "mean direction"}),
        ("mwd", {"units": "degrees"}),
        ("mdts", {}),
    ],
)
def test_directions_are_known_by_name_before_any_spelling(tmp_path, name, attributes):
    turns = np.where(np.arange(len(LONGITUDE)) % 2, 10.0, 350.0)
    source = netcdf(tmp_path / "in.nc", turns, attributes, name=name)
    assert regrid(source, tmp_path / "out.nc", "--method", "conservative") == 0
    with xr.open_dataset(tmp_path / "out.nc") as data:
        found = float(data[name][9, 0])
    assert min(found, 360 - found) < 1


def test_a_direction_in_radians_is_refused(tmp_path, capsys):
    attributes = {"units": "radian", "standard_name": "wind_from_direction"}
    source = netcdf(tmp_path / "in.nc", 1.0, attributes, name="dir")
    assert regrid(source, tmp_path / "out.nc") == 2
    assert "degrees" in capsys.readouterr().err


def test_packed_values_come_out_as_a_run_reads_them(tmp_path):
    source = tmp_path / "in.nc"
    packing = {"dtype": "i2", "scale_factor": 0.013, "add_offset": 273.16, "_FillValue": -32767}
    values = np.random.default_rng(1).uniform(220, 310, (len(LATITUDE), len(LONGITUDE)))
    values[3, 4] = np.nan
    axes = {"latitude": LATITUDE, "longitude": LONGITUDE}
    data = xr.Dataset({"t2m": (("latitude", "longitude"), values, {"units": "K"})}, axes)
    data.to_netcdf(source, encoding={"t2m": packing})
    assert main(["regrid", str(source), str(tmp_path / "out.nc"), "--grid", "5"]) == 0
    with xr.open_dataset(tmp_path / "out.nc") as moved:
        assert moved["t2m"].dtype == np.float32
        assert "_FillValue" in moved["t2m"].encoding
        assert "scale_factor" not in moved["t2m"].encoding


def test_six_hundred_fields_take_the_memory_of_a_few(grib, tmp_path):
    """600 fields of 4 x 5 points to 0.5 degrees, 620 MB of values, in a process of its own."""
    keys = {
        **grib.regular(10.0), "Ni": 5, "Nj": 4,
        "latitudeOfFirstGridPointInDegrees": 40.0, "latitudeOfLastGridPointInDegrees": 10.0,
        "longitudeOfFirstGridPointInDegrees": 0.0, "longitudeOfLastGridPointInDegrees": 40.0,
    }  # fmt: skip
    fields = [
        (
            keys,
            {"paramId": 167, "dataTime": 100 * (i % 24), "dataDate": 20200101 + i // 24},
            i + np.arange(20.0),
        )
        for i in range(24 * 25)
    ]
    path = grib.write(tmp_path / "in.grib", fields, bits=16)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from aurora_prep.pipelines.cli import main\n"
        f"code = main(['regrid', {str(path)!r}, {str(tmp_path / 'out.nc')!r}, '--grid', '0.5'])\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) / 1024 < 700
    with xr.open_dataset(tmp_path / "out.nc") as data:
        assert data["2t"].shape[-2:] == (361, 720)
        assert data["2t"].size == 600 * 361 * 720
        assert np.isfinite(data["2t"].isel(init_time=599).values).any()


def test_too_little_memory_is_told_and_leaves_nothing(tmp_path):
    netcdf(tmp_path / "in.nc", 280.0)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))

    tool = Path(sys.executable).with_name("aurora-prep")
    words = [str(tool), "regrid", "in.nc", "out.nc", "--grid", "0.005"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=limit
    )
    assert done.returncode == 2
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.nc"]
