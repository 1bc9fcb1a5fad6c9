"""Looks for bytes that the decoder does not survive, led by which of its lines they reach.

    python -m tests.fuzz.wire [--seconds 60] [--seed 0]

Messages that reach a new pair of lines are kept and mutated further. Anything but a value or `WireError`,
more than a second, or more memory than the limits allow ends the run with the bytes that did it.
"""

import argparse
import random
import resource
import struct
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from time import monotonic, time_ns
from typing import NamedTuple

import numpy as np

from examiner.wire import codec
from examiner.wire.codec import DTYPES, Handle, Reverse, decode, encode
from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock

LIMITS = MessageLimits(frame=1 << 16, items=2000, depth=12, shared=1 << 18)
BLOCK = 1 << 18
MEMORY = 256 << 20
SLOW = 1.0
INTERESTING = [struct.pack("<I", n) for n in (0, 1, 2, 255, 1 << 16, 2**31, 2**32 - 1)]


def is_tag(byte: int) -> bool:
    """Whether a kind of value begins with this byte."""
    try:
        decode(bytes([byte]))
    except WireError as error:
        return "unknown kind" not in str(error)
    return True


TAGS = bytes(filter(is_tag, range(256)))


def seeds() -> Iterator[bytes]:
    """Yield a message of every kind there is."""
    kinds = [
        None,
        True,
        5,
        2**80,
        -1.5,
        1j,
        "text",
        b"bytes",
        ...,
        slice(1, None),
        range(3),
        np.float64,
        DTYPES[3],
    ]
    kinds += [
        Handle(3, "Tensor"),
        Reverse(4),
        np.ones((2, 3)),
        np.array(True),
        np.float32(2),
        {"a": 1, 2: None},
    ]
    kinds += [Counter("aab"), OrderedDict(a=1), {1, 2}, frozenset("ab"), deque([1, 2], 3), bytearray(b"ab")]
    kinds += [
        defaultdict(None, a=1),
        NamedTuple("Point", [("x", int), ("y", float)])(1, 2.0),
        Fraction(-2, 3),
        Decimal("1.5E+9"),
    ]
    kinds += [datetime(2026, 2, 3, 4, 5, tzinfo=UTC), date(2026, 2, 3), time(4, 5, 6, 7), timedelta(-1, 5)]
    for value in [*kinds, kinds, tuple(kinds), [[[[kinds[2]]]]], np.zeros(0), [np.bool_(True)] * 9]:
        yield encode(value, lambda v: v)
    yield b"A" + bytes([1, 1]) + struct.pack("<IQ", codec.INLINE, 0)


def mutated(message: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Return a message with one to four changes."""
    data = bytearray(message)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(data) + 1)
        match draw.randrange(7):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                data[place : place + 4] = draw.choice(INTERESTING)
            case 2:
                del data[place : place + draw.randint(1, 8)]
            case 3:
                data[place:place] = bytes([draw.choice(TAGS)]) + draw.choice(INTERESTING)
            case 4:
                other = draw.choice(others)
                data[place:] = other[draw.randrange(len(other) + 1) :]
            case 5:
                data[place : place + 1] = bytes([draw.choice(TAGS)])
            case 6:
                data[place:place] = data[place : place + 20] * draw.randint(1, 5)
    return bytes(data[: LIMITS.frame])


def slightly_changed(message: bytes, draw: random.Random) -> bytes:
    """Return a message with one to three other bytes, so that it often is a value still."""
    data = bytearray(message)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(data))
        data[place] = draw.choice([draw.randrange(256), data[draw.randrange(len(data))]])
    return bytes(data)


class Reached:
    """Which pairs of lines of the decoder have followed one another so far."""

    def __init__(self) -> None:
        self.pairs: set[tuple[int, int]] = set()
        self.new, self.last = False, 0

    def __call__(self, frame, event, _argument):
        """Trace the wire's own frames, line by line."""
        if frame.f_code.co_filename != codec.__file__:
            return None
        if event == "line":
            pair, self.last = (self.last, frame.f_lineno), frame.f_lineno
            if pair not in self.pairs:
                self.pairs.add(pair)
                self.new = True
        return self


def fuzz(seconds: float, seed: int) -> tuple[int, int, int]:
    """Decode until the time is over; return how many messages there were, how many kept, and pairs reached.

    Raises
    ------
    AssertionError
        With the bytes of a message that the decoder did not survive.
    """
    draw, reached, block = random.Random(seed), Reached(), SharedBlock.create(BLOCK)
    block.put(memoryview(draw.randbytes(BLOCK)))
    corpus, count, end = list(seeds()), 0, monotonic() + seconds
    queue = list(corpus)
    while queue or monotonic() < end:
        message = queue.pop() if queue else mutated(draw.choice(corpus), corpus, draw)
        started, reached.new, reached.last = monotonic(), False, 0
        sys.settrace(reached)
        try:
            decode(message, block=block, limits=LIMITS)
        except WireError:
            pass
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{message!r}") from error
        finally:
            sys.settrace(None)
        count += 1
        if reached.new:
            corpus.append(message)
        if monotonic() - started > SLOW:
            raise AssertionError(f"more than {SLOW} s\n{message!r}")
    block.close()
    return count, len(corpus), len(reached.pairs)


def main() -> None:
    """Fuzz for as long as is asked, in bounded memory."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time_ns() % 1_000_000)
    options = parser.parse_args()
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    count, kept, pairs = fuzz(options.seconds, options.seed)
    text = (
        f"seed {options.seed}: {count:,} messages, {kept} kept, {pairs} pairs of lines reached, all survived"
    )
    print(text)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
