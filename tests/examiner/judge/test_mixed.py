"""No operator that sees a value of ours decides about it: every operator and conversion, tried in full."""

import copy
import math
import operator
import statistics
import time

import numpy as np
import pytest

from examiner.judge.lost import CandidateLost
from examiner.judge.proxy import Proxy, attribute
from examiner.verdict import Outcome
from examiner.wire.channel import FrameKind
from examiner.wire.codec import Handle, encode
from tests.examiner.conftest import Forked

# A student's object whose operators all give what the name `ANSWER` holds, and note what they are given.
STUDENT = """
import numpy as np

class Itself: pass

ANSWER = None
heard = []

class Agrees:
    __array_ufunc__ = None
    def numpy(self): return np.zeros(2)
    def item(self): return 0.0
    def __hash__(self): return 0

def answering(name):
    def operate(self, *others):
        heard.extend(others)
        return self if ANSWER is Itself else ANSWER
    return operate

arithmetic = "add sub mul truediv floordiv mod divmod pow matmul lshift rshift and or xor".split()
for name in [prefix + name for name in arithmetic for prefix in ("", "r", "i")] + (
    "neg pos abs invert int float complex index round trunc floor ceil bool len iter next contains reversed "
    "eq ne lt le gt ge getitem array enter call length_hint bytes str format fspath"
).split():
    setattr(Agrees, f"__{name}__", answering(name))

def answer(what):
    global ANSWER
    ANSWER = what

def answer_kind(kind):
    global ANSWER
    ANSWER = {"itself": Itself, "none": None, "class": np.float64, "function": len}[kind]

def last(): return heard[-1]
it = Agrees()
"""

BINARY = (
    *(
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.floordiv,
        operator.mod,
        divmod,
        pow,
    ),
    *(operator.matmul, operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor),
)
IN_PLACE = (
    *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod),
    *(operator.ipow, operator.imatmul, operator.ilshift, operator.irshift, operator.iand, operator.ior),
    operator.ixor,
)
OURS = (2, 2.5, np.float64(2), np.arange(2.0))
# What an operator may give, so that a plain reading of it agrees with a test.
ANSWERS = (0.0, 0, True, False, 1j, [], [0.0], (), {}, set(), b"", np.zeros(2), np.zeros(0), np.float64(0))
KINDS = ("itself", "none", "class", "function")

KEPT = {  # of a mixed result these give another one
    **{f"{f.__name__} with ours": lambda m, f=f: f(m, 2) for f in (*BINARY, *IN_PLACE)},
    **{f"ours {f.__name__}": lambda m, f=f: f(2, m) for f in BINARY},
    **{f"array {f.__name__}": lambda m, f=f: f(np.ones(2), m) for f in BINARY},
    **{f.__name__: f for f in (operator.neg, operator.pos, operator.invert, abs)},
    "item": lambda m: m[0],
    "three-argument pow": lambda m: pow(m, 2, 3),
    "sum of a list": lambda m: sum([m]),
    "with": lambda m: m.__enter__(),
}
REFUSED = {  # and these would give a plain value, chosen by whoever wrote the operator
    **{f.__name__: f for f in (float, int, complex, round, bool, len, hash, list, tuple, set, bytes)},
    **{f.__name__: f for f in (iter, next, reversed, sorted, any, all, max, min, sum, dict, frozenset)},
    **{f.__name__: f for f in (operator.index, operator.not_, operator.truth, operator.length_hint)},
    **{
        f.__name__: f
        for f in (math.floor, math.ceil, math.trunc, math.sqrt, math.fabs, math.isnan, range, chr)
    },
    **{
        f"{f.__name__} {side}": lambda m, f=f, side=side: f(m, 0.0) if side == "left" else f(0.0, m)
        for f in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
        for side in ("left", "right")
    },
    **{f"array {f.__name__}": lambda m, f=f: f(np.zeros(2), m) for f in (operator.eq, operator.lt)},
    "math.isclose": lambda m: math.isclose(m, 0.0),
    "round to digits": lambda m: round(m, 3),
    "in": lambda m: 0.0 in m,
    "in a list": lambda m: m in [0.0, 1.0],
    "unpacking": lambda m: [*m],
    "enumerate": lambda m: [*enumerate(m)],
    "next or": lambda m: next(m, 0.0),
    "index of ours": lambda m: [0.0, 1.0][m],
    "slice of ours": lambda m: [0.0][m:],
    "index of an array": lambda m: np.zeros(2)[m],
    "and": lambda m: m and 1,
    "while": lambda m: 1 if m else 2,
    "format %d": lambda m: "%d" % m,  # noqa: UP031 - it converts, which an f-string does not
    "asarray": np.asarray,
    "array": np.array,
    "array of a list": lambda m: np.array([m]),
    "array of floats": lambda m: np.array([m], dtype=float),
    "assert_allclose": lambda m: np.testing.assert_allclose(m, 0.0),
    "allclose": lambda m: np.allclose(m, 0.0),
    "assert_equal": lambda m: np.testing.assert_equal(m, 0.0),
    "np.isclose": lambda m: np.isclose(m, 0.0),
    "np.linalg.norm": np.linalg.norm,
    "float64": np.float64,
    "assigned": lambda m: np.zeros(2).__setitem__(0, m),
    "copy": copy.copy,
    "fmean": lambda m: statistics.fmean([m]),
    "fsum": lambda m: math.fsum([m]),
    "dict key": lambda m: {m: 1},
    "dunder": lambda m: m.__float__(),
    "dunder ==": lambda m: m.__eq__(0.0),
}
INERT = {"str": str, "repr": repr, "format": format, "print": lambda m: f"{m} {m!r}"}
UFUNCS = {name: f for name, f in vars(np).items() if isinstance(f, np.ufunc)}


@pytest.fixture(scope="module")
def names():
    """The names of the student above, in one snapshot that serves all cases."""
    with Forked(STUDENT).remote(seconds=500) as remote:
        yield remote.ask("resolve", "it", "answer", "answer_kind", "last") | {"remote": remote}


def answering(names, answer):
    """Let the student's operators give this."""
    (names["answer_kind"] if isinstance(answer, str) else names["answer"])(answer)


def mixed_results(names):
    """Yield a mixed result of every operator, from either side."""
    it = names["it"]
    for ours in OURS:
        for operate in BINARY:
            yield operate(it, ours)
            yield operate(ours, it)
        for operate in IN_PLACE:
            yield operate(it, ours)


def mixed_object(names, answer):
    """Return a mixed result that is an object whose own operators give the answer."""
    answering(names, "itself")
    mixed = names["it"] - 1
    answering(names, answer)
    return mixed


def given(use, value):
    """Return what a use gives, or the exception that it raises."""
    try:
        return use(value)
    except Exception as error:  # noqa: BLE001 - which one is what is tested
        return error


def is_refused(names, use, value):
    """Whether a use is the author's error, also where NumPy swallows the exception."""
    names["remote"].refused = None
    got = given(use, value)
    return names["remote"].refused is not None, got


@pytest.mark.parametrize("answer", [*ANSWERS, *KINDS], ids=repr)
def test_what_an_operator_gives_for_a_value_of_ours_stays_with_the_candidate(names, answer):
    """Plain or not, by every operator and from either side: nothing that has seen it is a value here."""
    answering(names, answer)
    results = list(mixed_results(names))
    assert {type(result) for result in results} == {Proxy}
    assert all(is_refused(names, float, result)[0] for result in results)


@pytest.mark.parametrize("answer", [*ANSWERS, *KINDS], ids=repr)
def test_every_conversion_of_a_mixed_result_is_the_authors_error(names, answer):
    """Whether the operator gave the value itself, or an object that gives it when it is converted."""
    answering(names, answer)
    for mixed in (names["it"] - 1, mixed_object(names, answer)):
        for name, use in REFUSED.items():
            refused, got = is_refused(names, use, mixed)
            assert refused, (name, got)


@pytest.mark.parametrize("answer", [*ANSWERS, *KINDS], ids=repr)
def test_further_operators_give_further_mixed_results(names, answer):
    """`2 * x + 1` is how students' operators are tested; `.numpy()` of it is a value."""
    answering(names, answer)
    for mixed in (names["it"] - 1, mixed_object(names, answer)):
        for name, use in KEPT.items():
            got = given(use, mixed)
            assert isinstance(got, Proxy | Exception), (name, got)
            assert isinstance(got, Exception) or is_refused(names, float, got)[0], name
    np.testing.assert_array_equal(attribute(mixed_object(names, 0.0), "numpy")(), [0, 0])


@pytest.mark.parametrize(
    "use", [np.sum, np.max, np.real, np.size, np.shape, lambda x: x.numpy()], ids=lambda use: use.__name__
)
def test_no_library_reads_a_mixed_result_by_an_attribute(names, use):
    """`np.real(x)` reads `x.real`; only the text of a cell itself may, where its author sees it."""
    assert is_refused(names, use, mixed_object(names, 0.0))[0]


@pytest.mark.parametrize("name", UFUNCS)
def test_no_ufunc_calculates_with_a_students_object(names, name):
    """An operator's ufunc gives a mixed result, and any other one is refused, mixed or not."""
    ufunc = UFUNCS[name]
    for value in (names["it"], mixed_object(names, 0.0)):
        for place in range(ufunc.nin):
            args = [np.zeros(2)] * ufunc.nin
            args[place] = value
            refused, got = is_refused(names, lambda _, args=args: ufunc(*args), None)
            assert refused or (type(got) is Proxy and is_refused(names, float, got)[0]), got
        for method in (ufunc.reduce, ufunc.accumulate, ufunc.outer):
            refused, got = is_refused(names, lambda m, method=method: method(m, m), value)
            assert refused or isinstance(got, Exception), (method, got)


@pytest.mark.parametrize("use", INERT)
def test_a_text_of_a_mixed_result_is_ours(names, use):
    """It names the class and says nothing more."""
    answering(names, "itself")
    assert "the student's" in str(given(INERT[use], names["it"] - 1))


def test_operators_between_two_students_objects_give_values(names):
    """`v @ w == 11.0`: neither of the two is a value of the test, so the sum is compared here."""
    answering(names, 11.0)
    assert names["it"] @ names["it"] == 11.0
    assert float(names["it"]) == abs(names["it"]) == 11.0


def test_a_candidate_that_sends_the_value_anyway_is_lost(forked):
    """It was asked for a handle."""

    def serve(channel):
        for reply in (Handle(1, "Tensor"), 0.0):
            frame = channel.receive(time.monotonic() + 20)
            channel.send(FrameKind.VALUE, frame.nonce, encode(reply, lambda v: v), time.monotonic() + 20)

    with forked(serve=serve).remote() as remote:
        x = remote.ask("value", None)
        with pytest.raises(CandidateLost) as caught:
            x - 1
        assert caught.value.outcome is Outcome.TAMPERED
