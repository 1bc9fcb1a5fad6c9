"""A server's memory lies in one piece while it is made ready, and as ever when students' code runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEASURE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from examiner.candidate import memory_layout

def heap():
    for line in open("/proc/self/maps"):
        if line.endswith("[heap]\\n"):
            first, end = (int(address, 16) for address in line.split()[0].split("-"))
            yield end - first

def grown(make):
    before = sum(heap())
    held.append(make())
    return sum(heap()) - before >> 20

held = []
objects = lambda: [(n, str(n)) for n in range(200_000)]
arenas = memory_layout.line_up()
first = grown(objects)
memory_layout.let_go(arenas)
second = grown(objects)
memory_layout.use_huge_pages(os.open("/proc", os.O_PATH))
is_whole = all(held[n] == objects() for n in range(2))
held.clear()
print(json.dumps([first, second, is_whole, sum(len(item) for item in held)]))
"""


@pytest.fixture(scope="module")
def measured():
    """What a process of its own says about its heap."""
    command = [sys.executable, "-c", MEASURE, str(ROOT)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_what_is_imported_lies_in_one_piece(measured):
    """Between libraries there is no room for huge pages, and a fork copies an entry for each small one."""
    first, _, _, _ = measured
    assert first >= 20


def test_students_code_takes_its_memory_as_in_any_python(measured):
    """Where there is none, Python must be told so: the way of the server would not notice."""
    _, second, _, _ = measured
    assert second < 5


def test_nothing_is_lost_on_the_way(measured):
    """Memory is moved to huge pages under everybody's feet, and given back to whoever asks."""
    assert measured[2:] == [True, 0]
