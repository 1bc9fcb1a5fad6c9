"""Every error names the place, the fact and the next step, and whose fault it is."""

import errno
import os
import pickle
import sys

import pytest

from examiner import errors

FAULTS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type)
    and issubclass(value, errors.ExaminerError)
    and value is not errors.ExaminerError
]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_is_one_sentence_of_place_fact_and_next_step(fault):
    """Somebody who reads only this line must know where to look and what to do."""
    assert (
        str(fault("a/b.ipynb", "it is empty", "write something"))
        == "a/b.ipynb: it is empty; write something."
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_survives_the_way_between_processes(fault):
    """Submissions are graded in processes of their own; what went wrong there is said here."""
    error = pickle.loads(pickle.dumps(fault("place", "fact", "fix")))
    assert (type(error), error.place, error.fact, error.fix) == (fault, "place", "fact", "fix")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_error_is_somebodys_fault(fault):
    """The three branches have three exit codes, and none is success."""
    branches = [errors.AuthorFault, errors.StudentFault, errors.PlatformFault]
    assert sum(issubclass(fault, branch) for branch in branches) == 1
    assert fault.exit_code in {branch.exit_code for branch in branches} == {1, 2, 3}


EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_no_part_of_an_error_is_without_end_or_obeyed_by_a_terminal(part):
    """Each may quote a name or a text of a student's."""
    texts = [
        "x" * 10**8,
        "\x1b]0;title\x07" * 10**6,
        *(EVERY_CHARACTER[n : n + 500] for n in range(0, 70000, 500)),
    ]
    for text in texts:
        parts = ["place", "fact", "fix"]
        parts[part] = text
        error = errors.StudentFault(*parts)
        assert len(str(error)) < 30_000
        assert all(line.isprintable() for line in str(error).split("\n"))
        str(error).encode()
    assert "\n" not in errors.StudentFault("a\nb", "fact", "fix").place


def test_every_character_is_printable_or_escaped_and_stays_so():
    """Control characters, those that turn the order of reading, and surrogates; letters stay as they are."""
    for start in range(0, len(EVERY_CHARACTER), 4000):
        text = EVERY_CHARACTER[start : start + 4000]
        shown = errors.printable(text, 10 * len(text))
        assert shown.isprintable()
        assert errors.printable(shown, 10 * len(text)) == shown
        assert [char for char in text if char.isprintable() and char not in shown] == []
    assert errors.printable("Zoë\u202e\x1b[0m") == r"Zoë\u202e\x1b[0m"
    assert errors.printable("x" * 500, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_what_the_operating_system_refuses_is_a_sentence_with_place_reason_and_next_step(number):
    """A full disk has no name of a file; the place is then that of what was done."""
    fault = errors.fault_of_the_machine(OSError(number, os.strerror(number)), "the course")
    assert isinstance(fault, errors.PlatformFault)
    assert (fault.place, os.strerror(number) in fault.fact) == ("the course", True)
    assert fault.fix
    named = errors.fault_of_the_machine(OSError(number, os.strerror(number), "a/file"), "the course")
    assert named.place == "a/file"
