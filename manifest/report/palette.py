"""Colour maps that colour-blind readers can follow, and that work in grey; made in OKLab.

Anchors are ours. Lightness runs one way through a sequential map, and to both sides of a
diverging one; blue and orange are the pair that every common deficiency keeps apart.

Source:
    Björn Ottosson, "A perceptual color space for image processing" (2020), for OKLab.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

COLOURS = 64
"""Steps of a map: more cannot be told apart, and fewer make smaller pictures."""

ANCHORS = {
    "sequential": ("#1d1147", "#263f8c", "#16749a", "#2aa584", "#93cf5c", "#fbf08b"),
    "diverging": ("#0b2f63", "#2f7ab8", "#a9d0e6", "#f6f4ef", "#f5c08a", "#cf6a1e", "#6b2508"),
    "cyclic": ("#f0ead6", "#d9903d", "#5b2a52", "#3d6fb3", "#f0ead6"),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True, slots=True)
class Palette:
    """A named map of colours.

    Attributes:
        name: ``sequential``, ``diverging`` or ``cyclic``.
        colours: ``(red, green, blue)`` of 0 to 255, from the lowest value to the highest.
    """

    name: str
    colours: tuple[tuple[int, int, int], ...]

    @property
    def stops(self) -> tuple[tuple[float, str], ...]:
        """``(fraction, #rrggbb)`` of a gradient that looks the same."""
        last = len(self.colours) - 1
        picked = sorted({*range(0, last, 4), last})
        return tuple((i / last, "#{:02x}{:02x}{:02x}".format(*self.colours[i])) for i in picked)


@cache
def palette(name: str) -> Palette:
    """A map of colours by its name."""
    anchors = np.array([_rgb(text) for text in ANCHORS[name]])
    lab = np.cbrt(_linear(anchors) @ TO_LMS.T) @ TO_LAB.T
    at, places = np.linspace(0, 1, COLOURS), np.linspace(0, 1, len(anchors))
    between = np.stack([np.interp(at, places, channel) for channel in lab.T], axis=1)
    linear = (between @ np.linalg.inv(TO_LAB).T) ** 3 @ np.linalg.inv(TO_LMS).T
    levels = np.rint(_gamma(np.clip(linear, 0, 1)) * 255).astype(int)
    return Palette(name, tuple((int(r), int(g), int(b)) for r, g, b in levels))


def _rgb(text: str) -> tuple[float, ...]:
    return tuple(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _linear(values: Float) -> Float:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004  # sRGB


def _gamma(values: Float) -> Float:
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)  # noqa: PLR2004  # sRGB
