"""Shared memory for arrays of 16 kB and more.

The trusted end makes each block and seals its size, so that a candidate cannot crash the reader by truncating
the memory.
"""

import fcntl
import mmap
import os

from examiner.wire.limits import MessageLimits, WireError

_STAT_BLOCK = 512  # bytes that `st_blocks` counts in


class SharedBlock:
    """A sealed block of anonymous memory for the arrays of one direction; unwritten pages take no memory."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size
        self._memory: mmap.mmap | None = None
        self.used = 0  # bytes that the current message has put here
        self.taken = 0  # bytes that all messages together have taken from here
        self.high = 0  # the end of what any message has used

    @classmethod
    def create(cls, size: int = MessageLimits.shared) -> "SharedBlock":
        """Make a block that neither side can shrink or grow."""
        descriptor = os.memfd_create("arrays", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        fcntl.fcntl(
            descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        )
        return cls(descriptor, size)

    @property
    def memory(self) -> mmap.mmap:
        """The memory itself, mapped at first use: most cells have only small arrays."""
        if self._memory is None:
            self._memory = mmap.mmap(self.descriptor, self.size)
        return self._memory

    def put(self, data: memoryview) -> int:
        """Copy bytes after those that this message has put so far; return their offset."""
        offset, end = self.used, self.used + data.nbytes
        if end > self.size:
            raise WireError(f"arrays of more than {self.size} bytes in one message")
        self.memory[offset:end] = data
        self.used = end
        self.high = max(self.high, end)
        return offset

    def get(self, offset: int, out: memoryview) -> None:
        """Copy the bytes at an offset to `out`, so that what the other side writes later is not seen."""
        end = offset + out.nbytes
        if end > self.size:
            raise WireError("an array points outside the shared block")
        with memoryview(self.memory) as memory, memory[offset:end] as piece:
            out[:] = piece
        self.taken += out.nbytes
        self.high = max(self.high, end)

    def move_descriptor(self, lowest: int) -> None:
        """Give its descriptor a number that is not below `lowest`."""
        before = self.descriptor
        self.descriptor = fcntl.fcntl(before, fcntl.F_DUPFD_CLOEXEC, lowest)
        os.close(before)

    def unexplained(self, high: int) -> int:
        """Return the bytes in memory that no message has used, if messages have used those up to `high`."""
        explained = -(-high // mmap.PAGESIZE) * mmap.PAGESIZE
        return max(0, os.fstat(self.descriptor).st_blocks * _STAT_BLOCK - explained)

    def close(self) -> None:
        """Unmap the memory and close its descriptor."""
        if self._memory is not None:
            self._memory.close()
        os.close(self.descriptor)
