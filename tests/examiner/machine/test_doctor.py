"""What a machine lacks is said before a student's code is run on it, and asking changes nothing."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from examiner.box.walls import Walls, available
from examiner.course.load import load_course
from examiner.machine.doctor import DEGRADED, Finding, Health, diagnose, exit_code
from examiner.model import Assignment, Mode
from examiner.report.doctor import conclusion, data, table
from examiner.store import sheets, tables

HAS_ALL = available().advice == ""


def found(findings, about):
    """Return the findings on one part."""
    return [finding for finding in findings if finding.about == about]


def findings_about(course, about, **where):
    """Return what is found about one part of a course whose Python does nothing, which takes no time."""
    idle = replace(course.student, program=Path("/bin/false"))
    return found(diagnose(replace(course, student=idle), **where), about)


def about_walls(course, walls=None):
    """Return what is found about the walls, which comes first."""
    findings = itertools.takewhile(lambda finding: finding.about.startswith("wall"), diagnose(course, walls))
    return list(findings)


def worst(findings):
    """Return the states of findings, but for good ones and notes."""
    return {finding.state for finding in findings} - {Health.GOOD, Health.NOTE}


@pytest.fixture(scope="module")
def course(tmp_path_factory, make_bare_course):
    """A course that was never graded."""
    return make_bare_course(tmp_path_factory.mktemp("doctor") / "course").course


@pytest.fixture(scope="module")
def healthy(course):
    """What is found on this machine as it is."""
    return list(diagnose(course))


def test_a_machine_with_all_walls_is_healthy(healthy):
    """Every promise is proved here and now, and a right and a wrong answer were told apart."""
    assert exit_code(healthy) == (0 if HAS_ALL else DEGRADED)
    assert Health.BAD not in worst(healthy)
    assert {finding.about for finding in healthy if finding.what.startswith("proved: ")} >= {
        "wall: files",
        "wall: network",
        "wall: the end",
        "wall: judges",
    }
    assert {finding.what.partition(":")[0] for finding in found(healthy, "wall: judges")} == {"proved"}
    [_, trial] = found(healthy, "environment")
    assert "a right answer gets its points in a box, a wrong one gets none" in trial.what


def test_asking_changes_nothing(course, healthy):
    """It may be asked while somebody grades, and by a monitor."""
    assert healthy
    kept = {path.name for path in course.root.iterdir()}
    assert not kept & {"gradebook.db", "sheets", "autograded", ".examiner"}


def test_fewer_walls_are_weak_and_say_what_to_do(course):
    """Inside most containers there are no namespaces: what is missing then is listed, promise by promise."""
    findings = list(diagnose(course, Walls(namespaces=False, landlock=available().landlock, seccomp=True)))
    assert exit_code(findings) == DEGRADED
    [kind] = [finding for finding in found(findings, "wall: kinds") if "Namespaces" in finding.what]
    assert (kind.state, "max_user_namespaces" in kind.note) == (Health.WEAK, True)
    assert any("private folders" in finding.what and finding.state is Health.WEAK for finding in findings)
    assert "but something is missing" in conclusion(findings)


def test_no_walls_are_bad(course):
    """Nothing is graded then; the message says what to allow."""
    findings = about_walls(course, Walls(namespaces=False, landlock=0, seccomp=False))
    assert exit_code(findings) == 1
    assert findings[0].what == "too few of them: nothing is graded"
    assert "CONFIG_SECCOMP_FILTER" in findings[0].note


def test_a_hole_in_a_wall_that_is_there_is_bad(tiny):
    """A promise that is broken behind all walls is no lack of the machine's."""
    walls = Walls(namespaces=True, landlock=7, seccomp=True)
    report = {"wall": "files", "promise": "A.", "state": "missing", "note": "this wall has a hole"}
    python = tiny.root / "python"  # that tells of a hole, whatever it is asked
    python.write_text(f"#!/bin/sh\necho '{json.dumps({'walls': asdict(walls), 'reports': [report]})}'\n")
    python.chmod(0o755)
    course = replace(tiny.course, student=replace(tiny.course.student, program=python))
    assert [finding.state for finding in about_walls(course)] == [Health.BAD]


def test_a_missing_environment_is_bad(small):
    """The note says which command makes it."""
    settings = small.root / "course.toml"
    settings.write_text(settings.read_text().replace(".venv-student", ".venv-nowhere"))
    [missing] = findings_about(small.course, "environment")
    assert (missing.state, "examiner setup" in missing.note) == (Health.BAD, True)


def test_a_kernel_of_another_language_is_not_taken_for_a_python(course):
    """The walls are tried all the same, by our own Python."""
    kernel = replace(course.student, program=Path("/bin/false"))
    walls = about_walls(replace(course, student=kernel, mode=Mode.KERNEL))
    assert found(walls, "wall: files")
    assert Health.BAD not in worst(walls)


def in_environments(course, *kernels, program=Path("/bin/false")):
    """Return the course with an assignment for each of some kernels, whose program takes no time."""
    student = replace(course.student, requirements=None, program=program)
    environments = [{"a.ipynb": replace(student, kernel=kernel)} for kernel in kernels]
    assignments = [Assignment(f"ps{n}", environments=own) for n, own in enumerate(environments)]
    return replace(course, assignments=tuple(assignments))


def test_one_environment_that_is_missing_is_weak(course):
    """The assignments of all others can be graded; the note names those that cannot."""
    several = in_environments(course, "python3", "unknown", "unknown")
    own = [assignment.environments["a.ipynb"] for assignment in several.assignments[:2]]
    mixed = Assignment("mixed", environments=dict(zip(("a.ipynb", "b.ipynb"), own, strict=True)))
    several = replace(several, assignments=(*several.assignments, mixed))
    [*lacking, there, tried] = found(diagnose(several), "environment")
    assert {finding.state for finding in lacking} == {Health.WEAK}
    places = [course.root / "source" / name for name in ("ps1", "ps2")]
    notes = [f"{place}, kernel unknown: install it" for place in places]
    notes += [f"{course.root / 'source' / 'mixed'}: give them one"]
    assert all(finding.note.startswith(note) for finding, note in zip(lacking, notes, strict=True))
    assert (there.state, "the kernel python3" in there.what) == (Health.GOOD, True)
    assert (tried.state, tried.what) == (Health.BAD, "nothing can be graded in it")


@pytest.mark.parametrize("kernels", [("unknown",), ("unknown", "unknown"), ("unknown", "nowhere")])
def test_environments_that_are_all_missing_are_bad(course, kernels):
    """There is nothing that can be graded."""
    lacking = found(diagnose(in_environments(course, *kernels)), "environment")
    assert {finding.state for finding in lacking} == {Health.BAD}
    assert len(lacking) == len({*kernels})


def test_the_walls_are_tried_by_each_program_that_enters_them(course, tmp_path):
    """Some systems let certain programs only have namespaces; a link to one is the same program."""
    (tmp_path / "false").symlink_to("/bin/false")
    programs = [Path("/bin/false"), tmp_path / "false", Path("/bin/true")]
    parts = [in_environments(course, f"kernel{n}", program=one) for n, one in enumerate(programs)]
    several = replace(course, assignments=tuple(part.assignments[0] for part in parts))
    assert len(found(diagnose(several), "walls")) == 2


def test_a_gradebook_is_read_and_not_touched(tiny):
    """Formgrader or a run may have it open."""
    [none] = findings_about(tiny.course, "gradebook")
    assert none.state is Health.NOTE
    tables.create(tables.url_of(tiny.course.gradebook))
    before = tiny.course.gradebook.stat().st_mtime_ns
    [good] = findings_about(tiny.course, "gradebook")
    assert (good.state, "mode is delete" in good.what) == (Health.GOOD, True)
    assert tiny.course.gradebook.stat().st_mtime_ns == before
    assert sorted(path.name for path in tiny.root.iterdir()) == ["course.toml", "gradebook.db", "source"]


def test_a_gradebook_of_another_version_is_bad(tiny):
    """Its tables may be others."""
    tables.create(tables.url_of(tiny.course.gradebook))
    with sqlite3.connect(tiny.course.gradebook) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    connection.close()
    [bad] = findings_about(tiny.course, "gradebook")
    assert (bad.state, "nbgrader db upgrade" in bad.note) == (Health.BAD, True)


def test_a_file_that_is_no_gradebook_is_bad(tiny):
    """It is not replaced without being asked: somebody's grades may have been in it."""
    tiny.course.gradebook.write_bytes(b"no database at all" * 100)
    [bad] = findings_about(tiny.course, "gradebook")
    assert (bad.state, "put back a copy" in bad.note) == (Health.BAD, True)


def test_a_log_that_a_killed_run_left_is_told(tiny):
    """A copy of the file alone would lack what is in the log."""
    tables.create(tables.url_of(tiny.course.gradebook))
    with sqlite3.connect(tiny.course.gradebook) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("INSERT INTO student (id) VALUES ('ada')")
        connection.commit()
        notes = [
            finding for finding in findings_about(tiny.course, "gradebook") if finding.state is Health.NOTE
        ]
    connection.close()
    assert ["-wal" in finding.note for finding in notes] == [True]


def test_damaged_sheets_are_named_and_left_where_they_are(tiny):
    """Setting them aside is for the run that uses them."""
    [none] = findings_about(tiny.course, "sheets")
    assert none.state is Health.NOTE
    place = sheets.folder(tiny.course, "ada", "01_tiny")
    whole, spoilt = (sheets.append(tiny.course, place, text) for text in ("one", "two"))
    spoilt.write_text("three")
    (place / ("0003-" + "0" * 64 + ".json.damaged")).write_text("")
    count, *damaged = findings_about(tiny.course, "sheets")
    assert (count.state, count.what) == (Health.GOOD, "1 files are intact")
    assert [finding.state for finding in damaged] == [Health.WEAK] * 2
    assert spoilt.name in damaged[0].what
    assert whole.exists()
    assert spoilt.exists()


def test_sheets_that_others_can_read_are_weak(tiny):
    """They quote hidden tests, and the secret makes the inputs of all of them."""
    sheets.secret(tiny.course)
    assert not worst(findings_about(tiny.course, "sheets"))
    sheets.root(tiny.course).chmod(0o755)
    assert worst(findings_about(tiny.course, "sheets")) == {Health.WEAK}


def test_scarce_memory_and_a_busy_machine_are_told(tiny, tmp_path):
    """The one costs workers their lives; the other only makes measurements uncertain."""
    cores = len(os.sched_getaffinity(0))
    (tmp_path / "meminfo").write_text("MemTotal: 999999 kB\nMemAvailable:   102400 kB\n")
    (tmp_path / "loadavg").write_text(f"{cores + 1}.50 0 0 1/2 3\n")
    governor = tmp_path / "cpu0" / "cpufreq" / "scaling_governor"
    governor.parent.mkdir(parents=True)
    governor.write_text("powersave\n")
    findings = findings_about(tiny.course, "machine", proc=tmp_path, cpus=tmp_path)
    states = [finding.state for finding in findings if "free in" not in finding.what]
    assert states == [Health.GOOD, Health.WEAK, Health.NOTE, Health.NOTE]


def test_nbgrader_is_the_one_that_was_pinned(tiny):
    """Another version may have other tables and another seam."""
    [version] = findings_about(tiny.course, "nbgrader")
    assert (version.state, "0.9.6" in version.what) == (Health.GOOD, True)


def test_the_worst_finding_decides_about_the_exit_code():
    """Notes are no reason to wake anybody."""
    good, note, weak, bad = (Finding("a", "b", state) for state in Health)
    assert exit_code([good, note]) == 0
    assert exit_code([good, note, weak]) == DEGRADED
    assert exit_code([bad, weak, good]) == 1
    assert [conclusion([finding]) for finding in (good, weak, bad)]


def test_the_table_counts_what_is_kept_and_lists_what_is_not():
    """Forty promises that are kept say less than the one that is not."""
    kept = [Finding("wall: files", f"proved: {n}.", Health.GOOD, "why") for n in range(3)]
    kept += [Finding("wall: files", "idle: 4.", Health.GOOD, "why")]
    broken = Finding("wall: files", "missing: what [link] it was", Health.WEAK, "do this")
    console = Console(width=120, record=True)
    console.print(table([*kept, broken, Finding("machine", "fine")], verbose=False))
    text = console.export_text()
    assert "3 proved, 1 idle" in text
    assert "missing: what [link] it was" in text
    console.print(table(kept, verbose=True))
    assert console.export_text().count("proved") == 3


def test_everything_can_be_had_as_plain_data(healthy):
    """For whoever watches machines."""
    plain = json.loads(json.dumps(data(healthy)))
    assert plain["exit_code"] == exit_code(healthy)
    assert plain["findings"][0].keys() == {"about", "what", "state", "note"}


def test_the_command_shows_all_of_it(course, tmp_path):
    """As somebody types it, in a course."""
    run = subprocess.run(
        [Path(sys.executable).parent / "examiner", "doctor", "--json", tmp_path / "health.json"],
        cwd=course.root,
        env=os.environ | {"COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == (0 if HAS_ALL else DEGRADED), run.stderr
    assert "wall: files" in run.stdout
    assert "This machine can grade this course" in run.stdout
    assert json.loads((tmp_path / "health.json").read_text())["exit_code"] == run.returncode
    assert load_course(course.root) == course
