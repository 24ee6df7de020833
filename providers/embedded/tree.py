"""Trees of files behind a plain web server: a path in, a file out."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

from aurora_prep.providers.embedded.asset import FLAWS, Asset, suits
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.gaussian import Gaussian
from aurora_prep.providers.embedded.handout import Handout
from aurora_prep.providers.embedded.selection import RefusedError, Selection, Wanted
from aurora_prep.sources.spec import Dialect, Http, Native, Series, Source, SpecError

PREFIX = "/files"
# Redirections of a host that only knows where the files are.
HOPS = 3
DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2}
# The archive the files were copied from.
DIALECT = Dialect(labels=(("class", "od"), ("type", "an")))


@dataclass(frozen=True, slots=True)
class _File:
    """What one file of a tree holds."""

    source: Source
    access: Http
    native: Native
    times: tuple[datetime, ...]


class Tree:
    """The trees of all ``Http`` accesses; a file is made when it is first asked for.

    Args:
        sources: Declarations that say what is held.
        folder: Where files are made.
        faults: What goes wrong.
        keep_seconds: How long a file is kept; then it is made again.
        preliminary_from: From this time on ``expver`` is 0005.
        edition: GRIB edition of the files.
        lines: Rows between pole and equator of every Gaussian grid, in place of
            those declared.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        folder: Path,
        faults: Faults,
        *,
        keep_seconds: float,
        preliminary_from: datetime,
        edition: int,
        lines: int | None,
    ) -> None:
        self._held = [
            (source, access)
            for source in sources
            for access in source.accesses
            if isinstance(access, Http)
        ]
        self._faults = faults
        self._preliminary_from = preliminary_from
        self._edition = edition
        self._lines = lines
        self._closing = threading.Event()
        self._handout = Handout(folder, keep_seconds, self._closing)
        self._names: dict[str, str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def answer(self, call: Call) -> Reply:
        """The reply to a call; a refusal is also returned as a reply."""
        try:
            return self._route(call)
        except RefusedError as refused:
            return Reply(refused.status, {"message": refused.detail}, refused.headers)

    def close(self) -> None:
        """Give up files that are being made."""
        self._closing.set()

    def _route(self, call: Call) -> Reply:
        if call.method not in ("GET", "HEAD"):
            raise RefusedError(405, "method not allowed", f"{call.method} is not allowed")
        if self._faults.take("busy"):
            raise RefusedError(503, "service unavailable", "try again later")
        if self._faults.take("too_many_requests"):
            raise RefusedError(429, "too many requests", "slow down", {"Retry-After": "1"})
        if self._faults.take("licence"):
            raise RefusedError(401, "unauthorised", "log in first")
        if self._faults.take("not_archived"):
            raise RefusedError(404, "not found", f"there is no {call.path}")
        if self._faults.take("empty_200"):
            return Reply(200, page="")
        return self._at(call, call.path.removeprefix(f"{PREFIX}/"))

    def _at(self, call: Call, place: str) -> Reply:
        """A file below one of the hosts, or below the name of the collection.

        The first host and the last have the files; the ones between lead to the last by
        three redirections. Where a tree has moved, its old address knows nothing.
        """
        for _, access in self._held:
            hosts = [url.partition("://")[2].rstrip("/") for url in access.addresses]
            for position, host in enumerate(hosts):
                if not place.startswith(f"{host}/"):
                    continue
                file = place.removeprefix(f"{host}/")
                is_first, is_last = position == 0, position == len(hosts) - 1
                if is_first and self._faults.take("moved_host"):
                    raise RefusedError(404, "not found", f"there is no {call.path}")
                if is_first or is_last:
                    return Reply(200, asset=self._asset(f"{access.dataset}/{file}"))
                step = int(call.query.get("hop", "1"))
                target = f"{host}/{file}?hop={step + 1}" if step < HOPS else f"{hosts[-1]}/{file}"
                return Reply(302, {}, {"Location": f"{call.base}{PREFIX}/{target}"})
        return Reply(200, asset=self._asset(place))

    def _asset(self, path: str) -> Asset:
        """The file at a path, made unless it is there."""
        found = self._find(path)
        with self._locks[path]:
            asset = self._handout.get(self._names.get(path, ""))
            if asset is None:
                selection = self._selection(found)
                flaws = [f for f in FLAWS if suits(f, selection) and self._faults.take(f)]
                asset = self._handout.make(selection, flaws)
                self._names[path] = asset.path.name
            return asset

    def _find(self, path: str) -> _File:
        """What a path stands for.

        Raises:
            RefusedError: There is no such file.
        """
        dataset, _, name = path.partition("/")
        now = datetime.now(UTC).replace(tzinfo=None)
        for source, access in self._held:
            if access.dataset != dataset:
                continue
            for series in access.series:
                for native in source.of_kind(*series.kinds):
                    times = _times(source, series, native, name)
                    held = tuple(time for time in times if source.first <= time <= now)
                    if held:
                        return _File(source, access, native, held)
        raise RefusedError(404, "not found", f"there is no {path}")

    def _selection(self, found: _File) -> Selection:
        points = Gaussian.named(found.access.grid)
        if points is None:
            raise SpecError(
                "the grid of a tree is not a Gaussian one",
                f"source {found.source.name}, access {found.access.name}",
                repr(found.access.grid),
                "name it as ECMWF does: F1280 or O1280",
            )
        points = replace(points, lines=self._lines or points.lines)
        return Selection(
            dataset=found.access.dataset,
            product=found.source.product,
            wanted=(Wanted(found.native, points, DIALECT),),
            levels=found.source.levels.hpa if found.native.variable.has_levels else (),
            times=found.times,
            lead_times=(timedelta(0),),
            data_format="grib",
            zipped=False,
            preliminary_from=self._preliminary_from,
            edition=self._edition,
        )


def _times(source: Source, series: Series, native: Native, name: str) -> Iterator[datetime]:
    """The times of a source that lie in a file of that name; none where it is no file's name."""
    match = re.fullmatch(_expression(series.pattern), name)
    if match is None:
        return
    parts = {key: int(text) for key, text in match.groupdict().items()}
    try:
        start = datetime(parts["Y"], parts["m"], parts.get("d", 1), parts.get("H", 0))
    except ValueError:
        return
    time = source.first + (start - source.first) // source.cadence * source.cadence
    while time < start or series.path(native.variable, time) == name:
        if series.path(native.variable, time) == name:
            yield time
        time += source.cadence


def _expression(pattern: str) -> str:
    """A regular expression that finds the parts of a time in the path of a file."""
    known: set[str] = set()
    expression = ""
    for text, field, spec, _ in Formatter().parse(pattern):
        expression += re.escape(text)
        if field == "time":
            for letter in (spec or "").replace("%", ""):
                digits = rf"(?P<{letter}>\d{{{DIGITS[letter]}}})"
                expression += f"(?P={letter})" if letter in known else digits
                known.add(letter)
        elif field is not None:
            expression += r"\w+"
    return expression
