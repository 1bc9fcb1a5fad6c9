"""A kernel is found by its name, as Jupyter finds it."""

import json
import sys
from pathlib import Path

import pytest

from examiner.course.kernelspec import find_kernel


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that lets Jupyter know a kernel."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    def install(name, **entries):
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(entries))

    return install


def test_a_kernel_of_python_is_known_by_what_it_runs(install):
    """Jupyter takes a bare `python` for the one that it runs in itself."""
    install("mine", argv=["python", "-m", "ipykernel_launcher"], display_name="Mine", language="python")
    kernel = find_kernel("mine")
    assert (kernel.program, kernel.display_name, kernel.is_ipykernel) == (Path(sys.executable), "Mine", True)


def test_a_kernel_of_another_language_is_none_of_pythons(install):
    """Nor is one that runs Python in a way of its own."""
    install("echo", argv=["/bin/cat", "{connection_file}"], language="echo")
    install("own", argv=["/bin/python9", "own.py"], language="python")
    assert [find_kernel(name).is_ipykernel for name in ("echo", "own")] == [False, False]
    assert find_kernel("echo").program == Path("/bin/cat")
    assert find_kernel("echo").display_name == "echo"


def test_what_is_no_specification_is_no_kernel(install):
    """Jupyter passes it over too."""
    install("broken", argv="python")
    install("empty")
    assert find_kernel("empty") is None
    assert find_kernel("no-such-kernel") is None
