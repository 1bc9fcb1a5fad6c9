"""Files that no notebook editor writes: each function makes one submission odd.

A builder gets the path of the notebook, which lies there as the student filled it in, and the course.
"""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]


@contextmanager
def edited(path: Path) -> Iterator[Document]:
    """Read the notebook, and write it again as the block left it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    yield document
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def marks(cell: Document) -> Document:
    """Return a cell's nbgrader metadata, empty if it has none."""
    found: Document = cell["metadata"].get("nbgrader", {})
    return found


def tests(document: Document) -> list[Document]:
    """Return the grade cells."""
    return [cell for cell in document["cells"] if marks(cell).get("grade")]


def solutions(document: Document) -> list[Document]:
    """Return the solution cells."""
    return [cell for cell in document["cells"] if marks(cell).get("solution")]


# ---- cells ----------------------------------------------------------------------------------------------


def _tag(path: Path, tag: str) -> None:
    with edited(path) as document:
        for cell in tests(document):
            cell["metadata"]["tags"] = [tag]


def tag_tests_skip_execution(path: Path, _course: Path) -> None:
    """Tag the test cells so that nbclient passes over them."""
    _tag(path, "skip-execution")


def tag_tests_raises_exception(path: Path, _course: Path) -> None:
    """Tag the test cells so that nbclient expects errors."""
    _tag(path, "raises-exception")


def without_cells(path: Path, _course: Path) -> None:
    """Take all cells out."""
    with edited(path) as document:
        document["cells"] = []


def outputs_filled_in(path: Path, _course: Path) -> None:
    """Let the test cells look as if they had run, with full points."""
    with edited(path) as document:
        for number, cell in enumerate(tests(document), start=1):
            data = {"text/plain": str(float(marks(cell)["points"]))}
            output = {"output_type": "execute_result", "data": data, "metadata": {}}
            cell.update(execution_count=number, outputs=[output | {"execution_count": number}])


def code_in_metadata(path: Path, _course: Path) -> None:
    """Put code where only metadata belong."""
    right = "def window_means(x, width):\n    return np.convolve(x, np.ones(width) / width, 'valid')\n"
    with edited(path) as document:
        document["metadata"]["papermill"] = {"parameters": {"code": right}}
        for cell in document["cells"]:
            cell["metadata"]["nbgrader"] = marks(cell) | {"source": right, "init_cell": right}
            cell["attachments"] = {"code.py": {"text/x-python": right}}


def solutions_turned_into_text(path: Path, _course: Path) -> None:
    """Retype the solution cells; whoever mends that by their grade_id must not run text as code."""
    with edited(path) as document:
        for cell in solutions(document):
            cell.update(cell_type="markdown", source="```python\n" + cell["source"] + "\n```")
            del cell["outputs"], cell["execution_count"]


def duplicate_grade_ids(path: Path, _course: Path) -> None:
    """Repeat the first solution and its tests ten times, ids included."""
    with edited(path) as document:
        document["cells"] = document["cells"][:2] + document["cells"][2:4] * 10 + document["cells"][4:]


def tests_removed(path: Path, _course: Path) -> None:
    """Delete every test cell."""
    with edited(path) as document:
        gone = [cell["id"] for cell in tests(document)]
        document["cells"] = [cell for cell in document["cells"] if cell["id"] not in gone]


def some_tests_removed(path: Path, _course: Path) -> None:
    """Delete two of the test cells, as happens when one tidies up."""
    with edited(path) as document:
        document["cells"].remove(tests(document)[0])
        document["cells"].remove(tests(document)[-1])


def tests_emptied(path: Path, _course: Path) -> None:
    """Leave nothing in the test cells."""
    with edited(path) as document:
        for cell in tests(document):
            cell["source"] = ""


def tests_retyped(path: Path, _course: Path) -> None:
    """Turn test cells into text, raw cells, and cells of a kind that does not exist."""
    with edited(path) as document:
        for kind, cell in zip(["markdown", "raw", "heading", ""], tests(document), strict=True):
            del cell["outputs"], cell["execution_count"]
            cell["cell_type"] = kind


def tests_rewritten(path: Path, _course: Path) -> None:
    """Write points into the test cells, and unlock them."""
    with edited(path) as document:
        for cell in tests(document):
            cell["source"] = str(float(marks(cell)["points"]))
            marks(cell).update(locked=False, solution=True)


def points_changed(path: Path, _course: Path) -> None:
    """Claim that each cell is worth more."""
    with edited(path) as document:
        for cell in tests(document):
            marks(cell)["points"] = 103


def solutions_marked_as_tests(path: Path, _course: Path) -> None:
    """Claim points for cells that have none."""
    with edited(path) as document:
        for cell in solutions(document):
            marks(cell).update(grade=True, locked=True, points=12)


def schema_99(path: Path, _course: Path) -> None:
    """Claim a schema of nbgrader's that nobody has written."""
    with edited(path) as document:
        for cell in tests(document) + solutions(document):
            marks(cell)["schema_version"] = 99


def reordered(path: Path, _course: Path) -> None:
    """Turn the order of the cells around."""
    with edited(path) as document:
        document["cells"].reverse()


def hundred_thousand_cells(path: Path, _course: Path) -> None:
    """Append empty cells, more than anybody scrolls through."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    with edited(path) as document:
        document["cells"] += [empty | {"id": f"empty{number}"} for number in range(100_000)]


# ---- the notebook as a whole ----------------------------------------------------------------------------


def no_metadata(path: Path, _course: Path) -> None:
    """Forget kernel and language."""
    with edited(path) as document:
        document["metadata"] = {}


def another_kernel(path: Path, _course: Path) -> None:
    """Ask for a kernel of one's own."""
    with edited(path) as document:
        kernel = {
            "name": "../../mine",
            "display_name": "Mine",
            "language": "bash",
            "argv": ["/bin/sh", "-c", "id"],
        }
        document["metadata"] = {"kernelspec": kernel, "language_info": {"name": "bash"}}


def markup_in_metadata(path: Path, _course: Path) -> None:
    """Put markup wherever a page may show a name."""
    active = "\"><script>alert('left-by-an-attack')</script>"
    with edited(path) as document:
        document["metadata"].update(title=active, authors=[{"name": active}])
        for cell in document["cells"]:
            cell["metadata"].update(tags=[active], name=active, collapsed=active)


def nbformat_4_0(path: Path, _course: Path) -> None:
    """Write the notebook as Jupyter did before cells had ids."""
    with edited(path) as document:
        document["nbformat_minor"] = 0
        document["metadata"] = {"language_info": {"name": "python", "version": "3.5.1"}}
        for cell in document["cells"]:
            del cell["id"]
            cell["metadata"].update(collapsed=False, trusted=True)


def as_executed(path: Path, _course: Path) -> None:
    """Leave in the notebook what running it and editing it elsewhere put there."""
    error = {
        "output_type": "error",
        "ename": "NameError",
        "evalue": "name 'y'",
        "traceback": ["y", "NameError"],
    }
    streams = [
        {"output_type": "stream", "name": name, "text": ["of\n", "yore"]} for name in ("stdout", "stderr")
    ]
    with edited(path) as document:
        document["metadata"].update(colab={"provenance": []}, vscode={"interpreter": {"hash": "0" * 64}})
        for number, cell in enumerate(document["cells"]):
            cell["metadata"].update(ExecuteTime={"duration": 13}, scrolled=True, tags=["mine"])
            if cell["cell_type"] == "code":
                cell.update(execution_count=2 * number, outputs=[*streams, error])


def written_on_windows(path: Path, _course: Path) -> None:
    """End lines with CR LF in the file and in the sources, and begin with a byte order mark."""
    with edited(path) as document:
        for cell in solutions(document):
            cell["source"] = cell["source"].replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def numbers_without_end(path: Path, _course: Path) -> None:
    """Write numbers as metadata that JSON allows and few readers bear."""
    text = path.read_text(encoding="utf-8")
    huge = f'"metadata": {{"digits": {"9" * 100_000}, "large": 1e999, "none": NaN, "minus": -Infinity, '
    head, _, tail = text.rpartition('"metadata": {')
    path.write_text(head + huge + tail, encoding="utf-8")


def nbformat_3(path: Path, _course: Path) -> None:
    """Write the notebook as IPython 2 would have."""
    with edited(path) as document:
        cells = document.pop("cells")
        for cell in cells:
            del cell["id"]
            if cell["cell_type"] == "code":
                cell.update(input=cell.pop("source"), language="python", collapsed=False)
                cell["prompt_number"] = cell.pop("execution_count")
        document.update(nbformat=3, nbformat_minor=0, worksheets=[{"cells": cells, "metadata": {}}])
        document["metadata"] = {"name": "windows"}


def nbformat_99(path: Path, _course: Path) -> None:
    """Claim a format of the far future."""
    with edited(path) as document:
        document.update(nbformat=99, nbformat_minor=99)


def cells_are_a_number(path: Path, _course: Path) -> None:
    """Give a number where a list belongs."""
    with edited(path) as document:
        document["cells"] = 7


# ---- bytes ----------------------------------------------------------------------------------------------


def hundred_megabytes(path: Path, _course: Path) -> None:
    """Blow the notebook up by an output."""
    with edited(path) as document:
        output = {"output_type": "stream", "name": "stdout", "text": "x" * 100_000_000}
        document["cells"][1]["outputs"] = [output]


def empty_file(path: Path, _course: Path) -> None:
    """Write nothing."""
    path.write_bytes(b"")


def bad_json(path: Path, _course: Path) -> None:
    """Break off in the middle."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def deep_json(path: Path, _course: Path) -> None:
    """Nest lists deeper than any stack."""
    path.write_text("[" * 100_000 + "]" * 100_000)


def bad_utf8(path: Path, _course: Path) -> None:
    """Write bytes that are no UTF-8 into a comment."""
    path.write_bytes(path.read_bytes().replace(b"def window_means", b"# \xff\xfe\\ndef window_means", 1))


def _in_first_solution(path: Path, text: str) -> None:
    with edited(path) as document:
        cell = solutions(document)[0]
        cell["source"] = f"# {text}\n{cell['source']}"


def lone_surrogates(path: Path, _course: Path) -> None:
    r"""Put half a character into a comment; JSON can say it (\ud800), UTF-8 cannot."""
    _in_first_solution(path, "\ud800")


def nul_bytes(path: Path, _course: Path) -> None:
    """Put a NUL into a comment, which Python refuses to compile."""
    _in_first_solution(path, "\0")


# ---- what is not a regular file -------------------------------------------------------------------------


def _replaced_by_link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def link_to_the_source(path: Path, course: Path) -> None:
    """Link the notebook to the instructor's."""
    _replaced_by_link(path, course / "source" / path.parent.name / path.name)


def link_to_a_classmate(path: Path, course: Path) -> None:
    """Link the notebook to what somebody else handed in."""
    _replaced_by_link(path, course / "submitted" / "honest.by_the_book" / path.parent.name / path.name)


def link_to_secret(path: Path, course: Path) -> None:
    """Lay links to secrets beside the notebook."""
    (path.parent / "plot.png").symlink_to(course.parent / "home" / ".ssh" / "id_ed25519")
    (path.parent / "data.csv").symlink_to("../../../roster.csv")


def links_as_outputs(path: Path, course: Path) -> None:
    """Lay links where commands write later."""
    (path.parent / "windows.html").symlink_to(course / "gradebook.db")
    (path.parent / "feedback").symlink_to(course / "feedback")


def folder_is_a_link(path: Path, course: Path) -> None:
    """Hand in the instructor's folder by a link."""
    shutil.rmtree(path.parent)
    path.parent.symlink_to(course / "source" / path.parent.name)


def notebook_is_a_folder(path: Path, _course: Path) -> None:
    """Make a folder of the notebook's name."""
    path.unlink()
    path.mkdir()


def fifo(path: Path, _course: Path) -> None:
    """Make a pipe of the notebook's name; whoever opens it waits."""
    path.unlink()
    os.mkfifo(path)


def fifo_beside(path: Path, _course: Path) -> None:
    """Lay a pipe and a socket beside the notebook."""
    os.mkfifo(path.parent / "data.csv")
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's path is at most 107 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
    finally:
        os.chdir(before)


def odd_names(path: Path, _course: Path) -> None:
    """Lay files with odd names beside the notebook."""
    for name in (
        b"--force",
        b"a\nb",
        b"$(touch left-by-an-attack)",
        b"'; drop table grade; --",
        b"\xff\xfe",
        b"...",
    ):
        Path(os.fsdecode(os.path.join(os.fsencode(path.parent), name))).write_text("odd")  # noqa: PTH118
    (path.parent / "<img src=x onerror=alert(1)>.csv").write_text("odd")
    (path.parent / ("x" * 250)).write_text("odd")
