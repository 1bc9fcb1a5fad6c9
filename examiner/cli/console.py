"""What the commands do: plain arguments in, what a person reads out, an exit code back.

Each module here imports what its commands need, and is imported when one of them runs: `--help` is quick.
"""

from rich.console import Console

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def complain(kind: str, sentence: str) -> None:
    """Print one sentence about what is wrong, as it is."""
    err.print("[red]![/]", kind, end=" " if kind else "")
    err.print(sentence, markup=False)
