"""A request as the store understands it, or its refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from aurora_prep.providers.embedded.archive import Holding
from aurora_prep.providers.embedded.gaussian import Gaussian
from aurora_prep.providers.embedded.region import Region
from aurora_prep.sources.spec import HOUR, Dialect, Grid, Native, Product

FORMATS = ("grib", "netcdf")
PACKAGES = ("unarchived", "zip")
SINGLE = ("data_format", "download_format")
REPEATABLE = ("area", "grid")
NO_COMBINATION = (
    "Request has not produced a valid combination of values, please check your selection."
)


class RefusedError(Exception):
    """The store refuses: what it answers, in the store's own words.

    Attributes:
        status: HTTP status.
        title: A few words, the same for every refusal of its kind.
        detail: What is wrong with this request.
        headers: Further HTTP headers.
        kind: The ``type`` of the answer; the title where it is the same.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        kind: str | None = None,
    ) -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.kind = kind or title


def invalid(detail: str) -> RefusedError:
    """The refusal of a request that makes no sense."""
    return RefusedError(400, "invalid request", detail)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A variable of a request.

    Attributes:
        native: What it is.
        points: Where its points lie.
        dialect: How its files are laid out.
    """

    native: Native
    points: Region | Gaussian
    dialect: Dialect

    @property
    def region(self) -> Region:
        """The points, which NetCDF has on regular grids alone.

        Raises:
            RefusedError: They do not lie on one.
        """
        if isinstance(self.points, Gaussian):
            raise invalid("a Gaussian grid is delivered as GRIB only")
        return self.points

    @property
    def stream(self) -> str:
        """The archive's stream it belongs to."""
        return dict(self.dialect.labels).get("stream", "oper")


class Field(NamedTuple):
    """One two-dimensional field: a GRIB message."""

    init_time: datetime
    lead_time: timedelta
    level: int | None
    wanted: Wanted

    @property
    def valid_time(self) -> datetime:
        """The moment described."""
        return self.init_time + self.lead_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a request selects.

    Attributes:
        dataset: The store's identifier of the collection.
        product: How the fields were made.
        wanted: Variables in the order asked.
        levels: hPa in the order asked; empty where there are none.
        times: Valid times, or init times of forecasts; increasing.
        lead_times: Lead times of each, increasing.
        data_format: ``grib`` or ``netcdf``.
        zipped: Whether the answer is wrapped in a ZIP.
        preliminary_from: From this time on ``expver`` is 0005.
        edition: GRIB edition: 1 with simple packing, 2 with CCSDS.
    """

    dataset: str
    product: Product
    wanted: tuple[Wanted, ...]
    levels: tuple[int, ...]
    times: tuple[datetime, ...]
    lead_times: tuple[timedelta, ...]
    data_format: str
    zipped: bool
    preliminary_from: datetime
    edition: int

    def __len__(self) -> int:
        """Number of fields."""
        each = sum(len(self.levels_of(wanted)) for wanted in self.wanted)
        return len(self.times) * len(self.lead_times) * each

    def levels_of(self, wanted: Wanted) -> tuple[int | None, ...]:
        """The levels of a variable; one ``None`` where it has none."""
        return self.levels if wanted.native.variable.has_levels else (None,)

    def fields(self) -> Iterator[Field]:
        """All fields in the store's order: time, then level, then variable."""
        for init_time, lead_time in product(self.times, self.lead_times):
            for level in (None, *self.levels):
                for wanted in self.wanted:
                    if wanted.native.variable.has_levels is (level is not None):
                        yield Field(init_time, lead_time, level, wanted)

    def expver(self, valid_time: datetime) -> str:
        """``0001`` for final, ``0005`` for preliminary fields."""
        return "0005" if valid_time >= self.preliminary_from else "0001"


def select(
    holding: Holding,
    request: Mapping[str, Any],
    *,
    now: datetime,
    preliminary_from: datetime,
    edition: int,
) -> Selection:
    """Read a request.

    Args:
        holding: The collection asked.
        request: The ``inputs`` the client sent.
        now: Nothing later than this is released; later times are left out in silence where
            others are left.
        preliminary_from: From this time on fields are preliminary.
        edition: GRIB edition to answer with.

    Raises:
        RefusedError: A value is unknown, missing or impossible, or nothing is left.
    """
    asked = {key: _texts(key, value) for key, value in request.items()}
    dialect = holding.collection.dialect
    _check_keys(holding, asked)
    offers = [holding.offers[name] for name in _among(asked, "variable", tuple(holding.offers))]
    levels: tuple[int, ...] = ()
    if any(offer.native.variable.has_levels for offer in offers):
        known = tuple(str(level) for level in holding.levels)
        levels = tuple(int(level) for level in _among(asked, "pressure_level", known))
    leads: tuple[timedelta, ...] = (timedelta(0),)
    if dialect.lead_key is not None:
        hours = sorted(map(int, _among(asked, dialect.lead_key, holding.lead_hours)))
        leads = tuple(hour * HOUR for hour in hours)
    formats = {dialect.spelling(name): name for name in FORMATS}
    data_format = formats[_among(asked, "data_format", tuple(formats), default=FORMATS[0])[0]]
    packed = _among(asked, "download_format", PACKAGES, default=PACKAGES[0])[0] == "zip"
    return Selection(
        dataset=holding.collection.dataset,
        product=holding.product,
        wanted=tuple(Wanted(o.native, _region(o.grid, asked), o.dialect) for o in offers),
        levels=levels,
        times=_times(holding, asked, now),
        lead_times=leads,
        data_format=data_format,
        zipped=packed or (dialect.split_by_level and data_format == "netcdf"),
        preliminary_from=preliminary_from,
        edition=edition,
    )


def _texts(key: str, value: Any) -> list[str]:
    """Values of a key as the store sees them: a list of texts."""
    values = value if isinstance(value, list) else [value]
    texts = []
    for item in values:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise invalid(f"Invalid type for {key!r}: {item!r}")
        texts.append(str(item).strip())
    if len(set(texts)) < len(texts) and key not in REPEATABLE:
        twice = next(text for text in texts if texts.count(text) > 1)
        raise invalid(f"request['{key}']: has repeated values in the list, e.g. '{twice}'")
    return texts


def _check_keys(holding: Holding, asked: Mapping[str, list[str]]) -> None:
    """Values of keys that the collection has; other keys pass, as they do in the store."""
    for key, value in dict(holding.collection.constants).items():
        if key in asked:
            _among(asked, key, (value,) if isinstance(value, str) else value)
    for key in SINGLE:
        if len(asked.get(key, ())) > 1:
            raise invalid(f"Please specify a single {key}.")


def _among(
    asked: Mapping[str, list[str]],
    key: str,
    known: tuple[str, ...],
    default: str | None = None,
) -> list[str]:
    """The values of a key, each of them known."""
    values = asked.get(key) or ([] if default is None else [default])
    if not values:
        raise invalid(f"Missing mandatory key: {key!r}")
    if strange := [value for value in values if value not in known]:
        raise invalid(f"{NO_COMBINATION}\n{key!r}: {strange} not among {list(known)}")
    return values


def _times(holding: Holding, asked: Mapping[str, list[str]], now: datetime) -> tuple[datetime, ...]:
    known = tuple(f"{hour:02d}:00" for hour in holding.hours)
    hours = sorted(int(text[:2]) for text in _among(asked, "time", known))
    days = _dates(asked)
    asked_times = [datetime(day.year, day.month, day.day, hour) for day in days for hour in hours]
    if all(moment > now for moment in asked_times):
        raise invalid(
            "None of the data you have requested is available yet, please revise the period"
            f" requested. The latest date available for this dataset is: {now:%Y-%m-%d %H:00}"
        )
    times = tuple(moment for moment in asked_times if holding.first <= moment <= now)
    if not times:
        raise invalid(
            f"{NO_COMBINATION}\n{days[0]} to {days[-1]}: the archive starts at {holding.first}"
        )
    return times


def _dates(asked: Mapping[str, list[str]]) -> list[date]:
    """Days asked for, in order; days a month does not have are left out, as the store does."""
    days: set[date] = set()
    if "date" in asked or not asked.keys() & {"year", "month", "day"}:
        for text in asked.get("date", ()):
            first, _, last = text.partition("/")
            try:
                start, end = date.fromisoformat(first), date.fromisoformat(last or first)
            except ValueError:
                raise invalid(
                    f'Date ranges must be of the form "start_date/end_date": "{text}"'
                ) from None
            days.update(start + timedelta(days=i) for i in range((end - start).days + 1))
    else:
        years, months, numbers = (_whole(asked, key) for key in ("year", "month", "day"))
        for year, month, number in product(years, months, numbers):
            try:
                days.add(date(year, month, number))
            except ValueError:
                continue
        if not days:
            raise invalid(f"No valid dates from year={years} month={months} day={numbers}")
    if not days:
        raise invalid(f"No valid dates from date={asked.get('date', [])}")
    return sorted(days)


def _whole(asked: Mapping[str, list[str]], key: str) -> list[int]:
    if not asked.get(key):
        raise invalid(f"Missing mandatory key: {key!r}")
    try:
        return [int(text) for text in asked[key]]
    except ValueError:
        raise invalid(f"Invalid integer for {key}: {asked[key]!r}") from None


def _numbers(asked: Mapping[str, list[str]], key: str, count: int) -> list[Fraction] | None:
    """The numbers of ``area`` or ``grid``, given as a list or as ``90/-10/80/10``."""
    if key not in asked:
        return None
    texts = asked[key][0].split("/") if len(asked[key]) == 1 else asked[key]
    try:
        numbers = [Fraction(text) for text in texts]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if len(numbers) != count:
        raise invalid(
            f"Invalid {key} provided: {asked[key]!r}. Should be a list of {count} numeric values."
        )
    return numbers


def _region(grid: Grid, asked: Mapping[str, list[str]]) -> Region:
    steps, area = _numbers(asked, "grid", 2), _numbers(asked, "area", 4)
    if steps is not None and min(steps) <= 0:
        raise invalid(f"Invalid grid provided: {asked['grid']!r}. Steps are positive degrees.")
    if area is not None:
        north, west, south, east = area
        inside = -90 <= south <= north <= 90 and -360 <= west <= 360 and -360 <= east <= 360  # noqa: PLR2004  # degrees
        if not inside:
            raise invalid(
                f"Invalid area provided: {asked['area']!r}. North, west, south, east in degrees."
            )
    region = Region.of(
        grid,
        (steps[0], steps[1]) if steps else None,
        (area[0], area[1], area[2], area[3]) if area else None,
    )
    if region is None:
        raise invalid("request area contains no grid points")
    return region
