"""A memory layout that makes forks of a server cheap: contiguous arenas in huge pages.

A fork copies a page table entry for each page, but only one for a huge page. Python allocates memory in
arenas that usually lie scattered between libraries. Here they are allocated one after another instead, so
that they fit into huge pages; a fork then takes two thirds of the time.
"""

import ctypes
import gc
import os
from typing import Final

HUGE: Final = 2 << 20
MADV_COLLAPSE: Final = 25
ARENA: Final = 1 << 20  # bytes of one arena


class _Arenas(ctypes.Structure):
    """Python's `PyObjectArenaAllocator`: two functions, and the context that is their first argument."""

    _fields_ = (("context", ctypes.c_void_p), ("allocate", ctypes.c_void_p), ("free", ctypes.c_void_p))


def line_up() -> _Arenas:
    """Allocate new arenas of Python contiguously from now on; return the allocator before, for `let_go`.

    The allocator is the C library's `sbrk`: its argument is the context, which is the size of an arena. It
    returns -1 on failure, which Python would take for an address, so use it only while memory is plentiful.
    """
    libc = ctypes.CDLL(None)
    before = _Arenas()
    ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(before))
    libc.sbrk.restype = ctypes.c_ssize_t
    if libc.sbrk(ctypes.c_ssize_t(0)) > 0:
        allocate = ctypes.cast(libc.sbrk, ctypes.c_void_p)
        _set(_Arenas(ARENA, allocate, before.free))
    return before


def settle(before: _Arenas, proc: int) -> None:
    """Make forks of this process cheap, once all is imported that `line_up` was called for.

    Parameters
    ----------
    before
        What `line_up` returned.
    proc
        A descriptor of the machine's /proc.
    """
    gc.collect()
    gc.freeze()
    _run_fork_hooks()
    let_go(before)
    use_huge_pages(proc)


def _run_fork_hooks() -> None:
    """Run the fork hooks of libraries here, once, as `syscalls.fork` does not run them.

    Matplotlib drops its open fonts in them; `threading` and `logging` make their locks anew.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Child()


def let_go(before: _Arenas) -> None:
    """Restore the allocator that was in use before `line_up`."""
    _set(before)


def _set(arenas: _Arenas) -> None:
    ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(arenas))


def use_huge_pages(proc: int) -> None:
    """Move this process's memory into huge pages where possible; `proc` is open on the machine's /proc."""
    libc = ctypes.CDLL(None)
    with open(os.open("self/maps", os.O_RDONLY, dir_fd=proc)) as mappings:  # noqa: PTH123 - a descriptor
        lines = mappings.read().splitlines()
    for first, end in _writable(lines):
        for page in range(-(-first // HUGE) * HUGE, end - HUGE + 1, HUGE):
            libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(HUGE), MADV_COLLAPSE)


def _writable(lines: list[str]) -> list[tuple[int, int]]:
    """Return the ranges of private writable memory, adjacent ones merged."""
    found: list[tuple[int, int]] = []
    for line in lines:
        addresses, rights, _, _, _, *name = line.split(maxsplit=5)
        first, end = (int(address, 16) for address in addresses.split("-"))
        if rights != "rw-p" or name not in ([], ["[heap]"]):
            continue
        if found and found[-1][1] == first:
            first = found.pop()[0]
        found.append((first, end))
    return found
