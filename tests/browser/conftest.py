"""JupyterLab as `make lab` starts it, on a small course, and a headless Chromium to look at it.

Without a Chromium these tests cannot run. In CI that is a failure, since `.ci/run` installs one; elsewhere
they are skipped, and pytest's summary says what to install.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Browser, Page, expect, sync_playwright

BIN = Path(sys.executable).parent
STUDENT_PYTHON = Path(__file__).parents[2] / ".venv-student/bin/python"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # root in a container has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
PATIENCE = 60_000  # milliseconds: both cores may be busy grading

CONFIG = """
from pathlib import Path
c = get_config()
c.CourseDirectory.course_id = "tinytorch"
c.Exchange.root = str(Path("exchange").absolute())
c.ExecutePreprocessor.kernel_name = "tinytorch-student"
"""

expect.set_options(timeout=PATIENCE)


def nbgrader_cell(make, source: str, **role):
    """Return a cell with nbgrader's metadata; the cell's id is its grade_id."""
    metadata = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False} | role
    return make(source, id=role["grade_id"], metadata={"nbgrader": metadata})


def instructor_notebook():
    """Return an assignment of three cells: to be solved, tested, and answered in writing."""
    solution = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    test = "assert double(2) == 4\n### BEGIN HIDDEN TESTS\nassert double(3) == 6\n### END HIDDEN TESTS"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [
        nbgrader_cell(new_code_cell, solution, grade_id="double", solution=True),
        nbgrader_cell(new_code_cell, test, grade_id="interface_double", grade=True, locked=True, points=90),
        nbgrader_cell(
            new_markdown_cell, "Twice.", grade_id="written_why", grade=True, solution=True, points=10
        ),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": kernelspec})


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """The variables that keep Jupyter's files out of the home directory, with the student's kernel known."""
    home = tmp_path_factory.mktemp("jupyter")
    subprocess.run(
        [STUDENT_PYTHON, "-m", "ipykernel", "install", "--prefix", home, "--name", "tinytorch-student"],
        check=True,
        capture_output=True,
    )
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",  # nbgrader calls alembic by its name
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PATH": str(home / "share/jupyter"),
        "IPYTHONDIR": str(home / "ipython"),
    }


@pytest.fixture(scope="session")
def course(tmp_path_factory, environment) -> Path:
    """A course with one assignment released and one submission, the instructor's own, autograded."""
    root = tmp_path_factory.mktemp("course")
    (root / "nbgrader_config.py").write_text(CONFIG)
    for folder in (root / "source/01_double", root / "submitted/student01/01_double"):
        folder.mkdir(parents=True)
        nbformat.write(instructor_notebook(), folder / "double.ipynb")
    for command in (["generate_assignment"], ["autograde", "--create"], ["release_assignment"]):
        subprocess.run(
            [BIN / "nbgrader", *command, "01_double"],
            cwd=root,
            env=environment,
            check=True,
            capture_output=True,
        )
    return root


@pytest.fixture(scope="session")
def lab(course, environment, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that has the course open."""
    options = ["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=seen"]
    with subprocess.Popen(
        [BIN / "jupyter", "lab", *options],
        cwd=course,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        log = []
        for line in server.stderr:
            log.append(line)
            if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail("JupyterLab did not start:\n" + "".join(log))
        reader = Thread(target=log.extend, args=(server.stderr,))  # a full pipe would stop the server
        reader.start()
        yield address.group()
        server.terminate()
        reader.join()
    (tmp_path_factory.getbasetemp() / "jupyterlab.log").write_text("".join(log))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; for one module at a time, since Playwright keeps an event loop running in this thread."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("no Chromium to look at JupyterLab with; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, lab, tmp_path) -> Iterator[Page]:
    """A page signed in to JupyterLab that reaches nothing else; its last sight stays in `tmp_path`."""
    with chromium.new_context(base_url=lab, viewport={"width": 1400, "height": 1000}) as context:
        context.set_default_timeout(PATIENCE)
        context.route(lambda url: not url.startswith(lab), lambda route: route.abort())
        page = context.new_page()
        page.goto("/login?next=/api/status&token=seen")
        yield page
        page.screenshot(path=tmp_path / "last_sight.png")
