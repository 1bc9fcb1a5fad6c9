"""How a server lies in memory: a fork copies an entry for each page that is not part of a huge one.

Python takes its memory in arenas that end up between libraries. Here they come one behind the other instead,
so that huge pages fit; a fork then takes two thirds of the time.
"""

import ctypes
import os
from typing import Final

HUGE: Final = 2 << 20
MADV_COLLAPSE: Final = 25
ARENA: Final = 1 << 20  # bytes that Python asks for at a time


class _Arenas(ctypes.Structure):
    """Python's `PyObjectArenaAllocator`: functions, and what they are passed as their first argument."""

    _fields_ = (("context", ctypes.c_void_p), ("allocate", ctypes.c_void_p), ("free", ctypes.c_void_p))


def line_up() -> _Arenas:
    """Have Python's memory lie in one piece from here on; return what `let_go` takes to end that.

    The C library's `sbrk` gets the size as its first argument, whatever is asked for. It knows no failure
    that Python would understand, so this is for a time in which memory is no question.
    """
    libc = ctypes.CDLL(None)
    before = _Arenas()
    ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(before))
    libc.sbrk.restype = ctypes.c_ssize_t
    if libc.sbrk(ctypes.c_ssize_t(0)) > 0:
        allocate = ctypes.cast(libc.sbrk, ctypes.c_void_p)
        _set(_Arenas(ARENA, allocate, before.free))
    return before


def let_go(before: _Arenas) -> None:
    """Have Python take its memory as before."""
    _set(before)


def _set(arenas: _Arenas) -> None:
    ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(arenas))


def use_huge_pages(proc: int) -> None:
    """Put what this process holds into huge pages if it can; `proc` is open on the machine's /proc."""
    libc = ctypes.CDLL(None)
    with open(os.open("self/maps", os.O_RDONLY, dir_fd=proc)) as mappings:  # noqa: PTH123 - a descriptor
        lines = mappings.read().splitlines()
    for first, end in _writable(lines):
        for page in range(-(-first // HUGE) * HUGE, end - HUGE + 1, HUGE):
            libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(HUGE), MADV_COLLAPSE)


def _writable(lines: list[str]) -> list[tuple[int, int]]:
    """Return where memory of a process's own lies, neighbours as one."""
    found: list[tuple[int, int]] = []
    for line in lines:
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        first, end = (int(each, 16) for each in place.split("-"))
        if rights != "rw-p" or name not in ([], ["[heap]"]):
            continue
        if found and found[-1][1] == first:
            first = found.pop()[0]
        found.append((first, end))
    return found
