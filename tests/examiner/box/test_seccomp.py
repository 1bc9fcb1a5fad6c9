"""The filter of calls, run in a small machine of our own: for both processors, whichever we are on."""

import signal
import socket
import struct
from errno import EINVAL, ENODEV, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM

import pytest

from examiner.box.numbers import NUMBERS, number
from examiner.box.policy import LAST_KNOWN, SHARED_FROM, Policy, policy, where_memory_is_measured
from examiner.box.seccomp import ALLOW, AUDIT, KILL, REFUSE, assemble
from examiner.box.syscalls import CLONE_NEWPID, CLONE_NEWUSER

LOAD, AND, RETURN, SKIP, IF_EQUAL, IF_ABOVE = 0x20, 0x54, 0x06, 0x05, 0x15, 0x25
MACHINES = sorted(NUMBERS)
# Calls that every program makes, with their numbers on both.
ORDINARY = {"x86_64": [0, 1, 3, 9, 59, 231, 202, 262], "aarch64": [63, 64, 57, 222, 221, 94, 98, 79]}
CLONE_THREAD_FLAGS = 0x3D0F00  # what a thread is started with


def answer(program, machine, call, *arguments):
    """Return what the kernel's machine returns for a call: a number or the name of one."""
    asked = number(call, machine) if isinstance(call, str) else call
    data = struct.pack("<iIQ6Q", asked, AUDIT[machine], 0, *arguments, *[0] * (6 - len(arguments)))
    return run(program, data)


def run(program, data):
    """Run a program of the kernel's packet filter machine, as far as ours use it."""
    place, held = 0, 0
    while True:
        operation, if_true, if_false, operand = struct.unpack_from("<HBBI", program, 8 * place)
        place += 1
        match operation:
            case 0x20:
                (held,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                held &= operand
            case 0x15:
                place += if_true if held == operand else if_false
            case 0x25:
                place += if_true if held > operand else if_false
            case 0x05:
                place += operand
            case 0x06:
                return operand


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


def filtered(machine, *, namespaces=True, signals_stay_inside=True):
    return assemble(policy(namespaces=namespaces, signals_stay_inside=signals_stay_inside), machine)


@pytest.mark.parametrize("namespaces", [True, False])
def test_every_refused_call_gets_its_answer_and_no_ordinary_one_does(machine, namespaces):
    """The answer decides how a program goes on: ENOSYS is tried another way, EPERM is not."""
    refused = policy(namespaces=namespaces, signals_stay_inside=namespaces).refused
    program = filtered(machine, namespaces=namespaces, signals_stay_inside=namespaces)
    for call, errno in refused.items():
        if call in NUMBERS[machine]:
            assert answer(program, machine, call) == REFUSE | errno, call
    for call in ORDINARY[machine]:
        assert answer(program, machine, call) == ALLOW


def test_calls_that_nobody_looked_at_do_not_exist(machine):
    """A kernel that is upgraded must not open a door by it."""
    program = filtered(machine)
    for call in (LAST_KNOWN + 1, 1000, 0x4000_0000 + 41):  # the last: a socket, by x86-64's other numbers
        assert answer(program, machine, call) == REFUSE | ENOSYS
    assert answer(program, machine, LAST_KNOWN) == ALLOW


def test_numbers_of_another_machine_end_the_process(machine):
    """20 is getpid for 32-bit programs and writev for others: one filter cannot mean both."""
    other = struct.pack("<iIQ6Q", 20, 0x4000_0003, 0, *[0] * 6)
    assert run(filtered(machine), other) == KILL


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("clone", [CLONE_THREAD_FLAGS], ALLOW),
        ("clone", [signal.SIGCHLD], ALLOW),
        ("clone", [signal.SIGCHLD | CLONE_NEWUSER], REFUSE | EPERM),
        ("clone", [signal.SIGCHLD | CLONE_NEWPID], REFUSE | EPERM),
        ("socket", [socket.AF_UNIX, socket.SOCK_DGRAM], ALLOW),
        ("socket", [socket.AF_INET, socket.SOCK_STREAM], REFUSE | EINVAL),
        ("socket", [socket.AF_INET6, socket.SOCK_STREAM], REFUSE | EINVAL),
        ("socket", [1 << 32 | socket.AF_INET, 0], REFUSE | EINVAL),
        ("socket", [1 << 32 | socket.AF_UNIX, 0], ALLOW),
        ("prctl", [15], ALLOW),
        ("prctl", [1], REFUSE | EPERM),
        ("prctl", [4], REFUSE | EPERM),
        ("sched_setscheduler", [1, 0], ALLOW),
        ("sched_setscheduler", [1, 5], REFUSE | EPERM),  # idle
        ("prlimit64", [0], ALLOW),
        ("prlimit64", [1], REFUSE | EPERM),
        ("ioctl", [1, 0x5401], ALLOW),
        ("ioctl", [1, 0x5412], REFUSE | EPERM),
        ("kill", [1], ALLOW),
    ],
)
def test_arguments_decide_where_a_call_is_harmless_with_others(machine, call, arguments, expected):
    """A program that may start no thread and open no socket is none."""
    assert answer(filtered(machine), machine, call, *arguments) == expected


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("socket", [socket.AF_UNIX, socket.SOCK_STREAM], ALLOW),
        ("socket", [socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC], ALLOW),
        ("socket", [socket.AF_UNIX, socket.SOCK_DGRAM], REFUSE | EINVAL),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_STREAM], ALLOW),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC], REFUSE | EINVAL),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_RAW], REFUSE | EINVAL),  # datagrams by another name
        ("connect", [], REFUSE | EPERM),
        ("openat", [0, 0, 0o0], ALLOW),
        ("openat", [0, 0, 0o1101], ALLOW),  # to write, made or emptied: Landlock decides
        ("openat", [0, 0, 0o1000], REFUSE | EPERM),
        ("openat2", [], REFUSE | ENOSYS),
    ],
)
def test_without_namespaces_the_filter_guards_what_landlock_does_not(machine, call, arguments, expected):
    """Sockets with a path, attributes, and in its first versions emptying a file."""
    assert answer(filtered(machine, namespaces=False), machine, call, *arguments) == expected


@pytest.mark.parametrize("call", ["kill", "tgkill", "tkill", "pidfd_send_signal", "rt_sigqueueinfo"])
def test_signals_are_refused_only_where_nothing_else_keeps_them_in(machine, call):
    """A student's code may end what it started, unless it could end the server as well."""
    assert answer(filtered(machine, namespaces=False), machine, call) == ALLOW
    outside = filtered(machine, namespaces=False, signals_stay_inside=False)
    assert answer(outside, machine, call) == REFUSE | EPERM


def test_calls_that_a_machine_never_had_are_passed_over(machine):
    """aarch64 has no chmod, only fchmodat."""
    program = assemble(Policy({"chmod": EPERM, "fchmodat": EPERM}), machine)
    assert answer(program, machine, "fchmodat") == REFUSE | EPERM


PRIVATE, SHARED, ANONYMOUS, HUGE, STACK = 0x2, 0x1, 0x20, 0x4_0000, 0x2_0000
NO_FILE = 0xFFFF_FFFF_FFFF_FFFF


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("mmap", [0, 4096, 3, PRIVATE | ANONYMOUS, NO_FILE], ALLOW),
        ("mmap", [0, 4096, 3, PRIVATE | ANONYMOUS | STACK, NO_FILE], ALLOW),
        ("mmap", [0, 4096, 3, PRIVATE, 5], ALLOW),
        ("mmap", [0, 4096, 3, SHARED, SHARED_FROM], ALLOW),
        ("mmap", [0, 4096, 3, SHARED, SHARED_FROM + 200], ALLOW),
        ("mmap", [0, 4096, 3, SHARED, SHARED_FROM - 1], REFUSE | ENODEV),
        ("mmap", [0, 4096, 1, SHARED, 5], REFUSE | ENODEV),
        ("mmap", [0, 4096, 3, SHARED, 1 << 32 | 5], REFUSE | ENODEV),
        ("mmap", [0, 4096, 3, SHARED | PRIVATE, 5], REFUSE | ENODEV),  # checked for unknown flags
        ("mmap", [0, 4096, 3, SHARED | ANONYMOUS, NO_FILE], REFUSE | ENODEV),
        ("mmap", [0, 4096, 3, SHARED | ANONYMOUS, SHARED_FROM], REFUSE | ENODEV),
        ("mmap", [0, 4096, 3, PRIVATE | ANONYMOUS | HUGE, NO_FILE], REFUSE | ENOMEM),
        ("madvise", [0, 4096, 4], ALLOW),
        ("madvise", [0, 4096, 14], ALLOW),  # large pages, which are resident
        ("madvise", [0, 4096, 9], REFUSE | EINVAL),
        ("madvise", [0, 4096, 12], REFUSE | EINVAL),
        ("madvise", [0, 4096, 21], REFUSE | EINVAL),
        ("fallocate", [3, 0], ALLOW),
        ("fallocate", [3, 3], REFUSE | EOPNOTSUPP),
        ("fcntl", [3, 1030], ALLOW),
        ("fcntl", [3, 1031], REFUSE | EPERM),
        ("fcntl", [3, 6], ALLOW),
        ("fcntl", [3, 37], REFUSE | EINVAL),
        ("setsockopt", [3, 1, 20], ALLOW),
        ("setsockopt", [3, 1, 7], REFUSE | EPERM),
        ("setsockopt", [3, 1, 32], REFUSE | EPERM),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC], ALLOW),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_SEQPACKET], REFUSE | EINVAL),
        ("socketpair", [socket.AF_UNIX, socket.SOCK_RAW], REFUSE | EINVAL),
        ("clone", [CLONE_THREAD_FLAGS], ALLOW),
        ("clone", [CLONE_THREAD_FLAGS & ~0x400], REFUSE | EPERM),
        ("clone", [signal.SIGCHLD], ALLOW),
        ("close_range", [3, 9, 0], ALLOW),
        ("close_range", [3, 9, 4], ALLOW),
        ("close_range", [3, 9, 2], REFUSE | EINVAL),
        ("prctl", [15], ALLOW),
        ("prctl", [0x5356_4D41], REFUSE | EINVAL),
        ("prctl", [67], REFUSE | EINVAL),
    ],
)
def test_where_memory_is_measured_what_could_hide_it_is_refused(machine, call, arguments, expected):
    """By its arguments, where ordinary programs make the same call for something else."""
    assert answer(assemble(where_memory_is_measured(), machine), machine, call, *arguments) == expected


def test_where_memory_is_measured_ordinary_calls_go_on(machine):
    """Whole calls are refused with the answer that a program expects where they are missing."""
    measured = where_memory_is_measured()
    program = assemble(measured, machine)
    for call, errno in measured.refused.items():
        if call in NUMBERS[machine]:
            assert answer(program, machine, call) == REFUSE | errno, call
    for call in ORDINARY[machine]:
        assert answer(program, machine, call) == ALLOW
