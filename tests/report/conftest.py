"""A small dataset with gaps: shards, parts, statistics and dataset.json as a run leaves them."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import zarr

from aurora_prep import sources
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.ledger.planned import PlannedFrames
from aurora_prep.manifest.ledger.records import (
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Status,
    sealed,
)
from aurora_prep.manifest.report import report
from aurora_prep.normalisation import ShardStatistics, area_weights, finish, reduce_field
from aurora_prep.sources.spec import FrameKey, Grid, Product

AXES = ("latitude", "longitude")
GRID = Grid.regular("7.5")
LAND = (np.abs(GRID.latitude)[:, None] < 50) & (GRID.longitude[None, :] % 180 < 70)
NAME = "named-by-a-user"
MISSING = "the provider has no such field: 2t"
REJECTED = "values out of the plausible range: -1e+30 K"


@dataclass(frozen=True)
class Made:
    """One source of a dataset, written as a run writes it.

    Attributes:
        root: The dataset.
        name: Name of the source.
        paths: Variables, static ones among them.
        levels: Levels of those in the atmosphere.
        times: Init times planned.
        leads: Lead times planned.
        missing: Init times of which nothing has a part.
        rejected: Init times that were refused.
        short: Init and lead times of steps that the provider had not.
    """

    root: Path
    name: str
    paths: tuple[str, ...]
    times: tuple[datetime, ...]
    levels: tuple[int, ...] = ()
    leads: tuple[timedelta, ...] = (timedelta(0),)
    missing: frozenset[datetime] = frozenset()
    rejected: frozenset[datetime] = frozenset()
    short: frozenset[tuple[datetime, timedelta]] = frozenset()

    @property
    def source(self):
        return sources.load(self.name)

    @property
    def is_forecast(self):
        return self.source.product is Product.FORECAST

    @property
    def store(self):
        return f"{self.name}/{GRID.name}.zarr"

    @property
    def static_store(self):
        return f"static/{GRID.name}.zarr"

    def write(self):
        """Stores, parts and statistics; returns the plan and the entry of dataset.json."""
        self._set_up(self.store, [p for p in self.paths if not p.startswith("static/")])
        total = self._write_static()
        frames = []
        for i, time in enumerate(self.times):
            if time not in self.missing:
                part, records = self._write_task(i, time)
                write_part(str(self.root), part)
                total += ShardStatistics.from_bytes(part.statistics)
                frames += [(r.key, r.checksum) for r in records if r.status is Status.WRITTEN]
        statistics = finish(
            total, source=self.name, grid=GRID.name, split="train", frames=frames,
            software_version="0.1.0", variables=self.source.variables,
        )  # fmt: skip
        folder = self.root / "statistics"
        folder.mkdir(exist_ok=True)
        (folder / f"{self.name}-{GRID.name}.json").write_text(statistics.to_json())
        planned = PlannedFrames(
            source=self.name, grid=GRID.name, store=self.store, product=str(self.source.product),
            access="cds", variables=self.paths, levels=self.levels, synthetic=True,
            frames=[
                (time, lead, None, "train", f"{i:05d}", MISSING)
                for i, time in enumerate(self.times)
                for lead in self.leads
            ],
        )  # fmt: skip
        return planned, self._entry()

    def values(self, path, level, time, lead):
        """A field that depends on everything, missing over land where waves are."""
        variable = self.source.native(path).variable
        low, high = variable.plausible
        phase = np.radians(GRID.longitude[None, :] + time.hour * 15 + lead / timedelta(hours=1))
        wave = np.cos(np.radians(GRID.latitude))[:, None] ** 2 * (1 + 0.3 * np.sin(3 * phase))
        share = 0.35 + 0.3 * wave + (level or 0) / 1e4
        field = (low + share * (high - low)).astype(np.float32)
        if variable.may_be_missing:
            field[LAND] = np.nan
        return field

    def _set_up(self, store, paths):
        group = zarr.open_group(self.root / store, mode="a", zarr_format=3)
        since = {"units": "hours since 1900-01-01"}
        hours = [(t - datetime(1900, 1, 1)) // timedelta(hours=1) for t in self.times]
        leads = [lead // timedelta(hours=1) for lead in self.leads]
        axes = {
            "latitude": (GRID.latitude, {"units": "degrees_north"}),
            "longitude": (GRID.longitude, {"units": "degrees_east"}),
        }
        if self.levels:
            axes["level"] = (np.array(self.levels), {"units": "hPa"})
        if store == self.store:
            axes["init_time" if self.is_forecast else "time"] = (np.array(hours), since)
        if self.is_forecast:
            axes["lead_time"] = (np.array(leads), {"units": "hours"})
        for name, (values, attributes) in axes.items():
            array = group.create_array(
                name, shape=values.shape, dtype=values.dtype, dimension_names=[name],
                attributes=attributes, overwrite=True,
            )  # fmt: skip
            array[:] = values
        for path in paths:
            variable = self.source.native(path).variable
            depth = (len(self.levels),) if variable.has_levels else ()
            outer = self._outer() if store == self.store else ()
            group.create_array(
                variable.short_name,
                shape=(*outer, *depth, *GRID.shape),
                shards=(*(1 for _ in outer), *depth, *GRID.shape),
                chunks=(*(1 for _ in (*outer, *depth)), *GRID.shape),
                dtype="f4", fill_value=np.nan, overwrite=True,
                dimension_names=(
                    *self._names()[: len(outer)], *("level" for _ in depth), *AXES,
                ),
                attributes={"units": variable.units, "long_name": variable.long_name},
                compressors=zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle"),
            )  # fmt: skip

    def _outer(self):
        counts = len(self.times), len(self.leads)
        return counts if self.is_forecast else counts[:1]

    def _names(self):
        return ("init_time", "lead_time") if self.is_forecast else ("time",)

    def _write_static(self):
        statistics = ShardStatistics()
        paths = [path for path in self.paths if path.startswith("static/")]
        if not paths:
            return statistics
        self._set_up(self.static_store, paths)
        details, objects = [], []
        for path in paths:
            name = path.rpartition("/")[2]
            field = LAND.astype(np.float32)
            zarr.open_array(self.root / self.static_store / name, mode="r+")[:] = field
            details.append(self._detail("static", self.static_store, path, None, field, None))
            statistics.add(path, None, reduce_field(field, area_weights(GRID)))
            objects.append(self._object("static", self.static_store, f"{name}/c/0/0", ()))
        part = Part(
            source=self.name, grid=GRID.name, shard="static", details=tuple(details),
            objects=tuple(objects), statistics=statistics.to_bytes(),
        )  # fmt: skip
        write_part(str(self.root), part)
        return statistics

    def _write_task(self, i, time):
        shard = f"{i:05d}"
        records, details, objects, statistics = [], [], [], ShardStatistics()
        for j, lead in enumerate(self.leads):
            key = FrameKey(self.name, time, lead)
            status, reason = Status.WRITTEN, None
            if time in self.rejected:
                status, reason = Status.REJECTED, REJECTED
            elif (time, lead) in self.short:
                status, reason = Status.MISSING, MISSING
            there = status is Status.WRITTEN
            records.append(
                FrameRecord(
                    source=self.name, grid=GRID.name, product=str(self.source.product),
                    access="cds", init_time=time, lead_time=lead, split="train", shard=shard,
                    status=status, reason=reason, store=self.store if there else None,
                    variables=self._of_frames() if there else (),
                    levels=self.levels if there else (), tokens=100 if there else None,
                    recipe_digest="ab" * 32, request_digest="cd" * 32, product_version="0001",
                    created=datetime(2026, 1, 1), software_version="0.1.0", synthetic=True,
                )
            )  # fmt: skip
            for path in self._of_frames() if there else ():
                variable = self.source.native(path).variable
                levels = self.levels if variable.has_levels else (None,)
                fields = [self.values(path, level, time, lead) for level in levels]
                array = zarr.open_array(self.root / self.store / variable.short_name, mode="r+")
                block = np.stack(fields) if variable.has_levels else fields[0]
                array[(i, j) if self.is_forecast else i] = block
                for level, field in zip(levels, fields, strict=True):
                    details.append(self._detail(shard, self.store, path, level, field, key))
                    statistics.add(path, level, reduce_field(field, area_weights(GRID)))
                place = (i, j) if self.is_forecast else (i,)
                inside = "/".join(map(str, (*place, *(0 for _ in range(block.ndim)))))
                where = f"{variable.short_name}/c/{inside}"
                objects.append(self._object(shard, self.store, where, (str(key),)))
        frames = sealed(records, objects)
        for frame in frames:
            if frame.status is Status.WRITTEN:
                statistics.add_frame(frame.key, frame.checksum)
        part = Part(
            source=self.name, grid=GRID.name, shard=shard, frames=frames, details=tuple(details),
            objects=tuple(objects), statistics=statistics.to_bytes(),
        )  # fmt: skip
        return part, frames

    def _of_frames(self):
        return tuple(path for path in self.paths if not path.startswith("static/"))

    def _detail(self, shard, store, path, level, field, key):
        valid = field[~np.isnan(field)].astype(np.float64)
        return DetailRecord(
            source=self.name, grid=GRID.name, shard=shard, store=store, path=path, level=level,
            init_time=None if key is None else key.init_time,
            lead_time=None if key is None else key.lead_time,
            minimum=float(valid.min()), maximum=float(valid.max()), mean=float(valid.mean()),
            missing_fraction=float(np.isnan(field).mean()),
        )  # fmt: skip

    def _object(self, shard, store, where, frames):
        data = (self.root / store / where).read_bytes()
        return ObjectRecord(
            source=self.name, grid=GRID.name, shard=shard, store=store, key=f"{store}/{where}",
            bytes=len(data), checksum=hashlib.sha256(data).hexdigest(), frames=frames,
        )  # fmt: skip

    def _entry(self):
        static = any(path.startswith("static/") for path in self.paths)
        return {
            "source": self.name, "title": self.source.title, "product": str(self.source.product),
            "access": "cds", "synthetic": True, "grid": GRID.name, "store": self.store,
            "static_store": self.static_store if static else None,
            "variables": list(self.paths), "levels": list(self.levels),
            "licence": self.source.licence, "attribution": self.source.attribution,
            "notes": list(self.source.notes),
        }  # fmt: skip


def closed(root, made):
    """The manifest and dataset.json of some sources."""
    plans, entries = zip(*(one.write() for one in made), strict=True)
    finish_with(root, plans, entries)
    return root


def finish_with(root, plans, entries):
    """What a run writes last."""
    compact(str(root), plans)
    document = {
        "format": "aurora-prep dataset", "version": 1, "name": NAME,
        "recipe": {"name": NAME, "sources": []}, "recipe_digest": "ab" * 32, "synthetic": True,
        "sources": entries, "software": {"aurora-prep": "0.1.0", "numpy": "2.4"},
        "created": "2026-01-01T00:00:00",
    }  # fmt: skip
    (root / "dataset.json").write_text(json.dumps(document))


def gappy(root):
    """Ten days of weather, waves and forecasts, with days missing and days refused."""
    day, hour = timedelta(days=1), timedelta(hours=1)
    start = datetime(2020, 1, 27)
    six_hourly = tuple(start + i * 6 * hour for i in range(40))
    era5 = Made(
        root, "era5", ("surface/2t", "surface/10u", "atmospheric/t", "static/lsm"), six_hourly,
        levels=(500, 850), missing=frozenset(six_hourly[9:14]),
        rejected=frozenset((six_hourly[20],)),
    )  # fmt: skip
    waves = Made(root, "era5_wave", ("surface/swh", "surface/mwd"), six_hourly[:8])
    forecasts = Made(
        root, "cams_forecast", ("surface/pm2p5", "atmospheric/no2"),
        tuple(start + i * 12 * hour for i in range(6)), levels=(500, 850),
        leads=(0 * hour, 12 * hour, 24 * hour), missing=frozenset((start + day,)),
        short=frozenset({(start + 12 * hour, 24 * hour)}),
    )  # fmt: skip
    return closed(root, (era5, waves, forecasts))


class Page(HTMLParser):
    """The page as programs see it.

    Attributes:
        tables: Rows of each named table: a list of (text, value) a row.
        totals: Values of the numbers at the top.
        text: All text of the page.
        tags: ``(tag, attributes)`` in order.
    """

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tables, self.totals, self.text, self.tags = {}, {}, [], []
        self._table = self._row = self._cell = self._total = None
        self._body = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "table":
            self._table = self.tables.setdefault(given.get("data-table"), [])
        elif tag in ("tbody", "thead", "tfoot"):
            self._body = tag == "tbody"
        elif tag == "tr" and self._body:
            self._row = []
            self._table.append(self._row)
        elif tag in ("td", "th") and self._body:
            self._cell = ["", None]
            self._row.append(self._cell)
        elif tag == "data" and self._cell is not None:
            self._cell[1] = float(given["value"])
        elif tag == "data" and self._total:
            self.totals[self._total] = float(given["value"])
            self._total = None
        if "data-total" in given:
            self._total = given["data-total"]

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        self.text.append(data)
        if self._cell is not None:
            self._cell[0] += data


@pytest.fixture(scope="session")
def parsed():
    """Reads a page."""
    return Page


@pytest.fixture
def planned_only(tmp_path):
    """Builds a dataset of which nothing could be written, for some reasons in turn."""

    def build(frames, reasons):
        start = datetime(2020, 1, 1)
        times = [start + i * timedelta(hours=6) for i in range(frames)]
        plan = PlannedFrames(
            source="era5", grid="0.25", store="era5/0.25.zarr", product="reanalysis",
            access="cds", variables=("surface/2t",),
            frames=[
                (time, timedelta(0), None, None, "00000", reasons[i % len(reasons)])
                for i, time in enumerate(times)
            ],
        )  # fmt: skip
        root = tmp_path / "planned"
        finish_with(root, [plan], [])
        return root

    return build


@pytest.fixture(scope="session")
def declared():
    """Declarations of all sources."""
    return {name: sources.load(name) for name in sources.names()}


@pytest.fixture(scope="session")
def gaps(tmp_path_factory):
    """A dataset with gaps, read only."""
    return gappy(tmp_path_factory.mktemp("gaps"))


@pytest.fixture(scope="session")
def page(gaps, declared):
    """Its report."""
    return report(str(gaps), declared)
