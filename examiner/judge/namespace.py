"""The names that a grade cell sees.

Some builtins and operators are replaced, since values are copies from another process, and the checks are
bound to the snapshot of one cell.
"""

import builtins
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import wraps
from io import StringIO
from types import CodeType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Never, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

import examiner_checks
from examiner.judge.claims import Claims
from examiner.judge.compile import (
    ATTRIBUTE,
    BY_REF,
    CLAIMED,
    DEFINE,
    ID,
    IS,
    MEASURING_CHECKS,
    METHOD,
    SHARE,
    TYPE,
    GradeCell,
    compile_text,
)
from examiner.judge.proxy import ArrayHandle, Proxy, Remote, attribute, by_ref, class_of, read
from examiner.notebook import CHECKS, REFERENCE
from examiner.verdict import Outcome, surely_cleared
from examiner.wire.codec import BY_VALUE
from examiner.wire.standard import NamedItems
from examiner_checks import CheckFailed, Inconclusive
from examiner_checks.bench import Bench
from examiner_checks.decision import Estimate
from examiner_checks.measured import Measured

COPIED: Final = BY_VALUE | {Proxy, ArrayHandle}


class Unconnected:
    """What a namespace has in place of a student's snapshot while none is there."""

    def __getattr__(self, name: str) -> Never:
        raise NoSnapshot(f"`{name}` is asked of a snapshot")


class NoSnapshot(Exception):  # noqa: N818 - says what is missing
    """The locked cells need a student's code, so they cannot be run once for all submissions."""


class Undecided(CheckFailed):
    """A measurement did not decide whether a threshold is reached; a person has to."""


if TYPE_CHECKING:
    from examiner.judge.clock import CellClock


class KeepingBench(Bench, Protocol):
    """A bench that gives back what it was told to keep."""

    kept: list[Measured]


class Namespace:
    """The names that a grade cell sees: the judge's, and for all others those of the candidate.

    What the locked cells before it compute can be run before there is a snapshot (`run_locked`); `connect`
    tells which snapshot the cell is about.

    Attributes
    ----------
    clock : CellClock, optional
        What the cell sees in place of the real clocks.
    undecided : str
        What the last measurement that stayed undecided found; empty if there was none.
    """

    def __init__(self, cell: GradeCell, reference: ModuleType | None) -> None:
        self.remote: Remote = cast("Remote", Unconnected())
        self._bench: KeepingBench = cast("KeepingBench", Unconnected())
        self._cell, self._has_run_locked, self.undecided = cell, False, ""
        self.clock: CellClock | None = None
        self._claims = Claims(lambda: self.remote)
        self.checks = SimpleNamespace(
            **{name: getattr(examiner_checks, name) for name in examiner_checks.__all__}
        )
        self.checks.array, self.checks.ref, self.checks.value = self.array, self.ref, self.value
        for name in (*MEASURING_CHECKS, "quality"):
            setattr(self.checks, name, self._measuring(getattr(examiner_checks, name)))
        self.checks.rng = self.rng
        own = {
            "__import__": self.import_,
            "callable": self.callable_,
            "compile": self.compile_,
            "dir": self._claims.attributes,
            "eval": self.eval_,
            "exec": self.exec_,
            "getattr": self.getattr_,
            "hasattr": self.hasattr_,
            "isinstance": self.isinstance_,
            "issubclass": self.issubclass_,
        }
        self.names: dict[str, Any] = {
            "__builtins__": {**vars(builtins), **own},
            "__name__": "__grade_cell__",
            ATTRIBUTE: self.attribute,
            BY_REF: self.by_ref,
            METHOD: self.method,
            IS: self.is_,
            TYPE: self.type_,
            ID: self.id_,
            SHARE: self.share,
            DEFINE: self.define,
            **({} if reference is None else {REFERENCE: reference}),
        }

    def connect(self, remote: Remote, bench: KeepingBench) -> None:
        """Say which snapshot the cell is about, and on which bench it measures."""
        self.remote, self._bench, self.undecided = remote, bench, ""

    @property
    def is_to_run_locked(self) -> bool:
        """Whether the locked cells before the cell compute something that has not been run yet."""
        return self._cell.prelude is not None and not self._has_run_locked

    def run_locked(self) -> None:
        """Run once what the locked cells before the cell compute without a student's code."""
        if self.is_to_run_locked and self._cell.prelude is not None:
            with redirect_stdout(StringIO()):  # it is shown where the locked cells ran
                exec(self._cell.prelude, self.names)  # noqa: S102 - running the author's text is a judge's work
        self._has_run_locked = True

    def run_again(self) -> None:
        """Run what gives the names that the cell needs of earlier grade cells.

        What fails there has failed in its own cell: the name is then missing here, as in a notebook.
        """
        refused = self.remote.refused
        with redirect_stdout(StringIO()):
            for code in self._cell.again:
                with suppress(Exception, SystemExit):
                    exec(code, self.names)  # noqa: S102 - running the author's text is a judge's work
        self.remote.refused = refused

    def _measuring(self, check: Callable[..., Estimate]) -> Callable[..., Estimate]:
        """Return a check bound to the bench; what stays undecided gives what is surely cleared.

        The cell goes on then. A single threshold that stays undecided raises `Undecided`: what it guards is
        not earned yet.
        """

        @wraps(check)
        def measuring(*args: Any, **options: Any) -> Estimate:
            try:
                return check(*args, bench=self._bench, **options)
            except Inconclusive as error:
                self.undecided = error.fact
                return self._cleared(self._bench.kept[-1], error)

        return measuring

    def _cleared(self, measured: Measured, error: Inconclusive) -> Estimate:
        if not measured.is_graded:
            raise Undecided(error.fact, error.hint) from error
        cleared = surely_cleared(measured)
        examiner_checks.award(0 if cleared is None else measured.rungs[cleared][1], measured.sentence)
        return Estimate(measured.middle, measured.low, measured.high, len(measured.figures))

    def rng(self, label: str = "") -> np.random.Generator:
        """Return the checks' generator; its seed is known only when there is a snapshot."""
        if isinstance(self.remote, Unconnected):
            raise NoSnapshot("`rng` draws anew for each submission")
        return examiner_checks.rng(label)

    def candidates(self, wanted: tuple[str, ...]) -> dict[str, Any]:
        """Return the objects of those names that the student's notebook has defined."""
        if not wanted:
            return {}
        found = self.remote.ask("resolve", *wanted)
        if type(found) is not dict or not found.keys() <= set(wanted):
            self.remote.lose(Outcome.TAMPERED, "the candidate sent names that nobody asked for")
        return found

    def import_(
        self, name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """Import one of our modules here, and any other module in the candidate."""
        root = name.partition(".")[0]
        if (
            type(fromlist) is list and root in self._cell.ours
        ):  # NumPy's own C code, called from a cell, imports so
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        if name not in self._cell.imports and name not in self._cell.texts:
            self.remote.refuse("a module is imported by a name that stands in the cell")
        if self.clock and name in self.clock.modules:
            return self.clock.modules[name]
        if name == CHECKS:
            return self.checks
        if name == "inspect":
            return self._claims.inspect
        if root == CHECKS:
            self.remote.refuse(f"import from {CHECKS} itself, not from {name}")
        if root in self._cell.ours:
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        module = self.remote.ask("import", name)
        return module if fromlist else self.remote.ask("import", root)

    def eval_(self, source: Any, globals_: Any = None, locals_: Any = None, /) -> Any:
        """Evaluate a literal of the cell here, and any other text in the snapshot: it may be a student's."""
        if self._is_own(source):
            caller = sys._getframe(1)  # noqa: SLF001 - as the builtin does it
            code = compile_text(source, "eval", self._cell.file) if type(source) is str else source
            names = caller.f_globals if globals_ is None else globals_
            return eval(code, names, caller.f_locals if globals_ is None else locals_)  # noqa: S307 - the author's
        return self.remote.ask("eval", self._foreign(source))

    def exec_(self, source: Any, globals_: Any = None, locals_: Any = None, /) -> None:
        """Run a literal of the cell here, and any other text in the snapshot."""
        if self._is_own(source):
            caller = sys._getframe(1)  # noqa: SLF001 - as the builtin does it
            code = compile_text(source, "exec", self._cell.file) if type(source) is str else source
            names = caller.f_globals if globals_ is None else globals_
            exec(code, names, caller.f_locals if globals_ is None else locals_)  # noqa: S102 - the author's
        else:
            self.remote.ask("exec", self._foreign(source))

    def compile_(self, source: Any, filename: Any, mode: str, *_: Any, **__: Any) -> CodeType:
        """Compile a literal of the cell; any other text is refused."""
        if not self._is_own(source) or type(source) is not str:
            self.remote.refuse(
                "only a text that stands in the cell can be compiled: eval(…) asks the student's"
            )
        return compile_text(source, mode, str(filename))

    def _is_own(self, source: Any) -> bool:
        """Whether a text stands in the cell, or was compiled from one that does."""
        return type(source) is CodeType or (type(source) is str and source in self._cell.texts)

    def _foreign(self, source: Any) -> str:
        if type(source) is not str:
            self.remote.refuse(f"a {type(source).__name__} is no text that can be evaluated")
        return source

    def attribute(self, x: Any, name: str) -> Any:
        """Return an attribute that the cell's own text asks for."""
        return self._claims.name(x, name) if name in CLAIMED else attribute(x, name)

    def getattr_(self, x: Any, name: str, *default: Any) -> Any:
        """Return an attribute, or the default if there is none."""
        try:
            return self.attribute(x, name)
        except AttributeError:
            if not default:
                raise
            return default[0]

    def hasattr_(self, x: Any, name: str) -> bool:
        """Whether there is such an attribute."""
        missing = object()
        return self.getattr_(x, name, missing) is not missing

    def isinstance_(self, x: Any, cls: Any) -> bool:
        """Ask the candidate about a student's class, and decide about any other class here."""
        if type(cls) is tuple:
            return any(self.isinstance_(x, single) for single in cls)
        if type(x) is NamedItems and isinstance(cls, type) and x.is_of(cls):
            return True
        if type(x) is Proxy or (type(x) is NamedItems and type(cls) is Proxy):
            return type(cls) is Proxy and self.remote.ask("isinstance", x, cls) is True
        known = class_of(cls)
        return known is not None and isinstance(x, known)

    def issubclass_(self, sub: Any, cls: Any) -> bool:
        """Ask the candidate if one of them is a student's class, and decide about all others here."""
        if type(cls) is tuple:
            return any(self.issubclass_(sub, single) for single in cls)
        if class_of(sub) is None or class_of(cls) is None:
            return self.remote.ask("issubclass", sub, cls) is True
        return issubclass(class_of(sub), class_of(cls))

    def callable_(self, x: Any) -> bool:
        """Ask the candidate about a student's object, and decide about any other object here."""
        return self.remote.ask("callable", x) is True if type(x) is Proxy else callable(x)

    def array(self, v: ArrayLike) -> ArrayHandle:
        """Return a handle to a new array on the student's side."""
        return by_ref(self.remote, "value", np.array(v))

    def ref(self, x: Any) -> ArrayHandle:
        """Return a handle unchanged; any other `ref(EXPRESSION)` was rewritten to `by_ref`."""
        if type(x) is not ArrayHandle:
            self.remote.refuse(
                "write ref(…) around the attribute, item or call itself, and import it by its name"
            )
        return x

    def value(self, handle: Any) -> Any:
        """Return a copy of what the handle holds now."""
        if type(handle) is not ArrayHandle:
            self.remote.refuse("value() takes what ref(…) or array(…) gave")
        return read(handle)

    def by_ref(self, operation: str, owner: Any, *args: Any) -> ArrayHandle:
        """Do the last operation of `ref(EXPRESSION)` so that its result stays with the candidate."""
        if operation == "value":
            return self.ref(owner)
        if type(owner) not in {Proxy, ArrayHandle}:
            self.remote.refuse(
                "ref(…) is about a student's object: write the student's attribute, item or call in it"
            )
        return by_ref(self.remote, operation, owner, *args)

    def share(self, *names: str) -> None:
        """Give the candidate names that the cell has bound, where its functions find them."""
        self.remote.ask("bind", {name: self.names[name] for name in names if name in self.names})

    def define(self, text: str) -> None:
        """Have the candidate run a visible statement that imports or defines what its functions use."""
        self.remote.ask("define", text)

    def method(self, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method; of a student's object in one request."""
        if type(owner) is Proxy:
            return self.remote.ask("method", owner, name, args, kwargs)
        return getattr(owner, name)(*args, **kwargs)

    def is_(self, a: Any, b: Any) -> bool:
        """Compare identities, unless both sides are copies, whose identity says nothing."""
        if isinstance(class_of(a), type) and isinstance(class_of(b), type):
            return class_of(a) is class_of(b)
        if type(a) is type(b) is Proxy:
            return self._claims.same(a, b)
        if {type(a), type(b)} <= COPIED:
            self.remote.refuse(
                "`is` between copies means nothing: write through one ref(…), read through the other"
            )
        return a is b

    def type_(self, x: Any) -> type:
        """Return the type of plain data, which the wire keeps exactly; refuse a student's object."""
        if type(x) in {Proxy, ArrayHandle, NamedItems}:
            self.remote.refuse("type(x) of a student's object: write isinstance(x, Class)")
        return type(x)

    def id_(self, _x: Any) -> int:
        """Refuse: an id is an address in one process."""
        self.remote.refuse("id(x) of a copy means nothing: write through one ref(…), read through the other")
