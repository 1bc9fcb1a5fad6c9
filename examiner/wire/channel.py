"""A stream socket that carries frames.

Frame: u32 length of the payload | u8 kind | u64 nonce | payload. Numbers are little-endian.
"""

import secrets
import socket
import struct
import time
from enum import IntEnum
from typing import Final, NamedTuple

from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock


class ChannelClosed(WireError):  # noqa: N818 - says what happened
    """The other end is gone: it hung up, or its process ended."""


class FrameKind(IntEnum):
    """What a frame is about."""

    REQUEST = 1  # the examiner asks the candidate
    VALUE = 2  # the candidate's answer
    RAISED = 3  # the candidate's answer: an exception
    CALLBACK = 4  # the candidate asks, in the middle of a request
    RESULT = 5  # the examiner's answer to a callback
    FAILED = 6  # the examiner's answer to a callback: an exception


class Frame(NamedTuple):
    """One message: what it is about, the request it belongs to, and a value still in bytes."""

    kind: int
    nonce: int
    payload: bytes


_HEAD = struct.Struct("<IBQ")
_CREDENTIALS = struct.Struct("3i")  # process, user, group
_CHUNK: Final = 1 << 14
_PATIENCE: Final = struct.pack("ll", 0, 50_000)  # a wait this long, then a look at the deadline
_MOST: Final = 1 << 20  # bytes asked for at once, so that a claimed length alone allocates nothing


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
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # one system call a message, and no poll
            sock.setsockopt(socket.SOL_SOCKET, direction, _PATIENCE)

    @property
    def volume(self) -> int:
        """How many bytes the other end has had us take in, shared memory included."""
        return self._received + (self.incoming.taken if self.incoming else 0)

    def send(self, kind: int, nonce: int, payload: bytes, deadline: float) -> None:
        """Send one frame whole.

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
            If it says more than the limits allow.
        TimeoutError
            If it is not here by `deadline`, in monotonic seconds.

        """
        _check(deadline)  # also if frames keep coming, so that no wait would ever notice
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
            _check(deadline)  # also if it comes byte by byte

    def name_senders(self, *, wanted: bool) -> None:
        """Have the kernel note of what is said from now on which process says it, or no more."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, int(wanted))

    def sender(self, deadline: float) -> int:
        """Return the number of the process that says the next thing, which stays to be received.

        Raises
        ------
        ChannelClosed
            If the other end is gone, or the kernel did not note who it is.
        TimeoutError
            If nothing is said by `deadline`, in monotonic seconds.

        """
        while True:
            try:
                said, noted, _, _ = self.sock.recvmsg(
                    1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK
                )
            except BlockingIOError:
                _check(deadline)
                continue
            except OSError as error:
                raise ChannelClosed("the other end is gone") from error
            for level, kind, data in noted:
                if said and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    return int(_CREDENTIALS.unpack(data)[0])
            raise ChannelClosed("the other end is gone")

    def close(self) -> None:
        """End the conversation."""
        self.sock.close()


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("no answer in time")


def nonce() -> int:
    """Return a number that cannot be guessed, for one request and its answer."""
    return secrets.randbits(64)
