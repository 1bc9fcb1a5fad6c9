"""A release holds the parts before the assignment, never the one it asks for."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from examiner.course.beside import allowed_files, checks_files, generate, write
from examiner.course.load import load_course
from examiner.errors import BadCourse
from examiner.model import Assignment

COURSE = load_course(Path(__file__).parents[3])

PACKAGE = {
    "__init__.py": '"""Pack."""\n\nfrom pack.one import a as a, b as b\nfrom pack.sub.two import c as c\n',
    "one.py": "import math\n\na, b = 1, math.pi\n",
    "three.py": "from pack.sub.two import c\n\nd = c\n",
    "sub/__init__.py": "from pack.sub.four import e as e\nfrom pack.sub.two import c as c\n",
    "sub/two.py": "from pack.one import a\n\nc = a + 1\n",
    "sub/four.py": "e = 5\n",
}


@pytest.fixture
def package(tmp_path):
    """Return a package of four modules, one of them needing another."""
    write(tmp_path / "pack", {name: text.encode() for name, text in PACKAGE.items()})
    return tmp_path / "pack"


def test_no_parts_are_no_package(package):
    """The first assignment's students write the first part."""
    assert allowed_files(package, ()) == {}


def test_only_allowed_modules_are_there_and_their_init_imports_only_them(package):
    """An `__init__` that imported a missing part would break the release."""
    files = allowed_files(package, ("one",))
    assert files == {
        "__init__.py": b'"""Pack."""\n\nfrom pack.one import a as a, b as b\n',
        "one.py": PACKAGE["one.py"].encode(),
    }


def test_a_part_in_a_subpackage_brings_the_packages_above_it(package):
    """`pack.sub.two` cannot be imported without `pack.sub`."""
    files = allowed_files(package, ("one", "sub.two"))
    assert sorted(files) == ["__init__.py", "one.py", "sub/__init__.py", "sub/two.py"]
    assert files["sub/__init__.py"] == b"from pack.sub.two import c as c\n"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (("none",), "there is no part pack.none"),
        (("sub.two",), "imports pack.one, which is not among the assignment's parts"),
    ],
)
def test_parts_that_cannot_stand_alone_are_the_authors_fault(package, parts, words):
    """It is found before the release, not by a student's ImportError."""
    with pytest.raises(BadCourse) as caught:
        allowed_files(package, parts)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os\n", "line 1 is not an import from pack"),
        ("x = 1\n", "line 1 is not an import from pack"),
        ("from pack import one, three\n", "line 1 imports allowed parts together with others"),
    ],
)
def test_an_init_that_cannot_be_cut_is_the_authors_fault(package, line, words):
    """What an `__init__` does besides re-exporting cannot be given to one part."""
    (package / "__init__.py").write_text(line)
    with pytest.raises(BadCourse) as caught:
        allowed_files(package, ("one",))
    assert words in str(caught.value)


def test_writing_again_changes_nothing_and_removes_what_is_no_longer_there(tmp_path):
    """A run that finds everything in place leaves even the time stamps alone."""
    folder = tmp_path / "f"
    write(folder, {"a.py": b"1", "sub/b.py": b"2"})
    before = (folder / "a.py").stat().st_mtime_ns
    write(folder, {"a.py": b"1"})
    assert (folder / "a.py").stat().st_mtime_ns == before
    assert not (folder / "sub" / "b.py").exists()
    write(folder, {})
    assert not folder.exists()


def test_the_checks_come_with_all_that_an_installation_needs():
    """Students may run the notebook beside them or `pip install ./examiner_checks`."""
    assert {"__init__.py", "pyproject.toml", "README.md", "py.typed"} <= checks_files().keys()


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda a: a.name)
def test_the_parts_of_each_assignment_can_be_imported_alone(tmp_path, assignment):
    """In the student environment, with nothing else of the reference in reach."""
    write(tmp_path / COURSE.package.name, allowed_files(COURSE.package, assignment.parts))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    code += "".join(f"; import {COURSE.package.name}.{part}" for part in assignment.parts)
    subprocess.run([COURSE.student.python, "-I", "-c", code], check=True)


def test_generating_puts_parts_and_checks_beside_the_source(tmp_path, package):
    """nbgrader copies what lies there into the release and over each submission."""
    course = replace(COURSE, root=tmp_path, package=package)
    generate(course, Assignment("01_first", parts=("one",)))
    assert (tmp_path / "source" / "01_first" / "pack" / "one.py").is_file()
    assert (tmp_path / "source" / "01_first" / "examiner_checks" / "__init__.py").is_file()
    generate(course, Assignment("01_first"))
    assert not (tmp_path / "source" / "01_first" / "pack").exists()
