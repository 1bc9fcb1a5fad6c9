"""What is written is there whole, or as it was before."""

import pytest

from examiner.store.atomic import write_text


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "grades.csv"


def test_a_file_that_would_stay_the_same_is_not_written(path):
    """A second run changes nothing, time stamps included."""
    write_text(path, "ä\r\n")
    before = path.stat()
    write_text(path, "ä\r\n")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("text", ["", "ä\n", "ä\r\n\n"])
def test_a_file_with_any_other_text_is_replaced(path, text):
    """Also one that differs in its line ends alone."""
    write_text(path, "ä\r\n")
    write_text(path, text)
    assert path.read_bytes() == text.encode()


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_beside_it(path):
    """Here a folder is in its place."""
    path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_text(path, "a,b\n")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
