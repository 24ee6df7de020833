"""Aurora's names for the fields of a sample, and the few fields it derives from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from aurora_prep.manifest.training.buffers import Field
from aurora_prep.sources.spec import ManifestError

# Where Aurora's name is not the short name. ``scaled_``: Aurora takes the logarithm itself.
SHORT_NAMES = {
    "scaled_sd": "sd",
    "scaled_tp_1h": "tp",
    "scaled_sf_1h": "sf",
    "uvb_1h": "uvb",
    "ssrd_1h": "ssrd",
    "ttr_1h": "ttr",
}
# Missing over land, where the released example for Aurora 1.5 puts 0.
FILLED = frozenset({"ci"})
COMPUTED = "insolation"
WAVE_WIND, WAVE_COMPONENTS = ("wind", "dwi"), ("10u_wave", "10v_wave")
CHANNELS = ("_density", "_sin", "_cos")
CLASSES = ("slt", "tvh", "tvl")
BATHYMETRY = "wmb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which fields go into a batch, by Aurora's names; ``None``: all that a sample has.

    Attributes:
        surf: Surface variables of inputs and targets.
        static: Static variables.
        atmos: Variables on pressure levels.
        targets_only: Surface variables that are predicted without being an input; those that
            a sample lacks are left out.
    """

    surf: tuple[str, ...] | None = None
    static: tuple[str, ...] | None = None
    atmos: tuple[str, ...] | None = None
    targets_only: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any) -> Self:
        """What a model takes.

        Args:
            model: An instance of one of Aurora's classes. What it makes of other fields by
                itself (sines and cosines of directions, presence of waves, components of
                their wind) is named by the fields it makes that of.
        """
        surf = [_channel_of(name) for name in model.surf_vars]
        if set(WAVE_COMPONENTS) & set(surf):
            surf = [name for name in surf if name not in WAVE_COMPONENTS] + [*WAVE_WIND]
        only = tuple(model.output_only_surf_vars)
        inputs = tuple(name for name in dict.fromkeys(surf) if name not in only)
        static, atmos = tuple(model.static_vars), tuple(model.atmos_vars)
        return cls(surf=inputs, static=static, atmos=atmos, targets_only=only)


def chosen(fields: Mapping[str, Field], kind: str, names: Iterable[str] | None) -> dict[str, Field]:
    """Fields of one kind by Aurora's names.

    Args:
        fields: By path.
        kind: ``surface`` or ``atmospheric``.
        names: Aurora's names; ``None`` for all of that kind.

    Raises:
        ManifestError: A field is not there.
    """
    own = _of_kind(fields, kind)
    if names is None:
        return own
    found = {}
    for name in names:
        short = SHORT_NAMES.get(name, name)
        if short not in own:
            raise lacking(f"{kind}/{short}", own)
        found[name] = np.nan_to_num(own[short]) if name in FILLED else own[short]
    return found


def static_as_aurora(fields: Mapping[str, Field], names: Iterable[str] | None) -> dict[str, Field]:
    """Static fields by Aurora's names, as it takes them.

    Bathymetry runs from 0 on land to 1. ``slt_3``, ``tvh_0`` and the like are 1 where the
    class of soil or vegetation is that, else 0.

    Args:
        fields: By path, ``(latitude, longitude)``.
        names: Aurora's names; ``None`` for all fields as they are.

    Raises:
        ManifestError: A field is not there.
    """
    own = _of_kind(fields, "static")
    if BATHYMETRY in own:
        depth = np.maximum(np.nan_to_num(own[BATHYMETRY]), 0)
        own[BATHYMETRY] = (depth / max(float(depth.max(initial=0)), 1.0)).astype(np.float32)
    found = {}
    for name in own if names is None else names:
        base, _, code = name.rpartition("_")
        if name in own:
            found[name] = own[name]
        elif base in CLASSES and base in own and code.isdecimal():
            found[name] = (own[base] == int(code)).astype(np.float32)
        else:
            raise lacking(f"static/{name}", own)
    return found


def lacking(path: str, own: Iterable[str]) -> ManifestError:
    """The error for a field that Aurora needs and that is missing from a sample."""
    return ManifestError(
        "the samples lack a field that the model takes",
        path,
        f"there are {sorted(own)}",
        "add it to the recipe, name its source as a companion, or give it as one of the statics",
    )


def _channel_of(name: str) -> str:
    for channel in CHANNELS:
        name = name.removesuffix(channel)
    return name


def _of_kind(fields: Mapping[str, Field], kind: str) -> dict[str, Field]:
    prefix = f"{kind}/"
    return {p.removeprefix(prefix): field for p, field in fields.items() if p.startswith(prefix)}
