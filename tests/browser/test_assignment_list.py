"""The assignment list: what students see of the exchange."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_an_assignment_is_fetched_and_submitted_without_a_warning_about_the_exchange(page, course):
    """The exchange lives inside the course; nbgrader's own default is a folder that only root can make."""
    page.goto("/lab?reset")
    page.get_by_role("menuitem", name="Nbgrader", exact=True).click()
    page.get_by_role("menuitem", name="Assignment List", exact=True).click()
    page.get_by_role("button", name="Fetch", exact=True).click()
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_role("button", name="Fetch Feedback")).to_be_visible()
    expect(page.get_by_text("exchange directory does not exist")).to_have_count(0)
    assert list((course / "exchange/tinytorch/inbound").glob("*/tensor.ipynb"))
