"""The net round each submission: whatever is raised on its behalf becomes its fault, and ends nothing else.

Every step that reads, keeps, enters or explains one submission runs inside it. Only an interrupt passes.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from examiner.errors import ExaminerError, PlatformFault, fault_of_the_machine
from examiner.model import Course, Submission
from examiner.store.atomic import write_text

Faults = dict[Submission, ExaminerError]


@contextmanager
def contained(course: Course, submission: Submission, faults: Faults) -> Iterator[None]:
    """Add whatever the block raises to `faults`; its traceback goes into a log if it is not one of ours."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except ExaminerError as fault:
        faults[submission] = fault
    except OSError as error:
        faults[submission] = fault_of_the_machine(error, submission.folder)
    except BaseException as error:  # noqa: BLE001 - also SystemExit, which a library may raise about one file
        faults[submission] = _unforeseen(course, submission, error)


def _unforeseen(course: Course, submission: Submission, error: BaseException) -> PlatformFault:
    log = course.state / "logs" / "faults" / f"{submission}.log"
    text = "".join(traceback.format_exception(error))
    with suppress(OSError):
        write_text(log, text.encode(errors="backslashreplace").decode())
    return PlatformFault(
        str(submission), f"{type(error).__name__}: {error}", f"read {log}, then run it again"
    )
