"""What the commands print and write: results on stdout, complaints on stderr, JSON into files."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from examiner.store.atomic import write_text

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def complain(sentence: str) -> None:
    """Print one sentence about what is wrong; nothing in it is taken for markup."""
    err.print("[red]![/]", end=" ")
    err.print(sentence, markup=False)


def write_json(path: Path, data: Any) -> None:
    """Write plain data into a file, whole or not at all."""
    write_text(path, json.dumps(data, indent=1) + "\n")
