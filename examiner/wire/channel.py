"""A stream socket that carries frames.

A frame is: u32 length of the payload | u8 kind | u64 nonce | payload. Numbers are little-endian.
"""

import os
import secrets
import select
import socket
import struct
import time
from enum import IntEnum
from typing import Final, NamedTuple

from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock


class ChannelClosed(WireError):  # noqa: N818 - says what happened
    """The other end closed the socket, or its process ended."""


class FrameKind(IntEnum):
    """The kind of a frame."""

    REQUEST = 1  # the examiner asks the candidate
    VALUE = 2  # the candidate's answer
    RAISED = 3  # the candidate's answer: an exception
    CALLBACK = 4  # the candidate asks the examiner while it works on a request
    RESULT = 5  # the examiner's answer to a callback
    FAILED = 6  # the examiner's answer to a callback: an exception


class Frame(NamedTuple):
    """One message: its kind, the nonce of its request, and an encoded value."""

    kind: int
    nonce: int
    payload: bytes


_HEAD = struct.Struct("<IBQ")
_CREDENTIALS = struct.Struct("3i")  # process, user, group
_CHUNK: Final = 1 << 14
_WAIT: Final = struct.pack("ll", 0, 50_000)  # a timeval of 50 ms, between checks of the deadline
_MOST: Final = 1 << 20  # bytes received at once, so that a claimed length alone allocates nothing


class Channel:
    """One end of a stream socket that carries frames."""

    def __init__(
        self,
        sock: socket.socket,
        incoming: SharedBlock | None = None,
        outgoing: SharedBlock | None = None,
        limits: MessageLimits | None = None,
    ) -> None:
        self.sock, self.limits = sock, limits or MessageLimits()
        self.incoming, self.outgoing = incoming, outgoing
        self._rest = bytearray()
        self._received = 0
        sock.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # saves a call of poll for each message
            sock.setsockopt(socket.SOL_SOCKET, option, _WAIT)

    @property
    def volume(self) -> int:
        """How many bytes were received from the other end, including those in shared memory."""
        return self._received + (self.incoming.taken if self.incoming else 0)

    def send(self, kind: int, nonce: int, payload: bytes, deadline: float) -> None:
        """Send one frame.

        Raises
        ------
        ChannelClosed
            If the other end is gone.
        TimeoutError
            If it is not sent by `deadline`, in monotonic seconds.
        """
        data = memoryview(_HEAD.pack(len(payload), kind, nonce) + payload)
        while data:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                _check(deadline)
            except OSError as error:
                raise ChannelClosed("the other end is gone") from error

    def receive(self, deadline: float) -> Frame:
        """Return the next frame.

        Raises
        ------
        ChannelClosed
            If the other end is gone.
        WireError
            If the frame, or the whole conversation, is larger than the limits allow.
        TimeoutError
            If no whole frame arrives by `deadline`, in monotonic seconds.
        """
        _check(deadline)  # frames that keep coming are received without a wait, so check here too
        self._fill(_HEAD.size, deadline)
        size, kind, nonce = _HEAD.unpack_from(self._rest)
        if size > self.limits.frame:
            raise WireError(f"a message of {size} bytes")
        end = _HEAD.size + size
        self._fill(end, deadline)
        payload = bytes(self._rest[_HEAD.size : end])
        del self._rest[:end]
        self._received += end
        if self.volume > self.limits.total:
            raise WireError(f"more than {self.limits.total} bytes in one conversation")
        return Frame(kind, nonce, payload)

    def _fill(self, size: int, deadline: float) -> None:
        while len(self._rest) < size:
            try:
                piece = self.sock.recv(min(_MOST, max(_CHUNK, size - len(self._rest))))
            except BlockingIOError:
                _check(deadline)
                continue
            except OSError as error:
                raise ChannelClosed("the other end is gone") from error
            if not piece:
                raise ChannelClosed("the other end is gone")
            self._rest += piece
            _check(deadline)  # a frame that comes byte by byte may never cause a wait

    def name_senders(self, *, wanted: bool) -> None:
        """Switch SO_PASSCRED on or off: with it, the kernel records which process sent the data."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, int(wanted))

    def sender(self, deadline: float) -> int:
        """Return the number of the process that sent the next frame, which is not yet received.

        Raises
        ------
        ChannelClosed
            If the other end is gone, or the kernel did not record the sender.
        TimeoutError
            If nothing arrives by `deadline`, in monotonic seconds.
        """
        while True:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(
                    1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK
                )
            except BlockingIOError:
                _check(deadline)
                continue
            except OSError as error:
                raise ChannelClosed("the other end is gone") from error
            for level, kind, credentials in ancillary:
                if data and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    return int(_CREDENTIALS.unpack(credentials)[0])
            raise ChannelClosed("the other end is gone")

    def is_closed(self) -> bool:
        """Whether the other end is closed, by every process that had it."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0))

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors from which `from_descriptors` makes another end like this one."""
        blocks = [block for block in (self.incoming, self.outgoing) if block]
        return (self.sock.fileno(), *(block.descriptor for block in blocks))

    @classmethod
    def from_descriptors(cls, sock: int, incoming: int, outgoing: int) -> "Channel":
        """Return the end of a channel whose socket and blocks of shared memory are these."""
        size = os.fstat(incoming).st_size
        blocks = SharedBlock(incoming, size), SharedBlock(outgoing, size)
        return cls(socket.socket(fileno=sock), *blocks)

    def move_blocks(self, lowest: int) -> None:
        """Give the descriptors of the blocks numbers that are not below `lowest`."""
        for block in (self.incoming, self.outgoing):
            if block:
                block.move_descriptor(lowest)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def close_all(self) -> None:
        """Close the socket and the blocks of shared memory."""
        self.sock.close()
        for block in (self.incoming, self.outgoing):
            if block:
                block.close()


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("no answer in time")


def nonce() -> int:
    """Return a number that cannot be guessed, for one request and its answer."""
    return secrets.randbits(64)
