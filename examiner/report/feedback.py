"""What a student may see of an executed notebook: their own work, and every verdict in words.

The words about a grade cell follow from its verdict. Of that verdict only the outcome, the points, a visible
line, and texts that stand in the cell as its author wrote them are used: nothing that the student's process
said there, and nothing of a hidden test.
"""

import ast
import base64
import copy
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from examiner.errors import PlatformFault
from examiner.examine.executed import ENTRY, verdict_in
from examiner.model import Mode
from examiner.notebook import BEGIN_HIDDEN, hidden, hidden_regions, mark, visible
from examiner.verdict import AUTHOR_ERROR, Outcome, Verdict

RAN_HERE: Final = "# (hidden tests ran here)"
QUOTED: Final = "(This output is not shown: it repeats hidden tests.)"
SELF_REPORTED_HINT: Final = (
    "This test ran inside your own code's process, so this result is your process's own report. "
    "It may be looked at again."
)

# What became of a test, for the one whose work it is. Where a line is known, it is added.
TOLD: Final = {
    Outcome.PASSED: "All tests passed",
    Outcome.PARTIAL: "Some of the tests passed",
    Outcome.FAILED: "A check failed",
    Outcome.ERROR: "An exception was raised",
    Outcome.TIMEOUT: "It took too long and was stopped",
    Outcome.OUT_OF_MEMORY: "It needed more memory than it may have",
    Outcome.CRASHED: "Your code ended its own process, as by exit() or a crash",
    Outcome.TAMPERED: (
        "What came from the process of your code was no answer (if you cannot explain that, "
        "tell your instructor)"
    ),
    Outcome.INCONCLUSIVE: "The measurements gave no clear answer, so a person decides",
    Outcome.INFRASTRUCTURE: "The grading itself failed, which is not your fault; a person decides",
}
NOT_BEGUN: Final = {
    Outcome.TIMEOUT: "a cell above it took too long and was stopped",
    Outcome.OUT_OF_MEMORY: "a cell above it needed more memory than it may have",
    Outcome.CRASHED: "a cell above it ended the process of your code, or left no room in it",
    Outcome.TAMPERED: "the process of your code did not report as it should from a cell above it",
}
REACHED_THE_END: Final = "The test ran to its end and gave no points"
NOT_UNDERSTOOD: Final = (
    "Your code gave what the test cannot judge (if that was asked for, tell your instructor)"
)

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

HINT_PLACES = {"raises": 1, "check_equal": 2}  # where a hint stands that is not given by its name
REASON_PLACES = {"attempt": 1, "award": 1}

LONG_STATEMENT = 8  # lines
SECRET_LENGTH = 12  # shorter texts turn up in a student's own work by chance

Raw = Mapping[str, Any]


def explain(notebook: Raw, place: str = "an executed notebook") -> dict[str, Any]:
    """Return the notebook without hidden tests, the verdict on each grade cell in words.

    Parameters
    ----------
    notebook : mapping
        As `executed` makes it, with `score` and `points` in the metadata of its grade cells.
    place : str
        Where it lies, for the error.

    Raises
    ------
    PlatformFault
        If it was executed by something that left no verdicts in it.
    """
    shown = copy.deepcopy(dict(notebook))
    kept = secrets(notebook["cells"])
    try:
        for cell in shown["cells"]:
            _explain(cell, kept)
    except ValueError as error:
        fact = f"it was graded by an earlier version of examiner, or by something else ({error})"
        raise PlatformFault(place, fact, "grade it again: `examiner grade --regrade`") from error
    shown["metadata"].pop(ENTRY, None)
    return shown


def _explain(cell: dict[str, Any], kept: set[str]) -> None:
    """Leave of a cell what its student may see."""
    if cell["cell_type"] == "code":
        is_test = mark(cell, "grade") and not mark(cell, "solution")
        if is_test or ENTRY in cell["metadata"]:  # it keeps its verdict when the gradebook knows it no more
            verdict = verdict_in(cell)
            cell["outputs"] = [_text(message(cell, verdict)), *_pictures(verdict)]
        elif BEGIN_HIDDEN in cell["source"]:  # so says a student; a test would have a verdict
            cell["outputs"] = []
        else:
            cell["outputs"] = [_text(QUOTED) if _quotes(each, kept) else each for each in cell["outputs"]]
    if BEGIN_HIDDEN in cell["source"]:
        cell["source"] = without_hidden(cell["source"])
    cell["metadata"].pop(ENTRY, None)


def without_hidden(source: str) -> str:
    """Return the source with one comment in the place of each hidden part."""
    lines, shown, past = source.split("\n"), [], 0
    try:
        inside = hidden_regions(source)
    except ValueError:  # only a student's own markers are wrong; nothing after them is worth a risk
        return source[: source.index(BEGIN_HIDDEN)].rpartition("\n")[0]
    for region in inside:
        shown += [*lines[past : region.first - 1], RAN_HERE]
        past = region.last
    return "\n".join(shown + lines[past:])


def message(cell: Raw, verdict: Verdict) -> str:
    """Return in words what became of a grade cell: its points, where it stopped, the author's hints.

    Parameters
    ----------
    cell : mapping
        The cell as it ran, hidden tests included.
    verdict : Verdict
        What the tests gave; a person may have given other points.
    """
    lines = [f"{_points(cell, verdict)} {_story(cell['source'], verdict)}"]
    hint = f"Hint: {verdict.hint}"
    lines += [hint] if verdict.hint in hints(cell["source"]) else []
    lines += _awards(cell["source"], verdict)
    lines += [f"Measured: {each.sentence}" for each in verdict.measured]
    lines += [SELF_REPORTED_HINT] if verdict.mode.is_self_reported else []
    return "\n".join(lines)


def _points(cell: Raw, verdict: Verdict) -> str:
    score, points = mark(cell, "score"), mark(cell, "points")
    if score is None:
        return "Not graded."
    earned = f"{score:g} of {points:g} points"
    if verdict.points is None:
        return f"{earned}, given by a person." if score else f"{earned} so far."
    if score == verdict.points:
        return f"{earned}."
    return f"{earned}, given by a person; {verdict.points:g} by the tests."


def _story(source: str, verdict: Verdict) -> str:
    outcome = verdict.outcome
    if outcome in NOT_BEGUN and not verdict.seconds and verdict.mode is not Mode.KERNEL:
        return f"The test could not begin: {NOT_BEGUN[outcome]}."
    return f"{_what(source, verdict)}{_where(source, verdict)}"


def _what(source: str, verdict: Verdict) -> str:
    match verdict.outcome:
        case Outcome.PASSED if BEGIN_HIDDEN in source:
            return f"{TOLD[Outcome.PASSED]}, the hidden ones too"
        case Outcome.TIMEOUT if verdict.seconds:
            return f"{TOLD[Outcome.TIMEOUT]} after {verdict.seconds:.0f} s"
        case Outcome.FAILED if not (verdict.line or verdict.is_hidden or verdict.mode is Mode.KERNEL):
            return REACHED_THE_END
        case Outcome.ERROR if verdict.mode is Mode.EXAMINED and verdict.raised == AUTHOR_ERROR:
            return NOT_UNDERSTOOD
    return TOLD[verdict.outcome]


def _where(source: str, verdict: Verdict) -> str:
    """Say where it stopped, if that is something that the student has."""
    if verdict.is_hidden:
        return " in a hidden test."
    if verdict.line is None or not 1 <= verdict.line <= source.count("\n") + 1:
        return "."
    return f" here:\n\n{textwrap.indent(_statement(source, verdict.line), '    ')}\n"


def _statement(source: str, line: int) -> str:
    """Return the whole statement that a line belongs to, if that is short and all of it can be seen."""
    spans = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in _nodes(source)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    span = next((each for each in spans if line in each), range(line, line + 1))
    is_seen = not any(number in region for number in span for region in hidden_regions(source))
    if not is_seen or len(span) > LONG_STATEMENT:
        span = range(line, line + 1)
    return textwrap.dedent("\n".join(source.split("\n")[span.start - 1 : span.stop - 1]))


def _awards(source: str, verdict: Verdict) -> list[str]:
    """Return what points were given for and what for not, in the author's words, where some are missing."""
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
        lines.append(next((each for each in hinted if each in printed), line))
    return lines


def hints(source: str) -> list[str]:
    """Return the texts that the author of a cell wrote to be shown: hints, and messages of assert.

    Where a hint is given as a variable, each sentence of the cell may be its value.
    """
    nodes = _nodes(source)
    given: list[ast.expr] = []
    given += [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "hint"]
    given += [node.msg for node in nodes if isinstance(node, ast.Assert) and node.msg is not None]
    given += [hint for name, place in HINT_PLACES.items() for hint in _arguments(nodes, name, place)]
    if any(isinstance(node, ast.Name) for node in given):
        given += [node for node in nodes if isinstance(node, ast.Constant) and " " in _literal(node)]
    return _literals(given)


def reasons(source: str) -> list[str]:
    """Return what the author of a cell says that points are for, in order."""
    nodes = _nodes(source)
    given = [reason for name, place in REASON_PLACES.items() for reason in _arguments(nodes, name, place)]
    given.sort(key=lambda node: (node.lineno, node.col_offset))
    return _literals(given)


def _literals(nodes: Sequence[ast.AST]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(_literal, nodes))))


def _arguments(nodes: Sequence[ast.AST], name: str, place: int) -> list[ast.expr]:
    """Return what is given to a function at one place, wherever it is called."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) > place]
    return [call.args[place] for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]


def secrets(cells: Sequence[Raw]) -> set[str]:
    """Return the lines and literals of hidden tests that occur in nothing that the student wrote or has."""
    hiding = [cell["source"] for cell in cells if _is_sound(cell["source"])]
    open_text = "\n".join(visible(c["source"]) if c["source"] in hiding else c["source"] for c in cells)
    secret = {line.strip() for source in hiding for line in hidden(source).split("\n")}
    for source in hiding:
        secret |= {_literal(node) for node in _nodes(source)}.difference(hints(source), reasons(source))
    return {text for text in secret if len(text) >= SECRET_LENGTH and text not in open_text}


def _is_sound(source: str) -> bool:
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


def _quotes(output: Raw, secret: set[str]) -> bool:
    """Return whether an output repeats one of the secrets, in any of its forms."""
    text = ANSI.sub("", "\n".join(_strings(output)))
    return any(each in text for each in secret)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _strings(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _strings(each))


def _pictures(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """Yield what was measured as pictures, where one says more than the sentence."""
    if not verdict.measured:  # most verdicts have nothing to draw, and drawing takes half a second to import
        return
    from examiner.report.plots import picture  # noqa: PLC0415

    for measured in verdict.measured:
        drawn = picture(measured)
        if drawn:
            data = {"image/png": base64.b64encode(drawn).decode(), "text/plain": measured.sentence}
            yield {"output_type": "display_data", "data": data, "metadata": {}}


def _text(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}
