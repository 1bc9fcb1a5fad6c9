"""Has each Python process of a run tell the siege what it is about to do, and wait until it may go on.

Python imports this module by its name, since its folder is in PYTHONPATH. It changes nothing that the process
does. Told are changes of files below the course, statements of SQL, and what is started or sent: each by the
process's number, a word and a path or text. Nothing is told once nobody listens.
"""

import os
import socket
import sqlite3
import sys
import threading

ADDRESS, ROOT = os.environ.get("SIEGE_ADDRESS", ""), os.environ.get("SIEGE_ROOT", "")
PATHS = {"os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.rename": 1, "os.link": 1, "shutil.rmtree": 0}
DEEDS = {"subprocess.Popen", "socket.sendmsg", "os.fork", "fcntl.flock"}
WRITES = os.O_WRONLY | os.O_RDWR
LONGEST = 2000  # characters of a path or statement

telling = threading.local()


def tell(word: str, text: str) -> None:
    """Tell the siege what comes next, and wait for its answer."""
    if getattr(telling, "is_busy", False):
        return
    telling.is_busy = True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.connect("\0" + ADDRESS)
            line = f"{os.getpid()}\t{word}\t{text[:LONGEST]}"
            link.send(line.encode(errors="surrogateescape"))
            link.recv(1)
    except OSError:
        pass  # the siege is over
    finally:
        telling.is_busy = False


def hook(event: str, arguments: tuple) -> None:
    """Tell of what changes something."""
    if event == "open":
        path, _, flags = arguments
        if flags & WRITES:
            tell_path("open", path)
    elif event in PATHS:
        tell_path(event, arguments[PATHS[event]])
    elif event in DEEDS:
        tell(event, "")


def tell_path(word: str, path: object) -> None:
    """Tell of a change below the course."""
    if isinstance(path, (str, bytes, os.PathLike)):
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links stay as they are named
        if name.startswith(ROOT):
            tell(word, name[len(ROOT) :])


def connected(*arguments, **options) -> sqlite3.Connection:
    """Connect as `sqlite3.connect` does; the audit event for it comes too early for statements to be seen."""
    connection = connect(*arguments, **options)
    connection.set_trace_callback(lambda statement: tell("sql", statement))
    return connection


if ADDRESS:
    sys.addaudithook(hook)
    connect, sqlite3.connect, sqlite3.dbapi2.connect = sqlite3.connect, connected, connected
