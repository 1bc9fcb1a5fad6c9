"""Pages that show what students wrote run nothing of it, and ask no other host for anything."""

import html
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from nbconvert.filters.strings import strip_files_prefix
from playwright.sync_api import Page, Request, expect
from traitlets.config import Config

from examiner.nbgrader import feedback
from tests.browser import hostile

pytestmark = pytest.mark.browser

BOOTSTRAP = feedback.TEMPLATES[1].parent / "static/node_modules/bootstrap/dist/css/bootstrap.min.css"
FEEDBACK = Config(
    HTMLExporter={
        "template_name": "feedback",
        "extra_template_basedirs": [str(feedback.TEMPLATES[1])],
        "extra_template_paths": [str(BOOTSTRAP.parent)],
    }
)
NAMES = {"nbgrader": {"notebook": "tensor", "score": 0, "max_score": 0, "late_penalty": 0}}
# What lies over the middle of each of the elements, of those that are shown.
COVERS = """elements => elements.filter(element => element.checkVisibility()).flatMap(element => {
    element.scrollIntoView({block: "center"})
    const {x, y, width, height} = element.getBoundingClientRect()
    const top = document.elementFromPoint(x + width / 2, y + height / 2)
    return element.contains(top) ? [] : [String(top && top.outerHTML).slice(0, 200)]
})"""
# What of a page could act, and is not of formgrader's or nbgrader's own bars and buttons.
ACTIVE = """() => [...document.querySelectorAll("#notebook *, #notebook")].flatMap(element => {
    const names = element.getAttributeNames().filter(name => name.startsWith("on"))
    const address = element.getAttribute("href") || element.getAttribute("action") || ""
    const isLink = /^(#[\\w-]*|https?:\\/\\/[^\\s]*|mailto:[^\\s]*)?$/i.test(address)
    const active = "script, style, iframe, object, embed, form, link"
    const isActive = names.length || !isLink || element.matches(active)
    return isActive ? [element.outerHTML.slice(0, 200)] : []
})"""


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The addresses that the page asks for, but for those that its policy refuses; `TRAP` answers nothing."""
    found: list[str] = []

    def refused(request: Request) -> None:
        if "csp" in str(request.failure).lower():
            found.remove(request.url)

    page.on("request", lambda request: found.append(request.url))
    page.on("requestfailed", refused)
    page.context.route(f"{hostile.TRAP}**", lambda route: route.fulfill(body=""))
    return found


def wait_for(page: Page, asked: list[str], names: set[str]) -> None:
    """Wait until the page has asked for the address of each trick, in a frame or not."""
    while names - {address.rpartition("/")[2].partition("?")[0] for address in asked}:
        page.wait_for_event("request")


def show(page: Page, text: str) -> None:
    """Open a page with this text, from a host of its own."""
    page.context.route("http://page.test/", lambda route: route.fulfill(body=text, content_type="text/html"))
    page.goto("http://page.test/")


def framed(tricks: dict[str, str]) -> str:
    """Return a page that has each trick in a frame of its own, as nbconvert puts it into a page."""
    frames = (
        f'<iframe name="{name}" srcdoc="{html.escape(text)}"></iframe>' for name, text in tricks.items()
    )
    return "<!doctype html>" + "".join(frames)


def stock(markdown: str) -> str:
    """Return what nbconvert makes of Markdown."""
    return strip_files_prefix(markdown2html_mistune(markdown))


def test_each_trick_acts_where_nobody_is_careful(page, asked):
    """A trick that does nothing anywhere would show nothing about our pages."""
    tricks = hostile.html_tricks() | {name: stock(text) for name, text in hostile.markdown_tricks().items()}
    show(page, framed(tricks))
    wait_for(page, asked, set(tricks))


def test_each_link_acts_where_nobody_is_careful(page, asked):
    """The same of what has to be clicked."""
    tricks = {
        name: stock(text) for name, text in (hostile.clicked_html() | hostile.clicked_markdown()).items()
    }
    show(page, framed(tricks))
    for name in tricks:
        page.frame(name=name).locator("a, button").first.dispatch_event("click")
    wait_for(page, asked, set(tricks))


def test_each_output_acts_on_nbconverts_page(page, asked):
    """nbconvert's own template runs JavaScript and frames, and does not quote the sizes of pictures."""
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "source": "",
            "execution_count": 1,
            "outputs": [*hostile.outputs().values()],
        }
    ]
    page.add_init_script("window.$ = () => null")
    show(page, export(FEEDBACK, cells))
    wait_for(page, asked, set(hostile.outputs()))


@pytest.mark.parametrize("name", hostile.COVERS)
def test_each_cover_lies_over_a_button_where_nobody_is_careful(page, name):
    """Who wants to give no points would click a student's link."""
    style = BOOTSTRAP.read_text()
    cover = f"<div style='padding:20px'>{hostile.COVERS[name]}</div>"
    button = "<button style='margin:200px'>No credit</button>"
    show(
        page,
        f"<!doctype html><style>{style}</style>{button}{cover}",
    )
    assert len(page.locator("button").evaluate_all(COVERS)) == 1


def export(config: Config, cells: list[dict]) -> str:
    """Return nbconvert's page of some cells."""
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    page, _ = HTMLExporter(config=config).from_notebook_node(nbformat.from_dict(document), NAMES)
    return page


@pytest.fixture(params=["as graded", "with all outputs"])
def submission(request, course, page) -> Iterator[str]:
    """The address of formgrader's page of the hostile submission.

    It is shown as examiner graded it, and as if its outputs had been kept as the student made them.
    """
    shown = course / "autograded/student03/01_tensor/tensor.ipynb"
    graded = shown.read_bytes()
    if request.param == "with all outputs":
        shown.write_bytes((course / "submitted/student03/01_tensor/tensor.ipynb").read_bytes())
    yield formgraders_page(page)
    shown.write_bytes(graded)


def formgraders_page(page: Page) -> str:
    """Return the address of formgrader's page of what student03 handed in."""
    found = page.request.get("/formgrader/api/submitted_notebooks/01_tensor/tensor").json()
    (one,) = (each["id"] for each in found if each["student"] == "student03")
    return f"/formgrader/submissions/{one}/"


def test_the_page_of_feedback_asks_for_nothing(page, course, asked):
    """A student opens it from a disk or a web site; nothing in it acts, and its pictures are there."""
    shown = course / "feedback/student03/01_tensor/tensor.html"
    page.context.route("file://**", lambda route: route.continue_())
    page.goto(shown.as_uri())
    page.wait_for_load_state("networkidle")
    assert {address for address in asked if not address.startswith("data:")} == {shown.as_uri()}
    assert page.evaluate(ACTIVE) == []
    see_the_pictures(page)


def test_formgraders_page_of_a_submission_asks_its_own_server_alone(page, lab, asked, submission):
    """Whoever gives points is signed in; nothing of a student's acts with their rights."""
    page.goto(submission)
    expect(page.locator(".extra-credit").first).to_have_attribute("placeholder", "0")
    page.wait_for_load_state("networkidle")
    others = {address for address in asked if not address.startswith(("data:", f"{lab}/formgrader/"))}
    assert others == set()


def test_formgraders_page_works_as_before(page, submission):
    """Nothing lies over its buttons, its own scripts run, and a written answer has its pictures."""
    page.goto(submission)
    expect(page.locator(".extra-credit").first).to_have_attribute("placeholder", "0")
    buttons = page.locator(".full-credit, .no-credit, .score, .navbar a, .comment")
    assert buttons.count() > 20
    assert buttons.evaluate_all(COVERS) == []
    page.locator(".glyphicon-eye-open").click()
    expect(page.locator("a.name-shown")).to_have_text("student03")
    see_the_pictures(page)


def test_formgraders_page_has_nothing_that_acts(page):
    """The sanitiser leaves nothing to the policy of the page: no handler, no frame, no link to a script."""
    page.goto(formgraders_page(page))
    assert page.evaluate(ACTIVE) == []


def see_the_pictures(page: Page) -> None:
    """Check that the three pictures of the written answer are shown."""
    for name in ("attached", "beside", "drawn"):
        picture = page.get_by_role("img", name=name, exact=True)
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)")


def test_the_policy_of_a_page_would_be_enough_by_itself(page, asked):
    """If the sanitiser overlooked something, it would not run, and what it asks for would not be loaded."""
    config = Config()
    feedback.settle(config)
    config.HTMLExporter.filters |= {"clean_html": lambda text: text, "markdown2html": stock}
    config.HTMLExporter.template_name = "feedback"
    config.HTMLExporter.extra_template_paths = FEEDBACK.HTMLExporter.extra_template_paths
    texts = [text for name, text in hostile.html_tricks().items() if not name.endswith("refresh")]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in texts]
    show(page, export(config, cells))
    page.wait_for_load_state("networkidle")
    assert {address for address in asked if not address.startswith("data:")} == {"http://page.test/"}


@pytest.mark.parametrize(
    "route", ["/files/submitted", "/files/autograded", "formgrader", "/files/downloaded"]
)
def test_a_students_file_is_saved_and_not_shown(page, course, lab, route):
    """Whatever its name: it would have the rights of whoever is signed in to Jupyter."""
    copied = course / "downloaded/student03/01_tensor"
    shutil.copytree(course / "submitted/student03/01_tensor", copied, dirs_exist_ok=True)
    folder = formgraders_page(page) if route == "formgrader" else f"{route}/student03/01_tensor/"
    for name in hostile.FILES:
        answer = page.request.get(folder + quote(name), headers={"referer": lab})
        headers = answer.headers
        assert answer.ok, name
        assert headers["content-disposition"].startswith("attachment"), name
        assert headers["content-security-policy"] == "sandbox; default-src 'none'", name
        assert headers["x-content-type-options"] == "nosniff", name


@pytest.mark.parametrize(
    "name", ["page.html", "page.xhtml", "page.xml", "drawing.svg", "page.mht", "page.pdf"]
)
def test_a_link_to_a_students_file_saves_it(page, asked, name):
    """The browser makes no page of it, neither from formgrader nor in a frame of one."""
    folder = formgraders_page(page)
    page.goto("/formgrader")
    address = f"{folder}{name}"
    with page.expect_download() as download:
        page.evaluate("address => { window.open(address) }", address)
    assert download.value.suggested_filename == name
    frame = """address => {
        const made = document.createElement("iframe")
        made.src = address
        document.body.append(made)
    }"""
    with page.expect_download():
        page.evaluate(frame, address)
    assert not any(address.startswith(hostile.TRAP) for address in asked)


def test_a_notebook_that_jupyter_makes_a_page_of_is_saved(page, lab):
    """Jupyter's own page of a notebook runs the scripts of its outputs."""
    address = "/nbconvert/html/submitted/student01/01_tensor/tensor.ipynb"
    answer = page.request.get(address, headers={"referer": lab})
    headers = answer.headers
    assert answer.ok
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"


def test_a_students_folder_is_no_course(page, course):
    """formgrader takes any folder that an address names for a course, and runs the settings in it."""
    for folder in (
        "submitted/student03/01_tensor",
        "autograded/student03/01_tensor",
        "submitted/../submitted/student03/01_tensor/.",
    ):
        answer = page.request.get(f"/formgrader?path={quote(str(course / folder))}")
        assert answer.status == 403
    assert page.request.get(f"/formgrader?path={quote(str(course))}").ok
    assert not list(course.rglob("RAN"))


def test_names_are_text_on_formgraders_pages(page, asked):
    """An address with markup in it, to which somebody was led, would run it."""
    name = quote(f"\"></script><img src='{hostile.TRAP}name'>", safe="")
    for place in (
        "manage_students/{0}",
        "manage_submissions/{0}",
        "gradebook/{0}",
        "gradebook/{0}/{0}",
        "manage_students/{0}/{0}",
    ):
        page.goto(f"/formgrader/{place.format(name)}")
        page.wait_for_load_state("networkidle")
    assert not [address for address in asked if address.startswith(hostile.TRAP)]
