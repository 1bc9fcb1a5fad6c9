"""The fuzzer of the decoder is itself worth something."""

import importlib.util
from pathlib import Path

import pytest

from examiner.wire.limits import WireError


@pytest.fixture
def fuzzer():
    spec = importlib.util.spec_from_file_location("fuzz_wire", Path(__file__).parent / "wire.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_decoder_survives_a_short_run_that_finds_new_ways(fuzzer):
    """The long one is a command of its own."""
    start = len(list(fuzzer.seeds()))
    count, kept, pairs = fuzzer.fuzz(seconds=3.0, seed=1)
    assert count > start
    assert kept > start
    assert pairs > 100


def test_a_decoder_with_a_hole_is_found_out(fuzzer, monkeypatch):
    """A run that finds nothing means something only if it could have found it."""

    def fragile(data, **_):
        if data[:1] == b"h" and len(data) != 14:
            raise KeyError(data)
        raise WireError

    monkeypatch.setattr(fuzzer, "decode", fragile)
    with pytest.raises(AssertionError, match="KeyError"):
        fuzzer.fuzz(seconds=3.0, seed=1)
