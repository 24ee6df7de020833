"""A decoder that crashes or hangs ends one process, and then costs one field."""

import subprocess
import sys

import numpy as np
import pytest

from aurora_prep import sources
from aurora_prep.pipelines.reading import apart, suspects
from aurora_prep.pipelines.reading.match import decode, holdings_of
from aurora_prep.sources.spec import DecodeError

ERA5 = sources.load("era5")
# What a damaged file does to ecCodes, on a field that can be told by its values: the real
# library, made to crash, abort or hang where it unpacks.
HARM = """
import os, signal, sys, time
import aurora_prep.pipelines.reading.grib as grib
import eccodes
unpack, open_file = eccodes.codes_get_double_array, eccodes.codes_grib_new_from_file
def harmed(handle, key):
    values = unpack(handle, key)
    if key == "values" and values[0] == 250:
        HOW
    return values
def harmed_scan(*given, **more):
    if HARMS_SCAN:
        HOW
    return open_file(*given, **more)
eccodes.codes_get_double_array = harmed
eccodes.codes_grib_new_from_file = harmed_scan
"""
WAYS = {
    "SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "SIGABRT": "os.abort()",
    "exit code 3": "os._exit(3)",
}
READ_ALL = """
import sys
from pathlib import Path
from aurora_prep import sources
from aurora_prep.pipelines.reading.match import decode, holdings_of
held = holdings_of((sys.argv[1],), sources.load("era5"), Path(sys.argv[2]))
for ref in held.fields.values():
    decode(ref)
"""


@pytest.fixture
def harmed(tmp_path, monkeypatch):
    """Have a decoder end in one way, in every process begun from now on."""

    def make(how, *, scan=False):
        folder = tmp_path / "harm"
        folder.mkdir(exist_ok=True)
        text = HARM.replace("HOW", how).replace("HARMS_SCAN", str(scan))
        (folder / "harm.py").write_text(text)
        monkeypatch.setattr(apart, "SERVANT", "harmed_serve")
        (folder / "harmed_serve.py").write_text(
            "import harm\nfrom aurora_prep.pipelines.reading.serve import serve\nserve()\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return make


@pytest.fixture
def helper(monkeypatch):
    """A helper process of this test's own, without much patience."""
    one = apart.Helper(patience=20.0)
    monkeypatch.setattr(apart, "HELPER", one)
    yield one
    one.close()


@pytest.fixture
def raw(tmp_path, grib):
    path = tmp_path / "raw.grib"
    path.write_bytes(grib(280.0) + grib(np.full((5, 8), 250.0), dataTime=600))
    return path


@pytest.fixture
def kept(tmp_path):
    """A folder of notes; this process forgets what it knew of it, as a new one would."""
    folder = tmp_path / "kept"
    yield folder
    forget(folder)


def forget(kept):
    watch = suspects._WATCHES.pop(kept / "being_read", None)
    if watch is not None:
        watch.close()


def dies(raw, kept):
    """A process that reads all of the file and ends on it, as a first run would."""
    command = [sys.executable, "-c", "import harm\n" + READ_ALL, str(raw), str(kept)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode not in (0, 1), done.stderr.decode()


def outcomes(raw, kept):
    held = holdings_of((str(raw),), ERA5, kept)
    found = []
    for moment in held.moments:
        try:
            found.append(float(decode(held.fields[("surface/2t", None), moment])[0]))
        except DecodeError as error:
            found.append(error.args[2])
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_costs_one_field_and_is_not_met_again(harmed, helper, raw, kept, way):
    harmed(WAYS[way])
    dies(raw, kept)
    first, second = outcomes(raw, kept)
    assert first == 280
    assert way in second
    assert "2t at byte" in second
    # Another process does not even try.
    forget(kept)
    helper.close()
    apart.HELPER._begin = None
    assert outcomes(raw, kept) == [280, second]


def test_a_decoder_that_hangs_is_given_up(harmed, monkeypatch, raw, kept):
    harmed(WAYS["SIGSEGV"])
    dies(raw, kept)
    harmed("time.sleep(600)")
    one = apart.Helper(patience=8.0)
    monkeypatch.setattr(apart, "HELPER", one)
    first, second = outcomes(raw, kept)
    assert first == 280
    assert "no answer after 8 s" in second
    one.close()


@pytest.mark.usefixtures("helper")
def test_a_crash_while_the_file_is_searched(harmed, raw, kept):
    harmed(WAYS["SIGSEGV"], scan=True)
    dies(raw, kept)
    with pytest.raises(DecodeError) as raised:
        holdings_of((str(raw),), ERA5, kept)
    assert raised.value.args[1] == str(raw)
    assert "SIGSEGV" in raised.value.args[2]


@pytest.mark.usefixtures("helper")
def test_who_was_only_killed_is_acquitted(harmed, raw, kept):
    """A process that was killed while it read proves nothing: the helper reads the field."""
    harmed(WAYS["SIGSEGV"])
    dies(raw, kept)
    harmed("pass")
    assert outcomes(raw, kept) == [280, 250]
    assert not list((kept / "being_read" / "suspects").glob("*.json"))


def test_a_file_that_is_replaced_is_not_suspect(harmed, helper, raw, kept, grib):
    harmed(WAYS["SIGABRT"])
    dies(raw, kept)
    raw.write_bytes(grib(281.0) + grib(251.0, dataTime=600) + b"\n")
    helper._begin = None  # nothing is read apart
    assert outcomes(raw, kept) == [281, 251]


def test_what_others_are_reading_now_is_not_suspect(raw, kept):
    """The note of a process that lives is left alone."""
    one = suspects.Watch(kept / "being_read")
    with one.reading(str(raw), "2t at byte 0"):
        other = suspects.Watch(kept / "being_read")
        assert other.suspect(str(raw), "2t at byte 0") is None
        other.close()
    one.close()
    assert not list((kept / "being_read").glob("*.note"))


def test_a_note_holds_only_what_is_under_way(raw, kept):
    one = suspects.Watch(kept / "being_read")
    (note,) = (kept / "being_read").glob("*.note")
    with one.reading(str(raw), "here"):
        assert str(raw).encode() in note.read_bytes()
    assert str(raw).encode() not in note.read_bytes().partition(b"\n")[0]
    one.close()


def test_without_a_place_for_notes_files_are_read(tmp_path, raw):
    (tmp_path / "kept").write_text("a file where the folder should be")
    assert outcomes(raw, tmp_path / "kept") == [280, 250]
    forget(tmp_path / "kept")


@pytest.mark.usefixtures("helper")
def test_the_helper_tells_a_damaged_file_in_four_parts(tmp_path, grib):
    path = tmp_path / "cut.grib"
    path.write_bytes(grib()[:-20])
    with pytest.raises(DecodeError) as raised:
        apart.scan(str(path), "grib")
    assert raised.value.args[0] == "the GRIB file is damaged"
    assert len(raised.value.args) == 4
