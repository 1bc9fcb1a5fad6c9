"""A seccomp filter of system calls: a policy, assembled into a BPF program."""

import ctypes
import struct
from collections.abc import Iterator
from errno import EFAULT, ENOSYS
from typing import Final

from examiner.box import syscalls
from examiner.box.numbers import MACHINE, NUMBERS
from examiner.box.policy import LAST_KNOWN, Policy, When

LOAD, AND, RETURN, SKIP = 0x20, 0x54, 0x06, 0x05
IF_EQUAL, IF_ABOVE = 0x15, 0x25

ALLOW: Final = 0x7FFF_0000
KILL: Final = 0x8000_0000
REFUSE: Final = 0x0005_0000  # plus the error number
_FILTER_MODE: Final = 2
_ALL_BITS: Final = 0xFFFF_FFFF

# Offsets in the kernel's `struct seccomp_data`: the number, the architecture, the arguments of eight bytes.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
AUDIT: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand


def assemble(policy: Policy, machine: str = MACHINE) -> bytes:
    """Return the BPF program that refuses what the policy refuses, for an architecture.

    A call in the convention of another architecture (32-bit code on a 64-bit kernel) ends the process: its
    numbers mean other calls.
    """
    numbers = NUMBERS[machine]
    program: list[Instruction] = [
        (LOAD, 0, 0, _MACHINE),
        (IF_EQUAL, 1, 0, AUDIT[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, _NUMBER),
        (IF_ABOVE, 0, 1, LAST_KNOWN),  # also the x32 numbers of x86-64
        (RETURN, 0, 0, REFUSE | ENOSYS),
    ]
    for condition in policy.conditions:
        if condition.call in numbers:
            program += _refuse_when(condition, numbers[condition.call])
    for answer in sorted(set(policy.refused.values())):
        names = [name for name, error in policy.refused.items() if error == answer and name in numbers]
        program += _refuse([numbers[name] for name in names], answer)
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _refuse_when(condition: When, number: int) -> Iterator[Instruction]:
    """Yield the check of one condition; half an argument is enough for an int and for the flags of clone."""
    tests = [(condition.argument, condition.mask, condition.value, condition.unless)]
    if condition.below:
        argument, bound = condition.below
        tests.append((argument, _ALL_BITS & -bound, 0, False))
    yield IF_EQUAL, 0, 3 * len(tests) + 2, number
    for left, (argument, mask, value, unless) in zip(range(len(tests), 0, -1), tests, strict=True):
        skip = 3 * left - 2  # to behind the refusal
        yield LOAD, 0, 0, _ARGUMENTS + 8 * argument
        yield AND, 0, 0, mask
        yield IF_EQUAL, *((skip, 0) if unless else (0, skip)), value
    yield RETURN, 0, 0, REFUSE | condition.answer
    yield LOAD, 0, 0, _NUMBER


def _refuse(numbers: list[int], answer: int) -> Iterator[Instruction]:
    """Yield a chain of comparisons, each of which jumps to the refusal at the end."""
    for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
        yield IF_EQUAL, left, 0, number
    yield SKIP, 0, 0, 1
    yield RETURN, 0, 0, REFUSE | answer


def is_supported() -> bool:
    """Whether the kernel can filter system calls, and the filter is written for this architecture."""
    if MACHINE not in AUDIT:
        return False
    try:
        syscalls.prctl(syscalls.PR_SET_SECCOMP, _FILTER_MODE)
    except OSError as error:
        return error.errno == EFAULT  # it tried to read the program, which is missing here
    return False


class Filter:
    """A BPF program in memory that the kernel can read; any fork of this process can install it."""

    def __init__(self, program: bytes) -> None:
        self._text = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._text))
        self._header = ctypes.create_string_buffer(header, len(header))

    def install(self) -> None:
        """Filter the system calls of this process and its descendants, for good; no_new_privs must be set."""
        syscalls.prctl(syscalls.PR_SET_SECCOMP, _FILTER_MODE, self._header)
