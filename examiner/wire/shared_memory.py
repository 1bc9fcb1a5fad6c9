"""Shared memory for arrays of 16 kB and more.

The trusted end makes each block and seals it to its size, so that no length a candidate claims or
truncates can fault the reader.

"""

import fcntl
import mmap
import os

from examiner.wire.limits import MessageLimits, WireError


class SharedBlock:
    """A sealed block of anonymous memory for the arrays of one direction; pages nobody wrote cost nothing."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size
        self._memory: mmap.mmap | None = None
        self.used = self.taken = 0  # what the present message has put here; what all messages took from here

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
        """The memory itself, mapped when it is first asked for: most cells have small arrays only."""
        if self._memory is None:
            self._memory = mmap.mmap(self.descriptor, self.size)
        return self._memory

    def put(self, data: memoryview) -> int:
        """Copy bytes behind what this frame has put so far; return the place."""
        place, end = self.used, self.used + data.nbytes
        if end > self.size:
            raise WireError(f"arrays of more than {self.size} bytes in one message")
        self.memory[place:end] = data
        self.used = end
        return place

    def get(self, place: int, out: memoryview) -> None:
        """Fill `out` with the bytes at a place, copied once: what the other side writes later is not seen."""
        end = place + out.nbytes
        if end > self.size:
            raise WireError("an array points outside the shared block")
        with memoryview(self.memory) as memory, memory[place:end] as piece:
            out[:] = piece
        self.taken += out.nbytes

    def close(self) -> None:
        """Give the memory back."""
        if self._memory is not None:
            self._memory.close()
        os.close(self.descriptor)
