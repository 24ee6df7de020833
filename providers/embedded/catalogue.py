"""The store's catalogue and profile: what it says about collections, licences and itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aurora_prep.providers.embedded.archive import Holding
from aurora_prep.providers.embedded.call import Call
from aurora_prep.providers.embedded.costing import DATE_PARTS
from aurora_prep.providers.embedded.selection import FORMATS, RefusedError
from aurora_prep.sources.spec import Dates

SYNTHETIC = "Embedded provider of aurora-prep: every value is synthetic, from closed formulas."
LICENCE = {"id": "synthetic-licence", "revision": 1, "label": "No licence: synthetic data"}
ACCOUNT = {"sub": "synthetic", "id": 1, "role": "user", "email": "synthetic@localhost"}
SEVERITY = "info"


def messages() -> dict[str, Any]:
    """Announcements of the store: one, which says what it is."""
    notice = {
        "id": "synthetic",
        "date": "2026-01-01T00:00:00Z",
        "summary": SYNTHETIC,
        "url": None,
        "severity": SEVERITY,
        "content": SYNTHETIC,
        "live": True,
        "show_date": False,
    }
    return {"messages": [notice]}


def collection(
    call: Call, holding: Holding, last: datetime, disabled: str | None
) -> dict[str, Any]:
    """A record of the catalogue.

    Args:
        call: Who asks; links lead to the same server.
        holding: The collection.
        last: The last time that is released.
        disabled: Why it is closed, where it is.
    """
    dataset = holding.collection.dataset
    catalogue = f"{call.base}/api/catalogue/v1/collections/{dataset}"
    process = f"{call.base}/api/retrieve/v1/processes/{dataset}"
    north, west = float(holding.grid.north), float(holding.grid.west)
    box = [west, float(holding.grid.south), float(holding.grid.east), north]
    period = [f"{holding.first.isoformat()}Z", f"{last.isoformat()}Z"]
    licence = {"rel": "license", "href": f"{call.base}/licences/{LICENCE['id']}"}
    return {
        "type": "Collection",
        "id": dataset,
        "title": holding.title,
        "description": SYNTHETIC,
        "published": "2024-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "extent": {"spatial": {"bbox": [box]}, "temporal": {"interval": [period]}},
        "cads:disabled_reason": disabled,
        "cads:sanity_check": {"status": "available", "timestamp": "2026-01-01T00:00:00Z"},
        "cads:message": None,
        "links": [
            {"rel": "self", "href": catalogue},
            {**licence, "id": LICENCE["id"], "rev": LICENCE["revision"]},
            {"rel": "form", "href": f"{catalogue}/form.json"},
            {"rel": "constraints", "href": f"{catalogue}/constraints.json"},
            {"rel": "messages", "href": f"{catalogue}/messages"},
            {"rel": "retrieve", "href": process},
            {"rel": "costing_api", "href": f"{process}/costing"},
        ],
    }


def values_of(holding: Holding) -> dict[str, list[str]]:
    """Values that each key of a request may have."""
    dialect = holding.collection.dialect
    found: dict[str, list[str]] = {
        key: [value] if isinstance(value, str) else list(value)
        for key, value in holding.collection.constants
    }
    found["variable"] = list(holding.offers)
    found["time"] = [f"{hour:02d}:00" for hour in holding.hours]
    if holding.levels:
        found["pressure_level"] = [str(level) for level in holding.levels]
    if dialect.lead_key is not None:
        found[dialect.lead_key] = list(holding.lead_hours)
    found["data_format"] = [dialect.spelling(name) for name in FORMATS]
    if dialect.dates is Dates.PARTS:
        found["year"] = [
            f"{year}" for year in range(holding.first.year, datetime.now(UTC).year + 1)
        ]
        found["month"] = [f"{month:02d}" for month in range(1, 13)]
        found["day"] = [f"{day:02d}" for day in range(1, 32)]
    return found


def form(holding: Holding) -> list[dict[str, Any]]:
    """The form of the web site: one widget a key, and the licences."""
    widgets: list[dict[str, Any]] = [
        {"name": key, "type": "StringListWidget", "details": {"values": values}}
        for key, values in values_of(holding).items()
    ]
    widgets.append(
        {"name": "licences", "type": "LicenceWidget", "details": {"licences": [dict(LICENCE)]}}
    )
    return widgets


def constraints(
    holding: Holding, inputs: Mapping[str, Any], released: datetime
) -> dict[str, list[str]]:
    """Values of each key that can still be chosen: none for days that are not released.

    Raises:
        RefusedError: A key is not known.
    """
    held = values_of(holding)
    known = {*held, "date", "area", "grid", "download_format", *DATE_PARTS}
    for key in inputs:
        if key not in known:
            raise RefusedError(422, "invalid parameter", f"invalid param '{key}'")
    days = _days(inputs)
    if days and all(not holding.first <= day <= released for day in days):
        return {key: [] for key in held}
    return held


def licences() -> dict[str, Any]:
    """The vocabulary of licences."""
    licence = {
        **LICENCE,
        "contents_url": "",
        "attachment_url": "",
        "scope": "dataset",
        "portal": "synthetic",
        "spdx_identifier": None,
    }
    return {"licences": [licence]}


def _days(inputs: Mapping[str, Any]) -> list[datetime]:
    """Days of a selection, those that can be read."""

    def texts(key: str) -> list[str]:
        value = inputs.get(key, [])
        return [str(item) for item in (value if isinstance(value, list) else [value])]

    written = [text.partition("/")[0] for text in texts("date")] or [
        f"{year}-{month:0>2}-{day:0>2}"
        for year in texts("year")
        for month in texts("month")
        for day in texts("day")
    ]
    found = []
    for text in written:
        try:
            found.append(datetime.fromisoformat(text))
        except ValueError:
            continue
    return found
