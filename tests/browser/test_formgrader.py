"""Formgrader shows an instructor what was graded."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_formgrader_lists_the_assignments_with_their_submissions(page):
    """It reads the course's own gradebook and folders; one setting gone wrong and the table is empty."""
    page.goto("/formgrader")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="01_double", exact=True))
    expect(row).to_contain_text("released")
    row.get_by_role("link", name="1", exact=True).click()
    submission = page.get_by_role("row").filter(has_text="student01")
    expect(submission).to_contain_text("needs manual grading")
    expect(submission).to_contain_text("90 / 100")


def test_formgrader_opens_a_submission_and_shows_the_score_of_each_cell(page):
    """Manual grading starts here, from the scores that autograding left in the gradebook."""
    page.goto("/formgrader/gradebook/01_double/double")
    page.get_by_role("link", name="Submission #1").click()
    expect(page.get_by_text("return 2 * x")).to_be_visible()
    graded = page.locator(".panel").filter(has_text="interface_double").last
    expect(graded.locator("input.score")).to_have_attribute("placeholder", "90")


def test_formgrader_saves_a_manual_score(page):
    """The written answer is the part that a person grades, so the score must arrive in the gradebook."""
    page.goto("/formgrader/gradebook/01_double/double")
    page.get_by_role("link", name="Submission #1").click()
    written = page.locator(".panel").filter(has_text="Twice.").last
    written.get_by_role("button", name="Full credit").click()
    expect(written.locator(".score-saved")).to_be_visible()
    page.goto("/formgrader/manage_submissions/01_double")
    expect(page.get_by_role("row").filter(has_text="student01")).to_contain_text("100 / 100")
