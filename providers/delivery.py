"""What a provider delivered."""

from collections.abc import Callable
from dataclasses import dataclass, field


def nothing_to_do() -> None:
    """Settle nothing."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived.

    Attributes:
        bytes: Size, equal to what the provider announced.
        confirmed: Whether the provider's checksum confirms the bytes; ``None``
            where it gives none.
        left_out: Fields that are not in the answer, each with the reason.
        settle: To be called when the file is kept, or refused: the provider may forget it.
    """

    bytes: int
    confirmed: bool | None
    left_out: tuple[str, ...] = ()
    settle: Callable[[], None] = field(default=nothing_to_do, compare=False, repr=False)
