"""What is shown and hidden: links, folders in folders, and places that are reached through links."""

import sys

import pytest

from examiner.box.view import View, of_this_python


@pytest.fixture
def tree(tmp_path):
    for name in ("env/lib/numpy", "env/lib/nbgrader", "env/bin", "data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env" / "lib" / "module.py").touch()
    (tmp_path / "link").symlink_to("env")
    return tmp_path.resolve()


def test_a_folder_is_put_where_it_stands(tree):
    """Paths in a student's traceback are those of the environment."""
    assert View((tree / "env",)).places() == {tree / "env": tree / "env"}


def test_what_lies_in_a_shown_folder_is_not_put_there_twice(tree):
    """Each mount costs every candidate time."""
    view = View((tree / "env" / "lib", tree / "env", tree / "env" / "bin"))
    assert list(view.places()) == [tree / "env"]


def test_a_link_is_made_and_leads_to_what_it_leads_to_outside(tree):
    """/lib is a link into /usr on many systems."""
    view = View((tree / "link",))
    assert view.links() == {tree / "link": tree / "env"}
    assert view.places() == {tree / "env": tree / "env"}


def test_a_link_in_a_shown_folder_is_there_already(tree):
    """Making it again would fail: the folder is read-only."""
    (tree / "env" / "python3").symlink_to("bin")
    assert View((tree / "env", tree / "env" / "python3")).links() == {}


def test_a_folder_behind_a_link_is_found_by_both_its_names(tree):
    """An environment that was made through a link names itself so, in its programs' first lines."""
    view = View((tree / "link" / "lib",))
    assert view.places() == {
        tree / "env" / "lib": tree / "env" / "lib",
        tree / "link" / "lib": tree / "env" / "lib",
    }


def test_what_does_not_exist_is_passed_over(tree):
    """/lib64 is not everywhere."""
    assert View((tree / "nothing",)).places() == {}


def test_around_the_hidden_everything_else_is_shown(tree):
    """Landlock can allow but not take away again."""
    view = View((tree / "env",), (tree / "env" / "lib" / "nbgrader",))
    lib = tree / "env" / "lib"
    whole, broken = view.around_the_hidden()
    assert set(whole) == {tree / "env" / "bin", lib / "module.py", lib / "numpy"}
    assert broken == [tree / "env", lib]  # Python lists a folder before it imports from it


def test_a_link_beside_the_hidden_gives_no_rights_to_what_it_leads_to(tree):
    """A rule for a link would be one for its target, which may lie anywhere."""
    (tree / "env" / "lib" / "way").symlink_to(tree / "data")
    view = View((tree / "env",), (tree / "env" / "lib" / "nbgrader",))
    whole, _ = view.around_the_hidden()
    assert not {tree / "data", tree / "env" / "lib" / "way"} & set(whole)


def test_what_is_hidden_elsewhere_needs_no_mask(tree):
    """Only what would be seen is covered."""
    assert View((tree / "env",), (tree / "data",)).masks() == []


def test_this_python_shows_its_library_and_hides_packages_it_does_not_import_from():
    """An environment's base may be the instructor's Python, with nbgrader and the reference in it."""
    view = of_this_python()
    shown, broken = view.around_the_hidden()
    import_from = [folder for folder in sys.path if folder.endswith("-packages")]
    assert not {str(folder) for folder in view.hidden} & set(import_from)
    assert any(sys.prefix.startswith(str(folder)) for folder in [*shown, *broken])
