"""What a provider delivered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived.

    Attributes:
        bytes: Size, equal to what the provider announced.
        confirmed: Whether the provider's checksum confirms the bytes; ``None``
            where it gives none.
    """

    bytes: int
    confirmed: bool | None
