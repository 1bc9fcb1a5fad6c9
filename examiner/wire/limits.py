"""Limits on the messages of the wire, and the error of an end that exceeds them or breaks the format."""

from dataclasses import dataclass
from typing import Final

MAX_ERROR_TEXT: Final = 4000  # characters of an exception's text


class WireError(Exception):
    """The other end exceeded a limit or broke the format; its further messages cannot be used."""


@dataclass(frozen=True)
class MessageLimits:
    """How much may be sent, in bytes or items; `total` is for a conversation, the others for one message."""

    frame: int = 32 << 20
    items: int = 200_000
    depth: int = 32
    shared: int = 64 << 20
    total: int = 2 << 30
