"""Each setting of nbgrader's has one treatment, and none that would change a grade is passed over."""

import json
from pathlib import Path

import pytest
from nbgrader.apps import GenerateConfigApp
from traitlets import Bool, Dict, Integer, List
from traitlets.config import Configurable

from examiner.course.load import load_course
from examiner.course.nbgrader_settings import FOLLOWED, LEFT, PARENTS, REFUSED, Treatment, treatment
from examiner.errors import BadCourse

CLASSES = {each.__name__: each for each in GenerateConfigApp().classes}
TRAITS = sorted(
    {(name, trait) for name, each in CLASSES.items() for trait in each.class_trait_names(config=True)}
)
# Classes whose settings can change neither a release nor what runs nor what it gives: programs, the exchange,
# what writes tables for others, and what examiner does not run.
WITHOUT_MEANING = {
    *("Exchange", "ExchangeFactory", "Authenticator", "ExportPlugin", "ExtractorPlugin", "NbGrader"),
    *("FileNameCollectorPlugin", "GenerateSolution", "GenerateSourceWithTests", "InstantiateTests"),
}
# The rest of what has no meaning for grades.
NONE = {
    "CourseDirectory": {
        *(
            "groupshared",
            "max_dir_size",
            "max_file_size",
            "solution_directory",
            "source_with_tests_directory",
        ),
    },
    "Execute": {
        *("allow_error_names", "default_language", "display_data_priority", "enabled", "iopub_timeout"),
        *(
            "ipython_hist_file",
            "record_timing",
            "shell_timeout_interval",
            "shutdown_kernel",
            "startup_timeout",
        ),
        "store_widget_state",
    },
    "IgnorePattern": {"pattern"},
    "LimitOutput": {"max_lines", "max_traceback"},
    "OverwriteCells": {"add_missing_cells", "missing_cell_notification"},
    "Autograde": {"create_student", "force", "permissions"},
}
EVERYWHERE = {"default_language", "display_data_priority"}  # in a converted page


@pytest.fixture
def course(tmp_path):
    """Return a function that reads a course with these settings."""

    def read(settings):
        folder = tmp_path / "source" / "ps1"
        folder.mkdir(parents=True, exist_ok=True)
        empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "a.ipynb").write_text(json.dumps(empty))
        (tmp_path / "nbgrader_config.py").write_text(f"c = get_config()\n{settings}\n")
        return load_course(tmp_path)

    return read


def other(section, name):
    """Return a value that a setting does not have by itself."""
    trait = CLASSES[section].class_traits(config=True)[name]
    known = trait.default()
    if isinstance(trait, Bool):
        return not known
    kinds = {Integer: 77, List: ["other"], Dict: {"other": ["x"]}}
    return next((value for kind, value in kinds.items() if isinstance(trait, kind)), "other")


def test_every_setting_of_nbgraders_has_been_thought_of():
    """One that a new version adds is found here, before a course that sets it."""
    unthought = [
        f"{section}.{name}"
        for section, name in TRAITS
        if treatment(section, name) is Treatment.NONE
        and name not in NONE.get(section, set()) | EVERYWHERE
        and not {each.__name__ for each in CLASSES[section].__mro__} & WITHOUT_MEANING
    ]
    assert unthought == []


@pytest.mark.parametrize("section", sorted(PARENTS.keys() & CLASSES))
def test_settings_come_from_the_classes_that_nbgrader_takes_them_from(section):
    """The nearest last, or another value would count than in nbgrader."""
    above = [each for each in CLASSES[section].__mro__[1:] if issubclass(each, Configurable)]
    line = [each.__name__ for each in above if each.class_trait_names(config=True)]
    ours = [name for name in PARENTS[section] if name not in {"Assign", "Feedback"}]
    assert ours == line[::-1]


REFUSALS = [(section, name) for section, names in REFUSED.items() for name in names]


@pytest.mark.parametrize(("section", "name"), REFUSALS, ids=map(".".join, REFUSALS))
def test_what_is_not_followed_is_refused_by_its_name(course, section, name):
    """Also where a parent's section says it; and what to do instead is said."""
    value = other(section, name)
    for place in (section, *PARENTS.get(section, ())):
        with pytest.raises(BadCourse) as caught:
            course(f"c.{place}.{name} = {value!r}")
        assert f".{name} is {value!r}" in caught.value.fact
        assert caught.value.place.endswith("nbgrader_config.py")
        assert len(caught.value.fix) > len("remove it")


@pytest.mark.parametrize(("section", "name"), REFUSALS, ids=map(".".join, REFUSALS))
def test_nbgraders_own_value_may_be_written_down(course, section, name):
    """Many courses keep a long file of settings that change nothing."""
    usual = CLASSES[section].class_traits(config=True)[name].default()
    known = REFUSED[section][name][0]
    assert known is None or known == usual  # None: any value would replace code of ours
    assert course(f"c.{section}.{name} = {known!r}")


def test_only_what_nbgrader_knows_is_in_the_tables():
    """A slip of the pen would refuse or follow nothing."""
    named = {
        (section, name) for table in (FOLLOWED, LEFT, REFUSED) for section in table for name in table[section]
    }
    assert named <= set(TRAITS)


@pytest.mark.parametrize(
    ("setting", "seconds"),
    [
        *(("c.Execute.timeout = 7", 7), ("c.ExecutePreprocessor.timeout = 300", 300)),
        *(
            ("c.NotebookClient.timeout = 9", 9),
            ("c.NotebookClient.timeout = 9\nc.ExecutePreprocessor.timeout = 8", 8),
        ),
        *(("c.Execute.timeout = None", 3600), ("c.ExecutePreprocessor.timeout = -1", 3600), ("", 30)),
    ],
)
def test_the_time_of_a_cell_is_that_of_the_nearest_section(course, setting, seconds):
    """Most courses set it for `ExecutePreprocessor`, from which nbgrader's class inherits."""
    assert course(setting).limits.cell_seconds == seconds


@pytest.mark.parametrize(
    "setting",
    [
        *(
            "root = '.'",
            "root = __import__('os').path.dirname(__file__)",
            "db_url = 'sqlite:///gradebook.db'",
        ),
        *("source_directory = './source/'", "ignore = ['*.md', 'private']", "db_students = [dict(id='a')]"),
    ],
)
def test_a_setting_that_leads_to_the_same_place_is_followed(course, setting):
    """And one that nbgrader does not know any more is passed over, as by nbgrader."""
    assert course(f"c.CourseDirectory.{setting}").assignments[0].name == "ps1"


def test_the_root_may_be_another_name_of_this_place(course, tmp_path):
    """On servers, homes are links as often as not."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert course(f"c.CourseDirectory.root = {str(tmp_path / 'link')!r}").root == tmp_path.resolve()


@pytest.mark.parametrize("setting", ["ignore = ['private']", "ignore = ('*.key',)", "include = ['*.csv']"])
def test_a_file_that_nbgrader_would_keep_back_is_named(course, tmp_path, setting):
    """Beside the notebook, every student's code could read it."""
    kept = Path("source", "ps1", "private", "a.key")
    (tmp_path / kept.parent).mkdir(parents=True)
    (tmp_path / kept).write_text("42")
    with pytest.raises(BadCourse, match=r"keeps source/ps1/private.* from students"):
        course(f"c.CourseDirectory.{setting}")
