"""A small real dataset: Zarr v3 shards as workers write them, with their parts."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import zarr

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
from aurora_prep.sources.spec import FrameKey, Grid

START = datetime(2020, 1, 1)
STEP = timedelta(hours=6)
LEVELS = (500, 850)
VARIABLES = {"2t": "surface/2t", "t": "atmospheric/t"}


@dataclass(frozen=True)
class Small:
    """Six-hourly frames of an invented source on a 30 degree grid, one frame a shard."""

    root: Path
    source: str = "era5"
    frames: int = 6
    grid: Grid = field(default_factory=lambda: Grid.regular("30"))

    @property
    def store(self) -> str:
        return f"{self.source}/{self.grid.name}.zarr"

    def names(self) -> dict:
        return {"source": self.source, "grid": self.grid.name, "store": self.store}

    def shard(self, i: int) -> str:
        return f"{i:05d}"

    def time(self, i: int) -> datetime:
        return START + i * STEP

    def create(self) -> None:
        """Write the store's metadata and coordinates."""
        group = zarr.open_group(self.root / self.store, mode="w", zarr_format=3)
        coordinates = {
            "time": (np.arange(self.frames) * 6, "i8", {"units": "hours since 2020-01-01"}),
            "latitude": (self.grid.latitude, "f8", {"units": "degrees_north"}),
            "longitude": (self.grid.longitude, "f8", {"units": "degrees_east"}),
            "level": (np.array(LEVELS), "i4", {"units": "hPa"}),
        }
        for name, (values, dtype, attributes) in coordinates.items():
            array = group.create_array(
                name,
                shape=values.shape,
                dtype=dtype,
                dimension_names=[name],
                attributes=attributes,
                fill_value=0,
            )
            array[:] = values
        for name, path in VARIABLES.items():
            levels = ("level",) if path.startswith("atmospheric") else ()
            depth = tuple(len(LEVELS) for _ in levels)
            group.create_array(
                name,
                shape=(self.frames, *depth, *self.grid.shape),
                shards=(1, *depth, *self.grid.shape),
                chunks=(1, *(1 for _ in depth), *self.grid.shape),
                dtype="f4",
                fill_value=np.nan,
                dimension_names=["time", *levels, "latitude", "longitude"],
                compressors=zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle"),
            )

    def values(self, i: int, name: str) -> np.ndarray:
        """The frame's values, which are of no importance but never the same."""
        depth = () if name == "2t" else (len(LEVELS),)
        rng = np.random.default_rng([i, len(name)])
        values = rng.normal(280, 10, (*depth, *self.grid.shape)).astype("f4")
        values[..., 0, 0] = np.nan
        return values

    def write(self, i: int) -> Part:
        """Write one shard task's objects and return its part, not published yet."""
        names = {**self.names(), "shard": self.shard(i)}
        key = FrameKey(self.source, self.time(i))
        details, objects = [], []
        for name, path in VARIABLES.items():
            values = self.values(i, name)
            place = f"{self.store}/{name}/c/{i}" + "/0" * values.ndim
            (self.root / place).unlink(missing_ok=True)
            zarr.open_array(self.root / self.store / name, mode="r+")[i] = values
            data = (self.root / place).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            objects.append(
                ObjectRecord(
                    **names, key=place, bytes=len(data), checksum=digest, frames=(str(key),)
                )
            )
            fields = values if values.ndim == 3 else [values]
            for level, one in zip(LEVELS if values.ndim == 3 else (None,), fields, strict=True):
                valid = one[~np.isnan(one)].astype("f8")
                details.append(
                    DetailRecord(
                        **names,
                        init_time=key.init_time,
                        lead_time=key.lead_time,
                        path=path,
                        level=level,
                        minimum=float(valid.min()),
                        maximum=float(valid.max()),
                        mean=float(valid.mean()),
                        missing_fraction=1 - valid.size / one.size,
                    )
                )
        frame = FrameRecord(
            **names,
            product="reanalysis",
            access="files",
            init_time=key.init_time,
            status=Status.WRITTEN,
            recipe_digest="ab" * 32,
            split="train" if i < 4 else "validation",
            variables=tuple(VARIABLES.values()),
            levels=LEVELS,
            missing_fraction=1 / self.grid.rows / self.grid.columns,
            chunk_key=f"c/{i}",
            created=datetime(2026, 1, 1),
            software_version="0.1.0",
            synthetic=True,
        )
        return Part(
            source=self.source,
            grid=self.grid.name,
            shard=self.shard(i),
            frames=sealed([frame], objects),
            details=tuple(details),
            objects=tuple(objects),
            statistics=b"partials",
        )

    def publish(self, *shards: int) -> None:
        """Write shard tasks and publish their parts, in the order given."""
        for i in shards:
            write_part(str(self.root), self.write(i))

    def plan(self) -> PlannedFrames:
        """All frames, as the planner would list them."""
        return PlannedFrames(
            **self.names(),
            product="reanalysis",
            access="files",
            frames=[(self.time(i),) for i in range(self.frames)],
            variables=tuple(VARIABLES.values()),
            levels=LEVELS,
            synthetic=True,
        )

    def close(self) -> None:
        """Write dataset.json, the last file of a run."""
        plan = {"source": self.source, "grid": self.grid.name, "frames": self.frames}
        (self.root / "dataset.json").write_text(json.dumps({"sources": [plan]}))


@pytest.fixture(scope="session")
def small_of():
    """Builder of small datasets."""
    return Small


@pytest.fixture
def small(tmp_path):
    """A dataset with its store created and no shard task done."""
    dataset = Small(tmp_path / "dataset")
    dataset.create()
    return dataset
