"""Every attempt to break out succeeds without walls, and is stopped by those that are meant to stop it."""

import os
from pathlib import Path

import pytest

from examiner.box import attempts as a
from examiner.box import landlock
from examiner.box.numbers import MACHINE
from examiner.box.privileges import NOBODY
from examiner.box.siege import outcomes
from examiner.box.view import View
from examiner.box.walls import Walls, available

VIEW = View((Path("/lib"), Path("/lib64"), Path("/usr/lib"), Path("/usr/lib64")))
ALL = [attempt for group in a.ATTEMPTS.values() for attempt in group]
HERE = available()
VERSION = landlock.version()
VERSIONS = sorted({known for known in (1, 5, VERSION) if 0 < known <= VERSION})

ROOT = os.geteuid() == 0
ONLY_ROOT_CAN = {a.become_root, a.change_the_root}
ONLY_X86_CAN = {a.call_as_another_machine}
# By a setting of the kernel's, a container's own filter, or a kernel without 32-bit programs.
SOME_MACHINES_CANNOT = {
    a.batch_calls_past_the_filter,
    a.open_a_keyring,
    a.make_a_user_namespace,
} | ONLY_X86_CAN

# What a folder on a disk and a list of calls cannot keep: it takes namespaces.
NEEDS_NAMESPACES = {a.find_a_process, a.fill_the_folders, a.make_many_files}
NEEDS_NAMESPACES_OR_ROOT = {a.start_many_processes}

# Each kind of wall by itself: what it stops when all others are away.
FILES = {a.read_a_file, a.list_a_folder, a.make_a_file, a.make_a_file_in_the_view, a.empty_a_file}
FILES |= {a.empty_a_file_by_reading}
PROCESSES = {a.find_a_process, a.read_about_a_process, a.signal_a_process, a.trace_a_process}
PROCESSES |= {a.read_memory_of_a_process, a.limit_a_process, a.slow_a_process_down}
CALLS = {a.trace_a_process, a.read_memory_of_a_process, a.limit_a_process, a.slow_a_process_down}
CALLS |= {a.choose_ones_processor, a.lower_ones_priority, a.hide_from_measurement, a.open_a_keyring}
CALLS |= {a.batch_calls_past_the_filter, a.make_a_user_namespace, a.change_the_root, a.connect_by_tcp}
CALLS |= {a.talk_to_the_kernel, a.take_memory_in_a_nameless_file, a.take_memory_that_outlives_processes}
CALLS |= {a.keep_memory_in_a_shared_mapping, a.keep_memory_in_a_pipe}
ALWAYS = {a.use_an_inherited_descriptor, a.read_the_environment, a.change_the_root}
ALWAYS |= {a.take_memory, a.write_a_large_file}

BY_NAMESPACES = FILES | PROCESSES | ALWAYS | {a.change_a_mode, a.become_root, a.start_many_processes}
BY_NAMESPACES |= {a.connect_by_tcp, a.connect_to_an_abstract_socket, a.connect_to_a_path, a.send_to_a_path}
BY_NAMESPACES |= {a.fill_the_folders, a.make_many_files, a.read_a_neighbours_file, a.connect_to_a_neighbour}
BY_LANDLOCK = FILES | ALWAYS | {a.read_about_a_process, a.read_a_neighbours_file, a.signal_a_process}
BY_LANDLOCK |= {a.trace_a_process, a.connect_by_tcp, a.connect_to_an_abstract_socket}
BY_CALLS = CALLS | ALWAYS | {a.empty_a_file, a.empty_a_file_by_reading, a.change_a_mode, a.signal_a_process}
BY_CALLS |= {a.connect_to_an_abstract_socket, a.connect_to_a_path, a.send_to_a_path, a.connect_to_a_neighbour}
BY_CALLS |= ONLY_X86_CAN if MACHINE == "x86_64" else set()

ALONE = {
    "namespaces": (Walls(namespaces=True, landlock=0, seccomp=False), BY_NAMESPACES),
    "Landlock": (Walls(namespaces=False, landlock=VERSION, seccomp=False), BY_LANDLOCK),
    "calls": (Walls(namespaces=False, landlock=0, seccomp=True), BY_CALLS),
}


def slow(walls):
    """Seconds of processor time are tried without walls and behind the strongest."""
    return [a.use_a_processor] if walls in {None, HERE} else []


@pytest.fixture(scope="module")
def stopped():
    """What stops whom: outcomes by walls, found out once for all tests."""
    known = {}

    def find(walls, fork, user=None):
        if (walls, user) not in known:
            known[walls, user] = fork(lambda: outcomes([*ALL, *slow(walls)], walls, VIEW), user=user)
        return known[walls, user]

    return find


def by_name(attempts):
    return pytest.mark.parametrize("attempt", attempts, ids=lambda attempt: attempt.__name__)


def beyond(user):
    """What not even Landlock, a filter and a reaper stop."""
    is_counted_apart = ROOT and user is None
    return NEEDS_NAMESPACES | (set() if is_counted_apart else NEEDS_NAMESPACES_OR_ROOT)


@by_name([*ALL, a.use_a_processor, a.stay_alive])
def test_every_attempt_succeeds_where_there_are_no_walls(attempt, stopped, in_child):
    """An attempt that fails for another reason would prove nothing behind walls."""
    why = stopped(None, in_child)[attempt.__name__]
    assert not why or attempt in SOME_MACHINES_CANNOT | (set() if ROOT else ONLY_ROOT_CAN)


@by_name([*ALL, a.use_a_processor, a.stay_alive])
def test_no_attempt_succeeds_behind_the_strongest_walls(attempt, stopped, in_child, user):
    """Root in CI, an ordinary user at home: both grade."""
    got_through = not stopped(HERE, in_child, user)[attempt.__name__]
    assert got_through == (not HERE.namespaces and attempt in beyond(user))


@by_name([*ALL, a.stay_alive])
@pytest.mark.parametrize("version", VERSIONS)
def test_without_namespaces_only_what_needs_them_succeeds(attempt, version, stopped, in_child, user):
    """Containers deny namespaces; what older Landlocks do not guard, the filter of calls refuses."""
    walls = Walls(namespaces=False, landlock=version, seccomp=True)
    got_through = not stopped(walls, in_child, user)[attempt.__name__]
    assert got_through == (attempt in beyond(user))


@pytest.mark.parametrize("wall", [wall for wall in ALONE if wall != "namespaces" or HERE.namespaces])
def test_each_kind_of_wall_stops_what_it_is_there_for_by_itself(wall, stopped, in_child):
    """Two walls stand in most ways: a hole in one must not be hidden by the other."""
    walls, meant = ALONE[wall]
    answers = stopped(walls, in_child)
    assert {attempt.__name__ for attempt in meant} <= {name for name, why in answers.items() if why}


@pytest.mark.parametrize("version", [0, 5])
def test_candidates_have_networks_of_their_own_where_landlock_does_not_scope_sockets(
    version, stopped, in_child
):
    """With scopes a shared, empty network will do, and it costs half as much."""
    if HERE.namespaces:
        walls = Walls(namespaces=True, landlock=version, seccomp=True)
        assert stopped(walls, in_child, NOBODY)[a.connect_to_a_neighbour.__name__]
