"""A sealed block of shared memory, and the arrays that the codec puts into it."""

import os
import struct

import pytest

from examiner.wire.codec import INLINE, decode
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
