"""What is written is there whole, or as it was before."""

from concurrent.futures import ThreadPoolExecutor

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


def test_what_a_killed_writer_left_is_gone_after_the_next_one(path):
    """Also if the text is there already: it was killed before it could tidy up."""
    for text in ("a\n", "a\n", "b\n"):
        write_text(path, text)
        (path.parent / f".{path.name}.new").write_text("half of i")
        write_text(path, text)
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
        assert path.read_text() == text


def test_writers_at_the_same_time_write_one_after_the_other(path):
    """Two may export into the same file; each text is there whole."""
    texts = [str(number) * 200_000 for number in range(4)]
    write_text(path, texts[0])
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write_text, path, text) for text in texts * 10]
        while not all(future.done() for future in writing):
            assert path.read_text() in texts
    assert [future.result() for future in writing] == [None] * 40
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
