"""What only a student's process can say of its objects is asked there, and marked; copies are compared."""

import pytest

from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import prepare
from examiner.notebook import Cell
from examiner.plain import from_plain, to_plain
from examiner.verdict import AUTHOR_ERROR, Outcome, Verdict
from examiner.wire.channel import FrameKind
from examiner.wire.codec import Handle, decode, encode

STUDENT = '''
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

class Layer:
    "A layer."
    def __init__(self, size, *rest, bias=True, **more): self.size, self.me = size, self

def scaled(x: int, by=2):
    """Return x times."""
    return x * by

shared = Layer(1)
def get(): return shared
def fresh(): return Layer(1)
Point = namedtuple("Point", "x y")
def point(): return Point(1, 2)
def is_point(p): return isinstance(p, Point)
def counted(text): return Counter(text)
def grouped():
    found = defaultdict(list)
    found["a"].append(1)
    return found
def queue(): return deque([1, 2, 3], maxlen=5)
def unique(x): return set(x)
def half(): return Fraction(1, 2)
def price(): return Decimal("1.10")
def day(): return datetime(2026, 2, 3, 4, 5)
def ordered(): return OrderedDict(b=1, a=2)

class Agrees(Counter):
    def __eq__(self, other): return True
    __sub__ = lambda self, other: Counter()
    __hash__ = None
def agrees(): return Agrees()
'''


@pytest.fixture
def judge(forked):
    """Return a function that gives the verdict of one grade cell on the student above."""

    def verdict(source, student=STUDENT, serve=None):
        [prepared] = prepare([Cell(9, "it", "code", source, "it", 4.0, is_grade=True, is_locked=True)])
        with forked(student, serve).snapshot() as channel:
            return judge_cell(prepared, channel, "5eed", Conditions(20.0))

    return verdict


@pytest.mark.parametrize(
    "claim",
    [
        "counted('aab') == {'a': 2, 'b': 1} and counted('aab')['z'] == 0 and counted('ab') != {'a': 2}",
        "counted('aab').most_common(1) == [('a', 2)] and sum(counted('aab').values()) == 3",
        "grouped() == {'a': [1]} and grouped()['z'] == [] and len(grouped()) == 1",
        "list(queue()) == [1, 2, 3] and queue().maxlen == 5 and 2 in queue() and 9 not in queue()",
        "unique([1, 2, 1]) == {1, 2} and unique([1]) < {1, 2} and unique([1]) | {3} == {1, 3}",
        "point() == (1, 2) and point().x == 1 and point()._fields == ('x', 'y') and point() < (1, 3)",
        "isinstance(point(), Point) and isinstance(point(), tuple) and is_point(point())",
        "half() == 0.5 and half() + 1 == 1.5 and abs(half() - 0.5) < 1e-9 and half() < 1",
        "str(price()) == '1.10' and price() * 2 > 2 and round(price()) == 1",
        "(day() - day()).total_seconds() == 0 and day().year == 2026 and day() == day()",
        "list(ordered()) == ['b', 'a'] and ordered() == {'a': 2, 'b': 1}",
    ],
)
def test_values_of_the_standard_library_are_compared_here(judge, claim):
    """By value, with every operator, and without a claim of the student's."""
    verdict = judge(f"assert {claim}")
    assert (verdict.outcome, verdict.claimed) == (Outcome.PASSED, ()), verdict.message


@pytest.mark.parametrize("use", ["agrees() == {'a': 2}", "not (agrees() - {'a': 2})", "agrees() == agrees()"])
def test_a_subclass_that_agrees_with_everything_decides_nothing(judge, use):
    """It is the student's object, and its operators are the student's."""
    assert judge(f"assert {use}").raised == AUTHOR_ERROR


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("get() is get() and get() is not fresh() and shared.me is shared", "identity"),
        ("scaled.__name__ == 'scaled' and Layer.__name__ == 'Layer'", "__name__"),
        ("scaled.__doc__.startswith('Return') and Layer.__doc__ == 'A layer.'", "__doc__"),
        ("'size' in dir(shared) and 'size' not in dir(Layer)", "dir"),
        ("'return x * by' in inspect.getsource(scaled)", "source"),
        ("list(inspect.signature(scaled).parameters) == ['x', 'by']", "signature"),
        ("inspect.signature(scaled).parameters['by'].default == 2", "signature"),
        ("str(inspect.signature(Layer)) == '(size, *rest, bias=True, **more)'", "signature"),
        ("inspect.signature(scaled).parameters['x'].annotation == int", "signature"),
    ],
)
def test_what_a_student_claims_is_allowed_and_marked(judge, claim, kind, tmp_path):
    """An instructor sees which points rest on it."""
    file = tmp_path / "student.py"
    file.write_text(STUDENT)
    student = f"exec(compile(open({str(file)!r}).read(), {str(file)!r}, 'exec'))"
    verdict = judge(f"import inspect\nassert {claim}", student)
    assert (verdict.outcome, verdict.claimed) == (Outcome.PASSED, (kind,)), verdict.message


@pytest.mark.parametrize(
    "use",
    [
        "a = [1]\nb = [1]\na is b",
        "unique([1]) is unique([1])",
        "counted('a') is shared",
        "point() is point()",
    ],
)
def test_the_identity_of_a_copy_is_still_the_authors_error(judge, use):
    """It was lost on the way."""
    assert judge(use).raised == AUTHOR_ERROR


@pytest.mark.parametrize(
    ("use", "answer"),
    [
        ("x is y", 1),
        ("x.__name__", 5),
        ("dir(x)", ["a", 5]),
        ("import inspect\ninspect.signature(x)", [("not a name", 1, [], [])]),
        ("import inspect\ninspect.signature(x)", [("a", 9, [], [])]),
        ("import inspect\ninspect.signature(x)", [5]),
        ("import inspect\ninspect.signature(x)", [("a", 1, [], []), ("a", 1, [], [])]),
    ],
)
def test_a_claim_has_its_form_or_the_candidate_is_lost(judge, use, answer):
    """The judge takes text for text and a truth for a truth."""

    def serve(channel):
        for reply in ({"x": Handle(1, "Layer"), "y": Handle(2, "Layer")}, answer):
            frame = channel.receive(1e9)
            asked = decode(frame.payload)[2]
            given = {name: reply[name] for name in asked} if type(reply) is dict else reply
            channel.send(FrameKind.VALUE, frame.nonce, encode(given, lambda v: v), 1e9)
        channel.receive(1e9)

    assert judge(use, serve=serve).outcome is Outcome.TAMPERED


def test_a_verdict_without_claims_reads_and_writes_as_before():
    """Sheets that were filed before keep their bytes."""
    plain = to_plain(Verdict("it", Outcome.PASSED, 4.0, 4.0))
    assert "claimed" not in plain
    assert from_plain(plain, Verdict).claimed == ()
    marked = Verdict("it", Outcome.PASSED, 4.0, 4.0, claimed=("identity",))
    assert from_plain(to_plain(marked), Verdict) == marked
