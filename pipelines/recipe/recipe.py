"""Recipe: what the user asked for, read strictly from YAML."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from aurora_prep.pipelines.recipe.entry import WINDS, SourceRecipe, check_companions, read_entry
from aurora_prep.pipelines.recipe.latest import dated
from aurora_prep.pipelines.recipe.settings import (
    Split,
    StatisticsRecipe,
    StorageRecipe,
    read_splits,
    read_statistics,
    read_storage,
)
from aurora_prep.pipelines.recipe.text import load
from aurora_prep.pipelines.recipe.values import choice, mapping, parse_size, plain, wrong
from aurora_prep.sources.spec import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole recipe, checked.

    Attributes:
        name: Name of the dataset.
        output: Folder or URL of the dataset.
        sources: What is wanted of each source.
        splits: Named parts, which do not overlap.
        statistics: Which statistics are computed.
        storage: How shards are written.
        base: Folder that relative globs start from.
        text: The recipe as plain JSON values, as the user gave it.
        cache_limit: Most bytes that raw files may hold of the cache; ``None``: they are kept.
        digest: Stands for all that decides the output, and so not for where it lies.
    """

    name: str
    output: str
    sources: tuple[SourceRecipe, ...]
    splits: tuple[Split, ...]
    statistics: StatisticsRecipe
    storage: StorageRecipe
    base: str
    text: dict[str, Any] = field(compare=False)
    cache_limit: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the output."""
        return digest_of(self.decisive)

    @property
    def decisive(self) -> dict[str, Any]:
        """The recipe without what does not touch the output's content."""
        return {k: v for k, v in self.text.items() if k not in ("output", "cache_limit")}

    def split_of(self, valid_time: datetime) -> str | None:
        """The split that holds a valid time."""
        for split in self.splits:
            if split.start <= valid_time <= split.end:
                return split.name
        return None

    def enters_statistics(self, valid_time: datetime) -> bool:
        """Whether a frame belongs to the split that statistics are computed of."""
        split = self.statistics.split
        return split is None or self.split_of(valid_time) == split

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, output: str | os.PathLike[str] | None = None
    ) -> Recipe:
        """Read and check a recipe file.

        Raises:
            RecipeError: The file cannot be read, is not YAML, or asks for
                something that does not exist.
        """
        path = Path(path)
        text = load(path)
        return cls.parse(text, where=str(path), base=str(path.resolve().parent), output=output)

    @classmethod
    def parse(
        cls,
        text: Any,
        *,
        where: str = "recipe",
        base: str | os.PathLike[str] = ".",
        output: str | os.PathLike[str] | None = None,
    ) -> Recipe:
        """Check a recipe given as plain values.

        Raises:
            RecipeError: A key is unknown or missing, or a value makes no sense.
        """
        text = plain(text)
        keys = (
            "name", "output", "sources", "winds", "splits", "statistics", "storage", "cache_limit",
        )  # fmt: skip
        body = mapping(text, keys, where, needed=("name", "sources"))
        listed = body["sources"]
        if not isinstance(listed, list) or not listed:
            raise wrong("sources must be a list with one entry at least", where, listed, "add one")
        listed = [dated(e, f"{where}, sources[{i}]") for i, e in enumerate(listed)]
        text = body = {**body, "sources": listed}
        winds = choice(body.get("winds", WINDS[0]), WINDS, f"{where}, winds")
        parsed = tuple(
            read_entry(e, f"{where}, sources[{i}]", winds=winds) for i, e in enumerate(listed)
        )
        check_companions(parsed, where)
        splits = read_splits(body.get("splits"), f"{where}, splits")
        target = os.fspath(output) if output else body.get("output")
        if not isinstance(target, str) or not target:
            raise wrong("no output", where, target, "add output: ./out/NAME, or give --out")
        if "::" in target:  # in a URL it chains file systems
            raise wrong("an output's name cannot hold ::", where, target, "give another --out")
        return cls(
            name=str(body["name"]),
            output=target,
            sources=parsed,
            splits=splits,
            statistics=read_statistics(body.get("statistics"), splits, f"{where}, statistics"),
            storage=read_storage(body.get("storage"), f"{where}, storage"),
            base=os.fspath(base),
            text=text,
            cache_limit=parse_size(body["cache_limit"], f"{where}, cache_limit")
            if body.get("cache_limit") is not None
            else None,
        )
