"""HTML and SVG as text, escaped by construction: only this module makes markup of strings."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = frozenset({"meta", "link", "br", "hr", "img", "col"})


class Markup(str):
    """Text that is markup already; every other string is data, and is escaped."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Data as text of a page, safe between tags and within a quoted attribute."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def join(children: object) -> Markup:
    """Children one after the other; ``None`` leaves nothing, iterables are flattened."""
    if children is None:
        return Markup("")
    if isinstance(children, str) or not isinstance(children, Iterable):
        return escape(children)
    return Markup("".join(join(child) for child in children))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element.

    Args:
        name: Name of the element, written by us and never taken from data.
        *children: Markup, data (escaped), or iterables of these.
        **attributes: Values of attributes. A trailing underscore is dropped, any other
            becomes a hyphen; ``None`` and ``False`` leave the attribute out, ``True``
            gives it no value.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        spelt = key.removesuffix("_").replace("_", "-")
        parts.append(f" {spelt}" if value is True else f' {spelt}="{escape(value)}"')
    inside = join(children)
    if name in VOID:
        return Markup("".join([*parts, ">"]))
    return Markup("".join([*parts, ">", inside, f"</{name}>"]))
