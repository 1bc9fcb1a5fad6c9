"""The executed notebook, as the instructor sees it: the outputs that a candidate claims, and the verdicts.

Outputs come from a student's process, so nothing in them is taken on trust: what is no valid output of a
notebook is left out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from examiner.notebook import FORMAT
from examiner.repair import Piece
from examiner.verdict import Outcome, Verdict

Output = dict[str, Any]
Outputs = Mapping[int, Sequence[Output]]

IDS_SINCE: Final = 5  # the minor version of the format in which cells got ids
MOST_OUTPUTS: Final = 2000  # of one cell


def checked_outputs(claims: Any) -> list[Output]:
    """Return those of the claimed outputs of a cell that are valid, with their known entries alone."""
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
            return {"output_type": "display_data", "data": _bundle(data), "metadata": metadata}
        case {"output_type": "execute_result", "data": dict(data), "metadata": dict(metadata)}:
            count = claim.get("execution_count")
            result = {"output_type": "execute_result", "data": _bundle(data), "metadata": metadata}
            return result | {"execution_count": count if type(count) is int else None}
    return None


def _bundle(data: dict[str, Any]) -> dict[str, Any]:
    return {kind: value for kind, value in data.items() if "json" in kind or isinstance(value, str)}


def verdict_outputs(verdict: Verdict) -> list[Output]:
    """Return a verdict as outputs that nbgrader, too, would price with the verdict's points."""
    outputs: list[Output] = []
    if verdict.output:
        outputs.append({"output_type": "stream", "name": "stdout", "text": verdict.output})
    if verdict.outcome is Outcome.PASSED:
        return outputs
    if verdict.outcome is Outcome.PARTIAL:
        data = {"text/plain": f"{verdict.points:.15g}"}
        outputs.append(
            {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
        )
        return outputs
    said = verdict.message or str(verdict.outcome)
    line = f"line {verdict.line}: " if verdict.line else ""
    traceback = [f"{verdict.outcome}: {line}{said}"]
    outputs.append(
        {"output_type": "error", "ename": str(verdict.outcome), "evalue": said, "traceback": traceback}
    )
    return outputs


def executed(
    document: Mapping[str, Any], pieces: Sequence[Piece], outputs: Outputs, verdicts: Mapping[str, Verdict]
) -> bytes:
    """Return the text of the notebook with outputs: the instructor's metadata, the sources that were run.

    Parameters
    ----------
    document : mapping
        The instructor's notebook.
    outputs : mapping from int to outputs
        By the number of the code cell.
    """
    minor = document.get("nbformat_minor", 0)
    raw_cells, cells, number = document["cells"], [], 0
    for piece in pieces:
        metadata = raw_cells[piece.original.index]["metadata"] if piece.original else {}
        cell: dict[str, Any] = {"cell_type": piece.kind, "metadata": metadata, "source": piece.source}
        if minor >= IDS_SINCE:
            cell["id"] = piece.id
        if piece.is_code:
            shown = list(outputs.get(number, ()))
            if piece.original and piece.original.grade_id in verdicts:
                shown = [*shown, *verdict_outputs(verdicts[piece.original.grade_id])]
            number += 1
            cell |= {"execution_count": number, "outputs": shown}
        cells.append(cell)
    whole = {"cells": cells, "metadata": document["metadata"], "nbformat": FORMAT, "nbformat_minor": minor}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")
