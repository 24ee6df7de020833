"""The line that says how far a run is."""

import io
import re

import pytest

from aurora_prep.pipelines.run.progress import Display, shard_done, watch
from aurora_prep.providers.progress import Progress, Step
from aurora_prep.sources.spec import Request


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def request(day):
    return Request(
        source="era5", access="cds", dataset="d", body={"day": [day]}, times=(), fields=()
    )


def step(kind, *, day="01", done=0):
    return Progress(request=request(day), step=kind, done=done)


LINE = re.compile(r"35/40 frames, (\S+) frames/s, (\d+):(\d\d) left, 0:1\d gone")


def test_frames_rate_and_time_left():
    with Display(40, 0, io.StringIO()) as display:
        assert display.line() == "0/40 frames, 0:00 gone"
        display.start -= 10
        shard_done(30)
        shard_done(5)
        rate, minutes, seconds = LINE.fullmatch(display.line()).groups()
        assert float(rate) == pytest.approx(3.5, rel=0.1)
        assert int(minutes) * 60 + int(seconds) == pytest.approx(5 / 3.5, abs=1)
        display.start -= 3600
        assert re.search(r", 1:00:1\d gone$", display.line())


def test_frames_of_a_former_run_are_not_this_runs_speed():
    with Display(40, 30, io.StringIO()) as display:
        display.start -= 10
        shard_done(30)
        assert re.fullmatch(r"30/40 frames, 0:1\d gone", display.line())
        shard_done(5)
        rate, minutes, seconds = LINE.fullmatch(display.line()).groups()
        assert float(rate) == pytest.approx(0.5, rel=0.1)
        assert int(minutes) * 60 + int(seconds) == pytest.approx(10, abs=2)


def test_a_clock_that_has_not_moved_gives_no_rate():
    with Display(40, 0, io.StringIO()) as display:
        display.start += 60
        shard_done(5)
        assert display.line() == "5/40 frames, 0:00 gone"


def test_downloads_are_counted_once():
    with Display(40, 0, io.StringIO()) as display:
        watch(step(Step.DOWNLOADING, done=1_000_000))
        watch(step(Step.DOWNLOADING, done=5_000_000))
        watch(step(Step.DOWNLOADING, day="02", done=2_000_000))
        assert "0 downloads, 7 MB" in display.line()
        watch(step(Step.STORED, done=6_000_000))
        assert "1 downloads, 8 MB" in display.line()
        watch(step(Step.CACHED, day="03"))
        assert "1 from the cache" in display.line()


def test_a_new_run_counts_from_nothing():
    with Display(4, 0, io.StringIO()):
        shard_done(4)
        watch(step(Step.STORED, done=5_000_000))
        watch(step(Step.ACCEPTED))
    with Display(4, 0, io.StringIO()) as display:
        assert display.line() == "0/4 frames, 0:00 gone"


def test_a_terminal_has_one_line_and_a_log_has_lines():
    for stream, pattern in (
        (Terminal(), r"(\r\x1b\[2K[^\n]*)+\n"),
        (io.StringIO(), r"2/2 frames[^\r\x1b\n]*\n"),
    ):
        with Display(2, 0, stream):
            shard_done(2)
        assert re.fullmatch(pattern, stream.getvalue())
        assert "2/2 frames" in stream.getvalue()


def test_the_end_is_shown_when_the_run_fails():
    stream = io.StringIO()
    display = Display(2, 0, stream)
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert "0/2 frames" in stream.getvalue()
    assert not display.thread.is_alive()
