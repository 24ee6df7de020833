"""What is wanted of a file, in the words of its index: the planner writes, the client reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aurora_prep.sources.spec import FetchError, Request
from aurora_prep.sources.spec.index_access import IndexForm

OTHERWISE, AND = " else ", " + "
NAMED = re.compile(r"(?P<words>.+)=(?P<param>\d+)(?:@(?P<level>\d+))?")


@dataclass(frozen=True, slots=True)
class Named:
    """One field as an index and as its message name it.

    Attributes:
        words: As in the index, without the step: ``TMP:500 mb``, ``t/pl/500``.
        param: ``paramId`` of the message.
        level: hPa; ``None`` where there is none.
    """

    words: str
    param: int
    level: int | None

    def __str__(self) -> str:
        level = "" if self.level is None else f"@{self.level}"
        return f"{self.words}={self.param}{level}"

    @classmethod
    def parse(cls, text: str, where: str) -> Named:
        """Read the text form back.

        Raises:
            FetchError: It is another text.
        """
        match = NAMED.fullmatch(text)
        if match is None:
            raise FetchError("a request names no field", where, repr(text), "plan it again")
        level = match["level"]
        return cls(match["words"], int(match["param"]), int(level) if level else None)


@dataclass(frozen=True, slots=True)
class Choice:
    """A field, and what takes its place where it is lacking.

    Attributes:
        first: The field itself.
        instead: The fields that it is computed from; empty where it cannot be.
    """

    first: Named
    instead: tuple[Named, ...] = ()

    def __str__(self) -> str:
        instead = AND.join(map(str, self.instead))
        return f"{self.first}{OTHERWISE}{instead}" if instead else str(self.first)

    @classmethod
    def parse(cls, text: str, where: str) -> Choice:
        """Read the text form back."""
        first, _, instead = text.partition(OTHERWISE)
        others = instead.split(AND) if instead else ()
        return cls(Named.parse(first, where), tuple(Named.parse(o, where) for o in others))


@dataclass(frozen=True, slots=True)
class Key:
    """One field of one step: what a message must be.

    Attributes:
        named: The field.
        step: Hours ahead of the init time.
    """

    named: Named
    step: int

    def __str__(self) -> str:
        return f"{self.named.words} +{self.step} h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, read.

    Attributes:
        files: Where the file may be, the likeliest place first.
        secondary: Where the file may be that is asked for what the first lacks.
        form: The index beside it.
        choices: The fields.
        steps: Hours ahead of the init time.
        init_time: Start of the forecast.
        member: Number of the member in the messages; ``None`` of what is no ensemble.
    """

    files: tuple[str, ...]
    secondary: tuple[str, ...]
    form: IndexForm
    choices: tuple[Choice, ...]
    steps: tuple[int, ...]
    init_time: datetime
    member: int | None

    @classmethod
    def of(cls, request: Request) -> Ask:
        """Read the body of a request.

        Raises:
            FetchError: It was not planned for this client.
        """
        body, where = request.body, f"request {request.digest[:12]}"
        try:
            return cls(
                files=_texts(body["file"]),
                secondary=_texts(body.get("secondary", [])),
                form=IndexForm(str(body["index"])),
                choices=tuple(Choice.parse(text, where) for text in _texts(body["fields"])),
                steps=tuple(int(text) for text in _texts(body["steps"])),
                init_time=datetime.strptime(str(body["time"]), "%Y-%m-%dT%H"),
                member=int(str(body["member"])) if "member" in body else None,
            )
        except (KeyError, ValueError) as error:
            raise FetchError(
                "a request is not one for files with an index", where, repr(error), "plan it again"
            ) from None

    def keys(self, named: Iterable[Named]) -> list[Key]:
        """Each of some fields at each step."""
        return [Key(name, step) for name in named for step in self.steps]


def body_of(
    *,
    files: Sequence[str],
    secondary: Sequence[str],
    form: IndexForm,
    choices: Sequence[str],
    steps: Sequence[int],
    init_time: datetime,
    member: int | None,
) -> dict[str, str | list[str]]:
    """The body of a request, which :meth:`Ask.of` reads; choices are in their text form."""
    body: dict[str, str | list[str]] = {
        "file": list(files),
        "index": str(form),
        "time": f"{init_time:%Y-%m-%dT%H}",
        "steps": [str(step) for step in steps],
        "fields": list(choices),
    }
    if secondary:
        body["secondary"] = list(secondary)
    if member is not None:
        body["member"] = str(member)
    return body


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
