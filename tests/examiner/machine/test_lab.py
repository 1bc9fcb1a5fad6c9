"""JupyterLab, as `examiner lab` starts it, is careful with students' files in any course."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import nbformat
import pytest
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import Retry

EXAMINER = Path(sys.executable).with_name("examiner")


@pytest.fixture
def lab(tmp_path) -> Iterator[str]:
    """The address of JupyterLab in a course of nbgrader's whose settings do not name examiner."""
    notebook = tmp_path / "course/source/ps1/ps1.ipynb"
    notebook.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), notebook)
    (tmp_path / "course/nbgrader_config.py").write_text("get_config().CourseDirectory.course_id = 'plain'\n")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    with subprocess.Popen(
        [EXAMINER, "lab", "--no-browser", "--port=0", "--allow-root", "--IdentityProvider.token=seen"],
        cwd=tmp_path / "course",
        env=os.environ | {name: str(tmp_path / name) for name in names},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stderr)))
        reader = Thread(target=server.stderr.read)  # a full pipe would stop the server
        reader.start()
        yield found.group()
        server.terminate()
        reader.join()


def test_a_file_is_saved_and_not_shown_also_where_the_course_does_not_say_so(lab, tmp_path):
    """The settings of a course of nbgrader's need no word of examiner to be graded."""
    (tmp_path / "course/submitted").mkdir()
    (tmp_path / "course/submitted/page.html").write_text("<script>alert(1)</script>")
    with Session() as session:
        # Jupyter tells its address a moment before it listens there.
        session.mount(lab, HTTPAdapter(max_retries=Retry(connect=9, backoff_factor=0.1)))
        page = session.get(f"{lab}/files/submitted/page.html", headers={"Authorization": "token seen"})
    assert page.headers["Content-Disposition"].startswith("attachment")
    assert page.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert page.content == b"<script>alert(1)</script>"
