"""Questions to a manifest: how many frames, which ones, what is missing, and any SQL."""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import duckdb
import pyarrow as pa

from aurora_prep.manifest import duck, durable, layout
from aurora_prep.manifest.ledger.merge import TABLES
from aurora_prep.manifest.ledger.records import FRAMES, SPAN, TEXTS, TIME, WHOLES, Status
from aurora_prep.sources.spec import ManifestError, grid_name, moment

SUMMARY = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("grid", pa.string(), nullable=False),
        pa.field("frames", pa.int64(), nullable=False),
        pa.field("written", pa.int64(), nullable=False),
        pa.field("missing", pa.int64(), nullable=False),
        pa.field("rejected", pa.int64(), nullable=False),
        pa.field("first", TIME),
        pa.field("last", TIME),
        pa.field("cadence", SPAN),
        pa.field("members", pa.int64(), nullable=False),
        pa.field("variables", TEXTS, nullable=False),
        pa.field("levels", WHOLES, nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("tokens_per_frame", pa.int64()),
        pa.field("tokens", pa.int64()),
        pa.field("samples", pa.int64()),
        pa.field("synthetic", pa.bool_(), nullable=False),
    ]
)
COUNTS = f"""
    SELECT source, grid, count(*) AS frames,
           count(*) FILTER (status = '{Status.WRITTEN}') AS written,
           count(*) FILTER (status = '{Status.MISSING}') AS missing,
           count(*) FILTER (status = '{Status.REJECTED}') AS rejected,
           min(valid_time) AS first, max(valid_time) AS last,
           coalesce(sum(bytes) FILTER (status = '{Status.WRITTEN}'), 0) AS bytes,
           max(tokens) AS tokens_per_frame,
           sum(tokens) FILTER (status = '{Status.WRITTEN}') AS tokens,
           bool_or(synthetic) AS synthetic
    FROM stored_frames GROUP BY source, grid
"""  # noqa: S608  # constants of this layer
CADENCE = """
    SELECT source, grid, mode(epoch(step)::BIGINT) AS cadence FROM (
        SELECT source, grid, init_time - lag(init_time)
               OVER (PARTITION BY source, grid ORDER BY init_time) AS step
        FROM (SELECT DISTINCT source, grid, init_time FROM stored_frames))
    WHERE step IS NOT NULL GROUP BY source, grid
"""
FACETS = {
    "source": "source = $source",
    "grid": "grid = $grid",
    "split": "split = $split",
    "status": "status = $status",
    "valid_from": "valid_time >= $valid_from",
    "valid_until": "valid_time <= $valid_until",
    "lead_time": "lead_time = $lead_time",
    "member": "member = $member",
}
NAMES = ("source", "grid", "split")


class Manifest:
    """What a dataset's manifest says. Read only; close it, or use it in a ``with`` block.

    The tables are asked where they are; of a remote dataset, those that a question needs
    are copied to a scratch folder first.
    """

    def __init__(self, url: str, index: dict[str, Any]) -> None:
        self.url = url
        self.index = index
        self._scratch = TemporaryDirectory()
        self._places: dict[str, Path] = {}

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Manifest:
        """Open the manifest of a dataset.

        Args:
            url: The dataset: a local folder or any fsspec URL.

        Raises:
            ManifestError: There is no manifest, or it is not whole.
        """
        url = os.fspath(url)
        place = durable.join(url, layout.INDEX)
        if not durable.exists(place):
            raise ManifestError(
                "the dataset has no manifest yet",
                url,
                f"no {layout.INDEX}",
                "check the path; a run writes the manifest when it ends: run the recipe again",
            )
        try:
            index = json.loads(durable.get(place))
        except ValueError as error:
            raise ManifestError(
                "the manifest's index is damaged",
                place,
                str(error),
                "run the recipe again: it rebuilds the manifest from its parts",
            ) from error
        if not _is_index(index):
            raise ManifestError(
                "the manifest's index is damaged",
                place,
                "it lacks the names or sizes of the tables",
                "run the recipe again: it rebuilds the manifest from its parts",
            )
        return cls(url, index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database and the scratch folder."""
        if "_database" in self.__dict__:
            self._database.close()
            del self.__dict__["_database"]
        self._scratch.cleanup()

    def summary(self) -> pa.Table:
        """Frames per source: one row a source and grid, planned, written, missing, rejected.

        ``frames`` counts every planned frame. ``first`` and ``last`` are valid times of
        planned frames, ``cadence`` the commonest distance between their init times,
        ``members`` the size of the ensemble and 0 where there is none. Bytes and ``tokens``
        are those of written frames; ``samples`` are the training samples of Aurora's own
        window: two inputs and a target, 6 h apart, 12 h where frames hold air pollution.
        """
        counts = {(row["source"], row["grid"]): row for row in self._rows(COUNTS)}
        for row in self._rows(CADENCE):
            counts[row["source"], row["grid"]]["cadence"] = timedelta(seconds=row["cadence"])
        held = {(entry["source"], entry["grid"]): entry for entry in self.index["sources"]}
        rows = []
        for key in sorted(counts):
            known = held.get(key, {})
            lists = {"variables": known.get("variables", []), "levels": known.get("levels", [])}
            others = {"members": len(known.get("members", [])), "samples": known.get("samples")}
            rows.append({**counts[key], **lists, **others})
        return pa.Table.from_pylist(rows, schema=SUMMARY)

    def query(
        self,
        *,
        source: str | None = None,
        grid: str | None = None,
        valid_from: datetime | date | str | None = None,
        valid_until: datetime | date | str | None = None,
        lead_time: timedelta | None = None,
        member: int | None = None,
        split: str | None = None,
        status: str | None = None,
        variable: str | None = None,
    ) -> pa.Table:
        """Frames that meet every condition given, in the order of the manifest.

        Args:
            source: Name of a source.
            grid: Name of a grid; ``0.250`` and ``1/4`` mean ``0.25``.
            valid_from: Earliest valid time, UTC: a time, a day, or either as text.
            valid_until: Latest valid time, included; a day means its last hour.
            lead_time: Exactly this lead time.
            member: Exactly this member of an ensemble.
            split: Name of a split.
            status: ``written``, ``missing`` or ``rejected``.
            variable: Path such as ``surface/2t``, or a short name such as ``2t``.

        Raises:
            ManifestError: A name is nowhere in the manifest.
            SpecError: A time is none.
        """
        start = None if valid_from is None else moment(valid_from, "valid_from")
        end = None if valid_until is None else moment(valid_until, "valid_until", end_of_day=True)
        facets = {
            "source": source,
            "grid": None if grid is None else grid_name(grid),
            "split": split,
            "status": None if status is None else self._status(status),
            "valid_from": start,
            "valid_until": end,
            "lead_time": None if lead_time is None else int(lead_time.total_seconds()),
            "member": member,
        }
        given = {name: value for name, value in facets.items() if value is not None}
        conditions = [FACETS[name] for name in given]
        if variable is not None:
            paths = self._paths(variable)
            conditions.append(f"list_has_any(variables, [{', '.join(map(duck.quoted, paths))}])")
        self._refuse_unknown({name: given[name] for name in NAMES if name in given})
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._frames(where, given)

    def missing(self) -> pa.Table:
        """Frames that were planned and are not there, with the reason."""
        return self._frames(f"WHERE status <> '{Status.WRITTEN}'", {})

    def sql(self, text: str) -> pa.Table:
        """Answer one SELECT over the views ``frames``, ``details``, ``objects`` and ``parts``.

        The database can neither write nor read any file but the manifest's own tables.
        ``lead_time`` is an INTERVAL in the views and a duration in the answer.

        Raises:
            ManifestError: The text is not one SELECT, or the database refuses it.
        """
        try:
            statements = duckdb.extract_statements(text)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                kinds = [statement.type.name for statement in statements]
                raise self._refused(text, f"statements {kinds}", "ask one SELECT: nothing else")
            return duck.answer(self._open_to(*TABLES), text)
        except duckdb.Error as error:
            fix = "the views are frames, details, objects and parts: DESCRIBE FROM frames lists one"
            raise self._refused(text, str(error), fix) from error

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        scratch = Path(self._scratch.name)
        places = [durable.local_path(durable.join(self.url, layout.table(name))) for name in TABLES]
        return duck.locked(scratch, [place for place in places if place is not None])

    def _open_to(self, *names: str) -> duckdb.DuckDBPyConnection:
        """The database, with views of at least these tables."""
        for name in names:
            if name in self._places:
                continue
            url = durable.join(self.url, layout.table(name))
            place = durable.fetch_to(url, Path(self._scratch.name))
            self._check(name, place)
            self._places[name] = place
            timed = "lead_time" in TABLES[name].names
            lead = "REPLACE (to_seconds(lead_time) AS lead_time)" if timed else ""
            stored = f"read_parquet({duck.table(place)})"
            try:
                self._database.execute(f"CREATE VIEW stored_{name} AS FROM {stored}")
            except duckdb.Error as error:
                raise ManifestError(
                    "a table of the manifest is damaged",
                    url,
                    str(error).splitlines()[0],
                    "run the recipe again: it rebuilds the manifest from its parts",
                ) from error
            self._database.execute(f"CREATE VIEW {name} AS SELECT * {lead} FROM stored_{name}")  # noqa: S608
        return self._database

    def _check(self, name: str, place: Path) -> None:
        expected, found = (
            self.index["files"][layout.table_name(name)]["bytes"],
            place.stat().st_size,
        )
        if expected != found:
            raise ManifestError(
                "a table of the manifest is not the one its index speaks of",
                durable.join(self.url, layout.table(name)),
                f"{found} bytes, the index says {expected}",
                "run the recipe again: it rebuilds the manifest from its parts",
            )

    def _frames(self, where: str, values: dict[str, Any]) -> pa.Table:
        text = f"SELECT {', '.join(FRAMES.names)} FROM stored_frames {where}"  # noqa: S608
        relation: Any = self._open_to("frames").sql(text, params=values or None)
        return relation.to_arrow_table().cast(FRAMES)

    def _rows(self, text: str) -> list[dict[str, Any]]:
        relation: Any = self._open_to("frames").sql(text)
        rows: list[dict[str, Any]] = relation.to_arrow_table().to_pylist()
        return rows

    def _status(self, status: str) -> str:
        if status not in set(Status):
            raise ManifestError(
                "no such status", self.url, repr(status), f"use one of {[str(s) for s in Status]}"
            )
        return str(status)

    def _paths(self, variable: str) -> list[str]:
        """Paths of the variables that a path or a short name means."""
        known = sorted({path for entry in self.index["sources"] for path in entry["variables"]})
        paths = [path for path in known if variable in (path, path.rsplit("/", 1)[-1])]
        if not paths:
            raise self._unknown("variable", variable, known)
        return paths

    def _refuse_unknown(self, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if name == "split":
                known = {split for entry in self.index["sources"] for split in entry["splits"]}
            else:
                known = {entry[name] for entry in self.index["sources"]}
            if value not in known:
                raise self._unknown(name, value, sorted(known))

    def _unknown(self, name: str, value: str, known: list[str]) -> ManifestError:
        return ManifestError(
            f"no frame of the manifest has this {name}",
            self.url,
            f"{value!r} not among {known}",
            "take a listed one",
        )

    def _refused(self, text: str, found: str, fix: str) -> ManifestError:
        return ManifestError("the query was refused", f"{self.url}: {text.strip()}", found, fix)


def _is_index(index: Any) -> bool:
    """Whether an index has the form that compaction gives it, as far as questions need it."""
    if not isinstance(index, dict):
        return False
    files, sources = index.get("files"), index.get("sources")
    names = [f"{name}.parquet" for name in TABLES]
    return (
        isinstance(files, dict)
        and all(isinstance(files.get(n), dict) and "bytes" in files[n] for n in names)
        and isinstance(sources, list)
        and all(isinstance(s, dict) and {"source", "grid"} <= set(s) for s in sources)
    )
