"""The table of walls that `examiner doctor` shows."""

from examiner.box import landlock
from examiner.box.selftest import WallReport, WallState, selftest, table
from examiner.box.walls import Walls, available


def test_every_promise_is_proved_behind_this_machines_walls(in_child, view):
    """No promise is missing; where the machine itself keeps one, nothing can be shown."""
    reports = in_child(
        lambda: [[report.promise, report.state, report.note] for report in selftest(view=view)]
    )
    if available().namespaces:
        assert not [
            report for report in reports if report[1] == WallState.MISSING and report[0] != "Landlock."
        ]
    assert sum(state == WallState.PROVED for _, state, _ in reports) > len(reports) / 2


def test_a_missing_wall_is_shown_with_what_it_would_have_kept_and_how_to_get_it(in_child, view):
    """Somebody has to decide whether to grade without it."""
    walls = Walls(namespaces=False, landlock=landlock.version(), seccomp=True, denial="denied by somebody")
    reports = in_child(
        lambda: [
            [report.promise, report.note]
            for report in selftest(walls, view)
            if report.state is WallState.MISSING
        ]
    )
    missing = dict(reports)
    assert "The size of the private folders is bounded." in missing
    assert "Files outside the view cannot be read." not in missing
    assert all("denied by somebody" in note for note in missing.values())


def test_the_table_names_each_kind_once():
    """It is read by people."""
    reports = [WallReport("files", f"Promise {n}.", WallState.PROVED, "stopped") for n in range(2)]
    first, second = table(reports).splitlines()
    assert first.startswith("files ")
    assert second.startswith(" ")
    assert "proved" in second
