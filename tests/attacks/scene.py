"""A course under attack, and all around it that must stay as it is; grades a class and says what changed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, Self

from examiner.course.load import load_course
from examiner.store.grades import read_grades

from .suite import ASSIGNMENT, HERE, MARK, Submission, hand_in

REPOSITORY: Final = HERE.parents[1]
BIN: Final = Path(sys.executable).parent
SHARED: Final = tuple(Path(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run"))
ENVIRONMENTS: Final = tuple(REPOSITORY / name for name in (".venv", ".venv-student"))
WRITTEN: Final = (
    "gradebook.db",
    "sheets",
    "evidence",
    "autograded",
    "feedback",
    "release",
    ".examiner",
    "exchange",
    "grades.csv",
    ".nbgrader.log",
)
EXAMINER: Final = ("examiner", "grade")
NBGRADER: Final = ("nbgrader", "autograde", ASSIGNMENT)  # the same, without pages of feedback
CANARY: Final = "canary-"
KEY: Final = " 424242 "  # of shared memory, semaphores and message queues that attacks make

GRACE_SECONDS: Final = 15  # for what was told to end: on a busy machine, Python tidies up for seconds

Traces = Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of grading a class.

    Parameters
    ----------
    marks
        The points of each cell, by student; nobody without a grade is in it.
    code
        How the command ended.
    output
        What it wrote for the instructor to read.
    changed
        What is not as it was, outside of what grading writes.
    left
        Command lines of the processes that outlived it.
    """

    marks: Mapping[str, Mapping[str, float]]
    code: int
    output: str
    changed: tuple[str, ...]
    left: tuple[str, ...]

    def score(self, submission: Submission) -> float | str:
        """Return the points of a student, or "refused" without a grade."""
        marks = self.marks.get(submission.student)
        return "refused" if marks is None else sum(marks.values())


class Scene:
    """A copy of the course, beside it a home with secrets, and a folder for temporary files.

    Parameters
    ----------
    cell_seconds
        What a cell may take: most of the time of a class of attackers goes by in cells that never end.
    """

    def __init__(self, folder: Path, cell_seconds: float = 3) -> None:
        self.folder, self.root = folder, folder / "course"
        shutil.copytree(HERE / "course", self.root)
        path = self.root / "course.toml"
        settings = path.read_text().replace("REPOSITORY", str(REPOSITORY))
        path.write_text(settings.replace("CELL_SECONDS", str(cell_seconds)))
        for name in (
            "home/.ssh/id_ed25519",
            "home/.ipython/profile_default/startup/secret.txt",
            "beside/secret.txt",
            "home/.jupyter/migrated",  # else Jupyter's own commands leave this mark
        ):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text(f"{CANARY}{Path(name).name}")
        (folder / "temporary").mkdir()
        (folder / "temporary").chmod(0o1700)  # Jupyter sets the sticky bit where its sockets lie
        self.students: list[Submission] = []

    def hand_in(self, submissions: Iterable[Submission]) -> Self:
        """Put submissions into the course."""
        for submission in submissions:
            hand_in(submission, self.root)
            self.students.append(submission)
        return self

    def grade(self, *command: str, seconds: float = 600) -> Outcome:
        """Grade by a command, or by `examiner grade`; look at everything around before and after."""
        before = self.traces()
        report = self.folder / "report.json"
        program, *arguments = command or EXAMINER
        limits = (str(seconds), str(GRACE_SECONDS))
        keeper = [sys.executable, HERE / "keeper.py", report, *limits, BIN / program, *arguments]
        run = subprocess.run(
            keeper, cwd=self.root, env=self._environment(), capture_output=True, text=True, check=False
        )
        ended = json.loads(report.read_text())
        report.unlink()
        changed = sorted(dict(before.items() ^ self.traces().items()))
        output = run.stdout + run.stderr
        return Outcome(self._marks(), ended["code"], output, tuple(changed), tuple(ended["left"].values()))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's commands in the course."""
        arguments = [BIN / command[0], *command[1:]]
        return subprocess.run(
            arguments, cwd=self.root, env=self._environment(), capture_output=True, text=True, check=False
        )

    def outputs(self, submission: Submission) -> str:
        """Return all that a submission's cells put out, by the autograded notebook; empty without one."""
        notebooks = (self.root / "autograded" / submission.student / ASSIGNMENT).glob("*.ipynb")
        cells = [cell for path in notebooks for cell in json.loads(path.read_text())["cells"]]
        return json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)

    def leaks(self) -> list[str]:
        """Return where a canary can be read: in outputs, in feedback, in the release, in what is left."""
        found = [student.student for student in self.students if CANARY in self.outputs(student)]
        pages = [path for name in ("feedback", "release") for path in (self.root / name).rglob("*")]
        beside = [
            path for path in (self.root / "autograded").rglob("*") if path.suffix not in {".ipynb", ".txt"}
        ]
        files = [path for path in (*pages, *beside) if path.is_file()]
        return found + [str(path) for path in files if CANARY.encode() in path.read_bytes()]

    def pages(self, submission: Submission) -> list[str]:
        """Return the feedback pages of a submission."""
        folder = self.root / "feedback" / submission.student
        return [path.read_text() for path in folder.rglob("*.html")]

    def _environment(self) -> dict[str, str]:
        places = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "temporary")}
        return os.environ | places | {"COLUMNS": "200", "A_SECRET": f"{CANARY}environment"}

    def traces(self) -> Traces:
        """Return everything that must stay as it is, each with what would show a change."""
        own = [path for path in self.folder.rglob("*") if not self._is_written(path)]
        installed = [path for folder in ENVIRONMENTS for path in folder.glob("lib/python*/site-packages/*")]
        marked = [path for folder in SHARED for path in folder.glob(f"*{MARK}*")]
        kernel = [line for path in Path("/proc/sysvipc").glob("*") for line in path.read_text().split("\n")]
        paths = {str(path): _state(path) for path in (*own, *installed, *marked)}
        return paths | {line: "" for line in kernel if KEY in f" {line} "}

    def _is_written(self, path: Path) -> bool:
        """Return whether grading writes the file, in the source too: the checks and the reference."""
        parts = path.relative_to(self.folder).parts
        generated = parts[:2] == ("course", "source") and {"examiner_checks", "answers"} & {*parts}
        return parts[0] == "course" and len(parts) > 1 and (parts[1].startswith(WRITTEN) or bool(generated))

    def _marks(self) -> dict[str, dict[str, float]]:
        grades = read_grades(load_course(self.root)).grades
        return {
            student: {question.grade_id: mark.score or 0.0 for question, mark in grade.marks.items()}
            for (student, _), grade in grades.items()
            if grade.is_graded
        }


def _state(path: Path) -> str:
    """Return what would show that a file changed, or that a folder became something else."""
    found = path.lstat()
    if path.is_symlink() or not path.is_file():
        return f"{found.st_mode}"
    return f"{found.st_mode} {found.st_size} {found.st_mtime_ns}"


class _Active(HTMLParser):
    """Collects what a browser would run or fetch by itself: scripts, handlers, frames, URLs that are code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag in {"script", "style", "iframe", "object", "embed"}
        for name, value in attrs:
            text = (value or "").strip().lower()
            if (
                name.startswith("on")
                or name == "srcdoc"
                or text.startswith(("javascript:", "data:text/html"))
            ):
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - whatever ends, a script has ended
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)


def active(page: str) -> list[str]:
    """Return the active content of a page that an attack put there."""
    parser = _Active()
    parser.feed(page)
    return [text for text in parser.found if MARK in text or "alert(" in text]
