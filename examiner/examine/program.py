"""The texts of the programs that a student environment's Python is started with.

Examiner is not installed in that environment, and its files cannot be read in the box: its modules are sent
as text. For candidates they can be imported only until their server has imported them; judges keep them.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import examiner_checks

ROOT: Final = Path(__file__).parents[1]
SHARED_SOURCES: Final = (
    "wire/*.py",
    "box/*.py",
    "candidate/asked.py",
    "candidate/memory_layout.py",
    "candidate/snapshot.py",
    "candidate/work.py",
)
CANDIDATE_SOURCES: Final = ("candidate/cells.py", "candidate/recording.py", "candidate/warm.py")
JUDGE_SOURCES: Final = ("errors.py", "model.py", "notebook.py", "verdict.py", "judge/*.py")

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
from {server} import serve
serve(int(sys.argv[1]), {argument}, arenas)
"""


@cache
def candidate_program() -> bytes:
    """Return the program of the server of candidates, with all of examiner that it imports."""
    sources = _of_examiner((*SHARED_SOURCES, *CANDIDATE_SOURCES))
    return _program(sources, "examiner.candidate.warm", "sent.take_back")


@cache
def judge_program(reference: ModuleType | None) -> bytes:
    """Return the program of the server of judges: with the checks, and the package that is the reference."""
    sources = _of_examiner((*SHARED_SOURCES, *JUDGE_SOURCES)) | _of_package(examiner_checks)
    if reference is not None:
        sources |= _of_package(reference)
    return _program(sources, "examiner.judge.serve", repr(reference and reference.__name__))


def files_of(package: ModuleType) -> dict[str, bytes]:
    """Return a package's modules, by their paths relative to the folder that it lies in."""
    [root] = [Path(folder) for folder in package.__path__]
    return {str(path.relative_to(root.parent)): path.read_bytes() for path in sorted(root.rglob("*.py"))}


def _program(sources: Mapping[str, str], server: str, argument: str) -> bytes:
    return _PROGRAM.format(sources=sources, server=server, argument=argument).encode()


def _of_examiner(patterns: Iterable[str]) -> dict[str, str]:
    paths = (path for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    named = ((path.relative_to(ROOT.parent), path.read_text("utf-8")) for path in paths)
    return {"examiner": "", "examiner.candidate": ""} | dict(_by_module(named))


def _of_package(package: ModuleType) -> dict[str, str]:
    return dict(_by_module((Path(name), content.decode()) for name, content in files_of(package).items()))


def _by_module(files: Iterable[tuple[Path, str]]) -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each module with its text."""
    for path, text in files:
        parts = path.with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), text
