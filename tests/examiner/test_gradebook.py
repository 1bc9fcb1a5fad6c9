"""Whose fault it is that a submission did not run to its end."""

import pytest
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from sqlalchemy.exc import OperationalError

from examiner.errors import MissingEnvironment, PlatformFault, StudentFault
from examiner.gradebook import _fault
from examiner.model import Submission


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (NoSuchKernel("python9"), MissingEnvironment, "no kernel 'python9'; run `examiner setup`"),
        (DeadKernelError("died"), StudentFault, "its code ended the kernel"),
        (CellTimeoutError("iopub"), StudentFault, "its output never ended"),
        (RuntimeError("Kernel didn't respond in 60 seconds"), PlatformFault, "its kernel did not start"),
        (OperationalError("x", {}, Exception("database is locked")), PlatformFault, "database is locked"),
        (RuntimeError("Inconsistent checksums"), StudentFault, "its notebook is damaged"),
        (KeyError("grade_id"), StudentFault, "its notebook is damaged (KeyError: 'grade_id')"),
        (OSError("No space left on device"), PlatformFault, "No space left on device"),
        (MemoryError(), PlatformFault, "MemoryError"),
    ],
)
def test_a_cause_has_an_owner(tmp_path, cause, kind, words):
    """A student's fault is a result; ours is tried again and is never a zero."""
    fault = _fault(Submission("anna", "01_double", tmp_path), cause)
    assert type(fault) is kind
    assert words in str(fault)
    assert str(fault).startswith("anna/01_double: ")
