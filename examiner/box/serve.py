"""The loop of a warm server: it starts one boxed process at a time when asked, and watches its memory.

Messages on its link are datagrams:

    start + limits as JSON, descriptors  →  started, pidfd  |  failed + reason
                                         →  killed, before a process is killed since all use too much memory
    end                                  →  (nothing)
    forbid + number of a process         →  forbid: the process can start no others and write no files
    only + numbers of processes          →  only + done, if no others live any more

A server can have requests of its own besides; each is answered by one datagram.
"""

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Final

from examiner.box.box import Box, Boxed, WallsFailed
from examiner.box.limits import ResourceLimits, forbid_more
from examiner.box.link import ALL_ENDED, DATAGRAM_BYTES, FORBID, KILLED, LOOK_MS, ONLY

PAUSE: Final = 10  # between two looks at a box's memory, in times of what a look takes
MOST_DESCRIPTORS: Final = 253  # the kernel's limit for one datagram

Descriptors = Sequence[int]
Request = Callable[[bytes, Descriptors], bytes]


def serve(  # noqa: PLR0913 - a link, and all that is behind it
    link: socket.socket,
    box: Box,
    run: Callable[[Descriptors], object],
    environment: Mapping[str, str],
    others: Mapping[bytes, Request],
    *,
    children_live_on: bool = False,
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
    children_live_on
        Whether what a boxed process starts lives on when it has ended, until the box is ended.
    """
    os.set_inheritable(link.fileno(), False)  # or an init would keep the link open
    start = partial(box.start, children_live_on=children_live_on)
    boxed: Boxed | None = None
    while True:
        if boxed is not None:
            _watch_until_message(link, box, boxed)
        message, descriptors, _, _ = socket.recv_fds(link, DATAGRAM_BYTES, MOST_DESCRIPTORS)
        for descriptor in descriptors:  # `recv_fds` passes no flags on
            os.set_inheritable(descriptor, False)
        verb, _, argument = message.partition(b" ")
        if boxed is not None and verb in {FORBID, ONLY}:
            link.send(_curbed(box, boxed, verb, [int(number) for number in argument.split()]))
            continue
        if boxed is not None:
            box.end(boxed)
            boxed = None
        if not verb:
            return
        if verb == b"start":
            body = partial(run, descriptors)
            boxed = _started(link, partial(start, body, _limits(argument), descriptors, environment))
        elif verb in others:
            link.send(others[verb](argument, descriptors))
        for descriptor in descriptors:
            os.close(descriptor)


def _curbed(box: Box, boxed: Boxed, verb: bytes, numbers: Sequence[int]) -> bytes:
    """Limit one of the processes of a box, or end all but some; return the answer."""
    if verb == ONLY:
        return b"%b %b" % (ONLY, ALL_ENDED if box.end_others(boxed, numbers) else b"")
    with contextlib.suppress(ProcessLookupError):
        forbid_more(*numbers)
    return FORBID


@cache
def _limits(text: bytes) -> ResourceLimits:
    return ResourceLimits(**json.loads(text))


def _watch_until_message(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Check the memory of a boxed process from time to time until there is a message.

    A look at gigabytes that many processes share takes long, so the next one comes later.
    """
    poll, is_over, wait = select.poll(), False, LOOK_MS
    poll.register(link, select.POLLIN)
    while not poll.poll(0 if is_over else wait):
        began = time.process_time()
        is_over = box.look_after(boxed, partial(link.send, KILLED))
        wait = max(LOOK_MS, round(PAUSE * 1000 * (time.process_time() - began)))


def _started(link: socket.socket, start: Callable[[], Boxed]) -> Boxed | None:
    try:
        boxed = start()
    except WallsFailed as error:
        link.send(f"failed {error}".encode())
        return None
    socket.send_fds(link, [b"started"], [boxed.pidfd])
    return boxed
