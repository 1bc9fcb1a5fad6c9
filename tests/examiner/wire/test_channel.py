"""Frames on a socket, from an end that keeps the rules and from one that does not."""

import math
import os
import socket
import struct
import threading
import time

import pytest

from examiner.wire.channel import Channel, ChannelClosed, FrameKind, nonce
from examiner.wire.limits import MessageLimits, WireError


@pytest.fixture
def pair():
    ends = [Channel(end) for end in socket.socketpair()]
    yield ends
    for end in ends:
        end.close()


def test_frames_carry_kind_nonce_and_payload(pair):
    """Also when they come in pieces."""
    here, there = pair
    payload = os.urandom(3_000_000)
    sender = threading.Thread(
        target=here.send, args=(FrameKind.VALUE, 2**64 - 1, payload, time.monotonic() + 20)
    )
    sender.start()
    frame = there.receive(time.monotonic() + 20)
    sender.join()
    assert frame == (FrameKind.VALUE, 2**64 - 1, payload)
    assert there.volume == len(payload) + 13


def test_a_frame_beyond_the_limit_is_not_read(pair):
    """Its length alone says enough."""
    here, there = pair
    here.sock.send(struct.pack("<IBQ", 33 << 20, 1, 1))
    with pytest.raises(WireError, match="message of"):
        there.receive(time.monotonic() + 20)


def test_an_end_that_hung_up_is_told_from_one_that_is_silent(pair):
    """One is a crash, the other a timeout."""
    here, there = pair
    with pytest.raises(TimeoutError):
        there.receive(time.monotonic() + 0.01)
    here.close()
    with pytest.raises(ChannelClosed):
        there.receive(time.monotonic() + 20)


def test_a_frame_that_never_ends_times_out(pair):
    """A head without its payload."""
    here, there = pair
    here.sock.send(struct.pack("<IBQ", 100, 1, 1) + b"N" * 99)
    with pytest.raises(TimeoutError):
        there.receive(time.monotonic() + 0.01)


def test_frames_that_keep_coming_do_not_outrun_the_deadline(pair):
    """No wait would ever notice, as there is always something to read."""
    here, there = pair
    here.send(FrameKind.CALLBACK, 1, b"N", math.inf)
    with pytest.raises(TimeoutError):
        there.receive(time.monotonic() - 1)


def test_a_conversation_is_bounded_as_a_whole(pair):
    """Many messages within the limit would still fill the examiner's memory."""
    here, there = pair
    there.limits = MessageLimits(total=1000)
    for _ in range(3):
        here.send(FrameKind.VALUE, 1, bytes(400), time.monotonic() + 20)
    there.receive(time.monotonic() + 20)
    there.receive(time.monotonic() + 20)
    with pytest.raises(WireError, match="conversation"):
        there.receive(time.monotonic() + 20)


def test_nonces_differ():
    """Whoever can guess one can answer ahead."""
    assert len({nonce() for _ in range(1000)}) == 1000


def test_the_kernel_says_which_process_talks_and_nothing_is_lost_by_asking(pair):
    """Whatever the other end claims: it is this process, and then a child of it."""
    ours, theirs = pair
    ours.name_senders(wanted=True)
    theirs.send(FrameKind.VALUE, 7, b"said", time.monotonic() + 5)
    assert ours.sender(time.monotonic() + 5) == os.getpid()
    assert ours.receive(time.monotonic() + 5).payload == b"said"
    child = os.fork()
    if child == 0:
        theirs.send(FrameKind.VALUE, 8, b"too", time.monotonic() + 5)
        os._exit(0)
    assert ours.sender(time.monotonic() + 5) == child
    assert ours.receive(time.monotonic() + 5).nonce == 8
    os.waitpid(child, 0)


def test_nobody_talks_in_time_or_ever_again(pair):
    """Both are told apart."""
    ours, theirs = pair
    ours.name_senders(wanted=True)
    with pytest.raises(TimeoutError):
        ours.sender(time.monotonic())
    theirs.close()
    with pytest.raises(ChannelClosed):
        ours.sender(time.monotonic() + 5)
