"""The table of a siege: how many kills of which process in which step, and how many of them went wrong."""

from collections import Counter

from .run import STEPS, TARGETS


def table(tried):
    """Return as Markdown what came of kills, as lines of processes and columns of steps."""
    tried = [line for line in tried if "target" in line]
    hit = Counter((line["target"], line["step"]) for line in tried if line["hit"])
    wrong = Counter((line["target"], line["step"]) for line in tried if line["faults"])
    rows = [["killed", *STEPS, "all"]]
    for target in TARGETS:
        cells = [_cell(hit[target, step], wrong[target, step]) for step in STEPS]
        rows.append([target, *cells, str(sum(hit[target, step] for step in STEPS))])
    rows.insert(1, ["---"] * len(rows[0]))
    missed, faulty = sum(not line["hit"] for line in tried), sum(bool(line["faults"]) for line in tried)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", f"{sum(hit.values())} kills, {missed} missed, {faulty} with faults"])


def _cell(hit, wrong):
    if not hit:
        return "" if not wrong else f"({wrong} wrong)"
    return f"{hit} ({wrong} wrong)" if wrong else str(hit)
