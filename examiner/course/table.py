"""Tables of TOML files, read key by key, so that keys that were never read can be reported as mistakes."""

import tomllib
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self

from examiner.course.names import safe_name
from examiner.errors import ExaminerError

EXPECTED: Final = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    datetime: "a date and time",
}


class Table:
    """A table of a TOML file.

    Parameters
    ----------
    path : Path
        The file.
    header : str
        The name of the table, as in the brackets; empty for the whole file.
    values : dict
        Its keys and values.
    fault : type of ExaminerError
        The error to raise about this file.
    """

    def __init__(self, path: Path, header: str, values: dict[str, Any], fault: type[ExaminerError]) -> None:
        self.path = path
        self.place = f"{path}, [{header}]" if header else str(path)
        self._fault = fault
        self._header = header
        self._values = values
        self._taken: set[str] = set()

    def headers(self) -> list[str]:
        """Return the names of the tables in this one, in the order of the file."""
        return list(self._values)

    def take(self, key: str, kind: type, *default: Any) -> Any:
        """Return the value of a key, which must be of the type; without a default the key is required."""
        self._taken.add(key)
        if key not in self._values:
            if default:
                return default[0]
            raise self._fault(self.place, f"'{key}' is missing", f"add {key} = …")
        return self._checked(key, self._values[key], kind)

    def _checked(self, key: str, value: Any, kind: type) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise self._fault(self.place, f"'{key}' is {value!r}", f"give {EXPECTED[kind]}")
        return value

    def seconds(self, key: str, default: int) -> int:
        """Return the value of a key as a number of seconds above zero."""
        value: int = self.take(key, int, default)
        if value <= 0:
            raise self._fault(self.place, f"'{key}' is {value}", "give a number of seconds above 0")
        return value

    def name(self, key: str) -> str:
        """Return the value of a key that can be the name of a folder."""
        value: str = self.take(key, str)
        return safe_name(f"{self.place}, '{key}'", value)

    def table(self, key: str) -> Self:
        """Return a table inside this one; it is empty if it is missing."""
        header = f"{self._header}.{key}" if self._header else key
        return type(self)(self.path, header, self.take(key, dict, {}), self._fault)

    def tables(self, key: str) -> list[Self]:
        """Return the tables of an array of tables, such as [[mutant]]."""
        return [
            type(self)(self.path, key, self._checked(key, entry, dict), self._fault)
            for entry in self.take(key, list)
        ]

    def refuse_the_rest(self) -> None:
        """Raise the fault if the table has a key that was never read."""
        for key in self._values.keys() - self._taken:
            close = get_close_matches(key, self._taken, n=1) or sorted(self._taken)
            raise self._fault(self.place, f"'{key}' is unknown", f"use {' or '.join(close)}, or remove it")


def read_table(path: Path, fault: type[ExaminerError]) -> Table:
    """Return the top-level table of a TOML file; raise `fault` if it is not TOML."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise fault(path, f"it is not TOML ({error})", "correct it there") from error
    return Table(path, "", values, fault)
