"""The messages between a server that starts candidates and its client; each is one datagram."""

import os
from typing import Final

DATAGRAM_BYTES: Final = 4096
KILLED: Final = b"killed"  # the largest process of a box was killed, as all of them used too much memory
FORBID: Final = b"forbid"  # the message, and its reply, that stops a process from starting others
ONLY: Final = b"only"  # the message that ends all processes but some, and the begin of its reply
ALL_ENDED: Final = b"done"  # the rest of that reply, if all others have ended
LOOK_MS: Final = 50  # milliseconds between two checks of a box's memory


def last_line(descriptor: int) -> str:
    """Return the last line of an open file of error messages: it says why the process that wrote it ended."""
    return os.pread(descriptor, DATAGRAM_BYTES, 0).decode("utf-8", "replace").strip().rpartition("\n")[2]
