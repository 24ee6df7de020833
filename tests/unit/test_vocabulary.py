"""Variables, levels, sources and the catalogue's door."""

from dataclasses import replace
from datetime import datetime

import pytest

from aurora_prep import sources
from aurora_prep.sources.spec import (
    Cds,
    Files,
    Kind,
    Levels,
    Native,
    SpecError,
    Variable,
)
from aurora_prep.sources.spec.catalogue import LSM, T2M, Z_SURFACE, T, Z


def test_a_path_tells_the_two_geopotentials_apart():
    assert (Z.path, Z_SURFACE.path) == ("atmospheric/z", "static/z")
    assert (Z.has_levels, Z_SURFACE.has_levels, T2M.has_levels) == (True, False, False)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"short_name": ""}, "short_name"),
        ({"short_name": "surface/2t"}, "short_name"),
        ({"param": 0}, "param"),
        ({"plausible": (300.0, 300.0)}, "plausible"),
        ({"plausible": (300.0, 200.0)}, "plausible"),
        ({"plausible": (float("nan"), 1.0)}, "plausible"),
    ],
)
def test_a_variable_that_cannot_be_is_refused(change, problem):
    with pytest.raises(SpecError) as raised:
        replace(T2M, **change)
    assert problem in raised.value.args[0] + raised.value.args[1]


def test_variables_compare_by_value():
    assert replace(T2M) == T2M
    assert replace(T2M, param=168) != T2M
    assert {T2M: 1}[replace(T2M)] == 1


def test_levels_keep_their_order():
    levels = Levels((50, 500, 1000))
    assert list(levels) == [50, 500, 1000]
    assert len(levels) == 3
    assert 500 in levels
    assert 501 not in levels
    assert levels.subset([1000, 50], "here") == Levels((50, 1000))


@pytest.mark.parametrize("hpa", [(500, 50), (50, 50), (0, 50), (-1,), (50.0,), ("50",)])
def test_levels_that_cannot_be_are_refused(hpa):
    with pytest.raises(SpecError):
        Levels(hpa)


def test_a_level_the_source_has_not_is_named():
    with pytest.raises(SpecError) as raised:
        Levels((50, 500)).subset([500, 137], "recipe x")
    assert raised.value.args[1] == "recipe x"
    assert "[137]" in raised.value.args[2]


def test_a_source_is_found_by_its_file_name():
    assert "era5" in sources.names()
    assert "spec" not in sources.names()
    assert sources.names() == tuple(sorted(sources.names()))
    assert sources.load("era5").name == "era5"
    assert sources.load("era5") is sources.load("era5")


def test_a_misspelt_source_is_answered_with_the_nearest():
    with pytest.raises(SpecError) as raised:
        sources.load("era-5")
    assert "'era5'" in raised.value.args[3]


@pytest.mark.parametrize("name", ["spec", "", "nothing like it", "era5.py", "spec.grid"])
def test_what_is_no_source_is_refused_with_the_list(name):
    with pytest.raises(SpecError) as raised:
        sources.load(name)
    assert "era5" in raised.value.args[2]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "ERA5"},
        {"name": "5era"},
        {"name": "era-5"},
        {"accesses": ()},
        {"accesses": (Files(), Files())},
        {"levels": Levels(())},
    ],
)
def test_a_source_that_cannot_be_is_refused(change):
    with pytest.raises(SpecError):
        replace(sources.load("era5"), **change)


def test_a_source_declares_a_variable_once():
    era5 = sources.load("era5")
    with pytest.raises(SpecError) as raised:
        replace(era5, natives=(*era5.natives, era5.natives[0]))
    assert "surface/2t" in raised.value.args[2]


def test_a_source_without_atmosphere_needs_no_levels():
    era5 = sources.load("era5")
    surface = replace(era5, natives=era5.of_kind(Kind.SURFACE), levels=Levels(()))
    names = [n.variable.short_name for n in surface.natives if not n.optional]
    assert names == ["2t", "10u", "10v", "msl"]


def test_accesses_are_taken_by_name_and_the_first_by_default():
    era5 = sources.load("era5")
    assert isinstance(era5.access(), Cds)
    assert era5.access("files") == Files()
    with pytest.raises(SpecError) as raised:
        era5.access("ads")
    assert "['cds', 'zarr', 'ecmwf_zarr', 'files']" in raised.value.args[2]


def test_natives_are_found_by_path():
    era5 = sources.load("era5")
    assert era5.native("static/z").variable is Z_SURFACE
    assert era5.native("atmospheric/t").variable is T
    with pytest.raises(SpecError):
        era5.native("surface/t")


def test_fields_are_counted_by_level():
    era5 = sources.load("era5")
    moving = [n for n in era5.of_kind(Kind.SURFACE, Kind.ATMOSPHERIC) if not n.optional]
    assert era5.field_count(moving, era5.levels) == 4 + 5 * 13
    assert era5.field_count(moving, Levels((500,))) == 9


def test_a_kind_no_collection_serves_is_named():
    cds = sources.load("era5").access("cds")
    only_levels = Cds((cds.collections[1],))
    with pytest.raises(SpecError) as raised:
        only_levels.collection_of(Kind.SURFACE, "source era5")
    assert "reanalysis-era5-pressure-levels" in raised.value.args[2]
    assert cds.collection_of(Kind.STATIC, "").dataset == "reanalysis-era5-single-levels"


@pytest.mark.parametrize("change", [{"fields": ()}, {"request": ""}, {"units": ""}])
def test_a_native_spells_everything(change):
    whole = {"variable": LSM, "request": "land_sea_mask", "fields": ("lsm",), "units": "1"}
    Native(**whole)
    with pytest.raises(SpecError):
        Native(**{**whole, **change})


def test_era5_is_as_published():
    era5 = sources.load("era5")
    assert era5.first == datetime(1940, 1, 1)
    assert era5.levels.hpa == (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
    assert [n.variable.path for n in era5.natives if not n.optional] == [
        "surface/2t", "surface/10u", "surface/10v", "surface/msl",
        "atmospheric/z", "atmospheric/u", "atmospheric/v", "atmospheric/t", "atmospheric/q",
        "static/z", "static/lsm", "static/slt",
    ]  # fmt: skip


def test_a_variable_needs_keywords():
    with pytest.raises(TypeError):
        Variable("2t", Kind.SURFACE, 167, "K", "x", None, (0.0, 1.0))
