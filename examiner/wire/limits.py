"""How much may be said on the wire, and the error of an end that says more or says it wrongly."""

from dataclasses import dataclass
from typing import Final

MAX_ERROR_TEXT: Final = 4000  # characters of an exception's text


class WireError(Exception):
    """The other end broke a bound or the format; what it says from here on means nothing."""


@dataclass(frozen=True)
class MessageLimits:
    """What may be said; sizes in bytes. `total` is for one conversation, all else for one message."""

    frame: int = 32 << 20
    items: int = 200_000
    depth: int = 32
    shared: int = 64 << 20
    total: int = 2 << 30
