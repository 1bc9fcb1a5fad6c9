"""Measure what the walls cost a Jupyter kernel that is started plain and boxed in turn, many times over.

    .venv/bin/python -m benchmarks.kernels [rounds]

The table has medians in milliseconds: until the command runs, until the kernel answers, and to end it.
"""

import logging
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from examiner.box.walls import Walls, available
from examiner.kernel.provisioner import ENTRY_POINT

ROUNDS = 15
PYTHON = Path(__file__).parents[1] / ".venv-student" / "bin" / "python"
COMMAND = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
STEPS = ("started", "answers", "ended")


class Specification(KernelSpecManager):
    """Finds one kernel under any name, to be started by one provisioner."""

    def __init__(self, provisioner: str, settings: dict[str, Any]) -> None:
        super().__init__()
        metadata = {"kernel_provisioner": {"provisioner_name": provisioner, "config": settings}}
        self._spec = KernelSpec(argv=COMMAND, language="python", metadata=metadata)

    def get_kernel_spec(self, _kernel_name: str) -> KernelSpec:
        """Return the specification of the one kernel."""
        return self._spec


def ways() -> Iterator[tuple[str, Specification]]:
    """Yield the ways to start a kernel that are compared, and their names."""
    yield "plain, over TCP", Specification("local-provisioner", {})
    here = available()
    reaper = Walls(namespaces=False, landlock=here.landlock, seccomp=True)
    yield "boxed: Landlock, a reaper", Specification(ENTRY_POINT, {"walls": reaper})
    if here.namespaces:
        yield "boxed: all walls", Specification(ENTRY_POINT, {"walls": here})


def measured(specification: Specification) -> list[float]:
    """Return the milliseconds of each step of one kernel's life."""
    manager = KernelManager(kernel_spec_manager=specification)
    moments = [time.perf_counter()]
    manager.start_kernel()
    moments.append(time.perf_counter())
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(60)
    moments.append(time.perf_counter())
    client.stop_channels()
    before_end = time.perf_counter()
    manager.shutdown_kernel(now=True)
    started, answers = moments[1] - moments[0], moments[2] - moments[0]
    return [seconds * 1000 for seconds in (started, answers, time.perf_counter() - before_end)]


def main() -> None:
    """Measure each way in turn, and print the table."""
    logging.disable(logging.CRITICAL)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    compared = dict(ways())
    for specification in compared.values():
        measured(specification)  # the first start of each is not counted
    found: dict[str, list[list[float]]] = {name: [] for name in compared}
    for _ in range(rounds):
        for name, specification in compared.items():
            found[name].append(measured(specification))
    print(f"{'milliseconds, median of ' + str(rounds):34}", *(f"{step:>10}" for step in STEPS))
    for name, rows in found.items():
        print(f"{name:34}", *(f"{statistics.median(column):10.0f}" for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    main()
