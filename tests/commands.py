"""Runs nbgrader's commands as a user does, each in a process of its own, which is forked after the imports.

To import nbgrader and its extensions takes seconds. So one process imports them, and forks for each command;
what a command does from then on is what its script does.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NoReturn

Command = Callable[..., str]


@contextmanager
def nbgraders_commands() -> Iterator[Command]:
    """Yield a function that runs `nbgrader` in a folder, as somebody who has not activated the environment.

    It takes the folder, the arguments, `code` (with which the command must end; 0) and variables of the
    environment; and returns what was printed, which is no traceback.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    to, back = process.stdin, process.stdout
    assert to is not None
    assert back is not None

    def run(folder: Path, *arguments: str, code: int = 0, **variables: str) -> str:
        with TemporaryDirectory() as aside:
            _ask(to, [str(folder), arguments, {"PATH": os.defpath} | variables, aside])
            ended = int(back.readline())
            out, err = (Path(aside, name).read_text() for name in ("out", "err"))
        assert ended == code, err
        assert "Traceback" not in err
        return out + err

    with process:
        yield run
        to.close()


def _ask(to: IO[str], command: object) -> None:
    to.write(json.dumps(command) + "\n")
    to.flush()


def _serve() -> None:
    from nbgrader.apps.nbgraderapp import main  # noqa: PLC0415 - only the process that forks needs it

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(main, *json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - that is how it answers


def _become(
    main: Callable[[], None], folder: str, arguments: list[str], variables: dict[str, str], aside: str
) -> NoReturn:
    """Do what the script of the command does, in its folder, with files for what it prints."""
    os.chdir(folder)  # of this process, which was forked for this one command
    os.environ.update(variables)
    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(f"{aside}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["nbgrader", *arguments]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:  # noqa: BLE001 - the interpreter would print it as well
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
