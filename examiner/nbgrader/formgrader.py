"""Keeps what students handed in from acting in the browser of who looks at it in formgrader and in Jupyter.

Whatever Jupyter serves has the rights of who is signed in: a script in it can run code on the machine.
"""

import html
import os
import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any, Final

from jupyter_server.base.handlers import AuthenticatedFileHandler, JupyterHandler
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.nbconvert.handlers import NbconvertFileHandler
from nbconvert import HTMLExporter
from nbgrader.server_extensions.formgrader.base import BaseHandler
from nbgrader.server_extensions.formgrader.handlers import FormgraderHandler, SubmissionFilesHandler
from tornado.web import HTTPError

from examiner.nbgrader import feedback
from examiner.nbgrader.convert import CONFIG_FILE

FOLDERS: Final = {"submitted", "autograded", "feedback", "exchange", "downloaded"}
INBOUND: Final = "inbound"  # of the exchange, wherever that is
INERT: Final = (
    "sandbox; default-src 'none'"  # the policy of a file: it is shown nowhere, runs and loads nothing
)

_EXPORTER: Final = "examiner_exporter"  # in the settings of the server

# What formgrader puts into its pages as it is, between tags and between the quotes of a script.
_NAMES: Final = ("assignment_id", "notebook_id", "student_id")
_TEXTS: Final = ("student", "first_name", "last_name", "notebook_path", "filename")
_MARKUP = re.compile(r"[<>\"\\]")


def guard() -> None:
    """Have Jupyter hand out files only to be saved, and formgrader show names as text, in all courses.

    Every file is meant, not only those of some folders: students' files are copied, linked and moved.
    """
    for kind in (AuthenticatedFileHandler, SubmissionFilesHandler):
        setattr(kind, "set_extra_headers", _hand_out)  # noqa: B010 - types allow no assignment to a method
    _before(FilesHandler, _hand_out)
    _before(NbconvertFileHandler, _hand_out_converted)
    _before(FormgraderHandler, _refuse_students_folder)
    if BaseHandler.render is not _render:
        BaseHandler.render = _render
        BaseHandler.exporter = property(_Exporter)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter's server that this module is an extension of it: `examiner lab` has it load this."""
    return [{"module": __name__}]


def _load_jupyter_server_extension(_server: object) -> None:
    """Guard a server, whatever the settings of its course are."""
    guard()


def _before(kind: Any, check: Callable[..., None]) -> None:
    """Have a handler call `check` before it answers; once, however often a course's settings are read."""
    answer = kind.get
    if getattr(answer, "checks", None) is check:
        return

    def get(self: JupyterHandler, *names: str, **options: Any) -> Awaitable[None] | None:
        check(self, *names, *options.values())
        answered: Awaitable[None] | None = answer(self, *names, **options)
        return answered

    get.checks = check  # type: ignore[attr-defined]
    kind.get = get


def _hand_out(self: Any, path: str, *_: object) -> None:
    """Say that a file is to be saved, not shown, and that it may do nothing wherever it is shown."""
    self.set_header("Content-Security-Policy", INERT)
    self.set_header("X-Content-Type-Options", "nosniff")
    self.set_attachment_header(PurePosixPath(path).name)


def _hand_out_converted(self: Any, _kind: str, path: str) -> None:
    """Say the same of a notebook that Jupyter makes a page of, which holds what the student wrote."""
    _hand_out(self, path)
    self.request.arguments["download"] = [b"true"]  # Jupyter then gives it the name of its kind


def _refuse_students_folder(self: Any) -> None:
    """Refuse to take a student's folder as a course: formgrader would run what is called its settings."""
    wanted = self.get_argument("path", "")
    for folder in (Path(os.path.normpath(Path(wanted).absolute())), Path(wanted).resolve()) if wanted else ():
        if any(_is_of_students(above) for above in (folder, *folder.parents)):
            raise HTTPError(403, f"{wanted} holds work of students and is no course")


def _is_of_students(folder: Path) -> bool:
    """Whether students' files lie in a folder of this name, in a course or in the exchange."""
    return folder.name == INBOUND or (folder.name in FOLDERS and (folder.parent / CONFIG_FILE).is_file())


def _render(self: Any, name: str, **values: Any) -> str:
    """Return a page of formgrader's, on which names are text."""
    template = self.settings["nbgrader_jinja2_env"].get_template(name)
    page: str = template.render(**{key: _named(key, value) for key, value in values.items()})
    return page


class _Exporter:
    """Makes the page of a submission as `feedback.settle` says, also in a course that does not call it."""

    def __init__(self, handler: Any) -> None:
        if _EXPORTER not in handler.settings:
            config = deepcopy(handler.settings["nbgrader_exporter"].config)
            feedback.settle(config)
            handler.settings[_EXPORTER] = HTMLExporter(config=config)
        self._exporter = handler.settings[_EXPORTER]

    def from_filename(self, filename: str, resources: dict[str, Any]) -> Any:
        """Return the page, on which names are text, and what was used for it, as nbconvert's exporters do."""
        named = {key: _named(key, value) for key, value in resources.items()}
        return self._exporter.from_filename(filename, resources=named)


def _named(key: str, value: Any) -> Any:
    """Return a value for a template; in names, what is markup or ends a script's text becomes a number."""
    if isinstance(value, dict):
        return {name: _named(name, inner) for name, inner in value.items()}
    if not isinstance(value, str):
        return value
    if key in _TEXTS:
        return html.escape(value)
    return _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", value) if key in _NAMES else value
