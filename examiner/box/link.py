"""What is said on the link between a server of boxes and whoever it serves; messages are datagrams."""

import os
from typing import Final

DATAGRAM_BYTES: Final = 4096
KILLED: Final = b"killed"  # the largest process of a box was killed, for the memory of all of them together
LOOK_MS: Final = 50  # between two looks at the memory of a box


def last_line(descriptor: int) -> str:
    """Return the last line of an open file of error messages: what ended the process that wrote it."""
    return os.pread(descriptor, DATAGRAM_BYTES, 0).decode("utf-8", "replace").strip().rpartition("\n")[2]
