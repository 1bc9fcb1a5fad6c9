"""Finding out which walls there are, on machines that deny some: a filter answers as they do."""

from errno import ENOSYS, EPERM

import pytest

from examiner.box import seccomp, syscalls
from examiner.box.box import enter_outer
from examiner.box.policy import Policy
from examiner.box.walls import MissingWalls, Walls, available

# What a container denies that has no user namespaces.
CONTAINER = Policy(dict.fromkeys(("unshare", "setns", "mount", "pivot_root", "umount2"), EPERM))
NO_LANDLOCK = dict.fromkeys(
    ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"), ENOSYS
)
OLD_CONTAINER = Policy(CONTAINER.refused | NO_LANDLOCK)


def inside(machine, function):
    """Return a function that runs in a process for which the machine is another."""

    def run():
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.Filter(seccomp.assemble(machine)).install()
        return function()

    return run


def test_this_machine_offers_what_it_lets_be_put_up(in_child):
    """A question to the kernel's settings would not tell: they may be forbidden on the way."""
    walls = available()
    assert walls.are_enough
    assert walls.namespaces == (not walls.denial)
    assert in_child(inside(CONTAINER, lambda: available().namespaces)) is False


def test_in_a_container_the_denial_is_told_and_the_other_walls_do(in_child, ask, view, user):
    """Landlock, a filter and a reaper ask nobody's permission."""

    def scenario():
        box = enter_outer(view)
        answer = ask(box, lambda: "ran")
        return [box.walls.namespaces, box.walls.denial, answer, box.walls.advice]

    namespaces, denial, answer, advice = in_child(inside(CONTAINER, scenario), user=user)
    assert not namespaces
    assert "unshare" in denial
    assert denial in advice
    assert answer == ["ran", 0]


def test_where_there_are_too_few_walls_nothing_starts_and_the_next_step_is_told(in_child, view):
    """No box, no grading."""

    def scenario():
        try:
            enter_outer(view)
        except MissingWalls as error:
            return str(error)

    advice = in_child(inside(OLD_CONTAINER, scenario))
    assert "user.max_user_namespaces" in advice
    assert "lsm=landlock" in advice


def test_fewer_walls_have_to_be_asked_for(in_child, ask, view):
    """Somebody who grades his own notebooks may do without."""

    def scenario():
        return ask(enter_outer(view, Walls(namespaces=False, landlock=0, seccomp=False)), lambda: "ran")

    assert in_child(inside(OLD_CONTAINER, scenario)) == ["ran", 0]


@pytest.mark.parametrize(
    ("namespaces", "landlock", "seccomp_", "enough"),
    [(True, 0, True, True), (False, 1, True, True), (False, 0, True, False), (True, 7, False, False)],
)
def test_calls_are_filtered_and_files_are_kept_or_it_is_not_enough(namespaces, landlock, seccomp_, enough):
    """Either namespaces or Landlock keep files; nothing else refuses calls."""
    assert Walls(namespaces, landlock, seccomp_).are_enough == enough


def test_walls_are_named_on_the_sheet():
    """Whoever reads a grade sees behind what it was earned."""
    assert str(Walls(namespaces=True, landlock=7, seccomp=True)) == "namespaces, Landlock 7, seccomp"
    assert str(Walls(namespaces=False, landlock=0, seccomp=False)) == "none"
