"""Where the libraries are that values cross of: in student environments of their own.

`make test` sets up the one that has all but PyTorch, which is large. What needs that is tried by
`make torch`.
"""

import json
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = REPOSITORY / ".venv-libraries"
WITH_TORCH = REPOSITORY / ".venv-torch"
IS_WITH_TORCH = "TRY_TORCH" in os.environ  # as `make torch` says


def find_libraries(environment: Path = ENVIRONMENT) -> None:
    """Let this process import them; what it has itself, such as NumPy, stays its own."""
    [packages] = environment.glob("lib/python3*/site-packages")
    if str(packages) not in sys.path:
        sys.path.append(str(packages))


def make_kernel(folder: Path, name: str, environment: Path = ENVIRONMENT, language: str = "python") -> None:
    """Write into a folder, which is to be in `JUPYTER_PATH`, a kernel of an environment."""
    python = environment / "bin" / "python"
    assert python.exists(), f"`make {environment.name}/stamp` sets it up"
    variables = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": name, "language": language, "env": variables}
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(kernel))
