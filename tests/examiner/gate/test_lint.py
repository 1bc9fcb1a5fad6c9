"""What the gate sees without running anything."""

import pytest

from examiner.gate.lint import lint

HIDDEN = "### BEGIN HIDDEN TESTS"


def facts(tiny, taken=()):
    """Return what is wrong with the notebook, by place."""
    return {breach.place: breach.fact for breach in lint(tiny.notebook, tiny.place, dict(taken))}


def test_a_good_notebook_has_nothing_wrong(tiny):
    """The others are this one with one thing spoiled."""
    assert facts(tiny) == {}


@pytest.mark.parametrize(
    ("cell", "entries", "fact"),
    [
        (
            "setup",
            {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]},
            "it holds outputs",
        ),
        ("setup", {"execution_count": 3}, "it holds outputs"),
        ("setup", {"id": "set-up"}, "its id is set-up, its grade_id setup"),
        ("title", {"id": "8bca4f0e"}, "its id is a random one"),
        ("double", {"source": "double = abs"}, "its solution is not marked"),
        (
            "double",
            {"source": "%%time\n### BEGIN SOLUTION\n1\n### END SOLUTION"},
            "it is not plain Python",
        ),
        ("numeric_double", {"source": "assert double(1) == 2"}, "it has no hidden tests"),
        (
            "numeric_double",
            {"source": "### BEGIN HIDDEN TESTS\ncanary = 'c'\n# later\n### END HIDDEN TESTS"},
            "it has no hidden tests",
        ),
        (
            "numeric_double",
            {"source": "### BEGIN HIDDEN TESTS\ndouble(1)\n### END HIDDEN TESTS"},
            "its hidden tests have no canary",
        ),
    ],
)
def test_a_spoiled_cell_is_named_with_what_is_wrong(tiny, cell, entries, fact):
    """Each of these costs somebody an hour when nbgrader finds it, or when nobody does."""
    tiny.change(cell, **entries)
    [(place, found)] = facts(tiny).items()
    assert found.startswith(fact)
    assert entries.get("id", cell) in place


def test_a_students_value_as_code_is_named_with_its_line(tiny):
    """The judge would act on it."""
    tiny.edit("numeric_double", "check_array(double(x), x + x)", "open(double(x))")
    [fact] = facts(tiny).values()
    assert fact.endswith("`open` may take a student's value as a path")


def test_points_add_up_to_a_hundred(tiny):
    """Categories are shown as parts of it."""
    tiny.change("numeric_double", nbgrader={"points": 39})
    assert facts(tiny) == {tiny.place(): "the points add up to 99"}


def test_a_grade_cell_says_its_category_in_its_name(tiny):
    """The platform has no other place for it."""
    tiny.change("numeric_double", id="double_test", nbgrader={"grade_id": "double_test"})
    assert facts(tiny) == {tiny.place("double_test"): "its grade_id does not begin with a category"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("assert np.allclose(double(1), 2)", "allclose"),
        ("np.testing.assert_allclose(double(1), 2)", "assert_allclose"),
        ("from numpy.testing import assert_array_equal", "assert_array_equal"),
        ("assert not np.shares_memory(double(x), x)", "shares_memory"),
        ("assert double(x).flags.writeable", "flags"),
        ("import weakref", "weakref"),
        ("assert type(double(x)) == np.ndarray", "type(…)"),
        ("assert id(double(x)) != id(x)", "id(…)"),
        ("assert double(x) is not x", "is"),
        ("import time\nstart = time.perf_counter()", "perf_counter"),
    ],
)
def test_what_says_nothing_about_a_student_is_refused_in_grade_cells(tiny, line, name):
    """Verdicts are computed on copies in another process, where identity means nothing."""
    tiny.edit("numeric_double", HIDDEN, f"{line}\n{HIDDEN}")
    [fact] = facts(tiny).values()
    assert f"`{name}`" in fact
    assert fact.startswith("line ")


def test_none_is_none_wherever_it_was_copied(tiny):
    """`x.grad is None` is the plain way of saying it."""
    tiny.edit("numeric_double", HIDDEN, f"assert double([1]) is not None\n{HIDDEN}")
    assert facts(tiny) == {}


def test_students_may_use_what_grade_cells_may_not(tiny):
    """The rule is about judging, not about Python."""
    tiny.edit("double", "return 2", "assert np.allclose(1, 1) and type(x) is not int\n    return 2")
    assert facts(tiny) == {}


def test_a_canary_is_unique_in_the_course(tiny):
    """One that turns up in a student's hands must say which cell leaked."""
    assert facts(tiny, {"canary-tiny-numeric_double": "elsewhere"}) == {
        tiny.place("numeric_double"): "its canary is that of elsewhere"
    }
    tiny.edit("numeric_double", "canary-tiny-numeric_double", "canary-tiny-interface_start")
    assert facts(tiny) == {
        tiny.place("interface_start"): f"its canary is that of {tiny.place('numeric_double')}"
    }


def test_a_notebook_that_nbformat_refuses_is_refused(tiny):
    """With nbformat's own words for it."""
    tiny.change("setup", outputs="none")
    [fact] = facts(tiny).values()
    assert fact.startswith("it is no valid notebook ('none' is not")
