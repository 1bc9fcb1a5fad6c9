"""What a grade cell may do with a student's objects, and what happens to those that do not play fair."""

import copy
import time

import numpy as np
import pytest

from examiner.judge.lent import AuthorError, CandidateError
from examiner.judge.lost import CandidateLost
from examiner.judge.proxy import ArrayHandle, Proxy, attribute, by_ref, read
from examiner.verdict import Outcome
from examiner.wire.channel import FrameKind, nonce
from examiner.wire.codec import Handle, decode, encode
from examiner_checks import CheckFailed, NumpyOnly, Spy

STUDENT = """
import builtins
import numpy as np

class Tensor:
    __array_ufunc__ = None
    def __init__(self, data):
        self.data = np.array(data)
    def numpy(self):
        return self.data
    def __add__(self, other):
        return Tensor(self.data + getattr(other, "data", other))
    __radd__ = __add__
    def __neg__(self):
        return Tensor(-self.data)
    def __float__(self):
        return float(self.data.sum())
    def __getitem__(self, key):
        return Tensor(self.data[key])
    def __len__(self):
        return len(self.data)
    def __iter__(self):
        return (Tensor(row) for row in self.data)
    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype=dtype)
    def __eq__(self, other):
        return True

class Variable(Tensor):
    pass

class Quiet:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        return True

def fail(name, text=""):
    raise type("Own", (ValueError,), {})(text) if name == "Own" else getattr(builtins, name)(text)

def call(f, *args, **kwargs):
    return f(*args, **kwargs)

def swallow(f):
    try:
        f()
    except BaseException:
        return "fine"

def overhear(f):
    try:
        f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def read(x, name):
    return getattr(x, name)

def listed():
    return [1, 2]

def same(a, b):
    return a is b
"""


@pytest.fixture
def student(forked):
    """Return a function that looks up a name of the student's."""
    with forked(STUDENT).remote() as remote:

        def look_up(name):
            return remote.ask("resolve", name)[name]

        look_up.remote = remote
        yield look_up


@pytest.fixture
def x(student):
    return student("Tensor")([[1.0, 2.0], [3.0, 4.0]])


def test_calls_attributes_and_items_are_the_students(x):
    """An array comes back by value, in its exact type; a tensor stays where it is."""
    assert type(x.numpy()) is np.ndarray
    np.testing.assert_array_equal(x[1].data, [3.0, 4.0])
    x.data = np.zeros(3)
    np.testing.assert_array_equal(x.numpy(), [0, 0, 0])
    del x.data
    with pytest.raises(AttributeError):
        x.data  # noqa: B018


def test_operators_are_the_students_on_both_sides(x):
    """`array + x` too: NumPy leaves it to the proxy."""
    for total in (
        x + 1,
        1 + x,
        x + np.ones((2, 2)),
        np.float64(1) + x,
        np.ones((2, 2)) + x,
    ):
        assert type(total) is Proxy
        np.testing.assert_array_equal(attribute(total, "numpy")(), [[2.0, 3.0], [4.0, 5.0]])
    np.testing.assert_array_equal((-x).numpy(), [[-1.0, -2.0], [-3.0, -4.0]])
    assert float(x) == 10.0
    x += 1
    np.testing.assert_array_equal(attribute(x, "numpy")(), [[2.0, 3.0], [4.0, 5.0]])


def test_iteration_and_length_are_the_students(x):
    """One item at a time, as it would be taken there."""
    assert [float(row) for row in x] == [3.0, 7.0]
    assert len(x) == 2
    rows = iter(x)
    assert float(next(rows)) == 3.0
    with pytest.raises(TypeError):
        iter(x.numpy)


def test_numpy_reads_a_student_by_the_students_own_array_method(x):
    """And by nothing else: an `__array_interface__` would be an address in our memory."""
    np.testing.assert_array_equal(np.asarray(x), [[1.0, 2.0], [3.0, 4.0]])
    x.__array_interface__ = {"data": (1, False), "shape": (1,), "typestr": "<f8", "version": 3}
    np.testing.assert_array_equal(np.asarray(x), [[1.0, 2.0], [3.0, 4.0]])


def subclass(x):
    class Mine(x):
        pass


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        (lambda x: x == [1.0], "check_array"),
        (lambda x: x != 1, "check_array"),
        (lambda x: x < 1, "x.numpy()"),
        (lambda x: not x, "check_equal"),
        (lambda x: {x}, "lists"),
        (lambda x: 1 in x, "compare values"),
        (lambda x: x in [1, 2], "check_array"),
        (subclass, "call what the class itself has"),
        (copy.copy, "make a new one"),
        (lambda x: x + iter([1]), "pass arrays"),
        (lambda x: x + type("Own", (), {})(), "lent_attributes"),
        (lambda x: x + np.zeros(9 << 20), "less"),
    ],
)
def test_what_a_proxy_cannot_mean_tells_the_author_what_to_write(student, x, use, instead):
    """The student's `==` is always true: it must never be asked."""
    with pytest.raises(AuthorError, match=instead):
        use(x)
    assert student.remote.refused is not None
    assert float(x) == 10.0, "the conversation goes on"


@pytest.mark.parametrize(
    "name", ["ValueError", "KeyError", "RecursionError", "ModuleNotFoundError", "MemoryError"]
)
def test_listed_exceptions_are_raised_as_they_are(student, name):
    """`raises(ValueError)` in a cell means the student's."""
    with pytest.raises(Exception, match="so it is") as caught:
        student("fail")(name, "so it is")
    assert type(caught.value).__name__ == name


def test_an_exception_of_the_students_own_is_the_nearest_listed_one(student):
    """Its class lives over there."""
    with pytest.raises(ValueError, match="mine"):
        student("fail")("Own", "mine")


@pytest.mark.parametrize(
    "name", ["StopIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit", "BaseException"]
)
def test_exceptions_that_steer_a_program_are_ordinary_here(student, name):
    """SystemExit would end the examiner, StopIteration a loop of the cell's."""
    with pytest.raises(CandidateError, match=name):
        student("fail")(name)


def test_functions_of_ours_are_called_back(student):
    """With values, keywords, the student's objects, and in turns."""
    call = student("call")
    np.testing.assert_array_equal(call(lambda a, *, by: a * by, np.arange(3), by=2), [0, 2, 4])
    assert call(lambda: call(lambda: call(lambda: 5))) == 5
    assert call(lambda t: float(t) * 2, student("Tensor")([1.0, 2.0])) == 6.0


def test_callbacks_are_bounded_in_depth(student):
    """Each one takes a piece of our own stack."""
    call = student("call")

    def again():
        return call(again)

    with pytest.raises(RecursionError):
        again()
    assert call(lambda: 1) == 1


def test_what_a_test_has_found_cannot_be_swallowed(student):
    """A student's `except:` around a callback, and a student's `__exit__` that says True."""

    def check():
        raise CheckFailed("wrong", "look again")

    with pytest.raises(CheckFailed) as caught:
        student("swallow")(check)
    assert caught.value.hint == "look again"
    with pytest.raises(CheckFailed), student("Quiet")():
        check()
    with pytest.raises(CheckFailed, match="swallowed a CandidateError"), student("Quiet")():
        student("fail")("SystemExit")
    with student("Quiet")():
        assert student("same")(1, 1)


def test_the_text_of_a_failed_check_stays_here(student):
    """It may quote a hidden test, and the student's code would read it."""

    def secret():
        raise KeyError("the hidden number is 17")

    assert student("overhear")(secret) == "KeyError: 'raised by the test'"
    with pytest.raises(KeyError, match="17"):
        student("call")(secret)


def test_objects_of_ours_show_what_is_listed_and_no_more(student):
    """A missing attribute is an AttributeError in the student's code, as for any duck type."""
    read, duck, spy = student("read"), NumpyOnly([1.0]), Spy([2.0])
    np.testing.assert_array_equal(read(duck, "numpy")(), [1.0])
    for thing, name in (
        (duck, "data"),
        (duck, "_array"),
        (duck, "__class__.__init__"),
        (spy, "reads"),
        (spy, "__dict__"),
    ):
        with pytest.raises(AttributeError):
            read(thing, name)
    assert read(spy, "shape") == (1,)
    assert spy.reads["shape"] == 1
    with pytest.raises(AttributeError):
        read(lambda: 1, "__globals__")
    assert student("same")(duck, duck) is True


def test_a_class_of_the_cells_own_lists_what_it_lends(student):
    """Nothing else of it can be read."""

    class Duck:
        lent_attributes = ("numpy",)
        secret = 17

        def numpy(self):
            return np.ones(2)

    np.testing.assert_array_equal(student("read")(Duck(), "numpy")(), [1, 1])
    with pytest.raises(AttributeError):
        student("read")(Duck(), "secret")


def test_classes_of_numpy_are_given_by_name(student):
    """`dtype=np.float64` is an argument like any other."""
    assert student("call")(student("np").zeros, 2, np.float32).dtype == np.float32
    assert student("np").dtype("int64").type is np.int64


def test_handles_write_and_read_the_students_own_array(student, x):
    """Aliasing is seen in what happens, not in what is said."""
    inside = by_ref(student.remote, "getattr", x, "data")
    assert type(inside) is ArrayHandle
    inside[0] = 9.0
    np.testing.assert_array_equal(x.numpy(), [[9.0, 9.0], [3.0, 4.0]])
    np.testing.assert_array_equal(read(inside), x.numpy())
    with pytest.raises(CheckFailed, match="list"):
        by_ref(student.remote, "call", student("listed"), (), {})


@pytest.mark.parametrize(
    "use", [lambda h: h + 1, lambda h: h[0], lambda h: h.shape, np.asarray, list, len, bool]
)
def test_handles_are_good_for_nothing_else(student, x, use):
    """In a notebook they are arrays, here they are not: the author is told."""
    with pytest.raises(AuthorError, match="value"):
        use(by_ref(student.remote, "getattr", x, "data"))


def test_objects_nobody_holds_are_let_go_with_the_next_request(student):
    """In one batch: a message for each would double the traffic."""
    keep = [student("Tensor")([0.0]) for _ in range(100)]
    before = student.remote.calls
    held = student("call")(student("read"), student("np"), "pi")
    keep.clear()
    assert held == np.pi
    student.remote.ask("value", None)
    assert student.remote.calls - before <= 6


def lies(reply):
    """Return a snapshot that answers the first request as it likes."""

    def serve(channel):
        frame = channel.receive(time.monotonic() + 20)
        reply(channel, frame)
        channel.receive(time.monotonic() + 20)

    return serve


def answer(channel, kind, number, value):
    channel.send(kind, number, encode(value, lambda v: v), time.monotonic() + 20)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (lambda c, _: answer(c, FrameKind.VALUE, nonce(), 1), Outcome.TAMPERED),
        (lambda c, _: answer(c, FrameKind.CALLBACK, nonce(), (0, "call", (), {})), Outcome.TAMPERED),
        (lambda c, f: answer(c, FrameKind.CALLBACK, f.nonce, (0, "call", (), {})), Outcome.TAMPERED),
        (lambda c, f: answer(c, FrameKind.CALLBACK, f.nonce, np.zeros(4)), Outcome.TAMPERED),
        (lambda c, f: answer(c, FrameKind.RAISED, f.nonce, ("ValueError", 1)), Outcome.TAMPERED),
        (lambda c, f: answer(c, FrameKind.RAISED, f.nonce, ([], "")), Outcome.TAMPERED),
        (lambda c, f: answer(c, 77, f.nonce, 1), Outcome.TAMPERED),
        (lambda c, f: answer(c, FrameKind.REQUEST, f.nonce, 1), Outcome.TAMPERED),
        (lambda c, f: c.send(FrameKind.VALUE, f.nonce, b"?", time.monotonic() + 20), Outcome.TAMPERED),
        (lambda c, _: c.sock.send(b"\xff" * 13), Outcome.TAMPERED),
        (lambda c, _: c.close(), Outcome.CRASHED),
        (lambda _c, _f: None, Outcome.TIMEOUT),
    ],
)
def test_a_candidate_that_breaks_the_protocol_is_lost_for_good(forked, reply, outcome):
    """No `except Exception` of a cell sees it, and a cell that goes on regardless gets nowhere."""
    with forked(serve=lies(reply)).remote(seconds=0.5) as remote:
        for _ in range(2):
            with pytest.raises(CandidateLost) as caught:
                remote.ask("resolve", "x")
            assert caught.value.outcome is outcome
        assert remote.lost is not None


def test_an_answer_sent_ahead_is_an_answer_to_nothing(forked):
    """Two answers to one request: the second would be the answer to the next."""

    def twice(channel, frame):
        for _ in range(2):
            answer(channel, FrameKind.VALUE, frame.nonce, 1)

    with forked(serve=lies(twice)).remote() as remote:
        assert remote.ask("value", 1) == 1
        with pytest.raises(CandidateLost, match="an answer to another request"):
            remote.ask("value", 1)


def test_callbacks_without_end_run_into_the_deadline(forked):
    """There is always a message to read, so that no wait ever times out."""

    def serve(channel):
        frame = channel.receive(time.monotonic() + 20)
        while True:
            answer(channel, FrameKind.CALLBACK, frame.nonce, (0, "getattr", ("numpy",), {}))
            decode(channel.receive(time.monotonic() + 20).payload)

    with forked(serve=serve).remote(seconds=0.3) as remote, pytest.raises(CandidateLost) as caught:
        remote.ask("value", NumpyOnly([1.0]))
    assert caught.value.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize("length", [10**9, True, -1, 2.0, "2"])
def test_a_claimed_length_is_bounded(forked, length):
    """`[0] * len(x)` is a cell's memory, not the student's."""

    def serve(channel):
        answer(channel, FrameKind.VALUE, channel.receive(time.monotonic() + 20).nonce, length)
        channel.receive(time.monotonic() + 20)

    def introduce(channel):
        frame = channel.receive(time.monotonic() + 20)
        answer(channel, FrameKind.VALUE, frame.nonce, Handle(1, "Tensor"))
        serve(channel)

    with forked(serve=introduce).remote() as remote:
        x = remote.ask("value", None)
        with pytest.raises((CandidateError, CandidateLost)):
            len(x)
