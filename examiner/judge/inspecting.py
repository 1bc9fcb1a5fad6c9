"""The module `inspect`, as grade cells get it.

About plain data and the cell's own functions it asks Python. Of a student's object, texts come from the
notebook that was handed in, and everything else is the student's process's word.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from examiner.candidate.asked import INSPECTED
from examiner.judge.claims import Claims
from examiner.judge.proxy import Proxy, Remote, attribute
from examiner.judge.sources import definition

MOST_MEMBERS: Final = 10_000


class Inspecting:
    """Functions of `inspect` that know what to do with a student's object.

    Parameters
    ----------
    remote : callable
        Returns the connection to the snapshot.
    claims : Claims
        What asks it.
    names : mapping
        The names of the cell.

    Attributes
    ----------
    sources : sequence of str, optional
        The cells of the notebook that was handed in, before the grade cell.
    """

    def __init__(self, remote: Callable[[], Remote], claims: Claims, names: Mapping[str, Any]) -> None:
        self._remote, self._claims, self._names = remote, claims, names
        self.sources: Sequence[str] | None = None
        self.signature = claims.signature

    def __getattr__(self, name: str) -> Any:
        if name in INSPECTED:
            return lambda x: self._question(name, x)
        found = getattr(inspect, name)
        if not inspect.isfunction(found):
            return found
        return lambda *args, **kwargs: self._native(name, *args, **kwargs)

    def _native(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is Proxy:
            self._remote().refuse(
                f"inspect.{name}(x) of a student's object cannot be answered: ask inspect.getsource(x), "
                "inspect.signature(x) or isinstance(x, Class)"
            )
        return getattr(inspect, name)(*args, **kwargs)

    def _question(self, name: str, x: Any) -> bool:
        if type(x) is not Proxy:
            return bool(getattr(inspect, name)(x))
        return self._remote().claim(name, bool, "inspect", name, x)  # type: ignore[no-any-return]

    def getsource(self, x: Any) -> str:
        """Return the source text of a definition."""
        return self._source(x)[0]

    def getsourcelines(self, x: Any) -> tuple[list[str], int]:
        """Return the lines of a definition, and the number of the first one."""
        text, first = self._source(x)
        return text.splitlines(keepends=True), first

    def getdoc(self, x: Any) -> str | None:
        """Return the text that documents an object."""
        text = self._claims.name(x, "__doc__") if type(x) is Proxy else inspect.getdoc(x)
        return None if text is None else inspect.cleandoc(text)

    def getfullargspec(self, x: Any) -> inspect.FullArgSpec:
        """Return the parameters of a function in lists."""
        return inspect.getfullargspec(_like(self.signature(x)) if type(x) is Proxy else x)

    def getmembers(self, x: Any, predicate: Callable[[Any], Any] | None = None) -> list[tuple[str, Any]]:
        """Return the names of an object's attributes with their values."""
        if type(x) is not Proxy:
            return inspect.getmembers(x, predicate)
        found = self._remote().claim("members", list, "members", x)
        for member in found[:MOST_MEMBERS]:
            if type(member) is not tuple or len(member) != 2 or type(member[0]) is not str:  # noqa: PLR2004 - name and value
                self._claims.lose()
        return [member for member in found[:MOST_MEMBERS] if predicate is None or predicate(member[1])]

    def _source(self, x: Any) -> tuple[str, int]:
        if type(x) is not Proxy:
            return inspect.getsource(x), inspect.getsourcelines(x)[1]
        self._remote().claims["source"] = None
        if self.sources is None:
            return self._claims.source(x), 1
        if found := definition(self._name(x), self.sources):
            return found
        raise OSError("could not get source code")

    def _name(self, x: Proxy) -> str:
        """Return the name of an object: that of the cell for it, else the one that it has itself."""
        for name, value in self._names.items():
            if value is x:
                return name
        return str(attribute(x, "__qualname__")).replace("<locals>.", "")


def _like(signature: inspect.Signature) -> Callable[..., None]:
    """Return a function of ours that has a signature."""

    def like() -> None: ...

    like.__signature__ = signature  # type: ignore[attr-defined]
    return like
