"""One process measured from outside, its neighbours stopped: on real processes, with wide bounds."""

import math
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from examiner.box import meter

MB = 1 << 20
ASKED = """
import sys
def after(): pass
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
    after()
"""


class Servant:
    """A Python that does what it is told, a line at a time, and calls `after` when it has said so."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", ASKED], stdin=-1, stdout=-1, text=True)
        self.pid = self.process.pid
        self.do("pass")

    def do(self, line):
        """Have a line run, and return when it has."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def state(self):
        """Return the state that the kernel names."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2][0]


@contextmanager
def servants(count):
    """Give some, and end them."""
    made = [Servant() for _ in range(count)]
    try:
        yield made
    finally:
        for child in made:
            child.process.kill()
            child.process.communicate()


def test_the_clock_counts_work_of_all_threads_and_not_waiting():
    """It is read from outside, while the process does something else or nothing."""
    with servants(1) as [servant]:
        before = meter.cpu(servant.pid)
        servant.do("import time; time.sleep(0.05)")
        waited = meter.cpu(servant.pid)
        work = (
            "import threading, time\\nend = time.thread_time() + 0.1\\nwhile time.thread_time() < end: pass"
        )
        servant.do(
            f"import threading; t = threading.Thread(target=exec, args=('{work}',)); t.start(); t.join()"
        )
        worked = meter.cpu(servant.pid)
    assert 0 < waited - before < worked - waited
    assert worked - waited >= 0.1


def test_what_goes_on_for_a_moment_after_an_answer_is_counted_with_it():
    """Also where CPU time is limited, and the kernel's account lags while a process runs."""
    with servants(1) as [servant]:
        servant.do("import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))")
        servant.do("def after(): sum(range(100_000))")
        for _ in range(20):
            servant.do("pass")
            meter.rest(servant.pid, seconds=30)
            now = meter.cpu(servant.pid)
            while servant.state() != "S":
                os.sched_yield()
            assert meter.cpu(servant.pid) == now


def test_who_never_rests_is_not_waited_for():
    """Nor who has ended."""
    with servants(1) as [servant]:
        servant.do("def after(): exec('while True: pass')")
        meter.rest(servant.pid)
        assert servant.state() == "R"
    began, seconds = time.monotonic(), 30
    meter.rest(servant.pid, seconds)
    assert time.monotonic() - began < seconds


def test_a_process_that_has_ended_has_no_clock_and_no_memory():
    """Whoever reads it sees that it ended, and no error."""
    with servants(1) as [servant]:
        pass
    assert math.isnan(meter.cpu(servant.pid))
    meter.reset_peak(servant.pid)
    assert (meter.peak(servant.pid), meter.resident(servant.pid), meter.own(servant.pid)) == (0, 0, 0)


def test_the_peak_is_of_what_came_after_it_was_reset():
    """And what was freed meanwhile counts."""
    with servants(1) as [servant]:
        servant.do(f"a = bytearray({60 * MB}); del a")
        assert meter.peak(servant.pid) - meter.resident(servant.pid) > 40 * MB
        meter.reset_peak(servant.pid)
        assert meter.peak(servant.pid) - meter.resident(servant.pid) < 10 * MB
        before = meter.resident(servant.pid)
        servant.do(f"a = bytearray({30 * MB}); del a")
        assert 20 * MB < meter.peak(servant.pid) - before < 40 * MB


def test_what_is_kept_is_its_own_memory():
    """Until it is let go of."""
    with servants(1) as [servant]:
        before = meter.own(servant.pid)
        servant.do(f"a = bytearray({30 * MB})")
        assert 20 * MB < meter.own(servant.pid) - before < 40 * MB
        servant.do("del a")
        assert meter.own(servant.pid) - before < 10 * MB


def test_what_was_there_before_a_fork_is_common_until_it_is_written():
    """Then it is the memory alone of whoever has changed it, and nothing has grown."""
    with servants(1) as [servant]:
        servant.do(f"import os; a = bytearray(b'x') * {40 * MB}")
        servant.do("import signal; child = os.fork(); child or signal.pause()")
        common = meter.share(servant.pid)
        resident = meter.resident(servant.pid)
        servant.do(f"a[:] = bytes({40 * MB})")
        written = meter.share(servant.pid)
        assert meter.resident(servant.pid) - resident < 10 * MB
        servant.do("os.kill(child, 9)")
    assert common.common > 40 * MB > common.alone
    assert written.alone - common.alone > 35 * MB


def test_where_else_memory_may_be_is_counted_as_full():
    """Shared mappings, and what is on its way through sockets and pipes."""
    with servants(1) as [servant]:
        assert meter.elsewhere(servant.pid) == 0
        servant.do("import mmap, os, socket")
        servant.do(f"private = mmap.mmap(-1, {9 * MB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)")
        assert meter.elsewhere(servant.pid) == 0
        servant.do(f"shared = mmap.mmap(-1, {9 * MB})")
        assert meter.elsewhere(servant.pid) == 9 * MB
        servant.do("pairs = [socket.socketpair() for _ in range(20)]")
        sockets = meter.elsewhere(servant.pid)
        servant.do("pipes = [os.pipe() for _ in range(20)]")
        pipes = meter.elsewhere(servant.pid)
    assert 9 * MB < sockets < pipes
    assert meter.elsewhere(servant.pid) == 0


def test_a_mapping_is_exempt_by_its_file_and_not_by_a_name():
    """Whoever may call a file what he likes would call it as the wire's are called."""
    with servants(1) as [servant]:
        servant.do("import mmap, os")
        for name in ("one", "other"):
            servant.do(f"{name} = os.memfd_create('arrays'); os.ftruncate({name}, {9 * MB})")
            servant.do(f"mapped_{name} = mmap.mmap({name}, {9 * MB})")
        opened = Path(f"/proc/{servant.pid}/fd").iterdir()
        stats = [path.stat() for path in opened if "arrays" in str(path.readlink())]
        files = list({stat.st_ino: stat for stat in stats}.values())
        assert meter.elsewhere(servant.pid, files) == 0
        assert meter.elsewhere(servant.pid, files[:1]) == meter.elsewhere(servant.pid, files[1:]) == 9 * MB
        assert meter.elsewhere(servant.pid) == 18 * MB


def test_a_file_in_memory_that_could_be_mapped_counts_before_it_is():
    """As large as it is; a mapping that can only be read can be made one to write."""
    with servants(1) as [servant]:
        servant.do("import mmap, os")
        for name in ("ours", "other"):
            servant.do(f"{name} = os.memfd_create('arrays'); os.ftruncate({name}, {9 * MB})")
        opened = Path(f"/proc/{servant.pid}/fd").iterdir()
        ours, _ = [path.stat() for path in sorted(opened) if "arrays" in str(path.readlink())]
        assert meter.elsewhere(servant.pid) == 0
        assert meter.elsewhere(servant.pid, [ours]) == 9 * MB
        servant.do(f"mapped = mmap.mmap(other, {9 * MB}, prot=mmap.PROT_READ)")
        servant.do("os.close(other)")
        assert meter.elsewhere(servant.pid, [ours]) == 9 * MB


def test_a_program_runs_until_another_takes_its_place():
    """The kernel forgets the peak of the one before."""
    with servants(1) as [servant]:
        program = meter.Program(servant.pid)
        servant.do("a = bytearray(9_000_000); del a")
        assert program.runs()
        servant.process.stdin.write("import os; os.execv('/bin/sleep', ['sleep', '60'])\n")
        servant.process.stdin.flush()
        while Path(f"/proc/{servant.pid}/comm").read_text() != "sleep\n":
            os.sched_yield()
        assert not program.runs()
        program.close()
    with servants(1) as [servant]:
        program = meter.Program(servant.pid)
    assert not program.runs()
    program.close()


def test_all_others_stand_still_and_go_on_afterwards():
    """The one that is measured is on one processor, and they are back where they were."""
    with servants(3) as [measured, *others]:
        everybody = [child.pid for child in (measured, *others)]
        measured.do(
            "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
        )
        with meter.alone(measured.pid, lambda: everybody, meter.a_processor()) as stopped:
            assert stopped == {other.pid for other in others}
            assert [other.state() for other in others] == ["T", "T"]
            threads = [int(task.name) for task in Path(f"/proc/{measured.pid}/task").iterdir()]
            assert [len(os.sched_getaffinity(thread)) for thread in threads] == [1, 1]
            measured.do("pass")
        for other in others:
            other.do("pass")


def test_whoever_appears_while_the_others_are_stopped_is_stopped_too():
    """A process may start another in the moment before it is stopped."""
    with servants(3) as [measured, first, second]:
        seen = iter([[measured.pid, first.pid], [measured.pid, first.pid, second.pid]])
        last = [measured.pid, first.pid, second.pid]
        with meter.alone(measured.pid, lambda: next(seen, last), meter.a_processor()) as stopped:
            assert stopped == {first.pid, second.pid}
            assert second.state() == "T"


def test_they_go_on_when_the_measurement_fails_and_dead_ones_are_no_matter():
    """A zombie is none that could be woken."""
    with servants(2) as [measured, other], subprocess.Popen(["true"]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        pids = [measured.pid, other.pid, dead.pid]
        with pytest.raises(ZeroDivisionError), meter.alone(measured.pid, lambda: pids, 0) as stopped:
            1 / (len(stopped) - 1)
        other.do("pass")
        with meter.alone(measured.pid, lambda: pids, meter.a_processor()) as stopped:
            assert stopped == {other.pid}


def test_one_that_is_woken_has_a_clock_that_tells():
    """Its neighbour may send it a signal; a stopped process has a clock that stands."""
    with servants(2) as [measured, other]:
        pids = [measured.pid, other.pid]
        with meter.alone(measured.pid, lambda: pids, meter.a_processor()):
            before = meter.cpu(other.pid)
            end = time.process_time() + 0.01
            while time.process_time() < end:
                pass
            assert meter.cpu(other.pid) == before
            measured.do(f"import os; os.kill({other.pid}, {int(signal.SIGCONT)})")
            other.do("sum(range(100000))")
            assert meter.cpu(other.pid) > before
