"""A released notebook, worked on as a student does."""

import re

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

DONE = re.compile(r"\[\d+\]:")  # what stands before a cell that has run
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr']"  # tracebacks, and what is written to stderr


@pytest.fixture(scope="module")
def source(course):
    """The instructor's notebook: the cells of the release, solved."""
    return nbformat.read(course / "source/01_tensor/tensor.ipynb", as_version=4)


@pytest.fixture
def cells(page) -> Locator:
    """The cells of the released notebook, with a kernel that is ready to run them."""
    page.goto("/lab/tree/release/01_tensor/tensor.ipynb?reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    return page.locator(".jp-Notebook .jp-Cell")


def run_all(page: Page) -> None:
    """Run all cells, by the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def rewrite(page: Page, cell: Locator, text: str) -> None:
    """Put a text in place of what a code cell holds."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def test_the_visible_tests_pass_once_the_solution_is_typed_in(page, cells, source):
    """This is the loop a student works in: run, read the error, type, run again, validate."""
    run_all(page)
    expect(page.locator(ERRORS).first).to_contain_text("NotImplementedError")

    code = [i for i, cell in enumerate(source.cells) if cell.cell_type == "code"]
    for i in code:
        if source.cells[i].metadata.get("nbgrader", {}).get("solution"):
            rewrite(page, cells.nth(i), source.cells[i].source)
    run_all(page)
    expect(cells.nth(code[-1]).locator(".jp-InputPrompt")).to_have_text(DONE)
    expect(page.locator(ERRORS)).to_have_count(0)

    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_role("dialog")).to_contain_text("You did not provide a response.")
    expect(page.get_by_role("dialog")).not_to_contain_text("Traceback")
