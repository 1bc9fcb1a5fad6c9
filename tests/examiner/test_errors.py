"""Every error names the place, the fact and the next step, and whose fault it is."""

import pickle

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
