"""What Python tells of by audit events while a grade cell runs: what is opened, unpickled, loaded or run."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

_listening: Final[list[tuple[Collection[str], Callable[[str, tuple[Any, ...]], None]]]] = []
_installed: Final[list[bool]] = []


@contextmanager
def noticed(events: Collection[str], listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Call a function with each of these events in the block; what it raises keeps that from happening."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_tell)  # it cannot be taken back
    _listening.append((events, listener))
    try:
        yield
    finally:
        _listening.remove((events, listener))


def _tell(event: str, args: tuple[Any, ...]) -> None:
    for events, listener in _listening:
        if event in events:
            listener(event, args)
