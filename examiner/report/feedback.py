"""Turns an executed notebook into what its student may see: their own work, and every verdict in words.

The words about a grade cell are made from its verdict alone: from the outcome, the points, the measurements,
a visible line, and texts that the cell contains as its author wrote them. Nothing that the student's process
printed or raised in a grade cell is shown, and nothing of a hidden test.
"""

import ast
import base64
import copy
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from examiner.errors import PlatformFault
from examiner.model import Mode
from examiner.notebook import BEGIN_HIDDEN, ENTRY, hidden, hidden_regions, mark, visible
from examiner.plain import from_plain
from examiner.verdict import AUTHOR_ERROR, Outcome, Verdict

RAN_HERE: Final = "# (hidden tests ran here)"
QUOTED: Final = "(This output is not shown: it repeats hidden tests.)"
SELF_REPORTED_HINT: Final = (
    "This test ran inside your own code's process, so this result is what that process reported. "
    "A person may check it again."
)

# What a student reads about each outcome. If a line is known, it follows.
OUTCOMES: Final = {
    Outcome.PASSED: "All tests passed",
    Outcome.PARTIAL: "Some of the tests passed",
    Outcome.FAILED: "A check failed",
    Outcome.ERROR: "An exception was raised",
    Outcome.TIMEOUT: "It took too long and was stopped",
    Outcome.OUT_OF_MEMORY: "It needed more memory than is allowed",
    Outcome.CRASHED: "Your code ended its own process, for example by exit() or a crash",
    Outcome.TAMPERED: (
        "The process of your code sent something that is not a valid answer (if you cannot explain that, "
        "tell your instructor)"
    ),
    Outcome.INCONCLUSIVE: "There was no clear answer, so a person decides",
    Outcome.INFRASTRUCTURE: "The grading itself failed, which is not your fault; a person decides",
}
NOT_BEGUN: Final = {
    Outcome.TIMEOUT: "a cell above it took too long and was stopped",
    Outcome.OUT_OF_MEMORY: "a cell above it needed more memory than is allowed",
    Outcome.CRASHED: "a cell above it ended the process of your code, or left no room in it",
    Outcome.TAMPERED: "the process of your code did not report correctly from a cell above it",
}
REACHED_THE_END: Final = "The test ran to its end and gave no points"
NOT_UNDERSTOOD: Final = (
    "Your code returned something that the test cannot judge (if the task asks for that, tell your "
    "instructor)"
)

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

HINT_POSITIONS = {"raises": 1, "check_equal": 2}  # the index of a hint that is a positional argument
REASON_POSITIONS = {"attempt": 1, "award": 1}

LONG_STATEMENT = 8  # lines
SECRET_LENGTH = 12  # shorter texts turn up in a student's own work by chance

Raw = Mapping[str, Any]


def explain(notebook: Raw, place: str = "an executed notebook") -> dict[str, Any]:
    """Return the notebook without hidden tests, and with each verdict in words as its cell's output.

    Parameters
    ----------
    notebook : mapping
        As `executed` makes it, with `score` and `points` in the metadata of its grade cells.
    place : str
        The notebook's path, for the error.

    Raises
    ------
    PlatformFault
        If a grade cell has no verdict in its metadata.
    """
    shown = copy.deepcopy(dict(notebook))
    hidden_texts = secrets(notebook["cells"])
    try:
        for cell in shown["cells"]:
            _explain(cell, hidden_texts)
    except ValueError as error:
        fact = f"it was graded by an earlier version of examiner, or by something else ({error})"
        raise PlatformFault(place, fact, "grade it again: `examiner grade --regrade`") from error
    shown["metadata"].pop(ENTRY, None)
    return shown


def _explain(cell: dict[str, Any], hidden_texts: set[str]) -> None:
    """Reduce a cell to what its student may see."""
    if cell["cell_type"] == "code":
        is_test = mark(cell, "grade") and not mark(cell, "solution")
        if is_test or ENTRY in cell["metadata"]:  # a cell that left the gradebook still has its verdict
            verdict = verdict_in(cell)
            cell["outputs"] = [_text(message(cell, verdict)), *_pictures(verdict)]
        elif BEGIN_HIDDEN in cell["source"]:  # the student wrote this marker: a test would have a verdict
            cell["outputs"] = []
        else:
            cell["outputs"] = [
                _text(QUOTED) if _quotes(output, hidden_texts) else output for output in cell["outputs"]
            ]
    if BEGIN_HIDDEN in cell["source"]:
        cell["source"] = without_hidden(cell["source"])
    cell["metadata"].pop(ENTRY, None)


def verdict_in(cell: Raw) -> Verdict:
    """Return the verdict that grading put into a cell's metadata; ValueError if there is none."""
    found = cell["metadata"].get(ENTRY)
    if not isinstance(found, Mapping):
        raise ValueError("there is no verdict")  # noqa: TRY004 - what a file lacks, not a caller's mistake
    return from_plain(found, Verdict)


def provisional_in(cell: Raw) -> float:
    """Return the points that the verdict in a cell's metadata gives until a person decides."""
    return verdict_in(cell).provisional if ENTRY in cell["metadata"] else 0.0


def without_hidden(source: str) -> str:
    """Return the source with a comment in the place of each hidden part."""
    lines, shown, past = source.split("\n"), [], 0
    try:
        inside = hidden_regions(source)
    except ValueError:  # only a student's own markers can be unbalanced; what follows them is left out
        return source[: source.index(BEGIN_HIDDEN)].rpartition("\n")[0]
    for region in inside:
        shown += [*lines[past : region.first - 1], RAN_HERE]
        past = region.last
    return "\n".join(shown + lines[past:])


def message(cell: Raw, verdict: Verdict) -> str:
    """Return the feedback on a grade cell: its points, the outcome, where it stopped, the author's hints.

    Parameters
    ----------
    cell : mapping
        The cell as it ran, hidden tests included.
    verdict : Verdict
        The verdict of the tests; a person may have given other points.
    """
    lines = [f"{_points(cell, verdict)} {_sentence(cell['source'], verdict)}"]
    hint = f"Hint: {verdict.hint}"
    lines += [hint] if verdict.hint in hints(cell["source"]) else []
    lines += _awards(cell["source"], verdict)
    lines += [f"Measured: {measured.sentence}" for measured in verdict.measured]
    lines += [SELF_REPORTED_HINT] if verdict.mode.is_self_reported else []
    return "\n".join(lines)


def _points(cell: Raw, verdict: Verdict) -> str:
    score, points = mark(cell, "score"), mark(cell, "points")
    if score is None:
        return "Not graded."
    earned = f"{score:g} of {points:g} points"
    if verdict.provisional and score == verdict.provisional and mark(cell, "needs_manual_grade") is not False:
        return f"{earned}, provisionally."
    if verdict.points is None:
        return f"{earned}, given by a person." if score else f"{earned} so far."
    if score == verdict.points:
        return f"{earned}."
    return f"{earned}, given by a person; {verdict.points:g} by the tests."


def _sentence(source: str, verdict: Verdict) -> str:
    outcome = verdict.outcome
    if outcome in NOT_BEGUN and not verdict.seconds and verdict.mode is not Mode.KERNEL:
        return f"The test could not begin: {NOT_BEGUN[outcome]}."
    return f"{_outcome(source, verdict)}{_position(source, verdict)}"


def _outcome(source: str, verdict: Verdict) -> str:
    match verdict.outcome:
        case Outcome.PASSED if BEGIN_HIDDEN in source:
            return f"{OUTCOMES[Outcome.PASSED]}, the hidden ones too"
        case Outcome.TIMEOUT if verdict.seconds:
            return f"{OUTCOMES[Outcome.TIMEOUT]} after {verdict.seconds:.0f} s"
        case Outcome.FAILED if not (verdict.line or verdict.is_hidden or verdict.mode is Mode.KERNEL):
            return REACHED_THE_END
        case Outcome.ERROR if verdict.mode is Mode.EXAMINED and verdict.raised == AUTHOR_ERROR:
            return NOT_UNDERSTOOD
    return OUTCOMES[verdict.outcome]


def _position(source: str, verdict: Verdict) -> str:
    """Return where the test stopped, as the end of a sentence; the line itself only if it is visible."""
    if verdict.is_hidden:
        return " in a hidden test."
    if verdict.line is None or not 1 <= verdict.line <= source.count("\n") + 1:
        return "."
    return f" here:\n\n{textwrap.indent(_statement(source, verdict.line), '    ')}\n"


def _statement(source: str, line: int) -> str:
    """Return the statement that contains a line, or only the line if the statement is long or part hidden."""
    spans = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in _nodes(source)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    span = next((span for span in spans if line in span), range(line, line + 1))
    is_seen = not any(number in region for number in span for region in hidden_regions(source))
    if not is_seen or len(span) > LONG_STATEMENT:
        span = range(line, line + 1)
    return textwrap.dedent("\n".join(source.split("\n")[span.start - 1 : span.stop - 1]))


def _awards(source: str, verdict: Verdict) -> list[str]:
    """Return a line for each of the author's reasons for points, got or not yet, if points are missing."""
    if verdict.outcome not in {Outcome.PARTIAL, Outcome.FAILED}:
        return []
    known = reasons(source)
    got = [(points, reason) for points, reason in verdict.awards if reason in known]
    worth = {points: f" ({points:g})" if points else "" for points, _ in got}
    lines = [f"got: {reason}{worth[points]}" for points, reason in got if verdict.points]
    missed = [f"not yet: {reason}" for reason in known if reason not in {reason for _, reason in got}]
    printed = verdict.output.split("\n")
    for line in missed:
        hinted = (f"{line} ({hint})" for hint in hints(source))
        lines.append(next((text for text in hinted if text in printed), line))
    return lines


def hints(source: str) -> list[str]:
    """Return the texts that the author of a cell wrote for students: hints, and messages of assert.

    If a hint is passed as a variable, every literal of the cell with a space in it may be its value.
    """
    nodes = _nodes(source)
    given: list[ast.expr] = []
    given += [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "hint"]
    given += [node.msg for node in nodes if isinstance(node, ast.Assert) and node.msg is not None]
    given += [hint for name, index in HINT_POSITIONS.items() for hint in _arguments(nodes, name, index)]
    if any(isinstance(node, ast.Name) for node in given):
        given += [node for node in nodes if isinstance(node, ast.Constant) and " " in _literal(node)]
    return _literals(given)


def reasons(source: str) -> list[str]:
    """Return the reasons for points that the author of a cell wrote, in order."""
    nodes = _nodes(source)
    given = [reason for name, index in REASON_POSITIONS.items() for reason in _arguments(nodes, name, index)]
    given.sort(key=lambda node: (node.lineno, node.col_offset))
    return _literals(given)


def _literals(nodes: Sequence[ast.AST]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(_literal, nodes))))


def _arguments(nodes: Sequence[ast.AST], name: str, index: int) -> list[ast.expr]:
    """Return one positional argument of every call of a function."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) > index]
    return [call.args[index] for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]


def secrets(cells: Sequence[Raw]) -> set[str]:
    """Return the lines and literals of hidden tests that occur in no text that the student has."""
    hiding = [cell["source"] for cell in cells if _hides_tests(cell["source"])]
    open_text = "\n".join(visible(c["source"]) if c["source"] in hiding else c["source"] for c in cells)
    secret = {line.strip() for source in hiding for line in hidden(source).split("\n")}
    for source in hiding:
        secret |= {_literal(node) for node in _nodes(source)}.difference(hints(source), reasons(source))
    return {text for text in secret if len(text) >= SECRET_LENGTH and text not in open_text}


def _hides_tests(source: str) -> bool:
    """Whether a cell has hidden tests; unbalanced markers can only be a student's, and hide nothing."""
    try:
        return bool(hidden_regions(source))
    except ValueError:
        return False


def _nodes(source: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return []


def _literal(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _quotes(output: Raw, hidden_texts: set[str]) -> bool:
    """Whether an output repeats one of the hidden texts, in any of its MIME types."""
    shown = ANSI.sub("", "\n".join(_strings(output)))
    return any(text in shown for text in hidden_texts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _strings(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


def _pictures(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """Yield a plot of each measurement for which one says more than its sentence."""
    if not verdict.measured:
        return
    from examiner.report.plots import picture  # noqa: PLC0415 - it imports matplotlib, for half a second

    for measured in verdict.measured:
        drawn = picture(measured)
        if drawn:
            data = {"image/png": base64.b64encode(drawn).decode(), "text/plain": measured.sentence}
            yield {"output_type": "display_data", "data": data, "metadata": {}}


def _text(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}
