"""What a cell changes of the judge's process is put back, and what is imported meanwhile stays whole."""

import importlib
import sys

from examiner.judge.restore import note_changes, restored


def test_a_package_that_is_imported_after_changes_are_noted_keeps_its_parts(tmp_path, monkeypatch):
    """Its `__path__` was taken for a change, and put back: no module of it could be imported any more."""
    (tmp_path / "late_package").mkdir()
    (tmp_path / "late_package" / "__init__.py").write_text("value = 1\n")
    (tmp_path / "late_package" / "part.py").write_text("value = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    note_changes()
    package = importlib.import_module("late_package")
    note_changes()
    with restored():
        package.value = 3
    assert package.value == 1
    assert importlib.import_module("late_package.part").value == 2
    del sys.modules["late_package"], sys.modules["late_package.part"]
