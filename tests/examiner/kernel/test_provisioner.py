"""Kernels that Jupyter starts behind our walls: they do what kernels do, and nothing else."""

import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from jupyter_client import AsyncKernelManager, KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from examiner.box.walls import Walls, available
from examiner.errors import PlatformFault
from examiner.kernel.provisioner import NoKernel, view_of

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-student" / "bin" / "python"
ECHO = Path(__file__).parents[1] / "fixtures" / "echo_kernel.py"
LAUNCH = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]

HERE = available()
KINDS = {"Landlock and a reaper": Walls(namespaces=False, landlock=HERE.landlock, seccomp=True)}
if HERE.namespaces:
    KINDS["namespaces"] = HERE


class OneKernel(KernelSpecManager):
    """Knows one kernel, whatever it is called."""

    def __init__(self, argv, config, language="python", provisioner="examiner-boxed"):
        super().__init__()
        metadata = {"kernel_provisioner": {"provisioner_name": provisioner, "config": config}}
        self.spec = KernelSpec(argv=argv, language=language, metadata=metadata, resource_dir=str(ECHO.parent))

    def get_kernel_spec(self, kernel_name):
        del kernel_name
        return self.spec


def execute(*sources, argv=LAUNCH, cwd=None, specs=None, seconds=20, config=None):
    """Return, for each cell, what it said: text that it printed, its value, or the name of its error."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    manager = AsyncKernelManager(kernel_spec_manager=specs or OneKernel(argv, config or {}))
    client = NotebookClient(
        notebook,
        km=manager,
        allow_errors=True,
        timeout=seconds,
        interrupt_on_timeout=True,
        startup_timeout=60,
    )
    client.resources = {"metadata": {"path": str(cwd)}} if cwd else {}
    client.owns_km = True
    client.execute()
    return [text_of(cell) for cell in notebook.cells]


def text_of(cell):
    """Return the outputs of a cell as one text."""
    words = []
    for output in cell.outputs:
        match output["output_type"]:
            case "stream":
                words.append(output["text"])
            case "error":
                words.append(output["ename"])
            case _:
                words.append(output["data"]["text/plain"])
    return "".join(words).replace("\r\n", "\n")  # as a terminal ends lines, which a box has none of


@pytest.fixture(params=KINDS)
def config(request):
    """Settings of the provisioner, with each way to wall in that this machine has."""
    return {"walls": KINDS[request.param]}


def processes(word):
    """Return the command lines of processes in which a word stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes().decode()
            except OSError:  # it ended
                continue
            if word in line:
                found.append(line)
    return found


def test_a_notebook_says_in_a_box_what_it_says_outside(config, tmp_path):
    """Values, prints, figures, errors, shell commands and magics: nothing of what students do needs more."""
    (tmp_path / "data.txt").write_text("three")
    cells = (
        "print(open('data.txt').read())\n40 + 2",
        "import sys; print('to stderr', file=sys.stderr); 1 / 0",
        "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()",
        "!echo $((6 * 7)); cat nothing",
        "%timeit -r1 -n1 -q pass\nfound = !echo one\nfound[0]",
        "open('own.txt', 'w').write('mine'), open('own.txt').read()",
        "import threading, subprocess\nsubprocess.run(['true']).returncode, threading.active_count() > 1",
    )
    outside = execute(*cells, specs=OneKernel(LAUNCH, {}, provisioner="local-provisioner"), cwd=tmp_path)
    (tmp_path / "own.txt").unlink()
    assert execute(*cells, config=config, cwd=tmp_path) == outside
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt"], "what it writes stays in the box"


def test_nothing_of_the_instructors_can_be_read(config, tmp_path, monkeypatch):
    """Nor what nbgrader has put beside a student's notebook: that one holds hidden tests."""
    monkeypatch.setenv("SECRET", "canary")
    (tmp_path / "work.ipynb").write_text("canary")
    (tmp_path / "data.txt").write_text("")
    course, home, folder, environment, lists = execute(
        f"open({str(ROOT / 'course.toml')!r})",
        f"open({str(tmp_path / 'work.ipynb')!r})",
        "import os; sorted(os.listdir())",
        "'canary' in str(os.environ)",
        f"open({str(ROOT / 'gradebook.db')!r}, 'w')",
        config=config,
        cwd=tmp_path,
    )
    denied = {"FileNotFoundError", "PermissionError"}
    assert course in denied
    assert home in denied
    assert folder == "['data.txt']"
    assert environment == "False"
    assert lists in denied | {"OSError"}


def test_packages_of_the_instructors_are_absent_where_the_kernel_shares_his_environment():
    """Hidden tests could be looked for with them; all else of that environment is there."""
    argv = [sys.executable, *LAUNCH[1:]]
    nbgrader, examiner, numpy = execute("import nbgrader", "import examiner", "import numpy", argv=argv)
    assert (nbgrader, examiner, numpy) == ("ModuleNotFoundError", "ModuleNotFoundError", "")


def test_there_is_no_network(config):
    """What a hidden test says cannot be told to anybody."""
    found = execute("import socket\nsocket.create_connection(('127.0.0.1', 80), 1)", config=config)
    assert found == ["OSError"]


def test_a_cell_that_takes_too_long_is_interrupted_and_the_next_one_runs(config):
    """The interrupt goes to the kernel itself, which may be the first process in a namespace of its own."""
    cells = ("here = 1", "import time\nwhile True:\n    time.sleep(0.1)", "here")
    assert execute(*cells, config=config, seconds=2) == ["", "KeyboardInterrupt", "1"]


def test_nothing_is_left_running(config):
    """Not even what has left its session and its parents."""
    start = "['sh', '-c', 'sleep 1234567 & sleep 1234567'], start_new_session=True"
    start = f"import subprocess\nsubprocess.Popen({start})\n0"
    before = children(os.getpid())
    assert execute(start, config=config) == ["0"]
    assert processes("1234567") == []
    assert children(os.getpid()) == before  # the helper has ended, too


def test_a_kernel_that_dies_is_noticed(config):
    """Nobody waits for the answer of a process that is no more."""
    with pytest.raises(DeadKernelError):
        execute("import os\nos._exit(3)", config=config)


def test_a_kernel_can_be_asked_to_end_and_started_again(config):
    """As in JupyterLab; its sockets are found where they were."""
    manager = KernelManager(kernel_spec_manager=OneKernel(LAUNCH, config))
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(60)
    where = client.ip
    manager.restart_kernel()
    client.wait_for_ready(60)
    assert client.ip == manager.ip == where
    client.stop_channels()
    manager.shutdown_kernel()
    assert not manager.has_kernel
    assert not Path(where).parents[1].exists()


def test_a_kernel_ends_with_the_process_that_asked_for_it(tmp_path):
    """Even one that was killed, and could clean up nothing."""
    script = tmp_path / "client.py"
    script.write_text(
        "import os, sys\nfrom jupyter_client.manager import KernelManager\n"
        "sys.path.insert(0, os.environ['HERE'])\nfrom test_provisioner import LAUNCH, OneKernel\n"
        "specs = OneKernel([*LAUNCH, '--IPKernelApp.extra=7654321'], {})\n"
        "manager = KernelManager(kernel_spec_manager=specs)\n"
        "manager.start_kernel()\nclient = manager.client()\nclient.start_channels()\n"
        "client.wait_for_ready(60)\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    asking = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"HERE": str(Path(__file__).parent), "TMPDIR": str(tmp_path)},
    )
    with asking:
        assert asking.stdout.readline() == "ready\n"
        [line] = processes("7654321")
        assert "ipykernel" in line
        helpers = children(asking.pid)
        asking.kill()
    for number in helpers:
        wait_for_end(number)
    assert processes("7654321") == []


def children(number):
    """Return the children of a process."""
    tasks = Path(f"/proc/{number}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def wait_for_end(number):
    """Return once a process that is not ours to wait for has ended."""
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(30_000), "it lives on"
    os.close(descriptor)


def test_a_kernel_of_another_language_is_just_another_command():
    """Its program's prefix and the files that its command names can be read, not what lies beside."""
    argv = [str(PYTHON), str(ECHO), "{connection_file}"]
    assert execute("hello", "world", specs=OneKernel(argv, {}, language="echo")) == ["hello", "world"]


def test_what_a_program_may_read_is_its_prefix_or_itself_alone(tmp_path, monkeypatch):
    """A script that lies in a course, or in somebody's home, does not open all that lies around it."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    places = {}
    for place in ("opt/lang/bin/kernel", "home/bin/kernel", "home/.lang/bin/kernel", "home/course/kernel"):
        program = tmp_path / place
        program.parent.mkdir(parents=True)
        program.touch()
        places[place] = view_of([str(program), str(ECHO), "/no/file"], "echo", ()).shown
    shown = {
        place: [path for path in seen if path.is_relative_to(tmp_path)] for place, seen in places.items()
    }
    assert shown == {
        "opt/lang/bin/kernel": [tmp_path / "opt/lang"] * 2,
        "home/bin/kernel": [tmp_path / "home/bin/kernel"] * 2,
        "home/.lang/bin/kernel": [tmp_path / "home/.lang"] * 2,
        "home/course/kernel": [tmp_path / "home/course/kernel"] * 2,
    }
    assert all(ECHO in seen for seen in places.values())


def test_what_is_shown_in_addition_can_be_read_and_what_is_hidden_cannot(config, tmp_path):
    """A kernel of another language may need more than its prefix."""
    for name in ("shown", "shown/hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("here")
    more = {"shown": [str(tmp_path / "shown")], "hidden": [str(tmp_path / "shown" / "hidden")]}
    cells = (f"open('{tmp_path}/{name}/file').read()" for name in ("shown", "shown/hidden"))
    shown, hidden = execute(*cells, config=config | more)
    assert shown == "'here'"
    assert hidden in {"FileNotFoundError", "PermissionError"}
    with pytest.raises(NoKernel, match="write the whole path"):
        execute("1", config={"shown": ["."]})


def test_a_specification_without_a_folder_shows_none():
    """A path that says nothing would mean the whole machine."""
    specs = OneKernel(LAUNCH, {})
    specs.spec.resource_dir = ""
    assert execute("open('/etc/passwd')", specs=specs) == ["FileNotFoundError"]


def test_a_kernel_whose_program_is_missing_says_so(tmp_path, monkeypatch):
    """At once, and not after a minute in which nobody answers; and nothing is left of the attempt."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(NoKernel, match="there is no such program"):
        execute("1", argv=["no-such-program"])
    assert list(tmp_path.glob("kernel-*")) == []


def test_the_last_words_of_a_kernel_that_did_not_come_up_are_logged(caplog):
    """What it says on stderr reaches nobody else."""
    specs = OneKernel([str(PYTHON), "-c", "raise SystemExit('no kernel today')"], {})
    manager = KernelManager(kernel_spec_manager=specs)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    with pytest.raises(RuntimeError, match="Kernel died"):
        client.wait_for_ready(60)
    client.stop_channels()
    manager.shutdown_kernel()
    assert "no kernel today" in caplog.text


def test_a_working_folder_that_leads_elsewhere_is_refused(tmp_path):
    """Nothing is followed into what the instructor can read."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(PlatformFault, match="not a regular file"):
        execute("1", cwd=tmp_path)
