"""A sealed block of shared memory, and the arrays that the codec puts into it."""

import mmap
import os
import struct

import numpy as np
import pytest

from examiner.wire.codec import INLINE, decode, encode
from examiner.wire.limits import WireError
from examiner.wire.shared_memory import SharedBlock


@pytest.fixture
def block():
    block = SharedBlock.create(1 << 20)
    yield block
    block.close()


def test_the_shared_block_cannot_be_truncated_or_grown(block):
    """A reader that maps or fills from a shortened file would fail or fault, whoever shortened it."""
    for size in (0, 1 << 21):
        with pytest.raises(PermissionError):
            os.ftruncate(block.descriptor, size)


def test_arrays_lie_within_the_shared_block(block):
    """A place beyond its end would read nothing, and leave what was in memory before."""
    for place in ((1 << 20) - INLINE + 1, 2**64 - 1):
        with pytest.raises(WireError, match="outside"):
            decode(b"A" + bytes([12, 1]) + struct.pack("<IQ", INLINE // 8, place), block=block)


def test_what_no_message_has_used_is_unexplained(block):
    """Else a candidate could keep in it what is to be measured."""
    array = np.ones(4 * INLINE)
    decode(encode(array, lambda _: None, block), block=block)
    assert block.unexplained(block.high) == 0
    with mmap.mmap(block.descriptor, block.size) as theirs:
        theirs[-(256 << 10) :] = bytes(256 << 10)
        assert block.unexplained(block.high) >= 256 << 10
