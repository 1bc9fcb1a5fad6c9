"""What a student may see of an executed notebook: all but the hidden tests and what they brought to light.

The notebook ran in the student's own kernel, which had the hidden tests in it. So nothing that a cell with
hidden tests printed or raised is shown. Its outputs only select: which visible line to point at, and which of
the author's own hints to quote.
"""

import ast
import builtins
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from examiner.notebook import BEGIN_HIDDEN, hidden, hidden_regions, mark, visible

RAN_HERE = "# (hidden tests ran here)"
QUOTED = "(This output is not shown: it repeats hidden tests.)"

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
FRAME = re.compile(r"Cell In\[(\d+)\], line (\d+)")
TIMEOUT = "CellTimeoutError"  # what nbgrader calls it

HINT_PLACES = {"raises": 1, "check_equal": 2}  # where a hint stands that is not given by its name

SECRET_LENGTH = 12  # shorter texts turn up in a student's own work by chance

Raw = Mapping[str, Any]


def explain(notebook: Raw, cell_seconds: int) -> dict[str, Any]:
    """Return the notebook without hidden tests, their results explained in words.

    Parameters
    ----------
    notebook : mapping
        An executed notebook of format 4, with `score` and `points` in the metadata of its grade cells.
    cell_seconds : int
        The time limit that it ran with.
    """
    shown = copy.deepcopy(dict(notebook))
    kept = secrets(notebook["cells"])
    for cell in shown["cells"]:
        if hides(cell):
            if cell["cell_type"] == "code":
                cell["outputs"] = [_text(message(cell, cell_seconds))]
            cell["source"] = without_hidden(cell["source"])
        elif cell["cell_type"] == "code":
            cell["outputs"] = [_text(QUOTED) if _quotes(each, kept) else each for each in cell["outputs"]]
    return shown


def hides(cell: Raw) -> bool:
    """Return whether a cell holds hidden tests, whatever its metadata says: that may be a student's."""
    return BEGIN_HIDDEN in cell["source"]


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


def message(cell: Raw, cell_seconds: int) -> str:
    """Return in words how a cell with hidden tests ended: its points, where it stopped, and a hint.

    Parameters
    ----------
    cell : mapping
        The cell as it ran, hidden tests and outputs included.
    cell_seconds : int
        The time limit that it ran with.
    """
    score, points = mark(cell, "score"), mark(cell, "points")
    earned = "Not graded." if score is None else f"{score:g} of {points:g} points."
    return f"{earned} {_story(cell, cell_seconds, full=score == points)}"


def _story(cell: Raw, cell_seconds: int, *, full: bool) -> str:
    errors = [each for each in cell["outputs"] if each["output_type"] == "error"]
    if any(each["ename"] == TIMEOUT for each in errors):
        return f"This took longer than {cell_seconds} seconds and was stopped."
    if errors:
        return "\n".join([_what(errors[0]["ename"]) + _where(cell, errors[0]), *_hint(cell, errors[0])])
    if any(each.get("name") == "stderr" for each in cell["outputs"]):
        return "Something wrote to stderr, as a warning does, and that counts as a failure here."
    if full:
        return "All tests passed, the hidden ones too."
    return "\n".join(["The tests ran to their end.", *_missed(cell)])


def _what(name: str) -> str:
    """Say what ended a cell; an exception is named if its name is one of Python's, not a student's own."""
    if name in {"AssertionError", "CheckFailed"}:
        return "A check failed"
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return f"{'An' if name[0] in 'AEIOU' else 'A'} {name} was raised"
    return "An exception was raised"


def _where(cell: Raw, error: Raw) -> str:
    """Say in which line, if it is one that the student has."""
    number = _line(cell, error)
    if number is None:
        return "."
    if any(number in region for region in hidden_regions(cell["source"])):
        return " in a hidden test."
    return f" in this line:\n\n    {cell['source'].splitlines()[number - 1].strip()}\n"


def _line(cell: Raw, error: Raw) -> int | None:
    """Return the line of the cell, counted from 1, that the traceback goes through first."""
    lines = cell["source"].count("\n") + 1
    for count, line in FRAME.findall(ANSI.sub("", "\n".join(error["traceback"]))):
        if int(count) == cell["execution_count"] and 1 <= int(line) <= lines:
            return int(line)
    return None


def _hint(cell: Raw, error: Raw) -> list[str]:
    """Return the author's hint, if the exception's text ends with one; a student's text is never quoted."""
    said = [hint for hint in hints(cell["source"]) if error["evalue"].endswith(hint)]
    return [f"Hint: {max(said, key=len)}"] if said else []


def _missed(cell: Raw) -> list[str]:
    """Return the lines in which `attempt` said what was not right, if they are the author's words."""
    printed = {line for text in _strings(cell["outputs"]) for line in text.split("\n")}
    said = [f"not yet: {reason}" for reason in reasons(cell["source"])]
    said += [f"{line} ({hint})" for line in said for hint in hints(cell["source"])]
    return sorted(printed.intersection(said))


def hints(source: str) -> set[str]:
    """Return the texts that the author of a cell wrote to be shown: hints, and messages of assert.

    Where a hint is given as a variable, each sentence of the cell may be its value.
    """
    nodes = _nodes(source)
    given: list[ast.AST] = []
    given += [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "hint"]
    given += [node.msg for node in nodes if isinstance(node, ast.Assert) and node.msg is not None]
    given += [hint for name, place in HINT_PLACES.items() for hint in _arguments(nodes, name, place)]
    if any(isinstance(node, ast.Name) for node in given):
        given += [node for node in nodes if " " in _literal(node)]
    return set(filter(None, map(_literal, given)))


def reasons(source: str) -> set[str]:
    """Return what the author of a cell says that points are for: the second argument of `attempt`."""
    return set(filter(None, map(_literal, _arguments(_nodes(source), "attempt", 1))))


def _arguments(nodes: Sequence[ast.AST], name: str, place: int) -> list[ast.expr]:
    """Return what is given to a function at one place, wherever it is called."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) > place]
    return [call.args[place] for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]


def secrets(cells: Sequence[Raw]) -> set[str]:
    """Return the lines and literals of hidden tests that occur in nothing that the student wrote or has."""
    hiding = [cell["source"] for cell in cells if hides(cell) and _is_sound(cell["source"])]
    open_text = "\n".join(visible(c["source"]) if c["source"] in hiding else c["source"] for c in cells)
    secret = {line.strip() for source in hiding for line in hidden(source).split("\n")}
    for source in hiding:
        secret |= {_literal(node) for node in _nodes(source)} - hints(source) - reasons(source)
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


def _text(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}
