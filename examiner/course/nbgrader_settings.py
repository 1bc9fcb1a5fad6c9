"""What becomes of each setting of nbgrader: it is followed, left to nbgrader, without meaning, or refused.

A setting that would change what is released, what runs or what a cell gives, and that examiner does not
follow, must not be passed over: it is refused by its name, unless it has nbgrader's own value. A setting that
nbgrader does not know either is passed over, as by nbgrader.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from os.path import normpath
from pathlib import Path
from typing import Any, Final

Settings = Mapping[str, Any]


class Treatment(StrEnum):
    """What becomes of a setting."""

    FOLLOWED = "followed"
    NBGRADER = "left to nbgrader, whose own code does that step"
    NONE = "without meaning for grades"
    REFUSED = "refused unless it has nbgrader's value"


# The classes that others inherit settings from, the nearest last.
_CLIENT: Final = ("NotebookClient",)
_STEP: Final = ("NbConvertBase", "Preprocessor")
_OWN_STEP: Final = (*_STEP, "NbGraderPreprocessor")
_CONVERTER: Final = ("BaseConverter",)
PARENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Execute": (*_CLIENT, *_STEP, "ExecutePreprocessor", "NbGraderPreprocessor"),
    "ClearOutput": (*_STEP, "ClearOutputPreprocessor", "NbGraderPreprocessor"),
    **dict.fromkeys(
        (
            *(
                "AssignLatePenalties",
                "CheckCellMetadata",
                "ClearHiddenTests",
                "ClearMarkScheme",
                "ClearSolutions",
            ),
            *("ComputeChecksums", "DeduplicateIds", "GetGrades", "IgnorePattern", "IncludeHeaderFooter"),
            *("InstantiateTests", "LimitOutput", "LockCells", "OverwriteCells", "OverwriteKernelspec"),
            *("SaveAutoGrades", "SaveCells"),
        ),
        _OWN_STEP,
    ),
    "Autograde": _CONVERTER,
    "GenerateAssignment": (*_CONVERTER, "Assign"),
    "GenerateFeedback": (*_CONVERTER, "Feedback"),
}

FOLLOWED: Final[Mapping[str, frozenset[str]]] = {
    "CourseDirectory": frozenset({"course_id"}),
    "Execute": frozenset({"timeout", "kernel_name"}),
    "ClearSolutions": frozenset(
        {"begin_solution_delimeter", "end_solution_delimeter", "code_stub", "text_stub"}
    ),
    "ClearHiddenTests": frozenset({"begin_test_delimeter", "end_test_delimeter"}),
    "ClearMarkScheme": frozenset({"begin_mark_scheme_delimeter", "end_mark_scheme_delimeter"}),
}

# nbgrader's own code makes releases, late penalties and pages, and it reads these settings there.
LEFT: Final[Mapping[str, frozenset[str]]] = {
    "AssignLatePenalties": frozenset({"plugin_class"}),
    "LateSubmissionPlugin": frozenset({"penalty_method"}),
    "IncludeHeaderFooter": frozenset({"header", "footer"}),
    "LockCells": frozenset(
        {"lock_all_cells", "lock_grade_cells", "lock_readonly_cells", "lock_solution_cells"}
    ),
    "ClearOutput": frozenset({"remove_metadata_fields", "enabled"}),
    "ClearMarkScheme": frozenset({"check_attachment_leakage"}),
    "GetGrades": frozenset({"display_data_priority"}),
    "GenerateAssignment": frozenset(
        {"create_assignment", "no_database", "permissions", "pre_convert_hook", "post_convert_hook", "force"}
    ),
    "GenerateFeedback": frozenset(
        {"preprocessors", "permissions", "pre_convert_hook", "post_convert_hook", "force", "exporter_class"}
    ),
}

_COMMAND: Final = "name it on the command line of `examiner grade` instead, and remove it"
_REMOVE: Final = "remove it: examiner does that in its own way, or not at all"
_WHOLE: Final = "remove it: without this step, what is released and what is graded would differ"
_MARKED: Final = "remove it, and give the cells with such regions their kind in nbgrader's Create Assignment"
_RUN: Final = "remove it: examiner runs notebooks itself, in a box of its own"

# The settings that examiner does not follow: nbgrader's own value of each, and what to do instead.
REFUSED: Final[Mapping[str, Mapping[str, tuple[Any, str]]]] = {
    "CourseDirectory": {
        **{
            f"{name}_directory": (name, f"remove it, and call the folder {name}/")
            for name in ("source", "release", "submitted", "autograded", "feedback")
        },
        "directory_structure": (
            "{nbgrader_step}/{student_id}/{assignment_id}",
            "remove it, and arrange the folders so",
        ),
        **dict.fromkeys(("student_id", "notebook_id"), ("*", _COMMAND)),
        "assignment_id": ("", _COMMAND),
        "student_id_exclude": ("", "remove it, and take that student's folder out of submitted/"),
    },
    "Execute": {
        "error_on_timeout": (None, _RUN),
        "execute_retries": (0, _RUN),
        "extra_arguments": ([], "remove it, and write the arguments into the kernel's kernel.json"),
        "force_raise_errors": (False, "remove it: a failing cell must not cost all others"),
        "interrupt_on_timeout": (True, "remove it: a slow cell must not cost all others"),
        "kernel_manager_class": (None, _RUN),
        "raise_on_iopub_timeout": (True, _RUN),
        "skip_cells_with_tag": ("skip-execution", "remove it, and tag such cells `skip-execution`"),
        "timeout_func": (None, "set c.Execute.timeout, a number of seconds"),
        **dict.fromkeys(
            (
                *(
                    "on_cell_complete",
                    "on_cell_error",
                    "on_cell_execute",
                    "on_cell_start",
                ),
                *("on_notebook_complete", "on_notebook_error", "on_notebook_start"),
            ),
            (None, _RUN),
        ),
    },
    **{
        name: {"enforce_metadata": (True, _MARKED), "enabled": (True, _WHOLE)}
        for name in ("ClearSolutions", "ClearHiddenTests", "ClearMarkScheme")
    },
    **{
        name: {"enabled": (True, _WHOLE)}
        for name in (
            *(
                "CheckCellMetadata",
                "ComputeChecksums",
                "DeduplicateIds",
                "GetGrades",
                "LimitOutput",
                "LockCells",
            ),
            *("OverwriteKernelspec", "SaveAutoGrades", "SaveCells"),
        )
    },
    "AssignLatePenalties": {"enabled": (True, "remove it, and set no c.LateSubmissionPlugin.penalty_method")},
    "OverwriteCells": {"enabled": (True, _WHOLE)},
    "IncludeHeaderFooter": {"enabled": (True, _WHOLE)},
    "IgnorePattern": {
        "enabled": (False, "remove it, and silence warnings in the notebook, by `warnings.filterwarnings`"),
    },
    "InstantiateTests": {
        "autotest_delimiter": ("AUTOTEST", "remove it: tests are taken from the notebook, as they are there"),
    },
    "Autograde": {
        "exclude_overwriting": ({}, "remove it, and take these files out of source/"),
        **dict.fromkeys(("pre_convert_hook", "post_convert_hook"), (None, _REMOVE)),
        **dict.fromkeys(
            ("autograde_preprocessors", "sanitize_preprocessors", "exporter_class"), (None, _REMOVE)
        ),
    },
    "GenerateAssignment": {
        **dict.fromkeys(("preprocessors", "exporter_class"), (None, _WHOLE)),
    },
}

# What may be said here depends on where the course is, and what is in it: `nbgrader_course` looks at these.
BY_PLACE: Final = {"CourseDirectory": frozenset({"root", "db_url", "ignore", "include"})}


def treatment(section: str, name: str) -> Treatment:
    """Return what becomes of a setting in the section of a class, which others may inherit it from."""
    meant = [section, *(child for child, parents in PARENTS.items() if section in parents)]
    if any(name in REFUSED.get(owner, ()) or name in BY_PLACE.get(owner, ()) for owner in meant):
        return Treatment.REFUSED
    if any(name in FOLLOWED.get(owner, ()) for owner in meant):
        return Treatment.FOLLOWED
    return Treatment.NBGRADER if any(name in LEFT.get(owner, ()) for owner in meant) else Treatment.NONE


def value(settings: Settings, section: str, name: str, usual: Any = None) -> tuple[str, Any]:
    """Return the value of a setting and the section that it stands in: its own, or the nearest parent's."""
    for owner in (section, *reversed(PARENTS.get(section, ()))):
        if name in settings.get(owner, {}):
            return owner, settings[owner][name]
    return section, usual


def refused(settings: Settings, root: Path) -> Iterator[tuple[str, str]]:
    """Yield what cannot be followed: a clause with the setting and its value, and what to do instead."""
    for section, names in REFUSED.items():
        for name, (usual, fix) in names.items():
            where, found = value(settings, section, name, usual)
            is_folder = name.endswith("_directory") and isinstance(found, str)
            if found != usual and not (is_folder and Path(normpath(root / found)) == root / usual):
                yield f"c.{where}.{name} is {found!r}", fix
