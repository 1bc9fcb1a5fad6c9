"""What only the student's process can say of its objects: identities, names, attributes and signatures.

Nothing here checks more than the form of an answer, so each is noted as a claim, and shown beside the points.
"""

import inspect
from collections.abc import Callable
from typing import Any, Final, NoReturn

from examiner.judge.proxy import Proxy, Remote, named
from examiner.verdict import Outcome

MAX_PARAMETERS: Final = 255
_OWN: Final = inspect.Parameter
_KINDS: Final = (
    *(_OWN.POSITIONAL_ONLY, _OWN.POSITIONAL_OR_KEYWORD, _OWN.VAR_POSITIONAL),
    *(_OWN.KEYWORD_ONLY, _OWN.VAR_KEYWORD),
)


class Claims:
    """Asks a snapshot about its objects; about all others it asks Python."""

    def __init__(self, remote: Callable[[], Remote]) -> None:
        self._remote = remote

    def same(self, a: Proxy, b: Proxy) -> bool:
        """Whether two proxies stand for one object."""
        return self._asked("identity", bool, "is", a, b)  # type: ignore[no-any-return]

    def name(self, x: Any, kind: str) -> Any:
        """Return `__name__`, `__qualname__`, `__module__` or `__doc__`."""
        if type(x) is not Proxy:
            return getattr(x, kind)
        return self._asked(kind, (str, type(None)), "getattr", x, kind)

    def attributes(self, of: Any) -> list[str]:
        """Return `dir(x)`."""
        if type(of) is not Proxy:
            return dir(of)
        names = self._asked("dir", list, "dir", of)
        if not all(type(name) is str for name in names):
            self.lose()
        return names  # type: ignore[no-any-return]

    def variables(self, x: Any) -> Any:
        """Return `vars(x)`, and `x.__dict__`."""
        return vars(x) if type(x) is not Proxy else self._asked("vars", dict, "vars", x)

    def class_of(self, x: Proxy) -> Any:
        """Return the class of a student's object."""
        found = self._asked("class", object, "type", x)
        if type(found) is not Proxy and not isinstance(found, type):
            self.lose()
        return found

    def is_named(self, x: Proxy, cls: type) -> bool:
        """Whether a student's object is an instance of a class that both sides can import."""
        return self._asked("class", bool, "is named", x, *named(cls))  # type: ignore[no-any-return]

    def source(self, x: Any) -> str:
        """Return `inspect.getsource(x)`."""
        if type(x) is not Proxy:
            return inspect.getsource(x)
        return self._asked("source", str, "source", x)  # type: ignore[no-any-return]

    def signature(self, x: Any) -> inspect.Signature:
        """Return `inspect.signature(x)`."""
        if type(x) is not Proxy:
            return inspect.signature(x)
        described = self._asked("signature", list, "signature", x)
        try:
            return inspect.Signature([_parameter(*part) for part in described[:MAX_PARAMETERS]])
        except (LookupError, TypeError, ValueError):
            self.lose()

    def _asked(self, claim: str, cls: Any, operation: str, *args: Any) -> Any:
        return self._remote().claim(claim, cls, operation, *args)

    def lose(self) -> NoReturn:
        """Give up a candidate that lied about the form of its objects."""
        self._remote().lose(Outcome.TAMPERED, "the candidate sent an invalid answer about one of its objects")


def _parameter(name: str, kind: int, default: list[Any], annotation: list[Any]) -> inspect.Parameter:
    """Return a parameter; a default and an annotation are there if their lists hold one."""
    kept = {"default": default, "annotation": annotation}
    return inspect.Parameter(name, _KINDS[kind], **{key: value[0] for key, value in kept.items() if value})
