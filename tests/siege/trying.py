"""Tries one kill or one disturbance, in a process of its own: it becomes the parent of the run's orphans.

That process is this module: python -m tests.siege.trying FOLDER NAME. What came of it is its last line.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .disturbances import DISTURBANCES, disturb
from .kills import Bases, attempt, kill

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def alone(folder, name):
    """Return what came of a disturbance by its name, or of a kill by its number, with `faults`."""
    is_mounting = name in DISTURBANCES and DISTURBANCES[name].has_own_files
    command = [*(OWN_MOUNTS if is_mounting else ()), sys.executable, "-m", "tests.siege.trying", folder, name]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return {"name": name, "faults": [ended.stderr[-3000:]]}
    return {"name": name} | json.loads(ended.stdout.splitlines()[-1])


def tried(folder, name):
    """Try it in this process."""
    bases, place = Bases(folder / "bases"), folder / "".join(filter(str.isalnum, name))
    shutil.rmtree(place, ignore_errors=True)
    if name in DISTURBANCES:
        return disturb(bases, name, place)
    return attempt(bases, kill(int(name)), place)


if __name__ == "__main__":
    print(json.dumps(tried(Path(sys.argv[1]), sys.argv[2])))
