"""The documentation says all there is, and nothing else: commands, options, settings, links."""

import ast
import re
from pathlib import Path

import pytest
import typer

from examiner.cli.main import app

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMANDS = typer.main.get_command(app).commands


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
