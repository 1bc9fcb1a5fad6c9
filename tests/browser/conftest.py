"""JupyterLab as `examiner lab` starts it, on a copy of the course, and a headless Chromium to look at it.

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

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import hostile

REPOSITORY = Path(__file__).parents[2]
EXAMINER = Path(sys.executable).with_name("examiner")
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
HANDED_IN = {"submitted/student01": "source", "submitted/student02": "release"}
PATIENCE = 60_000  # milliseconds: both cores may be busy grading

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def executable() -> str:
    """The Chromium that is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("no Chromium to look at JupyterLab with; on Debian: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """The variables that keep what Jupyter remembers out of the home directory."""
    home = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return os.environ | {name: str(home / name) for name in names}


@pytest.fixture(scope="session")
def course(executable, environment, tmp_path_factory) -> Path:  # noqa: ARG001  (nothing to see it with, no course)
    """A copy of the course, released and graded.

    student01 handed in what is right, student02 nothing new, student03 whatever a page may fall for.
    """
    root = tmp_path_factory.mktemp("course")
    settings = (REPOSITORY / "course.toml").read_text()
    student_environment = f'python = "{REPOSITORY / ".venv-student"}"'
    (root / "course.toml").write_text(settings.replace('python = ".venv-student"', student_environment))
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    shutil.copytree(REPOSITORY / "evidence", root / "evidence")
    (root / "tests").mkdir()
    for name in ("requirements", "tinytorch", "tests/mutants"):  # the evidence is about the mutants, too
        (root / name).symlink_to(REPOSITORY / name)
    for folder, origin in HANDED_IN.items() | {("source", "source")}:
        shutil.copytree(REPOSITORY / origin / "01_tensor", root / folder / "01_tensor")
    hostile.hand_in(root, "student03", REPOSITORY / "release/01_tensor/tensor.ipynb")
    nbgrader = EXAMINER.with_name("nbgrader")
    for command in ([EXAMINER, "grade", "-a", "01_tensor"], [nbgrader, "release_assignment", "01_tensor"]):
        subprocess.run(command, cwd=root, env=environment, check=True)
    return root


@pytest.fixture(scope="session")
def lab(course, environment, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that has the course open."""
    with subprocess.Popen(
        [EXAMINER, "lab", "--no-browser", "--port=0", "--IdentityProvider.token=seen"],
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
def chromium(executable) -> Iterator[Browser]:
    """A browser; for one module at a time, since Playwright keeps an event loop running in this thread."""
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
