"""The text of the program that a student environment's Python is started with.

Examiner is not installed in that environment, and its files cannot be read in the box: its modules are sent
as text, which can be imported only until the server has imported them.
"""

from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SHARED_SOURCES: Final = (
    "wire/*.py",
    "box/*.py",
    "candidate/recording.py",
    "candidate/snapshot.py",
    "candidate/work.py",
)
CANDIDATE_SOURCES: Final = ("candidate/cells.py", "candidate/memory_layout.py", "candidate/warm.py")

_PROGRAM: Final = """
import importlib.abc, importlib.util, sys

class SentModules(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    sources = {sources!r}
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in self.sources else None
    def is_package(self, name):
        return any(other.startswith(name + ".") for other in self.sources)
    def get_source(self, name):
        return self.sources[name]
    def take_back(self):
        sys.meta_path.remove(self)
        for name in self.sources:
            sys.modules.pop(name, None)
        self.sources.clear()

sent = SentModules()
sys.meta_path.insert(0, sent)
from examiner.candidate import memory_layout
arenas = memory_layout.line_up()
from examiner.candidate.warm import serve
serve(int(sys.argv[1]), sent.take_back, arenas)
"""


@cache
def program() -> bytes:
    """Return the program: the server of the student environment, with all of examiner that it imports."""
    sources = {"examiner": "", "examiner.candidate": ""}
    for pattern in (*SHARED_SOURCES, *CANDIDATE_SOURCES):
        for path in sorted(ROOT.glob(pattern)):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text("utf-8")
    return _PROGRAM.format(sources=sources).encode()
