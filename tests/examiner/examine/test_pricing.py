"""The points of a grade cell are nbgrader's, output by output."""

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_output
from nbgrader.utils import determine_grade

from examiner.examine.pricing import points_of

ERROR = new_output("error", ename="ValueError", evalue="", traceback=[])
STDOUT = new_output("stream", name="stdout", text="0")
STDERR = new_output("stream", name="stderr", text="")
FIGURE = new_output("display_data", {"text/plain": "1"})


def value(text):
    """Return the value of a cell's last expression."""
    return new_output("execute_result", {"text/plain": text})


OUTPUTS = [
    [],
    [ERROR],
    [STDOUT],
    [STDERR],
    [FIGURE],
    [value("3")],
    [value("2.5")],
    [value("0")],
    [value("-1")],
    [value("nan")],
    [value("1e0")],
    [value(" 2 ")],
    [value("1_0")],
    [value("True")],
    [value("'2'")],
    [value("<Figure size 640x480>")],
    [value(["2"])],
    [value(["1", "2"])],
    [value("4")],
    [value("4.001")],
    [value("inf")],
    [value("")],
    [value([])],
    [value("1"), value("2")],
    [value("1"), ERROR],
    [ERROR, value("1")],
    [STDERR, value("1")],
    [value("1"), STDERR],
    [STDOUT, FIGURE, value("1")],
    [STDOUT, STDERR],
    [new_output("execute_result", {"text/html": "2"})],
]


def judged(rule):
    """Return the points, or the class of the exception where nbgrader refuses to grade."""
    try:
        return rule()
    except (ValueError, KeyError) as error:
        return type(error)


@pytest.mark.parametrize("outputs", OUTPUTS, ids=str)
def test_points_are_those_of_determine_grade(outputs):
    """Points given by the gate and by the gradebook must not drift apart when nbgrader changes."""
    cell = new_code_cell(
        metadata={"nbgrader": {"grade": True, "solution": False, "points": 4}}, outputs=outputs
    )
    assert judged(lambda: points_of(outputs, 4.0)) == judged(lambda: determine_grade(cell)[0])


@pytest.mark.parametrize(
    ("text", "points"),
    [
        *(("np.float64(1.5)", 1.5), ("np.int64(2)", 2), ("np.float32(0.0)", 0), ("np.uint8(1)", 1)),
        *(("np.longdouble('1.5')", 1.5), ("np.float64(nan)", 4), ("np.True_", 4), ("np.str_('1')", 4)),
        *(("np.complex128(1+0j)", 4), ("x.float64(1.5)", 4), ("[np.float64(1.5)]", 4)),
    ],
)
def test_a_scalar_of_numpy_is_a_number(text, points):
    """As in the NumPy of nbgrader's rule, which showed 1.5; NumPy 2 shows the class as well."""
    assert points_of([value(text)], 4) == points


def test_numpy_shows_its_numbers_like_that():
    """Else the rule above would read nothing."""
    kinds = (np.float64, np.float32, np.float16, np.longdouble, np.int64, np.int8, np.uint16)
    assert [points_of([value(repr(kind(2)))], 4) for kind in kinds] == [2] * len(kinds)
