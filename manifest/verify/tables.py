"""The manifest against itself: index, tables, parts, plan and ``dataset.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import duckdb
import pyarrow as pa

from aurora_prep.manifest import duck, durable, layout
from aurora_prep.manifest.ledger import parts
from aurora_prep.manifest.ledger.merge import ARRAY, IDENTITY, TABLES, Task, gather, merge
from aurora_prep.manifest.ledger.planned import PlannedFrames, spill_plan
from aurora_prep.manifest.ledger.records import Status
from aurora_prep.manifest.verify.problems import Kind, Problem
from aurora_prep.sources.spec import FrameKey, ManifestError

REBUILD = "run the recipe again: the manifest's tables are rebuilt from its parts"
REDO = "verify --repair, then run the recipe again: the shard task is done anew"
NAMED = 20

KNOWN = f"""
    (status <> '{Status.MISSING}' OR EXISTS (
        FROM read_frames AS part WHERE part.source = row.source AND part.grid = row.grid
        AND part.init_time = row.init_time AND part.lead_time = row.lead_time
        AND coalesce(part.member, -1) = coalesce(row.member, -1)))
"""  # rows that do not come from the plan alone
SAID = f"SELECT * REPLACE (CASE WHEN {KNOWN} THEN reason END AS reason)"  # the run knew more
UNPLANNED = """
    SELECT source, grid, shard, count(*) AS frames
    FROM read_frames AS part ANTI JOIN plan
      ON plan.source = part.source AND plan.grid = part.grid
     AND plan.init_time = part.init_time AND plan.lead_time = part.lead_time
     AND coalesce(plan.member, -1) = coalesce(part.member, -1)
    GROUP BY ALL ORDER BY ALL
"""
REBUILT = """
    SELECT DISTINCT source, init_time, lead_time, member
    FROM (SELECT * FROM {rows}) SEMI JOIN failed USING (source, grid, shard)
"""
UNCOVERED = f"""
    WITH wanted AS (
        SELECT source, grid, init_time, lead_time, member, shard, store,
               unnest(variables) AS path, levels
        FROM frames WHERE status = '{Status.WRITTEN}'),
    fields AS (
        SELECT * EXCLUDE (levels), unnest(CASE WHEN path LIKE 'atmospheric/%' THEN levels
                                          ELSE [NULL::INTEGER] END) AS level FROM wanted),
    lacking AS (
        SELECT source, grid, shard, init_time, path FROM fields ANTI JOIN details AS there
          ON fields.source = there.source AND fields.grid = there.grid
         AND fields.init_time = there.init_time AND fields.lead_time = there.lead_time
         AND coalesce(fields.member, -1) = coalesce(there.member, -1)
         AND fields.path = there.path AND coalesce(fields.level, 0) = coalesce(there.level, 0))
    SELECT source, grid, shard, path || ' of ' || strftime(init_time, '%Y-%m-%dT%H') AS what,
           'no row in the details' AS found FROM lacking GROUP BY ALL
"""  # noqa: S608  # a constant
UNCARRIED = f"""
    WITH wanted AS (
        SELECT DISTINCT source, grid, shard, store, path, short_name FROM details
        WHERE missing_fraction < 1),
    held AS (SELECT source, grid, shard, store, {ARRAY} FROM objects)
    SELECT source, grid, shard, path AS what, 'no object carries its values' AS found
    FROM wanted ANTI JOIN held ON wanted.source = held.source AND wanted.grid = held.grid
     AND wanted.shard = held.shard AND wanted.store = held.store
     AND wanted.short_name = held.array_name
"""  # noqa: S608  # a constant


class Ledger:
    """The truth to verify against: the parts, merged, in a database.

    Use it in a ``with`` block. Its views ``frames``, ``details``, ``objects`` and ``parts``
    are what compaction would make of the parts and the plan.
    """

    def __init__(self, url: str, planned: Iterable[PlannedFrames] | None) -> None:
        self.url = url
        self.problems: list[Problem] = []
        self._planned = planned
        self._folder = TemporaryDirectory()
        self.stored: set[str] = set()

    def __enter__(self) -> Self:
        scratch = Path(self._folder.name)
        gather(self.url, parts.all_parts(self.url), scratch, self._damaged)
        groups = spill_plan(self._planned or (), scratch / "planned")
        self.database = duck.connect(scratch)
        merge(self.database, scratch, groups)
        self.index = self._read_index()
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self._folder.cleanup()

    def check(self) -> None:
        """Compare tables, index, plan and ``dataset.json`` with the parts."""
        whole = {name for name in TABLES if self._check_file(name)}
        self._check_dataset()
        if not self.index:
            return
        if "parts" in whole:
            self._check_parts()
        for name in ("frames", "details", "objects"):
            if name in self.stored:
                self._check_rows(name)
        if "frames" in self.stored:
            self._check_plan()
        for text in (UNCOVERED, UNCARRIED):
            self._check_cover(text)

    def frames_of(self, tasks: Collection[Task]) -> tuple[str, ...]:
        """Text forms of the frames of shard tasks, as parts, plan or tables know them."""
        names = ("source", "grid", "shard")
        columns = zip(*tasks, strict=True) if tasks else ((), (), ())
        failed = pa.table([pa.array(column, pa.string()) for column in columns], list(names))
        self.database.register("failed", failed)
        keys = set()
        for rows in ("frames", *({"stored_frames"} & {f"stored_{name}" for name in self.stored})):
            for source, init_time, seconds, member in self.ask(REBUILT.format(rows=rows)):
                keys.add(FrameKey(source, init_time, timedelta(seconds=seconds), member))
        return tuple(map(str, sorted(keys, key=str)))

    def counts(self) -> tuple[int, int]:
        """Frames planned and frames written."""
        ((written,),) = self.ask(
            f"SELECT count(*) FROM read_frames WHERE status = '{Status.WRITTEN}'"  # noqa: S608
        )
        if self._planned is not None:
            ((planned,),) = self.ask("SELECT count(*) FROM frames")
        else:
            planned = sum(entry["planned"] for entry in self.index.get("sources", []))
        return int(planned), int(written)

    def _read_index(self) -> dict[str, Any]:
        place = durable.join(self.url, layout.INDEX)
        try:
            index: dict[str, Any] = json.loads(durable.get(place))
            sound = set(index) >= {"files", "sources", "metadata"}
        except (ManifestError, ValueError):
            sound = False
        if not sound:
            self.add(Kind.MANIFEST, layout.INDEX, "absent or damaged", REBUILD)
            return {}
        return index

    def _check_file(self, name: str) -> bool:
        """Whether a table is, byte for byte, the one compaction wrote; opens it if it can."""
        where = layout.table(name)
        try:
            path = durable.fetch_to(durable.join(self.url, where), Path(self._folder.name))
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (ManifestError, OSError):
            self.add(Kind.MANIFEST, where, "the table is absent", REBUILD)
            return False
        expected = self.index.get("files", {}).get(path.name, {}).get("sha256")
        if self.index and digest != expected:
            found = f"SHA-256 {digest[:12]}, not {str(expected)[:12]}: changed since it was written"
            self.add(Kind.MANIFEST, where, found, REBUILD)
        try:
            columns = ", ".join(TABLES[name].names)
            place = duck.table(path)
            self.database.execute(
                f"CREATE VIEW stored_{name} AS SELECT {columns} FROM read_parquet({place})"  # noqa: S608
            )
            if digest != expected:  # a damaged page shows only when it is read
                self.ask(f"SELECT bit_xor(hash(COLUMNS(*))) FROM stored_{name}")  # noqa: S608
        except duckdb.Error as error:
            self.add(Kind.MANIFEST, where, str(error).splitlines()[0], REBUILD)
            return False
        self.stored.add(name)
        return bool(digest == expected)

    def _check_dataset(self) -> None:
        try:
            dataset = json.loads(durable.get(durable.join(self.url, layout.DATASET)))
            sources = [(e["source"], e["grid"], e.get("frames")) for e in dataset["sources"]]
        except (ManifestError, ValueError, KeyError, TypeError):
            self.add(
                Kind.PLAN,
                layout.DATASET,
                "absent or damaged",
                "run the recipe again: it did not end",
            )
            return
        seal = dataset.get("manifest")
        if self.index and seal is not None and seal != self.index["files"]:
            found = f"its digests of the tables are not those of {layout.INDEX}"
            self.add(Kind.MANIFEST, layout.DATASET, found, REBUILD)
        planned = {(e["source"], e["grid"]): e["planned"] for e in self.index.get("sources", [])}
        for source, grid, frames in sources:
            said = frames.get("frames") if isinstance(frames, dict) else frames
            known = planned.get((source, grid))
            if self.index and said is not None and said != known:
                found = f"{layout.DATASET} says {said} frames, the manifest {known}"
                self.add(Kind.PLAN, f"{source} {grid}", found, REBUILD)

    def _check_parts(self) -> None:
        """Each part's own digest, against the table of parts."""
        rows = self.ask("""
            SELECT coalesce(was.source, is_.source), coalesce(was.grid, is_.grid),
                   coalesce(was.shard, is_.shard), was.checksum, is_.checksum
            FROM stored_parts AS was FULL JOIN parts AS is_
              ON was.source = is_.source AND was.grid = is_.grid AND was.shard = is_.shard
            WHERE was.checksum IS DISTINCT FROM is_.checksum ORDER BY 1, 2, 3
        """)
        known = {problem.task for problem in self.problems}
        for source, grid, shard, was, now in rows:
            task, where = (source, grid, shard), layout.part(source, grid, shard)
            if was is None:
                self.add(Kind.MANIFEST, where, "not in the manifest's tables yet", REBUILD)
            elif now is None and task not in known:
                self.add(Kind.PART, where, "absent, though the manifest knows it", REDO, task)
            elif now is not None:
                self.add(Kind.PART, where, f"SHA-256 {now[:12]}, not {was[:12]}", REDO, task)

    def _check_rows(self, name: str) -> None:
        """Rows of a table that differ from those of the parts, named one by one."""
        key, columns = ", ".join(IDENTITY[name]), ", ".join(TABLES[name].names)
        from_plan = name == "frames" and self._planned is None
        truth = f"SELECT {columns} FROM {'read_frames' if from_plan else name} AS row"  # noqa: S608
        known = f"WHERE {KNOWN}" if from_plan else ""
        stored = f"SELECT {columns} FROM stored_{name} AS row {known}"  # noqa: S608
        if name == "frames" and not from_plan:
            truth, stored = (f"{SAID} FROM ({text}) AS row" for text in (truth, stored))
        differing = f"""
            SELECT {key}, bool_or(side = 'table') AS has_table, bool_or(side = 'part') AS has_part
            FROM (SELECT 'table' AS side, {key} FROM ({stored} EXCEPT ALL {truth})
                  UNION ALL SELECT 'part' AS side, {key} FROM ({truth} EXCEPT ALL {stored}))
            GROUP BY {key} ORDER BY ALL
        """  # noqa: S608
        rows = self.ask(differing)
        for *values, in_table, in_part in rows[:NAMED]:
            row = ", ".join(
                f"{n}={v}" for n, v in zip(IDENTITY[name], values, strict=True) if v is not None
            )
            found = {
                (True, True): "the row says something else than its part",
                (True, False): "no part has this row",
                (False, True): "the row is gone from the table",
            }[bool(in_table), bool(in_part)]
            self.add(Kind.MANIFEST, f"{layout.table(name)}: {row}", found, REBUILD)
        if len(rows) > NAMED:
            found = f"{len(rows) - NAMED} more rows differ"
            self.add(Kind.MANIFEST, layout.table(name), found, REBUILD)

    def _check_plan(self) -> None:
        """Report planned frames without a row, and parts with frames that are not planned."""
        for source, grid, shard, frames in self.ask(UNPLANNED) if self._planned is not None else ():
            where = layout.part(source, grid, shard)
            found = f"{frames} frames that the recipe does not ask for"
            self.add(Kind.PLAN, where, found, REDO, (source, grid, shard))
        text = "SELECT source, grid, count(*) FROM stored_frames GROUP BY ALL"
        counted = {(source, grid): count for source, grid, count in self.ask(text)}
        for entry in self.index["sources"]:
            rows = counted.get((entry["source"], entry["grid"]), 0)
            if rows < entry["planned"]:
                found = f"{rows} rows for {entry['planned']} planned frames"
                where = f"manifest/frames.parquet: {entry['source']} {entry['grid']}"
                self.add(Kind.PLAN, where, found, REBUILD)

    def _check_cover(self, text: str) -> None:
        """Every written field has its details, and an object that carries it."""
        for source, grid, shard, what, found in self.ask(f"{text} ORDER BY ALL LIMIT {NAMED}"):
            where = f"{source} {grid} shard {shard}: {what}"
            self.add(Kind.PART, where, found, REDO, (source, grid, shard))

    def _damaged(self, task: Task, error: ManifestError) -> None:
        _, where, found, _ = error.args
        self.add(Kind.PART, where.removeprefix(self.url).lstrip("/"), found, REDO, task)

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the views."""
        return list(self.database.sql(text).fetchall())

    def add(
        self, kind: Kind, where: str, found: str, fix: str, task: Task | tuple[()] = ()
    ) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, where, found, fix, task))
