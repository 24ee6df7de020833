"""One frame to look at: which one, its fields as stored, and what is said of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurora_prep.manifest import duck, durable
from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.report.facts import Facts, Held, Row
from aurora_prep.manifest.store_reader import Store
from aurora_prep.normalisation.waves import components_of_direction, direction_of_components
from aurora_prep.sources.spec import Kind, ManifestError, Nature, Variable

# Frames come in the manifest's order, by init time.
MIDDLE = """
    SELECT init_time, lead_time, member, valid_time, store FROM frames
    WHERE source = {source} AND grid = {grid} AND status = 'written'
    OFFSET {skip} LIMIT 1
"""
DETAILS = """
    SELECT path, level, minimum, maximum, mean, missing_fraction, store FROM details
    WHERE source = {source} AND grid = {grid} AND {when}
"""
LAND = f"{Kind.STATIC}/lsm"
HALF_TURN = 180.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame that is shown of a source.

    Attributes:
        init_time: Start of the forecast, or the valid time.
        lead_time: Distance ahead.
        member: Ensemble member.
        valid_time: The moment described.
        store: Zarr store, relative to the dataset.
    """

    init_time: datetime
    lead_time: timedelta
    member: int | None
    valid_time: datetime
    store: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the manifest and the store say of a field.

    Attributes:
        path: ``kind/short_name``.
        level: Pressure level, hPa, ``None`` where there is none.
        store: Zarr store, relative to the dataset.
        units: Units of the stored values.
        long_name: One line for people.
        nature: How values may be averaged.
        minimum: Smallest value by the manifest; ``None`` when all are missing.
        maximum: Largest value by the manifest.
        mean: Plain mean by the manifest.
        missing_fraction: Share of missing values by the manifest.
    """

    path: str
    level: int | None
    store: str
    units: str
    long_name: str
    nature: Nature
    minimum: float | None
    maximum: float | None
    mean: float | None
    missing_fraction: float

    @property
    def short_name(self) -> str:
        """ECMWF short name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field as stored.

    Attributes:
        values: Shape ``(rows, columns)``, float32, north to south.
        latitude: Degrees north, shape ``(rows,)``.
        longitude: Degrees east, shape ``(columns,)``, increasing.
    """

    values: NDArray[np.float32]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]

    @property
    def is_round(self) -> bool:
        """Whether the columns close the circle."""
        size = self.longitude.size
        step = (self.longitude[-1] - self.longitude[0]) / max(size - 1, 1)
        return bool(abs(size * step - 2 * HALF_TURN) < step / 2)

    def coarser(self, columns: int) -> tuple[Field, int]:
        """Every n-th point, so that no row is wider than ``columns``, and that n.

        Points are taken as they are, so missing values stay missing and directions
        stay directions. A field round the globe starts at 180 degrees west.
        """
        step = math.ceil(self.values.shape[1] / columns)
        values = self.values[::step, ::step]
        latitude, longitude = self.latitude[::step], self.longitude[::step]
        if self.is_round:
            turned = np.where(longitude >= HALF_TURN, longitude - 2 * HALF_TURN, longitude)
            order = np.argsort(turned, kind="stable")
            values, longitude = values[:, order], turned[order]
        return Field(values, latitude, longitude), step


class Reader:
    """Fields of a dataset, read one at a time.

    Attributes:
        manifest: Of the dataset.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._stores: dict[str, Store] = {}

    def frame_of(self, held: Held) -> Frame | None:
        """The written frame in the middle of a source; ``None`` when none is written."""
        if not held.summary["written"]:
            return None
        text = MIDDLE.format(skip=held.summary["written"] // 2, **quoted(held))
        (row,) = self.manifest.sql(text).to_pylist()
        return Frame(**row)

    def described(self, held: Held, frame: Frame) -> list[Description]:
        """The fields of a frame and the static ones beside it, in the order of the recipe."""
        seconds = int(frame.lead_time.total_seconds())
        member = "IS NULL" if frame.member is None else f"= {frame.member}"
        moment = f"init_time = {duck.quoted(frame.init_time.isoformat())}::TIMESTAMP"
        of_frame = f"{moment} AND lead_time = to_seconds({seconds}) AND member {member}"
        rows: list[Row] = []
        for when in (of_frame, "init_time IS NULL"):
            rows += self.manifest.sql(DETAILS.format(when=when, **quoted(held))).to_pylist()
        order = {path: i for i, path in enumerate(held.entry.get("variables", []))}
        rows.sort(key=lambda r: (order.get(r["path"], len(order)), r["path"], r["level"] or 0))
        declared = {v.path: v for v in held.source.variables} if held.source else {}
        return [self._description(row, declared.get(row["path"])) for row in rows]

    def read(self, description: Description, frame: Frame) -> Field:
        """A field from its store: one inner chunk, and nothing else, is decoded.

        Raises:
            ManifestError: It cannot be read.
        """
        try:
            return self._read(description, frame)
        except ManifestError:
            raise
        except Exception as error:  # stores fail in many ways
            raise ManifestError(
                "a field cannot be read",
                durable.join(self.manifest.url, description.store, description.short_name),
                f"{type(error).__name__}: {error}",
                "run verify on the dataset",
            ) from error

    def land_of(self, facts: Facts) -> Field | None:
        """The finest land-sea mask of the dataset; ``None`` when it has none."""
        stores = {
            held.entry.get("static_store")
            for held in facts.held
            if LAND in held.entry.get("variables", ())
        }
        masks = []
        for store in sorted(filter(None, stores)):
            with suppress(Exception):  # a map without a coast is better than none
                masks.append(self._axes_and(store, "lsm"))
        return max(masks, key=lambda field: field.values.size, default=None)

    def _read(self, description: Description, frame: Frame) -> Field:
        store = self._store(description.store)
        array: Any = store.group[description.short_name]
        names = array.metadata.dimension_names
        place = list(store.place(names, frame.init_time, frame.lead_time, frame.member))
        if description.level is not None:
            place[names.index("level")] = store.places["level"][description.level]
        return self._axes_and(description.store, description.short_name, tuple(place))

    def _axes_and(self, name: str, array: str, place: tuple[int | slice, ...] = ()) -> Field:
        store = self._store(name)
        found: Any = store.group[array]
        axes = (store.coordinates[axis].astype(np.float64) for axis in ("latitude", "longitude"))
        return Field(np.asarray(found[place], np.float32), *axes)

    def _description(self, row: Row, variable: Variable | None) -> Description:
        name = row["path"].rpartition("/")[2]
        try:
            array: Any = self._store(row["store"]).group[name]
            attributes = {key: str(value) for key, value in array.attrs.items()}
        except Exception:  # noqa: BLE001  # reading the field tells what is wrong with its store
            attributes = {}
        return Description(
            **row,
            units=attributes.get("units", ""),
            long_name=attributes.get("long_name", name),
            nature=Nature.SCALAR if variable is None else variable.nature,
        )

    def _store(self, name: str) -> Store:
        if name not in self._stores:
            self._stores[name] = Store(durable.join(self.manifest.url, name))
        return self._stores[name]


def quoted(held: Held) -> dict[str, str]:
    """Names of a source and its grid as SQL literals."""
    return {"source": duck.quoted(held.key[0]), "grid": duck.quoted(held.key[1])}


def zonal_mean(field: Field, nature: Nature) -> NDArray[np.float64]:
    """Mean of every row over its valid values, shape ``(rows,)``; NaN where there is none.

    The mean of a direction is that of its sine and cosine.
    """
    if nature is Nature.DIRECTION:
        sine, cosine = components_of_direction(field.values.astype(np.float64))
        return np.asarray(direction_of_components(_row_means(sine), _row_means(cosine)))
    return _row_means(field.values)


def contradictions(description: Description, field: Field) -> Iterator[str]:
    """Where the store does not hold what the manifest says."""
    missing = np.isnan(field.values)
    share = float(missing.mean())
    if abs(share - description.missing_fraction) > 1e-9:  # noqa: PLR2004  # rounding of a share
        yield f"{share:.2%} missing, by the manifest {description.missing_fraction:.2%}"
    if not missing.all():
        valid = field.values[~missing]
        found = float(valid.min()), float(valid.max())
        if found != (description.minimum, description.maximum):
            low, high = description.minimum, description.maximum
            yield f"{found[0]:.6g} to {found[1]:.6g}, by the manifest {low} to {high}"


def _row_means(values: NDArray[np.floating]) -> NDArray[np.float64]:
    valid = ~np.isnan(values)
    counts = valid.sum(axis=1)
    sums = np.where(valid, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
