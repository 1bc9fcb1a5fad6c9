"""Runs a command and reports, in a JSON file, how it ended and which processes it left behind.

    python keeper.py REPORT SECONDS GRACE COMMAND…

What the command starts stays below this process, which adopts orphans: a daemon cannot slip away by forking
twice. What is left so many seconds of grace after the command has ended is reported, then killed.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def children(process: int) -> list[int]:
    """Return the children of all threads of a process; none if it is gone."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []
    return [int(number) for text in lists for number in text.split()]


def descendants(process: int) -> Iterator[int]:
    """Yield every process below one."""
    for child in children(process):
        yield child
        yield from descendants(child)


def is_alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_behind(grace: float) -> dict[int, str]:
    """Return what is still alive below this process after some seconds, with its command line."""
    end = time.monotonic() + grace
    while time.monotonic() < end and any(map(is_alive, descendants(os.getpid()))):
        time.sleep(0.05)
    return {number: command(number) for number in descendants(os.getpid()) if is_alive(number)}


def command(process: int) -> str:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def main() -> None:
    """Run, look, report, tidy up."""
    report, seconds, grace, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    running = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = running.wait(float(seconds))
    except subprocess.TimeoutExpired:
        running.kill()
        code = running.wait()
    left = left_behind(float(grace))
    Path(report).write_text(json.dumps({"code": code, "left": left}))
    while below := [number for number in descendants(os.getpid()) if is_alive(number)]:
        for number in below:
            os.kill(number, signal.SIGKILL)


if __name__ == "__main__":
    main()
