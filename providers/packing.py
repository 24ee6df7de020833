"""Stored numbers to values, by the attributes that CF gives them: as xarray reads them."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SENTINELS = ("_FillValue", "missing_value")
PACKING = frozenset({"scale_factor", "add_offset", "_Unsigned", *SENTINELS})
DOUBLE = 8  # bytes of the number that xarray writes in base64


def unpack(raw: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[np.float64]:
    """Values in float64: missing ones NaN, packed ones scaled.

    Source of the rules: the CF conventions, section 8.1, as xarray applies them.

    Args:
        raw: Numbers as they are stored.
        attributes: Attributes of their variable.

    Returns:
        The same shape.

    Raises:
        ValueError: An attribute of packing is no number.
    """
    unsigned = str(attributes.get("_Unsigned", "")).lower()
    if unsigned == "true" and raw.dtype.kind == "i":
        raw = raw.view(raw.dtype.str.replace("i", "u"))
    elif unsigned == "false" and raw.dtype.kind == "u":
        raw = raw.view(raw.dtype.str.replace("u", "i"))
    values = raw.astype(np.float64)
    for key in SENTINELS:
        if key in attributes:
            for sentinel in _sentinels(
                attributes[key], raw.dtype, key, wraps=bool(unsigned) and key == "_FillValue"
            ):
                values[raw == sentinel] = np.nan
    if "scale_factor" in attributes:
        values *= _number(attributes["scale_factor"], "scale_factor")
    if "add_offset" in attributes:
        values += _number(attributes["add_offset"], "add_offset")
    return values


def number_of(text: str | bytes, key: str) -> float:
    """A number in text: as it is written, or as xarray writes it into Zarr 3.

    Raises:
        ValueError: It is none.
    """
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    try:
        return float(plain)
    except ValueError:
        pass
    try:
        data = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{key} is {plain!r}, which is no number") from error
    if len(data) != DOUBLE:
        raise ValueError(f"{key} is {plain!r}, which is no number")
    return float(struct.unpack("<d", data)[0])


def is_packed(attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes change what the stored numbers mean."""
    return not PACKING.isdisjoint(attributes)


def _sentinels(value: Any, dtype: np.dtype[Any], key: str, *, wraps: bool) -> list[Any]:
    """The value that marks a missing point, in the type of the stored numbers.

    Args:
        value: The attribute: a number, several, or text.
        dtype: Type of the stored numbers.
        key: Name of the attribute.
        wraps: Whether the sign of the stored numbers is another than that of their type, so
            that a sentinel of the other sign is the same bits.
    """
    found: list[Any] = []
    for one in np.ravel(np.asarray(_plain(value), dtype=object)).tolist():
        number = _number(number_of(one, key) if isinstance(one, str | bytes) else one, key)
        if np.isnan(number):
            continue  # it is missing as it is
        if dtype.kind in "iu":
            whole = int(one) if isinstance(one, int | np.integer) else int(number)
            limits, span = np.iinfo(dtype), 2 ** (8 * dtype.itemsize)
            if wraps:
                whole = (whole - limits.min) % span + limits.min
            if limits.min <= whole <= limits.max and number == int(number):
                found.append(whole)
        else:
            with np.errstate(over="ignore"):
                found.append(np.float64(number).astype(dtype))
    return found


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _number(value: Any, key: str) -> float:
    try:
        found = np.ravel(np.asarray(value)).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} is {value!r}, which is no number") from error
    if found.size != 1:
        raise ValueError(f"{key} is {value!r}, which is not one number")
    return float(found[0])
