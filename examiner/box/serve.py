"""The loop of a warm server: it starts one boxed process at a time when asked, and watches its memory.

Messages on its link are datagrams:

    start + limits as JSON, descriptors  →  started, pidfd  |  failed + reason
                                         →  killed, before a process is killed since all use too much memory
    end                                  →  (nothing)
    forbid + number of a process         →  forbid: the process can start no others and write no files

A server can have requests of its own besides; each is answered by one datagram.
"""

import contextlib
import json
import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Final

from examiner.box.box import Box, Boxed, WallsFailed
from examiner.box.limits import ResourceLimits, forbid_more
from examiner.box.link import DATAGRAM_BYTES, FORBID, KILLED, LOOK_MS

MOST_DESCRIPTORS: Final = 253  # the kernel's limit for one datagram

Descriptors = Sequence[int]
Request = Callable[[bytes, Descriptors], bytes]


def serve(
    link: socket.socket,
    box: Box,
    run: Callable[[Descriptors], object],
    environment: Mapping[str, str],
    others: Mapping[bytes, Request],
) -> None:
    """Answer on the link until it is closed.

    Parameters
    ----------
    run
        What a boxed process does with the descriptors of its `start`.
    environment
        The environment variables of a boxed process.
    others
        This server's own requests, by verb. They are called with what follows the verb and with descriptors,
        while no boxed process lives, and return the answer.
    """
    boxed: Boxed | None = None
    while True:
        if boxed is not None:
            _watch_until_message(link, box, boxed)
        message, descriptors, _, _ = socket.recv_fds(link, DATAGRAM_BYTES, MOST_DESCRIPTORS)
        verb, _, argument = message.partition(b" ")
        if verb == FORBID:
            with contextlib.suppress(ProcessLookupError):
                forbid_more(int(argument))
            link.send(FORBID)
            continue
        if boxed is not None:
            box.end(boxed)
            boxed = None
        if not verb:
            return
        if verb == b"start":
            body = partial(run, descriptors)
            boxed = _started(link, partial(box.start, body, _limits(argument), descriptors, environment))
        elif verb in others:
            link.send(others[verb](argument, descriptors))
        for descriptor in descriptors:
            os.close(descriptor)


@cache
def _limits(text: bytes) -> ResourceLimits:
    return ResourceLimits(**json.loads(text))


def _watch_until_message(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Check the memory of a boxed process from time to time until there is a message."""
    poll, is_over = select.poll(), False
    poll.register(link, select.POLLIN)
    while not poll.poll(0 if is_over else LOOK_MS):
        is_over = box.look_after(boxed, partial(link.send, KILLED))


def _started(link: socket.socket, start: Callable[[], Boxed]) -> Boxed | None:
    try:
        boxed = start()
    except WallsFailed as error:
        link.send(f"failed {error}".encode())
        return None
    socket.send_fds(link, [b"started"], [boxed.pidfd])
    return boxed
