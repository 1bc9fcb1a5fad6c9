"""The notebook's names as `globals()`, `locals()`, `vars()` and `dir()` of a grade cell show them.

They are the cell's own and those that the snapshot says it has: whether a student has bound a name is the
student's process's word.
"""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from examiner.judge.proxy import Remote
from examiner.notebook import REFERENCE
from examiner.verdict import Outcome

MOST_NAMES = 100_000


class NotebookNames(MutableMapping[str, Any]):
    """The names of a cell, and behind them those of the student's notebook.

    Parameters
    ----------
    own : dict
        The cell's names.
    remote : callable
        Returns the connection to the snapshot.
    """

    def __init__(self, own: dict[str, Any], remote: Callable[[], Remote]) -> None:
        self._own, self._remote = own, remote

    def __getitem__(self, name: str) -> Any:
        if self._is_own(name):
            return self._own[name]
        if type(name) is str and name in self._students():
            return self._remote().ask("resolve", name)[name]
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._own[name] = value
        if name in self._students():
            self._remote().ask("bind", {name: value})

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._own.pop(name, None)
        self._remote().ask("unbind", name)

    def __contains__(self, name: object) -> bool:
        return self._is_own(name) or name in self._students()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({name for name in self._own if self._is_own(name)} | {*self._students()}))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _is_own(self, name: object) -> bool:
        is_hidden = name == REFERENCE or (isinstance(name, str) and name.startswith("__"))
        return not is_hidden and name in self._own

    def _students(self) -> list[str]:
        """Return the names of the student's notebook."""
        names = self._remote().claim("names", list, "names")
        if len(names) > MOST_NAMES or not all(type(name) is str for name in names):
            self._remote().lose(Outcome.TAMPERED, "the candidate sent an invalid list of names")
        return names  # type: ignore[no-any-return]
