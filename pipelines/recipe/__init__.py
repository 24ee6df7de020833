"""Recipe: what the user asked for, read strictly from YAML."""

from aurora_prep.pipelines.recipe.entry import FILES, METHODS, NATIVE_GRID, ZARR, SourceRecipe
from aurora_prep.pipelines.recipe.recipe import Recipe
from aurora_prep.pipelines.recipe.settings import Split, StatisticsRecipe, StorageRecipe
from aurora_prep.pipelines.recipe.values import parse_duration, parse_time

__all__ = [
    "FILES",
    "METHODS",
    "NATIVE_GRID",
    "ZARR",
    "Recipe",
    "SourceRecipe",
    "Split",
    "StatisticsRecipe",
    "StorageRecipe",
    "parse_duration",
    "parse_time",
]
