"""A released notebook, worked on as a student does."""

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def cells(page) -> Locator:
    """The cells of a released notebook, with a kernel that is ready to run them."""
    page.goto("/lab/tree/release/01_double/double.ipynb?reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    return page.locator(".jp-Notebook .jp-Cell")


def rewrite(page: Page, cell: Locator, source: str) -> None:
    """Put `source` in place of what a cell holds."""
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(source)


def run_all(page: Page) -> None:
    """Run all cells, by the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_a_visible_test_passes_once_the_solution_is_typed_in(page, cells):
    """This is the loop a student works in: run, read the error, type, run again."""
    answer, test = cells.nth(0), cells.nth(1)
    run_all(page)
    expect(test).to_contain_text("NotImplementedError")
    rewrite(page, answer, "def double(x):\n    return 2 * x")
    run_all(page)
    expect(test.locator(".jp-InputPrompt")).to_have_text("[4]:")  # the second cell of the second round
    expect(test.locator(".jp-OutputArea-output")).to_have_count(0)


def test_the_validate_button_names_the_test_that_fails(page, cells):
    """Students press it before they hand in; it runs the notebook in a kernel of its own."""
    rewrite(page, cells.nth(0), "def double(x):\n    return 3 * x")
    page.get_by_role("button", name="Validate").click()
    result = page.get_by_role("dialog")
    expect(result).to_contain_text("failed")
    expect(result).to_contain_text("assert double(2) == 4")
