"""A root of what is shown and nothing else, made out of any folders, that leaves nothing on the machine."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from examiner.box.box import enter_outer
from examiner.box.walls import available

HERE = [walls for walls in [available()] if walls.namespaces]
pytestmark = pytest.mark.parametrize("walls", HERE)


def names(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


def test_the_root_holds_what_is_shown_and_what_every_program_needs(walls, in_child, ask, view, user):
    """What is not there cannot be read, whatever else fails."""

    def scenario():
        box = enter_outer(replace(view, shown=(Path("/usr/lib"),)), walls)
        answer, _ = ask(box, lambda: [names("/"), names("/dev")])
        return answer

    root, devices = in_child(scenario, user=user)
    assert root == ["box", "dev", "no-package", "nowhere", "tmp", "usr"]
    assert devices == ["full", "null", "random", "shm", "urandom", "zero"]


def test_an_environment_may_stand_in_the_folder_for_temporary_files(walls, in_child, ask, view):
    """Then /tmp holds it, and temporary files go elsewhere."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "file").write_text("text")

        def question():
            (Path(os.environ["TMPDIR"]) / "temporary").touch()
            return (folder / "file").read_text()

        shown = replace(view, shown=(*view.shown, folder))
        answer, _ = in_child(lambda: ask(enter_outer(shown, walls), question))
    assert answer == "text"


def test_temporary_files_go_where_programs_look_for_a_place(walls, in_child, ask, view):
    """Semaphores lie in /dev/shm, by the C library's decision."""

    def question():
        for folder in ("/tmp", "/dev/shm"):
            (Path(folder) / "file").write_text("text")
        return names(os.environ["TMPDIR"])

    assert in_child(lambda: ask(enter_outer(view, walls), question)) == [["file"], 0]


def test_links_are_followed_to_where_they_lead(walls, in_child, ask, view):
    """/lib is one, and many an environment's interpreter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        (folder / "real").mkdir()
        (folder / "real" / "file").write_text("text")
        (folder / "link").symlink_to("real")
        shown = replace(view, shown=(*view.shown, folder / "link"))
        answer, _ = in_child(lambda: ask(enter_outer(shown, walls), (folder / "link" / "file").read_text))
    assert answer == "text"


def test_nothing_is_left_on_the_machine(walls, in_child, ask, view):
    """Not an empty folder to mount on; others may use the machine's own folder for such things meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)

        def scenario():
            tempfile.tempdir = folder
            return ask(enter_outer(view, walls), os.getpid)

        in_child(scenario)
        assert names(folder) == []


def test_a_candidate_is_the_first_process_among_its_own(walls, in_child, ask, view):
    """With its end the kernel ends all others, and there is nobody else to see."""

    def question():
        return [os.getpid(), os.getppid()]

    assert in_child(lambda: ask(enter_outer(view, walls), question)) == [[1, 0], 0]
