"""The statistics partials of a shard: what crosses the shuffle and is kept.

They are a commutative monoid: ``ShardStatistics()`` is the identity of ``+``, and
any order and grouping of the same fields gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from aurora_prep.normalisation.encoding import Reader, Writer
from aurora_prep.normalisation.exact import Sums
from aurora_prep.normalisation.histogram import Histogram
from aurora_prep.normalisation.reduction import FieldReduction
from aurora_prep.sources.spec import HOUR, FrameKey, StatisticsError

HEADER = b"aurora-prep statistics 1\n"
FINGERPRINT_BITS = 256


@dataclass(frozen=True, slots=True, order=True)
class FieldName:
    """What is reduced: a variable on a level, or its change over a step.

    Attributes:
        path: ``kind/short_name``.
        level: Pressure level in hPa; 0 where there is none.
        step_hours: Hours over which the change is taken; 0 for the values.
    """

    path: str
    level: int = 0
    step_hours: int = 0

    @classmethod
    def of(cls, path: str, level: int | None, step: timedelta | None = None) -> FieldName:
        """The name of a field, or of its change over a step of whole hours.

        Raises:
            StatisticsError: The step is not a positive, whole number of hours.
        """
        if step is not None and (step < HOUR or step % HOUR):
            raise StatisticsError(
                "the step of a difference is not a positive, whole number of hours",
                f"{path} at {level}",
                str(step),
                "write 6h, 12h or 24h",
            )
        return cls(path, level or 0, 0 if step is None else step // HOUR)

    def __str__(self) -> str:
        level = f" at {self.level} hPa" if self.level else ""
        step = f", change in {self.step_hours} h" if self.step_hours else ""
        return f"{self.path}{level}{step}"


@dataclass(slots=True)
class ShardStatistics:
    """Reductions by field, and a fingerprint of the frames that went in.

    Attributes:
        reductions: What was reduced so far.
        frames: Number of frames.
        fingerprint: Sum of the frames' SHA-256 modulo ``2**256``: a fingerprint
            of the frames as a set, in any order, by which ``finish`` tells that
            just these went in, each once.
    """

    reductions: dict[FieldName, FieldReduction] = field(default_factory=dict)
    frames: int = 0
    fingerprint: int = 0

    def add(self, path: str, level: int | None, reduction: FieldReduction) -> None:
        """Take in the values of a field.

        Args:
            path: ``kind/short_name``.
            level: Pressure level in hPa, ``None`` where there is none.
            reduction: From ``reduce_field``.
        """
        self._merge(FieldName.of(path, level), reduction)

    def add_difference(
        self, path: str, level: int | None, step: timedelta, reduction: FieldReduction
    ) -> None:
        """Take in the change of a field over a step.

        Args:
            path: ``kind/short_name``.
            level: Pressure level in hPa, ``None`` where there is none.
            step: Time between the two fields, whole hours.
            reduction: From ``reduce_difference``.
        """
        self._merge(FieldName.of(path, level, step), reduction)

    def add_frame(self, key: FrameKey, digest: str) -> None:
        """Note that a frame's fields went in.

        Args:
            key: Identity of the frame.
            digest: Digest of its content, such as the checksum in the manifest.
        """
        self.frames += 1
        self.fingerprint = (self.fingerprint + frame_hash(key, digest)) % 2**FINGERPRINT_BITS

    def _merge(self, name: FieldName, reduction: FieldReduction) -> None:
        try:
            self.reductions[name] = self.reductions.get(name, FieldReduction()) + reduction
        except StatisticsError as error:
            raise error.at(name) from None

    def __add__(self, other: ShardStatistics) -> ShardStatistics:
        return ShardStatistics.merge((self, other))

    @classmethod
    def merge(cls, parts: Iterable[ShardStatistics]) -> ShardStatistics:
        """The sum of any number of partials; none of them is changed."""
        merged = cls()
        for part in parts:
            merged.frames += part.frames
            merged.fingerprint = (merged.fingerprint + part.fingerprint) % 2**FINGERPRINT_BITS
            for name, reduction in part.reductions.items():
                merged._merge(name, reduction)
        return merged

    def __iter__(self) -> Iterator[tuple[FieldName, FieldReduction]]:
        """Fields in the order of their names: path, level, step."""
        return iter(sorted(self.reductions.items(), key=lambda item: item[0]))

    def to_bytes(self) -> bytes:
        """Canonical bytes: equal statistics have equal bytes."""
        writer = Writer(HEADER)
        writer.whole(self.frames)
        writer.integer(self.fingerprint)
        writer.whole(len(self.reductions))
        for name, reduction in self:
            writer.text(name.path)
            writer.whole(name.level)
            writer.whole(name.step_hours)
            _write(writer, reduction)
        return writer.finish()

    @classmethod
    def from_bytes(cls, data: bytes) -> ShardStatistics:
        """Read back what ``to_bytes`` wrote.

        Raises:
            StatisticsError: The bytes are damaged, or of another version.
        """
        reader = Reader(data, HEADER)
        frames, fingerprint = reader.whole(), reader.integer()
        reductions = {}
        for _ in range(reader.whole()):
            name = FieldName(reader.text(), reader.whole(), reader.whole())
            reductions[name] = _read(reader)
        return cls(reductions, frames, fingerprint)


def frame_hash(key: FrameKey, digest: str) -> int:
    """SHA-256 of a frame's identity and content, as a number."""
    return int.from_bytes(hashlib.sha256(f"{key} {digest}".encode()).digest(), "big")


def _write(writer: Writer, reduction: FieldReduction) -> None:
    for number in (reduction.fields, reduction.empty, reduction.missing):
        writer.whole(number)
    writer.whole(reduction.area is not None)
    for sums in (reduction.points, reduction.area):
        if sums is not None:
            for number in (sums.weight, sums.total, sums.absolute, sums.squares):
                writer.integer(number)
    writer.integer(reduction.maxima)
    writer.float32(reduction.histogram.lowest)
    writer.float32(reduction.histogram.highest)
    writer.counts(reduction.histogram.counts)


def _read(reader: Reader) -> FieldReduction:
    fields, empty, missing = reader.whole(), reader.whole(), reader.whole()
    weighted = bool(reader.whole())
    points = _read_sums(reader)
    area = _read_sums(reader) if weighted else None
    maxima = reader.integer()
    histogram = Histogram(reader.float32(), reader.float32(), reader.counts())
    return FieldReduction(fields, empty, missing, points, area, maxima, histogram)


def _read_sums(reader: Reader) -> Sums:
    return Sums(reader.integer(), reader.integer(), reader.integer(), reader.integer())
