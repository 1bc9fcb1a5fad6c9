"""The siege in full: kills and disturbances, one after another, and a table of what came of them.

`make siege` runs it. What was tried is kept as lines of JSON in a folder, so that an interrupted siege goes
on where it was, and tries again what went wrong:

    python -m tests.siege --folder build/siege --kills 300 --side-by-side 2
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .disturbances import DISTURBANCES
from .kills import Bases
from .table import table
from .trying import alone


def main():
    """Try what was not tried yet, print the table, and return 1 if anything is wrong."""
    options = _options()
    folder = options.folder.resolve()
    Bases.made(folder / "bases")
    told = folder / "tried.jsonl"
    known = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    known = [line for line in known if not line["faults"]]
    told.write_text("".join(json.dumps(line) + "\n" for line in known))
    names = [name for name in DISTURBANCES if options.only in name]
    names += [str(number) for number in range(options.kills)]
    todo = [name for name in names if name not in {line["name"] for line in known}]
    with ThreadPoolExecutor(options.side_by_side) as threads, told.open("a") as file:
        for line in threads.map(partial(alone, folder), todo):
            file.write(json.dumps(line) + "\n")
            file.flush()
            known.append(line)
            what = line.get("disturbance") or f"{line.get('target')} in {line.get('step')}"
            print(f"{len(known)}/{len(names)} {line['name']} {what}", *line["faults"], sep="\n  ", flush=True)
    print(table(known))
    return int(any(line["faults"] for line in known))


def _options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/siege"), help="where what was tried is kept"
    )
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--only", default="", help="disturbances with this in their names")
    parser.add_argument("--side-by-side", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
