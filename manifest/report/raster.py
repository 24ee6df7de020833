"""A field as a small picture: PNG with one of 64 colours a point, missing values clear."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aurora_prep.manifest.report.palette import COLOURS, Palette
from aurora_prep.manifest.report.scale import Scale


def picture(field: NDArray[np.float32], scale: Scale, palette: Palette) -> str:
    """A field as a data URL.

    Args:
        field: Values, shape ``(rows, columns)``, in the order in which they are seen.
        scale: Its limits.
        palette: Its colours.

    Returns:
        ``data:image/png;base64,...``: as many pixels as the field has points.
    """
    missing = np.isnan(field)
    steps = np.where(missing, 0.0, scale.fractions(np.where(missing, scale.low, field)) * COLOURS)
    indices = np.minimum(steps.astype(np.uint8), COLOURS - 1)
    indices[missing] = COLOURS
    image = Image.fromarray(indices)
    image.putpalette([*(part for colour in palette.colours for part in colour), 128, 128, 128])
    sink = io.BytesIO()
    image.save(sink, "PNG", optimize=True, transparency=COLOURS)
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode("ascii")
