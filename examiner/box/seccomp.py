"""A filter of system calls: a policy, assembled for the kernel's packet filter machine."""

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
REFUSE: Final = 0x0005_0000  # plus the answer
_FILTER_MODE: Final = 2

# Where the kernel's `struct seccomp_data` has the number, the machine, and the arguments of eight bytes.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
AUDIT: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand


def assemble(policy: Policy, machine: str = MACHINE) -> bytes:
    """Return the program that refuses what the policy refuses, on a machine.

    A call in the convention of another machine (32-bit code on a 64-bit kernel) ends the process: there the
    numbers mean something else.
    """
    numbers = NUMBERS[machine]
    program: list[Instruction] = [
        (LOAD, 0, 0, _MACHINE),
        (IF_EQUAL, 1, 0, AUDIT[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, _NUMBER),
        (IF_ABOVE, 0, 1, LAST_KNOWN),  # x86-64's second set of numbers, for 32-bit pointers, among them
        (RETURN, 0, 0, REFUSE | ENOSYS),
    ]
    for condition in policy.conditions:
        if condition.call in numbers:
            program += _refuse_when(condition, numbers[condition.call])
    for answer in sorted(set(policy.refused.values())):
        names = [name for name, its in policy.refused.items() if its == answer and name in numbers]
        program += _refuse([numbers[name] for name in names], answer)
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _refuse_when(condition: When, number: int) -> Iterator[Instruction]:
    """Look at the lower half of an argument: it is all of an int, and holds all flags of clone."""
    if_equal, if_not = (1, 0) if condition.unless else (0, 1)  # 1 skips the refusal
    yield IF_EQUAL, 0, 5, number
    yield LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument
    yield AND, 0, 0, condition.mask
    yield IF_EQUAL, if_equal, if_not, condition.value
    yield RETURN, 0, 0, REFUSE | condition.answer
    yield LOAD, 0, 0, _NUMBER


def _refuse(numbers: list[int], answer: int) -> Iterator[Instruction]:
    for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
        yield IF_EQUAL, left, 0, number
    yield SKIP, 0, 0, 1
    yield RETURN, 0, 0, REFUSE | answer


def is_supported() -> bool:
    """Whether the kernel filters calls, and the filter is written for this machine."""
    if MACHINE not in AUDIT:
        return False
    try:
        syscalls.prctl(syscalls.PR_SET_SECCOMP, _FILTER_MODE)
    except OSError as error:
        return error.errno == EFAULT  # it looked for a program
    return False


class Filter:
    """A program where the kernel can read it, to be installed by any fork of this process."""

    def __init__(self, program: bytes) -> None:
        self._text = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._text))
        self._header = ctypes.create_string_buffer(header, len(header))

    def install(self) -> None:
        """Filter what this process and its descendants ask for, for good. Needs no_new_privs."""
        syscalls.prctl(syscalls.PR_SET_SECCOMP, _FILTER_MODE, self._header)
