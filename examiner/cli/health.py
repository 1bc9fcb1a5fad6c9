"""`examiner doctor`: what a machine lacks to grade a course."""

from pathlib import Path

from examiner.cli.console import out, write_json
from examiner.course.load import load_course
from examiner.machine.doctor import diagnose, exit_code
from examiner.report.doctor import conclusion, data, table


def doctor(root: Path, json_file: Path | None, *, verbose: bool) -> int:
    """Look at the machine and the course, and show what was found."""
    findings = list(diagnose(load_course(root)))
    if json_file is not None:
        write_json(json_file, data(findings))
    out.print(table(findings, verbose=verbose))
    out.print(conclusion(findings))
    return exit_code(findings)
