"""Names of the files of a dataset, each written once."""

BEGUN = "manifest/recipe.json"
"""The note that claims an output for a recipe; written first, removed last."""
