"""A machine that allows less than a candidate is promised grades nobody, and costs no student points."""

import resource
import subprocess
import sys

import pytest

from examiner.box.limits import ResourceLimits, check

TRY = """
import resource, sys
from examiner.box.limits import ResourceLimits, apply, check
kind, most = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(kind, (most, most))
check(ResourceLimits(), 1 << 30)
apply(ResourceLimits(), 1 << 30)
"""
GIGABYTE = 1 << 30
KINDS = {
    "RLIMIT_CPU": ("processor time (ulimit -t)", 60),
    "RLIMIT_AS": ("address space (ulimit -v)", GIGABYTE + (1500 << 20)),
    "RLIMIT_FSIZE": ("the size of a file (ulimit -f)", 64 << 20),
    "RLIMIT_NPROC": ("processes (ulimit -u)", 32),
    "RLIMIT_NOFILE": ("open files (ulimit -n)", 128),
}


def under(kind, most):
    """Check and apply a candidate's limits in a process that has a lower one already."""
    number = getattr(resource, kind)
    command = [sys.executable, "-c", TRY, str(number), str(most)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_of_the_machine_that_is_too_low_is_named(kind):
    """A student's function would fail by it, and nobody would know why."""
    name, needed = KINDS[kind]
    found = under(kind, needed - 1)
    assert found.returncode == 1
    assert f"a limit of {name} is {needed - 1}, and a candidate needs {needed}" in found.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_that_is_just_enough_is_none(kind):
    """Most machines have some."""
    assert under(kind, KINDS[kind][1]).returncode == 0


def test_a_machine_without_limits_may_grade():
    """As this one."""
    check(ResourceLimits(), GIGABYTE)
