"""Recipe: what the user asked for, read strictly from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from aurora_prep.pipelines.recipe.entry import SourceRecipe, check_companions, read_entry
from aurora_prep.pipelines.recipe.settings import (
    Split,
    StatisticsRecipe,
    StorageRecipe,
    read_splits,
    read_statistics,
    read_storage,
)
from aurora_prep.pipelines.recipe.values import mapping, plain, wrong
from aurora_prep.sources.spec import RecipeError, digest_of


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

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the output."""
        return digest_of(self.decisive)

    @property
    def decisive(self) -> dict[str, Any]:
        """The recipe without the place of its output."""
        return {key: value for key, value in self.text.items() if key != "output"}

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
    def load(cls, path: str | Path, *, output: str | None = None) -> Recipe:
        """Read and check a recipe file.

        Raises:
            RecipeError: The file cannot be read, is not YAML, or asks for
                something that does not exist.
        """
        path = Path(path)
        try:
            text = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  it is safe
        except OSError as error:
            raise RecipeError(
                "the recipe cannot be read", str(path), error.strerror or str(error), "give a file"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(
                "the recipe is not YAML", str(path), " ".join(str(error).split()), "mend the file"
            ) from error
        return cls.parse(text, where=str(path), base=str(path.resolve().parent), output=output)

    @classmethod
    def parse(
        cls, text: Any, *, where: str = "recipe", base: str = ".", output: str | None = None
    ) -> Recipe:
        """Check a recipe given as plain values.

        Raises:
            RecipeError: A key is unknown or missing, or a value makes no sense.
        """
        text = plain(text)
        keys = ("name", "output", "sources", "splits", "statistics", "storage")
        body = mapping(text, keys, where, needed=("name", "sources"))
        listed = body["sources"]
        if not isinstance(listed, list) or not listed:
            raise wrong("sources must be a list with one entry at least", where, listed, "add one")
        parsed = tuple(read_entry(e, f"{where}, sources[{i}]") for i, e in enumerate(listed))
        check_companions(parsed, where)
        splits = read_splits(body.get("splits"), f"{where}, splits")
        target = output or body.get("output")
        if not isinstance(target, str) or not target:
            raise wrong("no output", where, target, "add output: ./out/NAME, or give --out")
        return cls(
            name=str(body["name"]),
            output=target,
            sources=parsed,
            splits=splits,
            statistics=read_statistics(body.get("statistics"), splits, f"{where}, statistics"),
            storage=read_storage(body.get("storage"), f"{where}, storage"),
            base=base,
            text=text,
        )


class _Loader(yaml.SafeLoader):
    """Plain values, as ``safe_load`` gives them; a key given twice is refused, not replaced."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  as PyYAML declares it
        keys = [self.construct_object(key) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                problem, mark = f"key {key!r} is given twice", node.value[position][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, problem, mark)
        return super().construct_mapping(node, deep)
