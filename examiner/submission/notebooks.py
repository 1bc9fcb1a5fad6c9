"""Finds the notebooks of an assignment among the files of a submission, whatever they are called there.

A file of another name is taken for a notebook if what is in it says so: names and texts of cells that no
other notebook of the assignment has. Two files for one notebook are not sure; a person has to say which.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from examiner.errors import ExaminerError, StudentFault, printable
from examiner.model import Files, Submission, normal
from examiner.notebook import Notebook, parse
from examiner.submission.document import cells_of, read_document
from examiner.submission.matching import StudentTexts, expected_names, plain, plainly_released
from examiner.submission.repair import repair, unanswered

SUFFIX: Final = ".ipynb"
SURE_FROM: Final = 0.5  # of the marks of a notebook
SHORTEST: Final = 8  # characters of a text that tells notebooks apart
MOST_CANDIDATES: Final = 10  # files of other names that are looked into
GRADE_ID, ID, TEXT, NAME = "grade_id", "id", "text", "name"

Sign = tuple[str, str]


@dataclass(frozen=True)
class FoundNotebooks:
    """Which file of a submission is which notebook of the assignment.

    Parameters
    ----------
    paths : mapping from str to str
        By the name of the instructor's notebook, without `.ipynb`, the path of the student's. The file of
        that name counts, unless nothing is answered in it, and something is in a copy.
    unsure : mapping from str to tuple of str
        By name, the notebooks that were not found, with the paths of the files that may be theirs, if any.
    """

    paths: Mapping[str, str]
    unsure: Mapping[str, tuple[str, ...]]

    def repairs(self, name: str) -> tuple[str, ...]:
        """Return a sentence if a notebook was handed in under another name."""
        path = self.paths[name]
        is_same = normal(path) == normal(name + SUFFIX)
        sentence = (
            f"{name}{SUFFIX}: it was handed in as '{printable(path)}'; it was recognised by what is in it"
        )
        return () if is_same else (sentence,)


def is_notebook(path: str) -> bool:
    """Whether a file is a notebook by its name."""
    return path.lower().endswith(SUFFIX)


def find_notebooks(originals: Files, files: Files) -> FoundNotebooks:
    """Return which file of a submission is which notebook.

    Parameters
    ----------
    originals : mapping from str to bytes
        The instructor's notebooks, by name without `.ipynb`.
    files : mapping from str to bytes
        The files of the submission, by path.
    """
    by_name = {normal(path): path for path in files}
    named = {name: by_name[normal(name + SUFFIX)] for name in originals if normal(name + SUFFIX) in by_name}
    others = list(_candidates(files, set(named.values())))
    if len(named) == len(originals) and not others and len(originals) == 1:
        return FoundNotebooks(named, {})
    marks = _marks(tuple(originals.items()))
    shares = {name: _shares(marks, files[path], with_names=False) for name, path in named.items()}
    paths = {name: path for name, path in named.items() if _may_be(name, shares[name])}
    others += sorted(set(named.values()) - set(paths.values()))
    best = {path: _best(_shares(marks, files[path], with_names=True)) for path in others}
    unsure: dict[str, tuple[str, ...]] = {}
    for name, original in originals.items():
        claims = _told_apart([path for path in others if best[path] == name], original, files)
        if name in paths:
            if not (claims and _is_blank(files[paths[name]], original)) or _is_blank(
                files[claims[0]], original
            ):
                continue
            del paths[name]
        claims = claims or _of_the_same_name(name, (path for path in others if not best[path]))
        if len(claims) == 1:
            paths[name] = claims[0]
        else:
            unsure[name] = tuple(claims or (path for path in others if not best[path]))
    return FoundNotebooks(paths, unsure)


def require_some(submission: Submission, originals: Files, files: Files) -> None:
    """Raise a StudentFault if the submission has none of the assignment's notebooks for sure."""
    names = {normal(path) for path in files}
    if any(normal(name + SUFFIX) in names for name in originals):
        return  # which is quick to see, and the rule
    found = find_notebooks(originals, files)
    if found.paths:
        return
    first = next(iter(found.unsure))
    others = ", ".join(sorted(printable(path) for path in files if is_notebook(path))) or "no notebook"
    place, fix = submission.folder / (first + SUFFIX), "give the notebook its name back"
    raise StudentFault(place, f"it is missing (there is {others})", fix)


@lru_cache(maxsize=64)
def _marks(originals: tuple[tuple[str, bytes], ...]) -> Mapping[str, frozenset[Sign]]:
    """Return what only one notebook has: names, ids and texts of cells, and names that they define."""
    found = {name: frozenset(_marks_of(_parsed(name, content))) for name, content in originals}
    times = Counter(mark for marks in found.values() for mark in marks)
    return {name: frozenset(mark for mark in marks if times[mark] == 1) for name, marks in found.items()}


def _parsed(name: str, content: bytes) -> Notebook:
    return parse(read_document(content), Path(name + SUFFIX))


def _marks_of(notebook: Notebook) -> Iterator[Sign]:
    for cell in notebook.cells:
        yield from ((kind, text) for kind, text in ((GRADE_ID, cell.grade_id), (ID, cell.id)) if text)
        if not cell.is_solution and len(text := plainly_released(cell)) >= SHORTEST:
            yield TEXT, text
        if cell.is_solution and cell.is_code:
            yield from ((NAME, name) for name in expected_names(cell))


def _shares(
    marks: Mapping[str, frozenset[Sign]], content: bytes, *, with_names: bool
) -> dict[str, tuple[float, float]]:
    """Return for each notebook how much of what marks it stands in a file: of its names, and of its texts."""
    found = _marks_in(content, with_names=with_names)
    return {
        name: (_share(own, found, GRADE_ID, ID), _share(own, found, TEXT, NAME))
        for name, own in marks.items()
    }


def _share(own: frozenset[Sign], found: frozenset[Sign], *kinds: str) -> float:
    """Return the largest part of the marks of these kinds that was found."""
    groups = [{mark for mark in own if mark[0] == kind} for kind in kinds]
    return max((len(group & found) / len(group) for group in groups if group), default=0.0)


def _marks_in(content: bytes, *, with_names: bool) -> frozenset[Sign]:
    """Return the marks that are in a file; none if it is no notebook that can be read."""
    try:
        cells = cells_of(read_document(content), "")
    except (ValueError, ExaminerError):
        return frozenset()
    marks = {
        mark
        for cell in cells
        for mark in ((GRADE_ID, cell.grade_id), (ID, cell.id), (TEXT, plain(cell.source)))
    }
    texts = StudentTexts(cells)
    positions = range(len(cells)) if with_names else ()
    return frozenset(marks | {(NAME, name) for position in positions for name in texts.names(position)})


def _may_be(name: str, shares: Mapping[str, tuple[float, float]]) -> bool:
    """Whether a file is the notebook whose name it has: nothing in it is, and it is surely another one."""
    return any(shares[name]) or _best(shares) in {"", name}


def _best(shares: Mapping[str, tuple[float, float]]) -> str:
    """Return the one notebook that a file surely is, or an empty name.

    Names of cells alone are not enough, since other assignments may have the same ones.
    """
    sure = [
        name
        for name, (names, texts) in shares.items()
        if texts >= SURE_FROM or (texts > 0 and names >= SURE_FROM)
    ]
    return sure[0] if len(sure) == 1 else ""


def _candidates(files: Files, taken: set[str]) -> Iterator[str]:
    """Yield the files that may be notebooks, by their names and a word that each has."""
    left = MOST_CANDIDATES
    for path in sorted(files):
        name = path.lower()
        if (
            path in taken
            or not (SUFFIX in name or name.endswith(".json"))
            or b"cell_type" not in files[path].replace(b"\0", b"")
        ):
            continue
        if not left:
            return
        left -= 1
        yield path


def _told_apart(paths: Sequence[str], original: bytes, files: Files) -> list[str]:
    """Return the files that differ and hold an answer; if nothing is answered, the first."""
    different = list({files[path]: path for path in reversed(paths)}.values())[::-1]
    if len(different) < 2:  # noqa: PLR2004 - there is nothing to tell apart
        return different
    return [path for path in different if not _is_blank(files[path], original)] or different[:1]


def _is_blank(content: bytes, original: bytes) -> bool:
    """Whether a file is a notebook in which nothing is answered."""
    notebook = _parsed("", original)
    try:
        blank = unanswered(repair(notebook, read_document(content)).pieces)
    except (ValueError, ExaminerError):
        return False
    return len(blank) == sum(cell.is_solution for cell in notebook.cells)


def _of_the_same_name(name: str, paths: Iterable[str]) -> list[str]:
    """Return the files that have a notebook's name but for its case, in any folder."""
    return [
        path for path in paths if normal(PurePosixPath(path).name).lower() == normal(name + SUFFIX).lower()
    ]
