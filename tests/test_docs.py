"""The documentation says all there is, and nothing else: commands, options, settings, modules, links."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import typer

from examiner.cli.main import app

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
JOURNEY = (ROOT / "docs" / "journey.md").read_text()
READMES = ("autograded", "examiner_checks", "feedback", "tests/mutants")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / name / "README.md" for name in READMES)]
)
MODULES = sorted((ROOT / "examiner").rglob("*.py"))
COMMAND_LINE = typer.main.get_command(app)
COMMANDS = COMMAND_LINE.commands

# Options that messages and pages name although they are other programs'.
OTHER_PROGRAMS = {
    "docker": {"--memory", "--pids-limit", "--privileged", "--security-opt"},
    "jupyter lab": {"--allow-root"},
    "pip": {
        "--disable-pip-version-check",
        "--force-reinstall",
        "--no-build-isolation",
        "--no-deps",
        "--require-hashes",
    },
    "useradd": {"--create-home"},
    "uv pip compile": {"--generate-hashes", "--universal"},
}


def settings():
    """Return every key that is taken from course.toml."""
    tree = ast.parse((ROOT / "examiner" / "course" / "toml.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    readers = {"take", "name", "seconds", "table"}
    return sorted(
        {
            call.args[0].value
            for call in calls
            if isinstance(call.func, ast.Attribute) and call.func.attr in readers
            if call.args and isinstance(call.args[0], ast.Constant)
        }
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    """An option that nobody can find might as well not be there."""
    section = REFERENCE.partition(f"### `examiner {name}")[2].partition("\n### ")[0]
    assert section, f"docs/reference.md has no section on `examiner {name}`"
    for option in COMMANDS[name].params:
        for flag in option.opts:
            if flag.startswith("--") and flag not in {"--help", "--course"}:
                assert f"`{flag}" in section, f"docs/reference.md: `examiner {name}` lacks {flag}"


def test_no_command_is_documented_that_is_not_there():
    """A page about a command that is gone sends people into an error."""
    assert set(re.findall(r"### `examiner ([a-z]+)", REFERENCE)) <= set(COMMANDS)


@pytest.mark.parametrize("key", settings())
def test_every_setting_is_documented(key):
    """course.toml refuses unknown keys, so the known ones must be listed somewhere."""
    assert f"`{key}`" in REFERENCE or f"[{key}" in REFERENCE, f"docs/reference.md lacks the setting {key}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(page):
    """Pages are moved more often than the links to them."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def options(command):
    """Return the long options of a command, and the one for help that each has."""
    return {"--help"} | {flag for option in command.params for flag in option.opts if flag.startswith("--")}


def options_in(text):
    """Return what looks like a long option in a text."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


EXAMINERS_OPTIONS = options(COMMAND_LINE).union(*map(options, COMMANDS.values()))


def strings(path):
    """Return all texts of a page, or of the string literals of a module: messages, docstrings, help."""
    if path.suffix != ".py":
        return [path.read_text()]
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_option_is_advised_that_is_not_there(path):
    """A message that advises an unknown option sends people into the next error."""
    others = set().union(*OTHER_PROGRAMS.values())
    for text in strings(path):
        unknown = options_in(text) - EXAMINERS_OPTIONS - others
        assert not unknown, f"{path.relative_to(ROOT)} names {unknown}, which no command has"


@pytest.mark.parametrize(
    "path", [*MODULES, *PAGES, ROOT / "Makefile"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_command_that_is_quoted_has_the_options_it_is_quoted_with(path):
    """`examiner check --regrade` would not do what somebody wrote it down for."""
    for text in strings(path):
        for name, rest in re.findall(r"examiner ([a-z]+)\b([^`\n;|]*)", text):
            if name in COMMANDS and name != "lab":  # which hands unknown options on to JupyterLab
                unknown = options_in(rest) - options(COMMANDS[name])
                assert not unknown, f"{path.relative_to(ROOT)}: `examiner {name}` has no {unknown}"


def test_options_of_other_programs_are_named_somewhere_and_are_not_ours():
    """The list of exceptions is no place for an option of examiner's, nor for one that nobody names."""
    named = set().union(*(options_in(text) for path in [*MODULES, *PAGES] for text in strings(path)))
    for program, flags in OTHER_PROGRAMS.items():
        assert not flags & EXAMINERS_OPTIONS, program
        assert flags <= named, f"{program}: nobody names {flags - named}"


def test_the_journey_names_every_module_once():
    """Whoever opens a file finds there what it is for; nobody looks for a file that is gone."""
    named = Counter(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", JOURNEY))
    for path in [name for name in named if name.startswith("tests/")]:
        assert (ROOT / path).is_file(), path
        del named[path]
    folder = ROOT / "examiner"
    tree = {str(path.relative_to(folder)) for path in MODULES if path.name != "__init__.py"}
    assert not named.keys() - tree, f"docs/journey.md: no such module: {sorted(named.keys() - tree)}"
    assert not tree - named.keys(), f"docs/journey.md leaves out {sorted(tree - named.keys())}"
    twice = [name for name, times in named.items() if times > 1]
    assert not twice, f"docs/journey.md names twice: {twice}"


def test_the_journey_has_a_section_for_every_room():
    """A room is a folder of examiner."""
    rooms = [path.name for path in (ROOT / "examiner").iterdir() if (path / "__init__.py").is_file()]
    assert sorted(re.findall(r"^### .*?`([a-z]+)/`", JOURNEY, re.MULTILINE)) == sorted(rooms)
