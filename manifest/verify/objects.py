"""The stores against the manifest: every object there, whole and right, and none besides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aurora_prep.manifest import duck, durable
from aurora_prep.manifest.ledger.compact import stores_of
from aurora_prep.manifest.ledger.merge import ARRAY, Task
from aurora_prep.manifest.parallel import ordered
from aurora_prep.manifest.shard_codec import ShardLayout
from aurora_prep.manifest.verify.problems import Kind, Problem
from aurora_prep.manifest.verify.tables import REBUILD, REDO, Ledger
from aurora_prep.sources.spec import ManifestError

Advance = Callable[[str, int, int], None]
AGAIN = "run the recipe again"
LEFT_OVER = "nothing needs it: delete it"
RESTORE = "verify --repair writes store metadata anew; or restore the file"
EXPECTED = f"""
    CREATE TABLE expected AS
    WITH known AS (
        SELECT source, grid, shard, store, key, bytes, checksum, {ARRAY} FROM known_objects),
    held AS (
        SELECT source, grid, shard, store, short_name AS array_name, count(*) AS fields FROM details
        WHERE missing_fraction < 1 GROUP BY ALL)
    SELECT store, array_name, key, bytes, checksum, coalesce(fields, 0) AS fields,
           source, grid, shard
    FROM known LEFT JOIN held USING (source, grid, shard, store, array_name)
"""  # noqa: S608  # a constant
STATIC = "static/"
KNOWN = "CREATE VIEW known_objects AS FROM objects"
OR_STORED = """
    UNION ALL BY NAME FROM stored_objects ANTI JOIN parts USING (source, grid, shard)
"""  # of a task whose part cannot be read


@dataclass(frozen=True, slots=True)
class Expected:
    """An object that ought to be there.

    Attributes:
        key: Path relative to the dataset.
        bytes: Its size.
        checksum: Its SHA-256.
        fields: How many fields with values it holds, as far as the details know.
        task: The shard task that writes it.
    """

    key: str
    bytes: int
    checksum: str
    fields: int
    task: Task


class Stores:
    """Checks the objects and metadata of a dataset's stores.

    Attributes:
        objects: Objects read so far.
        bytes: Bytes of those.
    """

    def __init__(self, ledger: Ledger, progress: Advance | None) -> None:
        self.objects = 0
        self.bytes = 0
        self._done = 0
        self._ledger = ledger
        self._progress = progress
        also = "UNION ALL SELECT store FROM stored_frames" if "frames" in ledger.stored else ""
        ledger.database.execute(f"CREATE VIEW framed AS SELECT store FROM frames {also}")  # noqa: S608
        or_stored = OR_STORED if "objects" in ledger.stored else ""
        ledger.database.execute(f"{KNOWN} {or_stored}")
        ledger.database.execute(EXPECTED)

    def check(self) -> None:
        """Compare everything in the stores with what the parts say."""
        arrays = self._ledger.ask(
            "SELECT store, array_name, count(*) FROM expected GROUP BY ALL ORDER BY ALL"
        )
        pairs = [(store, array) for store, array, _ in arrays]
        if self._ledger.index:
            self._check_metadata(pairs)
            self._find_strays(pairs)
            self._check_static(pairs)
        total = sum(count for _, _, count in arrays)
        for store, array in pairs:
            self._check_array(store, array, total)

    def _check_array(self, store: str, array: str, total: int) -> None:
        folder = f"{store}/{array}"
        present = durable.tree(durable.join(self._ledger.url, folder))
        layout = self._layout(f"{folder}/zarr.json")
        metadata = self._ledger.index.get("metadata", {})

        def check(wanted: Expected) -> tuple[Expected, Problem | None]:
            size = present.get(wanted.key.removeprefix(f"{folder}/"))
            return wanted, self._fault(wanted, size, layout)

        known = set()
        for wanted, problem in ordered(check, self._wanted(store, array)):
            known.add(wanted.key.removeprefix(f"{folder}/"))
            if problem is None or problem.kind not in (Kind.ABSENT, Kind.SIZE):
                self.objects += 1
                self.bytes += wanted.bytes
            if problem is not None:
                self._ledger.problems.append(problem)
            self._done += 1
            if self._progress is not None:
                self._progress("objects", self._done, total)
        for name in sorted(set(present) - known):
            if f"{folder}/{name}" not in metadata and name != "zarr.json":
                found = f"{present[name]} bytes that no part knows"
                self._ledger.add(Kind.ORPHAN, f"{folder}/{name}", found, LEFT_OVER)

    def _wanted(self, store: str, array: str) -> Iterator[Expected]:
        chosen = f"store = {duck.quoted(store)} AND array_name = {duck.quoted(array)}"
        rows = self._ledger.ask(f"FROM expected WHERE {chosen} ORDER BY key")
        for _, _, key, size, checksum, fields, *task in rows:
            yield Expected(key, size, checksum, fields, (task[0], task[1], task[2]))

    def _fault(
        self, wanted: Expected, size: int | None, layout: ShardLayout | None
    ) -> Problem | None:
        if size is None:
            found = "no such object: it would read as missing values"
            return Problem(Kind.ABSENT, wanted.key, found, REDO, wanted.task)
        if size != wanted.bytes:
            found = f"{size} bytes, not {wanted.bytes}"
            return Problem(Kind.SIZE, wanted.key, found, REDO, wanted.task)
        try:
            digest, index = self._read(wanted.key, layout)
        except ManifestError as error:
            return Problem(Kind.ABSENT, wanted.key, error.args[2], REDO, wanted.task)
        if digest != wanted.checksum:
            found = f"SHA-256 {digest[:12]}, not {wanted.checksum[:12]}"
            return Problem(Kind.CHECKSUM, wanted.key, found, REDO, wanted.task)
        fault = None if layout is None else _index_fault(layout, index, wanted)
        if fault is not None:
            return Problem(Kind.INDEX, wanted.key, fault, REDO, wanted.task)
        return None

    def _read(self, key: str, layout: ShardLayout | None) -> tuple[str, bytes]:
        """SHA-256 of an object, and the bytes of its shard index, in one reading."""
        digest, edge = hashlib.sha256(), b""
        length = layout.index_bytes if layout is not None else 0
        for block in durable.blocks(durable.join(self._ledger.url, key)):
            digest.update(block)
            if layout is not None and layout.at_end:
                edge = (edge + block)[-length:]
            elif len(edge) < length:
                edge = (edge + block)[:length]
        return digest.hexdigest(), edge

    def _layout(self, path: str) -> ShardLayout | None:
        try:
            return ShardLayout.of(durable.get(durable.join(self._ledger.url, path)))
        except (ManifestError, ValueError):
            return None  # the check of the metadata says so

    def _check_metadata(self, arrays: list[tuple[str, str]]) -> None:
        """Metadata and coordinates of every store, byte for byte."""
        known = self._ledger.index["metadata"]
        stores = sorted({store for store, _ in arrays})
        needed = [f"{store}/zarr.json" for store in stores]
        needed += [f"{store}/{array}/zarr.json" for store, array in arrays]
        for path in sorted({*known, *needed}):
            try:
                data = durable.get(durable.join(self._ledger.url, path))
            except ManifestError:
                self._ledger.add(Kind.METADATA, path, "absent: the store cannot be read", RESTORE)
                continue
            digest = hashlib.sha256(data).hexdigest()
            if path not in known:
                self._ledger.add(Kind.METADATA, path, "the manifest does not know it", REBUILD)
            elif digest != known[path]["sha256"]:
                found = f"SHA-256 {digest[:12]}, not {known[path]['sha256'][:12]}"
                self._ledger.add(Kind.METADATA, path, found, RESTORE)

    def _find_strays(self, arrays: list[tuple[str, str]]) -> None:
        """Report files beside the shards, and whole stores, that no part names."""
        url, known = self._ledger.url, self._ledger.index["metadata"]
        for store in stores_of(url):
            if not any(path.startswith(f"{store}/") for path in known):
                self._ledger.add(Kind.ORPHAN, store, "a store that no part knows", LEFT_OVER)
                continue
            for name in durable.listing(durable.join(url, store)):
                if (store, name) in arrays:
                    continue
                for file in durable.tree(durable.join(url, store, name)) or [""]:
                    path = f"{store}/{name}/{file}".rstrip("/")
                    if path not in known:
                        self._ledger.add(Kind.ORPHAN, path, "a file that no part knows", LEFT_OVER)

    def _check_static(self, arrays: list[tuple[str, str]]) -> None:
        """Report arrays of static stores that no object was written for."""
        known = self._ledger.index["metadata"]
        framed = {store for (store,) in self._ledger.ask("SELECT DISTINCT store FROM framed")}
        for path in known:
            store, _, array = path.removesuffix("/zarr.json").rpartition("/")
            if not path.endswith(".zarr/" + array + "/zarr.json") or store in framed:
                continue
            if not store.startswith(STATIC):
                continue  # all its frames are missing or rejected, as the manifest says
            coordinate = any(other.startswith(f"{store}/{array}/c") for other in known)
            if not coordinate and (store, array) not in arrays:
                self._ledger.add(
                    Kind.PLAN, f"{store}/{array}", "no part speaks of its values", AGAIN
                )


def _index_fault(layout: ShardLayout, index: bytes, wanted: Expected) -> str | None:
    fault = layout.fault(index, wanted.bytes)
    if fault is not None or not layout.is_one_field():
        return fault
    block = [int(number) for number in wanted.key.rsplit("/c/", 1)[-1].split("/")]
    present, room = layout.present(index), layout.inside(block)
    if present < wanted.fields:
        return f"{present} inner chunks, though the details speak of {wanted.fields} fields"
    if present > room:
        return f"{present} inner chunks, though the array has room for {room}"
    return None
