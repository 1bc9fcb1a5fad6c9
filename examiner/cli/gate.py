"""`examiner check`: the gate, and its findings."""

import json
from collections.abc import Sequence
from pathlib import Path

from examiner.cli.console import complain, err, out
from examiner.course import environment
from examiner.course.load import load_course
from examiner.course.names import choose
from examiner.errors import DONE, INTERRUPTED, AuthorFault
from examiner.gate.check import check as hold_against_gate
from examiner.gate.check import check_again, try_seeds
from examiner.gate.model import Report
from examiner.report import gate


def check(  # noqa: PLR0913  (a command has the options it has)
    root: Path,
    names: list[str],
    repeat: int,
    workers: int,
    json_file: Path | None,
    *,
    verbose: bool,
    only_solution: bool,
    known: bool,
) -> int:
    """Hold assignments against their gate, and print the findings."""
    course = load_course(root)
    environment.require(course)
    all_of_them = {assignment.name: assignment for assignment in course.assignments}
    chosen = [all_of_them[choose("assignment", name, all_of_them)] for name in names or all_of_them]
    try:
        with gate.progress(err) as watch:
            both_ways = check_again if known else hold_against_gate
            tried = try_seeds if only_solution else both_ways
            reports = tried(course, chosen, repeat, workers, watch)
    except KeyboardInterrupt:
        return INTERRUPTED
    if json_file is not None:
        json_file.write_text(json.dumps(gate.data(reports), indent=1))
    for report in reports if verbose else ():
        out.print(gate.mutants_table(report))
    _show(reports, only_solution=only_solution)
    breaches = list(gate.breaches(reports))
    for sentence in breaches:
        complain("", sentence)
    return AuthorFault.exit_code if breaches else DONE


def _show(reports: Sequence[Report], *, only_solution: bool) -> None:
    if only_solution:
        for sentence in gate.solutions(reports):
            out.print(sentence)
        return
    out.print(gate.table(reports))
    for sentence in gate.voids(reports):
        out.print(sentence, style="dim", markup=False)
    for sentence in gate.warnings(reports):
        out.print(sentence, style="yellow", markup=False)
