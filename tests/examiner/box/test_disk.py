"""Folders of candidates on the machine's own disk are gone afterwards, whatever was left in them."""

import os
import tempfile
from pathlib import Path

import pytest

from examiner.box.disk import remove


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_a_nest_deeper_than_any_path_or_stack_is_removed(home):
    """A loop of mkdir and chdir makes one in a second; a removal that calls itself dies of it."""
    descriptor = os.open(home, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("nest", dir_fd=descriptor)
        inner = os.open("nest", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    remove(home)
    assert not home.exists()


def test_closed_folders_are_removed(in_child, user):
    """An ordinary user cannot look into a folder of mode 0, not even into his own."""

    def scenario():
        folder = Path(tempfile.mkdtemp())
        inner = folder / "closed" / "inner"
        inner.mkdir(parents=True)
        (inner / "file").touch()
        inner.chmod(0)
        inner.parent.chmod(0)
        remove(folder)
        return folder.exists()

    assert in_child(scenario, user=user) is False


def test_links_are_removed_and_not_followed(home, tmp_path):
    """What they lead to is the instructor's."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "grades").write_text("100")
    (home / "folder").symlink_to(kept)
    (home / "file").symlink_to(kept / "grades")
    (home / "nowhere").symlink_to("nowhere")
    remove(home)
    assert (kept / "grades").read_text() == "100"


def test_pipes_and_sockets_are_removed(home):
    """Opening a pipe to look at it would wait for ever."""
    os.mkfifo(home / "pipe")
    remove(home)
    assert not home.exists()
