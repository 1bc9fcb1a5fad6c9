"""`examiner check`: runs the gate, and prints its findings."""

from collections.abc import Sequence
from pathlib import Path

from examiner.cli.console import complain, err, interrupts, out, write_json
from examiner.course.load import load_course
from examiner.errors import DONE, INTERRUPTED, AuthorFault
from examiner.gate.check import CheckRequest
from examiner.gate.check import check as run_check
from examiner.gate.model import Report
from examiner.report import gate
from examiner.store.temporary import temporary_files


def check(root: Path, request: CheckRequest, json_file: Path | None, *, verbose: bool) -> int:
    """Check assignments, print the findings, and return the exit code."""
    course = load_course(root)
    try:
        with interrupts(), temporary_files(course), gate.progress(err) as progress:
            reports = run_check(course, request, progress)
    except KeyboardInterrupt:
        return INTERRUPTED
    if json_file is not None:
        write_json(json_file, gate.data(reports))
    for report in reports if verbose else ():
        out.print(gate.mutants_table(report))
    _show(reports, only_solution=request.only_solution)
    breaches = list(gate.breaches(reports))
    for sentence in breaches:
        complain(sentence)
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
