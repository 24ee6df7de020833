"""How values are scaled: transforms, exact mergeable statistics, export to Aurora."""
