"""How many tokens Aurora makes of a frame."""

from aurora_prep.sources.spec import Grid

PATCH = {"0.25": 4, "0.1": 10, "0.4": 3}
LATENT_LEVELS = 4


def tokens_of(grid: Grid) -> int | None:
    """Tokens of one frame, ``None`` for a grid that no released Aurora takes.

    The encoder cuts latitude and longitude into patches, after dropping the rows beyond the
    last whole patch (the south pole), and folds the levels of the atmosphere into three
    latent levels, with a fourth for the surface.

    Source:
        Bodnar et al., "A foundation model for the Earth system", Nature 2025, Methods:
        720/4 x 1440/4 x (3 + 1) = 259,200 for the 0.25 degree grid.
    """
    patch = PATCH.get(grid.name)
    if patch is None:
        return None
    return (grid.rows // patch) * (grid.columns // patch) * LATENT_LEVELS
