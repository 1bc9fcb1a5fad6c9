"""nbgrader's settings, taken from course.toml."""

from pathlib import Path

from examiner.plugin import configure

configure(get_config(), Path(__file__).parent)  # noqa: F821  (nbgrader puts get_config here)
