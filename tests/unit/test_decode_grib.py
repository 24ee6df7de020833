"""GRIB made by ecCodes, read by us: headers, values, and damage of every kind."""

import struct
from datetime import datetime, timedelta

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading.file_index import PRESSURE, SURFACE
from aurora_prep.pipelines.reading.grib import scan_grib
from aurora_prep.pipelines.reading.harmonise import placement_of
from aurora_prep.pipelines.reading.match import STATIC, decode, holdings_of
from aurora_prep.sources.spec import AuroraPrepError, DecodeError

ERA5 = sources.load("era5")
RAMP = np.linspace(200, 300, 40).reshape(5, 8)
HALF_STEP = 100 / 2**16
NEW_YEAR = datetime(2020, 1, 1)


@pytest.fixture
def scanned(tmp_path):
    def make(*messages):
        path = tmp_path / "raw.grib"
        path.write_bytes(b"".join(messages))
        return scan_grib(path)

    return make


@pytest.mark.parametrize("edition", [1, 2])
def test_values_are_rounded_once(scanned, grib, edition):
    (ref,) = scanned(grib(RAMP, edition=edition)).fields
    field = decode(ref)
    assert field.dtype == np.float32
    assert field.shape == (40,)
    np.testing.assert_allclose(field, RAMP.ravel(), atol=HALF_STEP)


@pytest.mark.parametrize("edition", [1, 2])
def test_missing_values_become_nan(scanned, grib, edition):
    holes = RAMP.copy()
    holes[1, 2] = holes[4, 7] = np.nan
    (ref,) = scanned(grib(holes, edition=edition)).fields
    np.testing.assert_allclose(decode(ref), holes.ravel(), atol=HALF_STEP)
    (ref,) = scanned(grib(np.nan, edition=edition)).fields
    assert np.isnan(decode(ref)).all()


def test_9999_is_a_value_where_nothing_is_missing(scanned, grib):
    (ref,) = scanned(grib(9999.0)).fields
    assert (decode(ref) == 9999).all()


def complex_packed(template):
    """A message by hand: complex packing with missing values of its own, and no bitmap.

    One group of 40 values of 3 bits above 280; all bits set means missing
    (GRIB2 template 5.2, missing value management 1).
    """
    sections, at = [], 16
    while at < len(template) - 4:
        size, number = struct.unpack(">IB", template[at : at + 5])
        if number < 5:
            sections.append(template[at : at + size])
        at += size
    values = np.arange(40) % 7
    values[[10, 20]] = 7
    bits = "".join(f"{value:03b}" for value in values)
    parts = (
        (5, struct.pack(
            ">IHfhhBBBBffIBBIBIB",
            40, 2, 280.0, 0, 0, 1, 0, 1, 1, 1e30, 0.0, 1, 3, 0, 40, 1, 40, 0,
        )),
        (6, b"\xff"),
        (7, b"\x00" + int(bits, 2).to_bytes(15, "big")),
    )  # fmt: skip
    sections += [struct.pack(">IB", len(body) + 5, number) + body for number, body in parts]
    body = b"".join(sections) + b"7777"
    wanted = np.where(values == 7, np.nan, 280.0 + values).astype(np.float32)
    return template[:8] + struct.pack(">Q", 16 + len(body)) + body, wanted


def test_missing_values_of_complex_packing_become_nan(scanned, grib):
    message, wanted = complex_packed(grib(RAMP, edition=2))
    (ref,) = scanned(message).fields
    np.testing.assert_array_equal(decode(ref), wanted)


def test_headers_are_read(scanned, grib):
    contents = scanned(
        grib(),
        grib(paramId=130, typeOfLevel="isobaricInhPa", level=500),
        grib(paramId=151, dataDate=20200229, dataTime=1800, stepRange="6", dataType="fc"),
    )
    t2m, t, msl = contents.fields
    assert contents.format == "grib"
    assert (t2m.param, t2m.name, t2m.units) == (167, "2t", "K")
    assert (t2m.level_kind, t2m.level) == (SURFACE, None)
    assert (t.param, t.level_kind, t.level) == (130, PRESSURE, 500)
    assert (msl.init_time, msl.lead_time) == (datetime(2020, 2, 29, 18), timedelta(hours=6))
    assert msl.valid_time == datetime(2020, 3, 1)
    assert len(contents.grids) == 1
    assert str(t).startswith("t at 500 hPa valid 2020-01-01T00:00 in ")


def test_fields_are_found_between_padding(scanned, grib):
    contents = scanned(b"\x00" * 20, grib(), b"\x00" * 60, grib(paramId=151, values=1e5), b"\n")
    assert [ref.name for ref in contents.fields] == ["2t", "msl"]
    assert decode(contents.fields[1])[0] == 1e5


def test_a_level_in_pascals_is_in_hpa(scanned, grib):
    keys = {"edition": 2, "paramId": 130, "typeOfLevel": "isobaricInPa"}
    levels = [scanned(grib(**keys, level=pa)).fields[0] for pa in (50_000, 7_500)]
    assert [(ref.level_kind, ref.level) for ref in levels] == [(PRESSURE, 500), (PRESSURE, 75)]
    (between,) = scanned(grib(**keys, level=50)).fields
    assert between.level is None
    assert between.level_kind == "0.5 hPa"


def test_model_levels_are_not_pressure_levels(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib(paramId=130, typeOfLevel="hybrid", level=100, edition=2))
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert held.fields == {}
    assert held.ignored == ("t (hybrid)",)


def test_levels_the_source_has_not_are_listed(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib(paramId=130, typeOfLevel="isobaricInhPa", level=875))
    assert holdings_of((str(path),), ERA5, tmp_path / "kept").ignored == (
        "t at 875 hPa (pressure)",
    )


def test_the_same_field_twice_counts_once(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib(RAMP) * 2)
    assert len(holdings_of((str(path),), ERA5, tmp_path / "kept").fields) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_the_final_version_counts_where_both_are(tmp_path, grib, order):
    path = tmp_path / "raw.grib"
    both = grib(RAMP, setLocalDefinition=1), grib(RAMP + 5, setLocalDefinition=1, expver="0005")
    path.write_bytes(b"".join(both[::order]))
    (ref,) = holdings_of((str(path),), ERA5, tmp_path / "kept").fields.values()
    assert ref.label == "0001"


@pytest.mark.parametrize("second", [{"expver": "0002"}, {}])
def test_two_answers_for_one_place_are_refused(tmp_path, grib, second):
    path = tmp_path / "raw.grib"
    path.write_bytes(
        grib(RAMP, setLocalDefinition=1) + grib(RAMP + 5, setLocalDefinition=1, **second)
    )
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    with pytest.raises(DecodeError) as raised:
        held.refuse_conflicts()
    assert "two different fields" in raised.value.args[0]
    assert "version 0001" in raised.value.args[2]
    assert not second or "version 0002" in raised.value.args[2]


def test_a_static_field_repeated_in_time_counts_once(tmp_path, grib):
    path = tmp_path / "raw.grib"
    later = grib(0.25, paramId=172, dataTime=600)
    path.write_bytes(later + grib(0.5, paramId=172))
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    (((place, moment), ref),) = held.fields.items()
    assert (place, moment) == (("static/lsm", None), STATIC)
    assert decode(ref)[0] == 0.5
    assert held.moments == ()


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("kept", [0.999, 0.5, 0.05])
def test_a_cut_file_is_refused(scanned, grib, edition, kept):
    message = grib(RAMP, edition=edition)
    with pytest.raises(DecodeError):
        scanned(grib(), message[: int(len(message) * kept)])


def test_a_message_without_its_end_is_refused(scanned, grib):
    with pytest.raises(DecodeError):
        scanned(grib()[:-4] + b"7778")


def test_a_date_that_is_none_is_refused(scanned, grib):
    whole = bytearray(grib(RAMP))
    month = 8 + 13  # section 1 starts after 8 octets; its 14th is the month
    assert whole[month] == 1
    whole[month] = 13
    with pytest.raises(DecodeError) as raised:
        scanned(bytes(whole))
    assert raised.value.args[1].endswith("raw.grib")


def test_a_grid_nobody_knows_is_refused(scanned, grib):
    whole = bytearray(grib(RAMP))
    kind = 8 + int.from_bytes(whole[8:11], "big") + 5  # the sixth octet of section 2
    assert whole[kind] == 0  # data representation type: latitude and longitude
    whole[kind] = 77
    with pytest.raises(DecodeError):
        scanned(bytes(whole))


@pytest.mark.parametrize("section", [3, 5])
def test_a_count_of_values_that_the_grid_contradicts_is_not_believed(scanned, grib, section):
    """Whoever believes it asks for gigabytes."""
    whole, at = bytearray(grib(RAMP, edition=2)), 16
    while whole[at + 4] != section:
        at += int.from_bytes(whole[at : at + 4], "big")
    count = slice(at + 6, at + 10) if section == 3 else slice(at + 5, at + 9)
    assert int.from_bytes(whole[count], "big") == 40
    whole[count] = (40 + (1 << 24)).to_bytes(4, "big")
    (ref,) = scanned(bytes(whole)).fields
    with pytest.raises(DecodeError):
        decode(ref)


@pytest.mark.parametrize("edition", [1, 2])
def test_any_damage_to_headers_is_an_error_of_ours_or_none(tmp_path, grib, edition):
    """Seeded: bytes of the headers are changed one to three at a time, 100 times."""
    message = grib(RAMP, edition=edition)
    generator = np.random.default_rng(edition)
    path = tmp_path / "raw.grib"
    refused = 0
    for _ in range(100):
        damaged = bytearray(message)
        for position in generator.integers(4, min(len(message), 160), generator.integers(1, 4)):
            damaged[position] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            contents = scan_grib(path)
            for ref in contents.fields:
                placement_of(contents.grids[ref.grid], "raw.grib")
                decode(ref)
        except AuroraPrepError:
            refused += 1
    assert 0 < refused < 100


def test_a_file_that_shrank_after_it_was_scanned_is_refused(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib(RAMP) * 3)
    ref = scan_grib(path).fields[2]
    path.write_bytes(grib(RAMP))
    with pytest.raises(DecodeError):
        decode(ref)
    path.unlink()
    with pytest.raises(DecodeError):
        decode(ref)


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize(("steps", "is_taken"), [("5-6", True), ("0-1", True), ("0-6", False)])
def test_accumulations_are_those_of_the_last_hour(tmp_path, grib, edition, steps, is_taken):
    path = tmp_path / "raw.grib"
    path.write_bytes(
        grib(0.001 * RAMP / RAMP.max(), edition=edition, paramId=228, stepType="accum",
             stepRange=steps)
    )  # fmt: skip
    held = holdings_of((str(path),), ERA5, tmp_path / "kept")
    assert [place for (place, _) in held.fields] == [("surface/tp", None)] * is_taken
    if is_taken:
        ((moment, _, _),) = held.moments
        assert moment.hour == int(steps[2:])
    else:
        assert held.ignored == ("tp (surface, accumulated over 6 h and not over one)",)
