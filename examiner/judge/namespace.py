"""The names that a grade cell sees.

Some builtins and operators are replaced, since values are copies from another process, and the checks are
bound to the snapshot of one cell.
"""

import builtins
import sys
import unittest.mock
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from functools import wraps
from io import StringIO
from types import CodeType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Never, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

import examiner_checks
from examiner.judge.answers import EXPECTING, Answers
from examiner.judge.chance import SharedChance
from examiner.judge.changing import places, take_over
from examiner.judge.claims import Claims
from examiner.judge.compile import HISTORY, MEASURING_CHECKS, GradeCell, compile_text
from examiner.judge.importing import MOCK, Importing
from examiner.judge.inspecting import Inspecting
from examiner.judge.libraries import COMPARING_METHODS, allow_texts
from examiner.judge.names import NotebookNames
from examiner.judge.patching import Patches, is_found
from examiner.judge.printed import PrintedText
from examiner.judge.proxy import ArrayHandle, Proxy, Remote, attribute, by_ref, read
from examiner.judge.rewriting import (
    ATTRIBUTE,
    BY_REF,
    CAUGHT,
    CHANGING,
    CONTAINED,
    DEFINE,
    EQUAL,
    ID,
    IS,
    METHOD,
    NAMES,
    PATCHED,
    RAISED,
    SHARE,
    SHARES,
    TEXT,
    TYPE,
    UNBIND,
    VERDICTS,
)
from examiner.notebook import CHECKS, REFERENCE, visible
from examiner.verdict import Outcome, surely_cleared
from examiner.wire.libraries import is_of_a_library
from examiner_checks import CheckFailed, Inconclusive
from examiner_checks.bench import Bench
from examiner_checks.decision import Estimate
from examiner_checks.measured import Measured

# What a student's object says of itself: the candidate's claim.
CLAIMED: Final = frozenset({"__name__", "__qualname__", "__module__", "__doc__"})


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
    from examiner.judge.files import CellFiles


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
    modules : dict from str to object
        What the cell has in place of some modules.
    files : CellFiles, optional
        The files that the cell shares with the snapshot.
    undecided : str
        What the last measurement that stayed undecided found; empty if there was none.
    """

    def __init__(self, cell: GradeCell, reference: ModuleType | None) -> None:
        self.remote: Remote = cast("Remote", Unconnected())
        self._bench: KeepingBench = cast("KeepingBench", Unconnected())
        self.cell, self._has_run_locked, self.undecided = cell, False, ""
        self.clock: CellClock | None = None
        self.files: CellFiles | None = None
        self._chance: SharedChance | None = None
        self.names: dict[str, Any] = {}
        self._given: dict[str, Any] = {}
        self._shared: set[str] = set()
        self._sources: Sequence[str] | None = None
        self._claims = Claims(lambda: self.remote)
        self.answers = answers = Answers(lambda: self.remote, self._claims, self._given)
        self._inspecting = inspecting = Inspecting(lambda: self.remote, self._claims, self.names)
        self.patches = Patches(lambda: self.remote, self.names, cell)
        self.checks = SimpleNamespace(
            **{name: getattr(examiner_checks, name) for name in examiner_checks.__all__}
        )
        self.checks.array, self.checks.ref, self.checks.value = self.array, self.ref, self.value
        for name in (*MEASURING_CHECKS, "quality"):
            setattr(self.checks, name, self._measuring(getattr(examiner_checks, name)))
        self.checks.rng = self.rng
        self.modules: dict[str, Any] = {CHECKS: self.checks, "inspect": inspecting, MOCK: self.patches.mock}
        own = {
            "__import__": Importing(cell, lambda: self.remote, answers, self.modules).import_,
            "callable": self.callable_,
            "compile": self.compile_,
            "dir": self.dir_,
            "eval": self.eval_,
            "exec": self.exec_,
            "getattr": self.getattr_,
            "hasattr": self.hasattr_,
            "format": answers.formatted,
            "isinstance": answers.is_instance,
            "issubclass": answers.is_subclass,
            "print": answers.print,
            "repr": answers.represented,
            "vars": self.vars_,
        }
        self.names |= {
            "__builtins__": {**vars(builtins), **own},
            "__name__": "__grade_cell__",
            ATTRIBUTE: self.attribute,
            BY_REF: self.by_ref,
            METHOD: self.method,
            IS: answers.same,
            TYPE: answers.type,
            ID: answers.address,
            SHARES: answers.share_memory,
            EQUAL: answers.equal,
            CONTAINED: answers.contained,
            CAUGHT: answers.caught,
            RAISED: answers.raised,
            TEXT: answers.text,
            NAMES: self.notebook_names,
            PATCHED: self.patches.of,
            CHANGING: self.changing,
            SHARE: self.share,
            UNBIND: self.unbind,
            DEFINE: self.define,
            **({} if reference is None else {REFERENCE: reference}),
        }

    def connect(self, remote: Remote, bench: KeepingBench, sources: Sequence[str] | None = None) -> None:
        """Say which snapshot the cell is about, on which bench it measures, and what cells came before it."""
        self.remote, self._bench, self.undecided = remote, bench, ""
        self._sources = self._inspecting.sources = sources
        printed = PrintedText(remote)
        printed.install()
        if self.cell.catches_warnings:
            printed.install_warnings()
        self._chance = SharedChance(remote)
        allow_texts(self.cell.texts)

    @property
    def is_to_run_locked(self) -> bool:
        """Whether the locked cells before the cell compute something that has not been run yet."""
        return self.cell.prelude is not None and not self._has_run_locked

    def run_locked(self) -> None:
        """Run once what the locked cells before the cell compute without a student's code."""
        if self.is_to_run_locked and self.cell.prelude is not None:
            chance, self._chance = self._chance, None  # the student's process has run them, too
            with redirect_stdout(StringIO()):  # it is shown where the locked cells ran
                exec(self.cell.prelude, self.names)  # noqa: S102 - running the author's text is a judge's work
            self._chance = chance
        self._has_run_locked = True

    def run_again(self) -> None:
        """Run what gives the names that the cell needs of earlier grade cells.

        What fails there has failed in its own cell: the name is then missing here, as in a notebook.
        """
        refused = self.remote.refused
        with redirect_stdout(StringIO()):
            for code in self.cell.again:
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
        if self._sources is not None and HISTORY & {*wanted}:
            found |= self._history(self._sources)
        self._given.update(found)
        return found

    def _history(self, sources: Sequence[str]) -> dict[str, Any]:
        """Return IPython's names for the texts of the cells that were handed in."""
        latest = [*reversed(["", "", "", *sources])][:3]
        texts = ["", *sources, visible(self.cell.source)]
        return {"In": texts, "_ih": texts} | dict(zip(("_i", "_ii", "_iii"), latest, strict=True))

    def eval_(self, source: Any, globals_: Any = None, locals_: Any = None, /) -> Any:
        """Evaluate a literal of the cell here, and any other text in the snapshot: it may be a student's."""
        if self._is_own(source):
            caller = sys._getframe(1)  # noqa: SLF001 - as the builtin does it
            code = compile_text(source, "eval", self.cell.file) if type(source) is str else source
            names = caller.f_globals if globals_ is None else globals_
            self._give(code, names)
            return eval(code, names, caller.f_locals if globals_ is None else locals_)  # noqa: S307 - the author's
        return self.remote.ask("eval", self._foreign(source))

    def exec_(self, source: Any, globals_: Any = None, locals_: Any = None, /) -> None:
        """Run a literal of the cell here, and any other text in the snapshot."""
        if self._is_own(source):
            caller = sys._getframe(1)  # noqa: SLF001 - as the builtin does it
            code = compile_text(source, "exec", self.cell.file) if type(source) is str else source
            names = caller.f_globals if globals_ is None else globals_
            self._give(code, names)
            exec(code, names, caller.f_locals if globals_ is None else locals_)  # noqa: S102 - the author's
        else:
            self.remote.ask("exec", self._foreign(source))

    def _give(self, code: CodeType, names: dict[str, Any]) -> None:
        """Give a text of the cell, which names them, the names that only the student's notebook has."""
        if names is self.names:
            known = names.keys() | vars(builtins).keys()
            names.update(self.candidates(tuple(name for name in code.co_names if name not in known)))

    def compile_(self, source: Any, filename: Any, mode: str, *_: Any, **__: Any) -> CodeType:
        """Compile a literal of the cell; any other text is refused."""
        if not self._is_own(source) or type(source) is not str:
            self.remote.refuse(
                "only a text that stands in the cell can be compiled: eval(…) asks the student's"
            )
        return compile_text(source, mode, str(filename))

    def _is_own(self, source: Any) -> bool:
        """Whether a text stands in the cell, or was compiled from one that does."""
        return type(source) is CodeType or (type(source) is str and source in self.cell.texts)

    def _foreign(self, source: Any) -> str:
        if type(source) is not str:
            self.remote.refuse(f"a {type(source).__name__} is no text that can be evaluated")
        return source

    def attribute(self, x: Any, name: str) -> Any:
        """Return an attribute that the cell's own text asks for."""
        if is_found(patch := self.patches.read(x, name)):
            return patch
        if type(x) is Proxy:
            if name in CLAIMED:
                return self._claims.name(x, name)
            if name == "__dict__":
                return self._claims.variables(x)
        found = attribute(x, name)
        return self.patches.mock if found is unittest.mock else found

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
        if type(x) is Proxy and name in VERDICTS:
            return name in self._claims.attributes(x)
        missing = object()
        return self.getattr_(x, name, missing) is not missing

    def dir_(self, *of: Any) -> list[str]:
        """Return `dir(x)`, and `dir()` in a function of the cell's."""
        return self._claims.attributes(*of) if of else sorted(sys._getframe(1).f_locals)  # noqa: SLF001 - as the builtin does it

    def vars_(self, *of: Any) -> Any:
        """Return `vars(x)`, and `vars()` in a function of the cell's."""
        return self._claims.variables(*of) if of else sys._getframe(1).f_locals  # noqa: SLF001 - as above

    def notebook_names(self, function: str) -> Any:
        """Return what `dir()`, `globals()`, `locals()` or `vars()` gives for the notebook."""
        names = NotebookNames(self.names, lambda: self.remote)
        return [*names] if function == "dir" else names

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
        self._shared.update(names)
        bound = {name: self.names[name] for name in names if name in self.names}
        if given := {name: value for name, value in bound.items() if not isinstance(value, ModuleType)}:
            self.remote.ask("bind", given)

    def define(self, text: str) -> None:
        """Have the candidate run a visible statement that imports or defines what its functions use."""
        self.remote.ask("define", text)

    def unbind(self, *names: str) -> None:
        """Have the candidate forget names that the cell has deleted."""
        if theirs := [name for name in names if name in self._shared or name in self.cell.wanted]:
            self.remote.ask("unbind", *theirs)

    def method(self, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method; of a student's object in one request."""
        if type(owner) is Proxy:
            if name in COMPARING_METHODS and any(map(is_of_a_library, (*args, *kwargs.values()))):
                raise CheckFailed(f"got {owner!r}, whose own `{name}` would be the student's own verdict")
            return self.remote.ask("method", owner, name, args, kwargs)
        if self.files:
            self.files.looked_for(name, (owner, *args))
        if name in {"seed", "manual_seed"} and self._chance and not self.cell.measures:
            self._chance.seeded(owner)
        if name in EXPECTING:
            args = tuple(map(self.answers.expected, args))
        patch = self.patches.read(owner, name)
        return (patch if is_found(patch) else getattr(owner, name))(*args, **kwargs)

    def changing(self, owner: Any, name: str, is_method: bool, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function that may change its arguments: where the solution's does, ours become the same."""
        expected_back = places(self.cell.changing[name], args, kwargs)
        if type(owner) is not Proxy or not expected_back:
            return self.method(owner, name, *args, **kwargs) if is_method else owner(*args, **kwargs)
        function = attribute(owner, name) if is_method else owner
        answer = self.remote.ask("called", function, args, kwargs, expected_back)
        if type(answer) is not tuple or len(answer) != 2:  # noqa: PLR2004 - the result, and the arguments
            self.remote.refuse("arguments so large do not come back at once: pass less at a time")
        result, after = answer
        if type(after) is not list or len(after) != len(expected_back):
            self._claims.lose()
        for place, theirs in zip(expected_back, after, strict=True):
            take_over(args[place] if isinstance(place, int) else kwargs[place], theirs)
        return result
