"""Known wrong solutions: the instructor's notebook with one mistake, and the points it must cost."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examiner.course.table import Table, read_table
from examiner.errors import AuthorFault
from examiner.notebook import Notebook

FIX_KEYS = "see tests/mutants/README.md for what a mutant's file holds"


class BadMutant(AuthorFault):
    """A mutant's file cannot be read, or does not fit the notebook."""


@dataclass(frozen=True)
class Edit:
    """One change of a solution cell: `old` becomes `new`, or all of it does where `old` is None."""

    cell: str
    new: str
    old: str | None = None


@dataclass(frozen=True)
class Mutant:
    """One file of `tests/mutants/<assignment>/`.

    Parameters
    ----------
    path : Path
        The file; its name is the mutant's.
    mistake : str
        What a student got wrong, in one line.
    loses : mapping from str to float or None
        The grade cells that lose points, and how many; None means all of the cell's.
    edits : tuple of Edit
        The changes that make the instructor's solution wrong.
    equivalent : str
        Why no test can notice the mistake; such a mutant loses nothing.
    proof : str
        For an equivalent mutant, code that runs after the notebook's cells and must not fail.
    """

    path: Path
    mistake: str
    loses: Mapping[str, float | None]
    edits: tuple[Edit, ...]
    equivalent: str = ""
    proof: str = ""

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.path.stem


def read_mutant(path: Path, notebook: Notebook) -> Mutant:
    """Read a mutant's file.

    Raises
    ------
    BadMutant
        If it is not TOML, a key is missing, unknown or of the wrong type, or a grade cell is unknown.
    """
    table = read_table(path, BadMutant)
    mutant = Mutant(
        path=path,
        mistake=table.take("mistake", str),
        loses=dict(_loss(path, entry, notebook) for entry in table.take("loses", list)),
        edits=tuple(_edit(edit) for edit in table.tables("edits")),
        equivalent=table.take("equivalent", str, ""),
        proof=table.take("proof", str, ""),
    )
    table.refuse_the_rest()
    _check(mutant)
    return mutant


def changed_cells(path: Path) -> frozenset[str]:
    """Return the cells that a mutant's file says it changes; none where it cannot be read."""
    try:
        edits = tomllib.loads(path.read_text())["edits"]
        return frozenset(str(edit["cell"]) for edit in edits)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _check(mutant: Mutant) -> None:
    """Refuse a mutant whose entries contradict each other."""
    if not mutant.edits:
        raise BadMutant(mutant.path, "it changes nothing", "add an [[edits]] table")
    if bool(mutant.equivalent) != bool(mutant.proof):
        raise BadMutant(mutant.path, "'equivalent' and 'proof' go together", "give both or neither")
    if bool(mutant.equivalent) == bool(mutant.loses):
        fact = "it loses points and is equivalent" if mutant.loses else "it loses nothing"
        raise BadMutant(
            mutant.path, fact, "name the grade cells that lose points in 'loses', or prove it equivalent"
        )


def _edit(table: Table) -> Edit:
    cell, whole = table.take("cell", str), table.take("source", str, None)
    old, new = table.take("old", str, None), table.take("new", str, None)
    table.refuse_the_rest()
    if (whole is None) == (old is None) or (old is None) != (new is None):
        fact = "it needs either 'old' and 'new' or 'source'"
        raise BadMutant(f"{table.path}, edit of {cell}", fact, FIX_KEYS)
    return Edit(cell=cell, new=new if whole is None else whole, old=old)


def _loss(path: Path, text: object, notebook: Notebook) -> tuple[str, float | None]:
    """Read "grade_id" or "grade_id:points"."""
    grade_id, colon, points = str(text).partition(":")
    if grade_id not in {cell.grade_id for cell in notebook.cells if cell.is_autograded}:
        raise BadMutant(path, f"'loses' names {grade_id}, which is no grade cell", "correct the name")
    try:
        return grade_id, float(points) if colon else None
    except ValueError:
        raise BadMutant(path, f"'{points}' in 'loses' is no number", 'write "grade_id:points"') from None


def apply(mutant: Mutant, notebook: Notebook) -> dict[str, str]:
    """Return the new sources of the solution cells that the mutant changes, by grade_id.

    Raises
    ------
    BadMutant
        If a cell is no solution cell, or the text to replace is not in it exactly once.
    """
    solutions = {cell.grade_id: cell.source for cell in notebook.cells if cell.is_solution and cell.is_code}
    changed: dict[str, str] = {}
    for edit in mutant.edits:
        if edit.cell not in solutions:
            raise BadMutant(
                mutant.path, f"{edit.cell} is no solution cell", f"choose from {', '.join(solutions)}"
            )
        source = changed.get(edit.cell, solutions[edit.cell])
        changed[edit.cell] = edit.new if edit.old is None else _replace_once(mutant, source, edit)
    return changed


def _replace_once(mutant: Mutant, source: str, edit: Edit) -> str:
    assert edit.old is not None
    count = source.count(edit.old)
    if count != 1:
        first_line = edit.old.strip().partition("\n")[0]
        fact = f"'{first_line}' occurs {count} times in the cell, not once"
        raise BadMutant(
            f"{mutant.path}, edit of {edit.cell}", fact, "copy the text from the notebook's cell as it is now"
        )
    return source.replace(edit.old, edit.new)
