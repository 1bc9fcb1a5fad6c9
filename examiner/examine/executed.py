"""Writes the executed notebook for the instructor: the outputs that a candidate claims, and the verdicts.

Outputs come from a student's process, so they are not trusted: anything that is no valid output of a notebook
is left out. Metadata comes only from the instructor and from us, so feedback takes the verdicts from there.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from examiner.notebook import ENTRY, NBFORMAT
from examiner.plain import to_plain
from examiner.submission.repair import Piece
from examiner.verdict import GradeSheet, Outcome, Verdict

Output = dict[str, Any]
Outputs = Mapping[int, Sequence[Output]]

ATTACHMENTS_SINCE: Final = 1  # the minor version of nbformat 4 in which texts got pictures
IDS_SINCE: Final = 5  # the one in which cells got ids
PICTURES: Final = ("image/png", "image/jpeg")
SHOWN: Final = frozenset({"text/plain", "text/html", "text/markdown", "text/latex", *PICTURES})
LARGEST_PICTURE: Final = 10_000  # pixels across
MOST_OUTPUTS: Final = 2000  # of one cell
MOST_TEXT: Final = 24 << 20  # characters of a notebook; browsers can still open that, slowly

LEFT_OUT: Final = "(Outputs were left out here: all together they were too long.)\n"
SELF_REPORTED_NOTE: Final = (
    "self-reported: this cell ran in the student's own process, which had a say in it\n"
)
MENDED: Final = "**Mended before grading.** These cells were not as they had been released:"


def checked_outputs(claims: Any) -> list[Output]:
    """Return the valid ones among a cell's claimed outputs, with only the entries that are known.

    Of the representations of an output, only those are kept that a page can show without running code.
    """
    if not isinstance(claims, list):
        return []
    found = (_checked(claim) for claim in claims[:MOST_OUTPUTS] if isinstance(claim, dict))
    return [output for output in found if output]


def _checked(claim: dict[str, Any]) -> Output | None:
    match claim:
        case {"output_type": "stream", "name": ("stdout" | "stderr") as name, "text": str(text)}:
            return {"output_type": "stream", "name": name, "text": text}
        case {"output_type": "error", "ename": str(name), "evalue": str(value), "traceback": list(lines)}:
            traceback = [line for line in lines if isinstance(line, str)]
            return {"output_type": "error", "ename": name, "evalue": value, "traceback": traceback}
        case {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata)}:
            return {"output_type": "display_data", "data": _bundle(data), "metadata": _sizes(metadata)}
        case {"output_type": "execute_result", "data": dict(data), "metadata": dict(metadata)}:
            count = claim.get("execution_count")
            result = {"output_type": "execute_result", "data": _bundle(data), "metadata": _sizes(metadata)}
            return result | {"execution_count": count if type(count) is int else None}
    return None


def _bundle(data: dict[str, Any]) -> dict[str, Any]:
    return {kind: value for kind, value in data.items() if kind in SHOWN and isinstance(value, str)}


def _sizes(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return only the sizes of pictures: nbconvert writes metadata into HTML tags without quoting it."""
    of_pictures = {kind: metadata[kind] for kind in PICTURES if isinstance(metadata.get(kind), dict)}
    sizes = {
        kind: {name: entry[name] for name in ("width", "height") if _is_size(entry.get(name))}
        for kind, entry in of_pictures.items()
    }
    return {kind: size for kind, size in sizes.items() if size}


def _is_size(value: Any) -> bool:
    return type(value) in {int, float} and 0 < value <= LARGEST_PICTURE


def verdict_outputs(verdict: Verdict) -> list[Output]:
    """Return outputs for which nbgrader, too, would give the verdict's points."""
    outputs: list[Output] = []
    if verdict.mode.is_self_reported:
        outputs.append(_stream(SELF_REPORTED_NOTE))
    if verdict.claimed:
        outputs.append(_stream(f"claimed by the student's process: {', '.join(verdict.claimed)}\n"))
    if verdict.output:
        outputs.append(_stream(verdict.output))
    if verdict.outcome is Outcome.PASSED:
        return outputs
    if verdict.outcome is Outcome.PARTIAL:
        data = {"text/plain": f"{verdict.points:.15g}"}
        outputs.append(
            {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
        )
        return outputs
    message = verdict.message or str(verdict.outcome)
    line = f"line {verdict.line}: " if verdict.line else ""
    traceback = [f"{verdict.outcome}: {line}{message}"]
    outputs.append(
        {"output_type": "error", "ename": str(verdict.outcome), "evalue": message, "traceback": traceback}
    )
    return outputs


def executed(
    document: Mapping[str, Any], pieces: Sequence[Piece], outputs: Outputs, sheet: GradeSheet
) -> bytes:
    """Return the notebook as JSON: the instructor's metadata, the sources that were run, and their outputs.

    A text has the pictures that the instructor attached to it, and those that the student did.

    The metadata of each automatically graded cell holds its verdict; the notebook's holds the repairs and the
    versions. A Markdown cell at the top, which nbgrader ignores, lists the repairs as well.

    Parameters
    ----------
    document : mapping
        The instructor's notebook.
    outputs : mapping from int to outputs
        By the number of the code cell, counted from 0.
    """
    minor = max(document.get("nbformat_minor", 0), ATTACHMENTS_SINCE)
    verdicts = {verdict.grade_id: verdict for verdict in sheet.verdicts}
    cells, number = [], 0
    for piece in [*_note(sheet.repairs, pieces), *pieces]:
        original = document["cells"][piece.original.index] if piece.original else {}
        metadata = original.get("metadata", {})
        cell: dict[str, Any] = {"cell_type": piece.kind, "metadata": metadata, "source": piece.source}
        if minor >= IDS_SINCE:
            cell["id"] = piece.id
        if piece.is_code:
            shown = list(outputs.get(number, ()))
            verdict = verdicts.get(piece.original.grade_id) if piece.original else None
            if verdict:
                cell["metadata"] = metadata | {ENTRY: to_plain(verdict)}
                shown += verdict_outputs(verdict)
            number += 1
            cell |= {"execution_count": number, "outputs": shown}
        elif attachments := _attachments(original, piece):
            cell["attachments"] = attachments
        cells.append(cell)
    ours = {ENTRY: {"repairs": list(sheet.repairs), "versions": dict(sheet.versions)}}
    metadata = document["metadata"] | ours
    whole = {"cells": cells, "metadata": metadata, "nbformat": NBFORMAT, "nbformat_minor": minor}
    text = json.dumps(whole, ensure_ascii=False)
    if len(text) > MOST_TEXT:
        _leave_out(cells, len(text) - MOST_TEXT)
        text = json.dumps(whole, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _attachments(original: Mapping[str, Any], piece: Piece) -> dict[str, Any]:
    """Return what is attached to a text: the student's pictures, and the instructor's for those they lack."""
    theirs = original.get("attachments") or {}
    return theirs | {
        name: bundle
        for name, bundle in piece.attachments.items()
        if any(bundle.values()) or name not in theirs
    }


def _note(repairs: Sequence[str], pieces: Sequence[Piece]) -> list[Piece]:
    """Return a cell that lists the repairs, if there are any.

    They quote names that a student chose, so they are indented: Markdown shows them as code, unchanged.
    """
    if not repairs:
        return []
    taken, id_, number = {piece.id for piece in pieces}, "mended", 1
    while id_ in taken:
        number += 1
        id_ = f"mended-{number}"
    return [
        Piece(
            "markdown",
            "\n".join([MENDED, "", *(f"    {' '.join(repair.split())}" for repair in repairs)]),
            id_,
        )
    ]


def _leave_out(cells: Sequence[dict[str, Any]], excess: int) -> None:
    """Replace the longest outputs of students' cells by a note, until `excess` characters are gone."""
    theirs = [cell for cell in cells if cell.get("outputs") and ENTRY not in cell["metadata"]]
    sized = [(len(json.dumps(cell["outputs"], ensure_ascii=False)), cell) for cell in theirs]
    for size, cell in sorted(sized, key=lambda pair: -pair[0]):
        if excess > 0:
            cell["outputs"] = [_stream(LEFT_OUT)]
            excess -= size


def _stream(text: str) -> Output:
    return {"output_type": "stream", "name": "stdout", "text": text}
