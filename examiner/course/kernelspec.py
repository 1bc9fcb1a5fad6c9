"""The kernels that Jupyter knows, read from their specifications."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from jupyter_core.paths import jupyter_path


@dataclass(frozen=True)
class Kernel:
    """A kernel, as its kernel.json describes it.

    Parameters
    ----------
    program : Path
        The program that its command starts.
    is_ipykernel : bool
        Whether it is ipykernel; then its notebooks can be graded by a warm server instead of the kernel.
    specification : bytes
        The content of its kernel.json.
    """

    name: str
    program: Path
    display_name: str
    is_ipykernel: bool
    specification: bytes


def find_kernel(name: str) -> Kernel | None:
    """Return the kernel of a name, or None if Jupyter does not know it."""
    for folder in jupyter_path("kernels"):
        path = Path(folder, name.lower(), "kernel.json")
        try:
            specification = path.read_bytes()
            entries = json.loads(specification)
            command, language = list(map(str, entries["argv"])), str(entries.get("language", ""))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        is_ipykernel = language.lower() == "python" and any("ipykernel" in word for word in command)
        display_name = str(entries.get("display_name", name))
        return Kernel(name, _program(command[0]), display_name, is_ipykernel, specification)
    return None


def _program(word: str) -> Path:
    """Return the program that a word names; as in Jupyter, a bare `python` is this interpreter."""
    version = sys.version_info
    if word in {"python", f"python{version.major}", f"python{version.major}.{version.minor}"}:
        return Path(sys.executable)
    return Path(shutil.which(word) or word)
