"""Grade the notebooks of public nbgrader courses by examiner and by stock nbgrader, and compare the scores.

For each source notebook the solution, the release and some mechanical mutants are handed in, and graded
both ways, by examiner with `--anyway`. The table counts the cells that examiner examined and the scores that
differ from stock; below it stand the reason for each cell that is not examined, and each score that differs
with both sides' words.

A notebook that was graded already is not graded again while everything it depends on is the same: stock's
half keeps for long, examiner's until its code changes. One that takes too long, or cannot be graded, is
listed, and all others go on. Nothing of a course is written into its folder.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.side_by_side import KERNEL, Graded, Settings, autograded, beside, by_examiner, by_stock
from benchmarks.versions import SOLUTION, text_of
from examiner.notebook import BEGIN_SOLUTION
from examiner.plain import from_plain, to_plain
from examiner.store.atomic import write_text

ROOT: Final = Path(__file__).parents[1]
HOME: Final = ROOT / "build" / "courses"
PACKAGES: Final = Path(__file__).with_suffix(".txt")
NOT_SOURCE: Final = {"release", "submitted", "autograded", "feedback", "exchange"}
TOLERANCE: Final = 1e-9
EXAMPLES: Final = """
examples:
  python -m benchmarks.courses ~/courses/methods ~/courses/python      two courses
  python -m benchmarks.courses ~/courses/methods --only QR             the notebooks whose path has this text
  python -m benchmarks.courses ~/courses/* --json courses.json         everything found, for programs
  nice python -m benchmarks.courses ~/courses/* --seconds 300          so long at most for each side
"""


@dataclass(frozen=True)
class Difference:
    """A score that the two sides give differently, with their words."""

    version: str
    cell: str
    examiner: float | None
    stock: float | None
    examiner_message: str
    stock_message: str

    def __str__(self) -> str:
        ours, theirs = (f"{_shown(self.examiner)}", f"{_shown(self.stock)}")
        words = f"{self.examiner_message or 'nothing'} | {self.stock_message or 'nothing'}"
        return f"{self.version}, {self.cell}: {ours} and stock {theirs} ({words})"


@dataclass(frozen=True)
class Compared:
    """One notebook, as both sides graded it."""

    course: str
    notebook: str
    points: Mapping[str, float]
    examiner: Graded
    stock: Graded

    @property
    def faults(self) -> dict[str, str]:
        """What each side could not do."""
        sides = {"examiner": self.examiner.fault, "stock": self.stock.fault}
        return {side: fault for side, fault in sides.items() if fault}

    @property
    def examined(self) -> list[str]:
        """The cells that were judged from outside."""
        ours = self.examiner.scores.get(SOLUTION, {})
        return [cell for cell in self.points if cell in ours and cell not in self.examiner.reasons]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The scores that differ where both sides gave some, those of the solution first."""
        both = self.stock.scores.keys() & self.examiner.scores.keys()
        versions = sorted(both, key=lambda name: (name != SOLUTION, name))
        return tuple(found for name in versions for found in self._differences(name))

    def _differences(self, version: str) -> Iterator[Difference]:
        ours, theirs = self.examiner.scores[version], self.stock.scores[version]
        for cell in self.points:
            one, other = ours.get(cell), theirs.get(cell)
            if (one is None) != (other is None) or abs((one or 0.0) - (other or 0.0)) > TOLERANCE:
                words = (side.messages.get(version, {}).get(cell, "") for side in (self.examiner, self.stock))
                yield Difference(version, cell, one, other, *words)


def _shown(points: float | None) -> str:
    return "no score" if points is None else f"{points:g}"


def sources(course: Path) -> list[Path]:
    """Return the instructor's notebooks: they have solutions and cells that are graded by running them."""
    paths = sorted(path for path in course.rglob("*.ipynb") if path.is_file() and not path.is_symlink())
    return [path for path in paths if _is_place(path.relative_to(course)) and is_source(path)]


def _is_place(inside: Path) -> bool:
    """Whether a path in a course is none of what nbgrader or Jupyter makes from the sources."""
    return not any(part in NOT_SOURCE or part.startswith(".") for part in inside.parts)


def is_source(path: Path) -> bool:
    """Whether a file is a notebook with a solution and with cells that are graded by running them."""
    try:
        document = json.loads(path.read_bytes())
        return bool(autograded(document)) and any(BEGIN_SOLUTION in text_of(c) for c in document["cells"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def digest(*parts: bytes) -> str:
    """Return one digest of several texts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def of_notebook(notebook: Path, environment: Path, settings: Settings) -> str:
    """Return a digest of what the grades depend on, but for the code that grades."""
    files = [part for name, path in beside(notebook).items() for part in (name.encode(), path.read_bytes())]
    packages = sorted(path.name for path in environment.glob("lib/*/site-packages/*.dist-info"))
    how = settings.cell_seconds, settings.seconds, settings.mutants, settings.seed
    ways = [Path(__file__).with_name(name).read_bytes() for name in ("versions.py", "side_by_side.py")]
    return digest(notebook.read_bytes(), repr((how, packages)).encode(), *ways, *files)


@cache
def of_examiner() -> str:
    """Return a digest of examiner's code."""
    paths = sorted((ROOT / "examiner").rglob("*.py")) + sorted((ROOT / "examiner_checks").rglob("*.py"))
    return digest(*(path.read_bytes() for path in paths))


def kept(file: Path, key: str, grade: Callable[[], Graded]) -> Graded:
    """Return what a file keeps under this key; if it keeps something else, grade, and keep that."""
    if file.is_file() and (known := json.loads(file.read_text()))["key"] == key:
        return from_plain(known["graded"], Graded)
    graded = grade()
    write_text(file, json.dumps({"key": key, "graded": to_plain(graded)}))
    return graded


def compare(course: Path, notebook: Path, home: Path, environment: Path, settings: Settings) -> Compared:
    """Return one notebook as both sides grade it, and keep that in a folder below `home`."""
    inside = notebook.relative_to(course)
    folder = home / course.name / inside.with_suffix("")
    ours, theirs = folder / "examiner", folder / "stock"
    folder.mkdir(parents=True, exist_ok=True)
    key = of_notebook(notebook, environment, settings)
    stock = kept(folder / "stock.json", key, lambda: by_stock(notebook, theirs, settings))
    graded = Graded(fault="nothing was handed in")
    if stock.scores:
        both = digest(key.encode(), of_examiner().encode())
        graded = kept(folder / "examiner.json", both, lambda: by_examiner(notebook, ours, theirs, settings))
    points = autograded(json.loads(notebook.read_bytes()))
    return Compared(course.name, str(inside), points, graded, stock)


def make_environment(folder: Path, home: Path) -> Path:
    """Make the student environment if it is not there, register its kernel, and return Jupyter's folder."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder} from {PACKAGES.name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603 - our own command
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PACKAGES]
        subprocess.run(pip, check=True)  # noqa: S603 - our own command
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "public courses", "language": "python"}
    write_text(home / "jupyter" / "kernels" / KERNEL / "kernel.json", json.dumps(specification))
    return home / "jupyter"


COLUMNS: Final = (
    ("course", 20),
    ("notebooks", 9),
    ("failed", 6),
    ("cells", 5),
    ("examined", 8),
    ("claimed", 7),
    ("unproven", 8),
    ("honest", 6),
    ("others", 6),
    ("examiner s", 10),
    ("stock s", 7),
)


def row(name: str, found: Sequence[Compared]) -> list[str]:
    """Return the line of the table about some notebooks."""
    differences = [difference for one in found for difference in one.differences]
    honest = sum(difference.version == SOLUTION for difference in differences)
    return [
        name,
        f"{len(found)}",
        f"{sum(bool(one.faults) for one in found)}",
        f"{sum(len(one.points) for one in found)}",
        f"{sum(len(one.examined) for one in found)}",
        f"{sum(len(one.examiner.claimed) for one in found)}",
        f"{sum(len(one.examiner.unproven) for one in found)}",
        f"{honest}",
        f"{len(differences) - honest}",
        f"{sum(one.examiner.seconds for one in found):.0f}",
        f"{sum(one.stock.seconds for one in found):.0f}",
    ]


def table(found: Sequence[Compared]) -> Iterator[str]:
    """Yield the lines of the table: one for each course, and one for all."""
    courses = {one.course: [other for other in found if other.course == one.course] for one in found}
    lines = [[name for name, _ in COLUMNS], *(row(*item) for item in courses.items()), row("all", found)]
    for line in lines:
        padded = [f"{text:>{width}}" for text, (_, width) in zip(line[1:], COLUMNS[1:], strict=True)]
        yield "  ".join([f"{line[0]:<{COLUMNS[0][1]}}", *padded])
    yield "unproven: cells whose solution loses points in a kernel, for which `examiner grade` would stop"
    yield "honest, others: scores that differ from stock, of the solution, and of the release and mutants"


def details(found: Sequence[Compared]) -> Iterator[str]:
    """Yield a sentence for each fault, each cell that is not examined, and each score that differs."""
    for one in found:
        place = f"{one.course}/{one.notebook}"
        yield from (f"{place}: {side}: {fault}" for side, fault in one.faults.items())
        yield from (
            f"{place}, {cell}: not examined, since {why}" for cell, why in one.examiner.reasons.items()
        )
        yield from (
            f"{place}, {cell}: unproven, the solution fails it in a kernel ({why})"
            for cell, why in one.examiner.unproven.items()
        )
        yield from (f"{place}, {difference}" for difference in one.differences)


def data(one: Compared) -> dict[str, Any]:
    """Return all about one notebook as plain data."""
    more = {"examined": one.examined, "differences": [asdict(found) for found in one.differences]}
    return {**to_plain(one), **more}


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    title, _, text = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="courses",
        description=title + "\n\n" + text,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("courses", nargs="+", type=Path, metavar="COURSE", help="the folder of a course")
    parser.add_argument("--only", default="", metavar="TEXT", help="only notebooks whose path has this text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything into a file, too")
    parser.add_argument("--home", type=Path, default=HOME, help="what is made goes there (%(default)s)")
    parser.add_argument(
        "--environment",
        type=Path,
        metavar="DIR",
        help="the student environment, made if it is missing",
    )
    parser.add_argument("--seconds", type=int, default=600, help="for each side of a notebook (%(default)s)")
    parser.add_argument("--cell-seconds", type=int, default=30, help="for each cell (%(default)s)")
    parser.add_argument("--mutants", type=int, default=3, help="of each notebook (%(default)s)")
    parser.add_argument("--seed", default="0", help="which mutants (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Grade each notebook, print how each came out, and then the table."""
    options = parsed()
    home = options.home.resolve()
    environment = (options.environment or home / "environment").resolve()
    kernels = make_environment(environment, home)
    settings = Settings(kernels, options.cell_seconds, options.seconds, options.mutants, options.seed)
    found = []
    for course in map(Path.resolve, options.courses):
        for notebook in sources(course):
            if options.only in str(notebook.relative_to(course)):
                found.append(compare(course, notebook, home, environment, settings))
                print("  ".join(row(f"{course.name}/{notebook.name}", found[-1:])), flush=True)
    for line in (*details(found), *table(found)):
        print(line)
    if options.json:
        options.json.write_text(json.dumps([data(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
