"""`examiner check`: the gate, and its findings."""

import json
from pathlib import Path

from examiner import environment
from examiner.candidate.runner import Servers
from examiner.check import check as hold_against_gate
from examiner.commands import complain, err, out
from examiner.course import choose, load_course
from examiner.errors import DONE, INTERRUPTED, AuthorFault
from examiner.report import gate


def check(  # noqa: PLR0913  (a command has the options it has)
    root: Path, names: list[str], repeat: int, workers: int, json_file: Path | None, *, verbose: bool
) -> int:
    """Hold assignments against their gate, and print the findings."""
    course = load_course(root)
    environment.require(course)
    known = {assignment.name: assignment for assignment in course.assignments}
    chosen = [known[choose("assignment", name, known)] for name in names or known]
    try:
        home = course.state / "home"
        with Servers(course.student.python, home, workers) as servers, gate.progress(err) as watch:
            reports = hold_against_gate(course, chosen, repeat, servers, watch)
    except KeyboardInterrupt:
        return INTERRUPTED
    if json_file is not None:
        json_file.write_text(json.dumps(gate.data(reports), indent=1))
    for report in reports if verbose else ():
        out.print(gate.mutants_table(report))
    out.print(gate.table(reports))
    for sentence in gate.voids(reports):
        out.print(sentence, style="dim", markup=False)
    breaches = list(gate.breaches(reports))
    for sentence in breaches:
        complain("", sentence)
    return AuthorFault.exit_code if breaches else DONE
