"""The user's own files, by patterns."""

import os
import zipfile
from pathlib import Path

import pytest

from aurora_prep.providers.files import expand
from aurora_prep.sources.spec import FetchError

REAL = os.environ.get("AURORA_PREP_REAL_DATA")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("a.grib", "b.grib", "deep/c.grib", "deep/er/d.nc"):
        (folder / name).write_bytes(b"GRIB" if name.endswith("grib") else b"CDF\x01")
    (folder / "notes.txt").write_text("not data")
    return folder


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*.grib"], ["a.grib", "b.grib"]),
        (["b.grib", "a.grib", "?.grib"], ["a.grib", "b.grib"]),
        (["**/*.grib"], ["a.grib", "b.grib", "c.grib"]),
        (["."], ["a.grib", "b.grib"]),
        (["deep/er/d.nc", "../data/a.grib"], ["a.grib", "d.nc"]),
        (["notes.txt"], ["notes.txt"]),
    ],
)
def test_patterns_give_sorted_files_once(data, cache, patterns, expected) -> None:
    found = expand(patterns, data, cache=cache)
    assert names(found) == expected
    assert all(path.is_absolute() for path in found)


def test_a_name_with_pattern_characters_is_a_name_first(data, cache) -> None:
    (data / "x[1].grib").write_bytes(b"GRIB")
    assert names(expand(["x[1].grib"], data, cache=cache)) == ["x[1].grib"]


@pytest.mark.parametrize("pattern", ["c.grib", "*.nc", "nowhere/*.grib", "deep/er/*.grib"])
def test_no_file_says_what_is_there(data, cache, pattern) -> None:
    with pytest.raises(FetchError) as caught:
        expand(["a.grib", pattern], data, cache=cache)
    message = str(caught.value)
    assert repr(pattern) in message
    assert ("d.nc" if "er/" in pattern else "a.grib") in message


def test_the_nearest_name_comes_first(data, cache) -> None:
    for number in range(30):
        (data / f"{number:03d}.bin").touch()
    with pytest.raises(FetchError, match=r"holds \['notes.txt', .* and 22 more"):
        expand(["note.txt"], data, cache=cache)


def test_an_empty_folder_says_so(data, cache) -> None:
    (data / "empty").mkdir()
    with pytest.raises(FetchError, match="is empty"):
        expand(["empty"], data, cache=cache)


def test_zarr_is_refused(data, cache) -> None:
    (data / "x.zarr").mkdir()
    with pytest.raises(FetchError, match="Zarr"):
        expand(["x.zarr"], data, cache=cache)


def test_a_zip_becomes_its_members_and_is_unpacked_once(data, cache, tmp_path) -> None:
    with zipfile.ZipFile(data / "two.zip", "w") as packed:
        packed.writestr("../../escape.nc", b"CDF\x01")
        packed.writestr("sub/inner.grib", b"GRIB")
        packed.writestr("readme.txt", b"hello")
    first = expand(["two.zip"], data, cache=cache)
    assert names(first) == ["escape.nc", "inner.grib"]
    assert all(path.is_relative_to(cache.root) for path in first)
    assert not list(tmp_path.glob("*.nc"))

    before = [path.stat().st_ino for path in first]
    (data / "copy.zip").write_bytes((data / "two.zip").read_bytes())
    assert expand(["*.zip"], data, cache=cache) == first
    assert [path.stat().st_ino for path in first] == before
    assert len(list((cache.root / "zip").iterdir())) == 1


@pytest.mark.parametrize("flaw", ["cut", "no data", "twice", "crc"])
def test_a_bad_zip_leaves_nothing(data, cache, flaw) -> None:
    with zipfile.ZipFile(data / "bad.zip", "w") as packed:
        packed.writestr("a/x.grib", b"a page" if flaw == "no data" else b"GRIBGRIBGRIB")
        if flaw == "twice":
            packed.writestr("b/x.grib", b"GRIB")
    content = (data / "bad.zip").read_bytes()
    if flaw == "cut":
        (data / "bad.zip").write_bytes(content[:60])
    if flaw == "crc":
        (data / "bad.zip").write_bytes(content.replace(b"GRIBGRIBGRIB", b"GRIBGRIBGRIX"))
    with pytest.raises(FetchError):
        expand(["bad.zip"], data, cache=cache)
    assert list((cache.root / "zip").iterdir()) == []


@pytest.mark.skipif(REAL is None, reason="set AURORA_PREP_REAL_DATA to the folder of real files")
def test_real_archives_of_the_store(cache) -> None:
    grib = expand(["era5_sfc/ERA5_t2m_UK_multi_grib.zip"], Path(REAL), cache=cache)
    netcdf = expand(["era5_sfc/ERA5_t2m_UK_multi_netcdf.zip"], Path(REAL), cache=cache)
    assert grib
    assert all(path.read_bytes()[:4] == b"GRIB" for path in grib)
    assert netcdf
    assert all(path.read_bytes()[:3] in (b"CDF", b"\x89HD") for path in netcdf)
