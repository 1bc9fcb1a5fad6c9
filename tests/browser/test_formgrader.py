"""Formgrader shows an instructor what was graded."""

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


def submission(page: Page, student: str) -> Locator:
    """Go to the list of submissions and return a student's line of it."""
    page.goto("/formgrader/manage_submissions/01_tensor")
    return page.get_by_role("row").filter(has_text=student)


def open_submission(page: Page, student: str) -> None:
    """Open what a student handed in."""
    submission(page, student).get_by_role("link").first.click()
    page.get_by_role("link", name="tensor", exact=True).click()


def panel(page: Page, text: str) -> Locator:
    """Return the panel of the cell that holds a text, once its buttons listen."""
    found = page.locator(".panel", has=page.locator(".score"), has_text=text).last
    expect(found.locator(".extra-credit")).to_have_attribute("placeholder", "0")
    return found


def test_formgrader_lists_the_assignments_with_their_submissions(page):
    """It reads the course's own gradebook and folders; one setting gone wrong and the table is empty."""
    page.goto("/formgrader")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="01_tensor", exact=True))
    expect(row).to_contain_text("released")
    row.get_by_role("link", name="3", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="student01").locator(".score")).to_have_text("90 / 100")
    expect(page.get_by_role("row").filter(has_text="student02").locator(".score")).to_have_text("0 / 100")


def test_formgrader_opens_a_submission_and_shows_the_score_of_each_cell(page):
    """Manual grading starts here, from the scores that autograding left in the gradebook."""
    open_submission(page, "student01")
    expect(page.get_by_text("class Tensor:").first).to_be_visible()
    graded = panel(page, "interface_constructor")
    expect(graded.locator(".score")).to_have_attribute("placeholder", "5")


def test_a_manual_score_is_saved_and_outlives_grading_again(page):
    """A person's work must never be lost; the button runs nbgrader's autograde inside the server."""
    open_submission(page, "student01")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        panel(page, "/ 10.0").get_by_role("button", name="Full credit").click()
    expect(submission(page, "student01").locator(".score")).to_have_text("100 / 100")
    submission(page, "student01").locator(".autograde a").click()
    expect(page.get_by_role("dialog")).to_contain_text("Successfully autograded")
    expect(submission(page, "student01").locator(".score")).to_have_text("100 / 100")
