"""Progress is a bar in a terminal and plain lines in a log."""

import io

from rich.console import Console

from examiner.errors import StudentFault
from examiner.report.progress import progress


def shown(**options):
    """Return what is printed while two things are done, one of which fails."""
    console = Console(file=io.StringIO(), width=120, **options)
    with progress(console) as bar:
        bar.phase("submissions", 2)
        bar.start("anna/01")
        bar.start("ben/01")
        bar.end("ben/01", StudentFault("ben/01", "it is empty", "write something"))
        bar.end("anna/01", None)
    return console.file.getvalue()


def test_a_log_gets_a_line_for_each_thing_that_ends():
    """A bar in a log would be thousands of lines."""
    assert shown() == "submissions 1/2 ben/01  !\nsubmissions 2/2 anna/01\n"


def test_a_terminal_gets_a_bar_with_what_is_being_done():
    """How many are done, how fast, and how long it will take."""
    assert "2/2" in shown(force_terminal=True)
    assert "/min" in shown(force_terminal=True)
    assert "ben/01" in shown(force_terminal=True)


def test_a_log_gets_ten_lines_for_the_steps_of_a_thing():
    """What takes a minute is seen to go on; a name is no markup."""
    console = Console(file=io.StringIO(), width=120)
    with progress(console) as lines:
        lines.phase("evidence", 1)
        for done in range(85):
            lines.step(done, 84, "ps[1]")
    shown = console.file.getvalue().splitlines()
    assert (len(shown), shown[-1]) == (10, "evidence 84/84 ps[1]")


def test_a_terminal_shows_each_step():
    """In the line of the bar."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with progress(console) as bar:
        bar.phase("evidence", 1)
        bar.step(3, 84, "ps[1]")
    assert "3/84 ps[1]" in console.file.getvalue()
