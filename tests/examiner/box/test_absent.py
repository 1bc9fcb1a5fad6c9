"""Packages that are there and are not to be: found wherever they lie, refused where they are imported."""

import importlib
import subprocess
import sys

import pytest

from examiner.box import absent
from examiner.box.box import enter_outer
from examiner.box.view import of_this_python
from examiner.box.walls import available

HERE = [walls for walls in [available()] if walls.namespaces]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that is imported from, with a package, a module, and another module's compiled text."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "__init__.py").write_text("it = 1")
    (tmp_path / "secrets_too.py").write_text("it = 1")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "secrets_too.cpython-311.pyc").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    importlib.invalidate_caches()
    return tmp_path


def test_a_package_and_a_module_are_found_where_they_are_imported_from(place):
    """The compiled text of a module says as much as its text."""
    found = set(absent.places_of(["secret", "secrets_too", "nowhere_at_all"]))
    compiled = place / "__pycache__" / "secrets_too.cpython-311.pyc"
    assert found == {place / "secret", place / "secrets_too.py", compiled}


def test_an_editable_package_is_found_where_it_lies(place):
    """Its name is nowhere among the folders that are imported from: a finder knows the way."""
    source = place / "elsewhere" / "editable"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()

    class Finder:
        @staticmethod
        def find_spec(name, _path=None, _target=None):
            location = source / "__init__.py"
            if name == "editable":
                return importlib.util.spec_from_file_location(name, location)
            return None

    sys.meta_path.append(Finder)
    assert absent.places_of(["editable"]) == (source,)


def test_what_is_forgotten_cannot_be_imported_but_from_elsewhere(place, monkeypatch):
    """The allowed parts of the reference lie beside the notebook, under its name."""
    monkeypatch.setitem(sys.modules, "secret", importlib.import_module("secret"))
    absent.forget(["secret"], absent.places_of(["secret"]))
    with pytest.raises(ModuleNotFoundError, match="No module named 'secret'"):
        importlib.import_module("secret")
    beside = place / "beside"
    (beside / "secret").mkdir(parents=True)
    (beside / "secret" / "__init__.py").write_text("it = 2")
    monkeypatch.syspath_prepend(beside)
    assert importlib.import_module("secret").it == 2


@pytest.mark.parametrize("walls", HERE)
def test_a_python_started_inside_does_not_find_it_either(walls, in_child, ask):
    """An empty folder in its place would be a package that can be imported."""

    def question():
        command = [sys.executable, "-I", "-c", "import pytest"]
        errors = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        return errors.splitlines()[-1]

    view = of_this_python(absent.places_of(["pytest"]))
    answer, _ = in_child(lambda: ask(enter_outer(view, walls), question))
    assert answer == "ModuleNotFoundError: No module named 'pytest'"
