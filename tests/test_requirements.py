"""The requirements: whatever machine installs them, it installs the same files."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "requirements"
PINNED = sorted(path.name for path in FOLDER.glob("*.txt"))


def requirements(name: str) -> list[str]:
    """Return the requirements of a pinned file, each joined to one line with its hashes."""
    text = (FOLDER / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def versions(name: str) -> dict[str, str]:
    """Return what a pinned file asks for, by the name of the distribution."""
    return dict(re.match(r"([\w.-]+)==([\w.!+]+)", line).groups() for line in requirements(name))


@pytest.mark.parametrize("name", PINNED)
def test_every_requirement_has_an_exact_version_and_its_hashes(name):
    """pip refuses a file with hashes on some lines only, and a grade must not depend on the week."""
    for line in requirements(name):
        assert re.match(r"[\w.-]+==[\w.!+]+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+$", line), line


@pytest.mark.parametrize("name", PINNED)
def test_requirements_name_no_address(name):
    """Where files come from is the business of the machine that installs; the hashes say which they are."""
    assert "://" not in (FOLDER / name).read_text()


@pytest.mark.parametrize("name", PINNED)
def test_requirements_bring_what_builds_the_project(name):
    """The project goes in without build isolation, so the build backend must be there already."""
    assert "setuptools" in versions(name)


@pytest.mark.parametrize("name", PINNED)
def test_all_environments_agree_on_versions(name):
    """Tests run on what grades are given with, and expected values come from the NumPy of submissions."""
    dev = versions("dev.txt")
    assert {package: dev.get(package, pin) for package, pin in versions(name).items()} == versions(name)
