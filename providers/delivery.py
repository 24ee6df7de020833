"""What a provider delivered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived.

    Attributes:
        bytes: Size, equal to what the provider announced.
        confirmed: Whether the provider's checksum confirms the bytes; ``None``
            where it gives none.
        left_out: Fields that are not in the answer, each with the reason.
    """

    bytes: int
    confirmed: bool | None
    left_out: tuple[str, ...] = ()
