"""Where the libraries are that values cross of: in a student environment that `make test` sets up."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = REPOSITORY / ".venv-libraries"


def find_libraries() -> None:
    """Let this process import them; what it has itself, such as NumPy, stays its own."""
    [packages] = ENVIRONMENT.glob("lib/python3*/site-packages")
    if str(packages) not in sys.path:
        sys.path.append(str(packages))
