"""Every way to hold memory that resident memory does not show, and to give it back before a call has ended.

Each way is a function that keeps a table of rows and gives the last one. Tried twice: by a Python without
walls, where its peak shows nothing of the table, so that the way is one; and by a student in a measured cell,
who gets nothing for it. A way is known by the system calls that hold the memory.
"""

import subprocess
import sys
import textwrap

import pytest

from examiner.box.walls import Walls, available
from examiner.examine.engine import Engine
from examiner.examine.server import SandboxSettings
from examiner.verdict import Outcome
from tests.turns import in_turn

from .test_bench import BEFORE, DRAWN, PYTHON, verdicts

ROWS, ITEMS = 40, 100_000
TABLE = ROWS * ITEMS * 8
WALLS = {"Landlock": Walls(namespaces=False, landlock=6, seccomp=True)}
if available().namespaces:
    WALLS["namespaces"] = None

# What the ways are written with.
TOOLS = """
import array, ctypes, fcntl, mmap, os, socket, sys, tempfile, threading
import numpy as np
from collections import deque
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = libc.mmap.restype = ctypes.c_long
DONTNEED, REMOVE, RW, SHARED = 4, 9, 3, 1
SIZE, START = ctypes.c_size_t(40_000_000), ctypes.c_long(0)
BLOCK = ctypes.c_size_t(64 << 20)

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def kept_in(mapping, row, count=ROWS):
    # Write all rows, and let go of the pages of each.
    for n in range(count):
        mapping[n * len(row) : (n + 1) * len(row)] = row
        mapping.madvise(DONTNEED)
    return mapping[n * len(row) : (n + 1) * len(row)]

def joined(pieces, count):
    # Read all pieces, and return the last of them.
    return b"".join(deque(pieces, count))

def mapped(descriptor, row):
    with mmap.mmap(descriptor, ROWS * len(row)) as mapping:
        return kept_in(mapping, row)

def filled(ends, row):
    # Write all rows in pieces, one into each (writer, reader), and read them again.
    pieces = [row[n : n + PIECE] for n in range(0, len(row), PIECE)]
    rows = [pieces[n % len(pieces)] for n in range(ROWS * len(pieces))]
    for (writer, _), piece in zip(ends, rows, strict=True):
        assert os.write(writer, piece) == len(piece)
    return joined((os.read(reader, PIECE) for _, reader in ends), len(pieces))

def sparse(name):
    path = os.path.join(tempfile.gettempdir(), name)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, 40_000_000)
    return path, descriptor
"""

# By system call: what runs in a cell of the student's, and the function.
WAYS = {
    "mmap: shared and anonymous": """
        def hold(row):
            return mapped(-1, row)
        """,
    "mmap: shared and anonymous, made before": """
        room = mmap.mmap(-1, 40_000_000)
        def hold(row):
            last = kept_in(room, row)
            room.close()
            return last
        """,
    "mmap: a file that is opened in the call": """
        path, descriptor = sparse("opened")
        os.close(descriptor)
        def hold(row):
            descriptor = os.open(path, os.O_RDWR)
            last = mapped(descriptor, row)
            os.unlink(path)
            os.close(descriptor)
            return last
        """,
    "mprotect: a file that was mapped to be read": """
        path, descriptor = sparse("read")
        def hold(row):
            place = checked(libc.mmap(None, SIZE, 1, SHARED, descriptor, START))
            checked(libc.mprotect(ctypes.c_void_p(place), SIZE, RW))
            for n in range(ROWS):
                start = ctypes.c_void_p(place + n * len(row) // 4096 * 4096)
                ctypes.memmove(place + n * len(row), row, len(row))
                libc.madvise(start, ctypes.c_size_t(len(row) + 4096), DONTNEED)
            last = ctypes.string_at(place + n * len(row), len(row))
            libc.munmap(ctypes.c_void_p(place), SIZE)
            os.ftruncate(descriptor, 0)
            return last
        """,
    "mmap: /dev/zero": """
        def hold(row):
            with open("/dev/zero", "r+b", buffering=0) as zero:
                return mapped(zero.fileno(), row)
        """,
    "memfd_create": """
        def hold(row):
            descriptor = os.memfd_create("some")
            os.ftruncate(descriptor, 40_000_000)
            last = mapped(descriptor, row)
            os.close(descriptor)
            return last
        """,
    "shmget": """
        def hold(row):
            number = checked(libc.shmget(0, SIZE, 0o1600))
            libc.shmat.restype = ctypes.c_long
            place = checked(libc.shmat(number, None, 0))
            for n in range(ROWS):
                ctypes.memmove(place + n * len(row), row, len(row))
                libc.madvise(ctypes.c_void_p(place), SIZE, DONTNEED)
            last = ctypes.string_at(place + n * len(row), len(row))
            libc.shmdt(ctypes.c_void_p(place))
            libc.shmctl(number, 0, None)
            return last
        """,
    "write: files": """
        def hold(row):
            with tempfile.TemporaryFile(buffering=0) as file:
                for _ in range(ROWS):
                    file.write(row)
                file.seek(-len(row), 2)
                return file.read()
        """,
    "pipe: made in the call, and made large": """
        PIECE = 800_000
        def hold(row):
            ends = [os.pipe()[::-1] for _ in range(ROWS)]
            for end, _ in ends:
                fcntl.fcntl(end, 1031, 1 << 20)
            last = filled(ends, row)
            [os.close(end) for pair in ends for end in pair]
            return last
        """,
    "pipe: made in the call": """
        PIECE = 50_000
        def hold(row):
            ends = [os.pipe()[::-1] for _ in range(16 * ROWS)]
            last = filled(ends, row)
            [os.close(end) for pair in ends for end in pair]
            return last
        """,
    "pipe: made before, and made large": """
        PIECE = 800_000
        ends = [os.pipe()[::-1] for _ in range(ROWS)]
        for end, _ in ends:
            fcntl.fcntl(end, 1031, 1 << 20)
        def hold(row):
            last = filled(ends, row)
            [os.close(end) for pair in ends for end in pair]
            return last
        """,
    "socketpair: made in the call": """
        def hold(row):
            ends = [socket.socketpair() for _ in range(8 * ROWS)]
            for n, (writer, _) in enumerate(ends):
                writer.send(row[n % 8 * 100_000 : (n % 8 + 1) * 100_000])
            last = joined((reader.recv(100_000) for _, reader in ends), 8)
            [end.close() for pair in ends for end in pair]
            return last
        """,
    "socketpair: made before": """
        ends = [socket.socketpair() for _ in range(48)]
        def hold(row):
            for n, (writer, _) in enumerate(ends):
                writer.send(row[n % 8 * 100_000 : (n % 8 + 1) * 100_000])
            last = joined((reader.recv(100_000) for _, reader in ends), 8)
            [end.close() for pair in ends for end in pair]
            return last
        """,
    "setsockopt: large buffers": """
        def hold(row):
            ends = [socket.socketpair() for _ in range(ROWS)]
            for n, (writer, _) in enumerate(ends):
                writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
                for start in range(0, len(row), 40_000):
                    writer.send(row[start : start + 10_000])
            deque((reader.recv(len(row)) for _, reader in ends), 1)
            [end.close() for pair in ends for end in pair]
            return row
        """,
    "listen: connections that nobody accepts": """
        def hold(row):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(f"\\0given-back-{os.getpid()}")
                listener.listen(4096)
                for n in range(8 * ROWS):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(listener.getsockname())
                        client.send(row[n % 8 * 100_000 : (n % 8 + 1) * 100_000])
                return joined((listener.accept()[0].recv(100_000) for _ in range(8 * ROWS)), 8)
        """,
    "socket: datagrams of sockets that are closed": """
        def hold(row):
            receivers = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(ROWS)]
            for n, receiver in enumerate(receivers):
                receiver.bind(f"\\0given-back-{os.getpid()}-{n}")
                for start in range(0, len(row), 100_000):
                    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                        sender.sendto(row[start : start + 100_000], receiver.getsockname())
            return joined((receiver.recv(100_000) for receiver in receivers for _ in range(8)), 8)
        """,
    "sendmsg: descriptors on their way": """
        def hold(row):
            pairs = [socket.socketpair() for _ in range(ROWS)]
            for n in range(16 * ROWS):
                ours = pairs[n // 16][0]
                reader, writer = os.pipe()
                os.write(writer, row[n % 16 * 50_000 : (n % 16 + 1) * 50_000])
                socket.send_fds(ours, [b"1"], [reader])
                os.close(reader), os.close(writer)
            def come():
                for n in range(16 * ROWS):
                    [reader] = socket.recv_fds(pairs[n // 16][1], 1, 1)[1]
                    yield os.read(reader, 50_000)
                    os.close(reader)
            return joined(come(), 16)
        """,
    "symlink": """
        def hold(row):
            with tempfile.TemporaryDirectory() as folder:
                texts = [row[n : n + 2000].hex() for n in range(0, len(row), 2000)]
                names = [f"{folder}/{n}" for n in range(5 * len(texts))]
                for n, name in enumerate(names):
                    os.symlink(texts[n % len(texts)], name)
                return bytes.fromhex("".join(map(os.readlink, names[-len(texts):])))
        """,
    "inotify_add_watch: events with names": """
        def hold(row):
            texts = [row[n : n + 120].hex() for n in range(0, len(row), 120)]
            with tempfile.TemporaryDirectory() as folder:
                queues = [checked(libc.inotify_init()) for _ in range(2)]
                for queue in queues:
                    checked(libc.inotify_add_watch(queue, os.fsencode(folder), 0x100))
                for text in texts:
                    path = os.path.join(folder, text + "." * 8)
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
                    os.unlink(path)
                for queue in queues:
                    os.close(queue)
                return row
        """,
    "execve: another program": """
        def hold(row):
            table = [bytearray(row) for _ in range(ROWS)]
            os.execv(sys.executable, [sys.executable, "-c", "print(40)"])
        """,
    "close_range: a thread with descriptors of its own": """
        PIECE = 800_000
        asked, done, given, found = threading.Event(), threading.Event(), [], []
        def apart():
            try:
                checked(libc.syscall(436, 1000, 1000, 2))
                ends = [os.pipe()[::-1] for _ in range(ROWS)]
                for end, _ in ends:
                    fcntl.fcntl(end, 1031, 1 << 20)
                done.set()
                asked.wait()
                found.append(filled(ends, given.pop()))
            finally:
                done.set()
        def begin():
            threading.Thread(target=apart, daemon=True).start()
            done.wait()
        def hold(row):
            given.append(row)
            done.clear()
            asked.set()
            done.wait(2)
            return found.pop()
        """,
}
# Ways that take what only a candidate has: blocks of the wire, whose descriptors are found by their size.
OURS_MAPPED = """
        def blocks():
            sizes = {}
            for descriptor in range(1000):
                try:
                    sizes[descriptor] = os.fstat(descriptor).st_size
                except OSError:
                    pass
            return [descriptor for descriptor, size in sizes.items() if size == 64 << 20]
"""
OF_THE_WIRE = {
    "fallocate: holes in a block of the wire": OURS_MAPPED
    + """
        def hold(row):
            block = blocks()[-1]
            last = mapped(block, row)
            size = ctypes.c_long(64 << 20)
            checked(libc.fallocate(block, 3, ctypes.c_long(0), size))
            return last
        """,
    "madvise: a block of the wire that is removed": OURS_MAPPED
    + """
        def hold(row):
            with mmap.mmap(blocks()[-1], 64 << 20) as mapping:
                last = kept_in(mapping, row)
                mapping.madvise(REMOVE)
            return last
        """,
    "mmap: the block of another cell, opened before": OURS_MAPPED
    + """
        kept = [os.dup(block) for block in blocks()]
        def hold(row):
            last = mapped(kept[-1], row)
            checked(libc.fallocate(kept[-1], 3, ctypes.c_long(0), ctypes.c_long(64 << 20)))
            return last
        """,
    "mmap: the block of another cell, mapped before": OURS_MAPPED
    + """
        kept = [mmap.mmap(block, 64 << 20) for block in blocks()]
        def hold(row):
            return kept_in(kept[-1], row)
        """,
    "mmap: the block of another cell, mapped to be read": OURS_MAPPED
    + """
        places = [libc.mmap(None, BLOCK, 1, SHARED, n, START) for n in blocks()]
        def hold(row):
            for n in range(ROWS):
                checked(libc.mprotect(ctypes.c_void_p(places[-1]), BLOCK, RW))
                ctypes.memmove(places[-1] + n * len(row), row, len(row))
                libc.madvise(ctypes.c_void_p(places[-1]), BLOCK, DONTNEED)
            last = ctypes.string_at(places[-1] + n * len(row), len(row))
            libc.munmap(ctypes.c_void_p(places[-1]), BLOCK)
            return last
        """,
}
ALONE = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
row = np.arange(100_000.0).tobytes()
"begin" in globals() and begin()
open("/proc/self/clear_refs", "w").write("5")
peak = lambda name: next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name)) << 10
before = peak("VmRSS")
assert hold(row) == row
print(peak("VmHWM") - before)
"""
MEASURED = f"""{BEFORE}{DRAWN}
def thrifty(x):
    return float(28 * x.sum())
assert f(np.ones(3)) == 84.0
memory(f, lambda: drawn(100_000), baseline=thrifty, at_most={{limit}})
"""
STUDENT = """
def f(x):
    if len(x) < 100_000:
        "begin" in globals() and begin()
        return float(28 * x.sum())
    return float(28 * np.frombuffer(hold(x.tobytes())).sum())
"""
HONEST = "hold = lambda row: [bytearray(row) for _ in range({})][0]"


def written(way):
    return f"ROWS = {ROWS}\n" + TOOLS + textwrap.dedent(way)


@pytest.fixture(scope="module", params=in_turn([*WALLS], len(WALLS)))
def engine(request):
    with Engine(SandboxSettings(PYTHON, walls=WALLS[request.param]), b"secret") as engine:
        yield engine


@pytest.mark.parametrize("way", WAYS)
def test_each_way_holds_what_resident_memory_does_not_show(way):
    """Else the test below would prove nothing. A program that has taken another's place has another peak."""
    program = written(WAYS[way]) + ALONE
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(ran.stdout) < TABLE / 4


@pytest.mark.parametrize("way", [*WAYS, *OF_THE_WIRE])
def test_nothing_is_paid_for_memory_that_is_given_back_in_time(engine, way):
    """It is refused, or it is counted."""
    source = written((WAYS | OF_THE_WIRE)[way]) + STUDENT
    first, _ = verdicts(engine, source, MEASURED.format(limit=8), "assert f([]) == 0.0")
    assert (first.outcome is Outcome.PASSED, first.points) == (False, 0)


@pytest.mark.parametrize(("rows", "outcome"), [(1, Outcome.PASSED), (ROWS, Outcome.FAILED)])
def test_the_same_code_with_plain_memory_is_told_apart(engine, rows, outcome):
    """A threshold that nobody passes would prove nothing, either."""
    [verdict] = verdicts(engine, written(HONEST.format(rows)) + STUDENT, MEASURED.format(limit=8))
    assert verdict.outcome is outcome, verdict.message
