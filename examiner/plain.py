"""Turns frozen data into JSON and back, by cattrs.

Digests of this JSON name files and are stored in the gradebook, so data that was written before this module
existed must be read and written unchanged.
"""

from enum import StrEnum
from typing import Any, Final, TypeVar

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from examiner.verdict import Verdict
from examiner_checks.measured import Measured

_Data = TypeVar("_Data")
_WRITTEN_AS: Final[dict[type, set[type]]] = {bool: {bool}, int: {int}, float: {int, float}, str: {str}}


def to_plain(value: Any) -> Any:
    """Return a dataclass as values that JSON can hold, with the keys in the order of its fields."""
    return _CONVERTER.unstructure(value)


def from_plain(data: Any, cls: type[_Data]) -> _Data:
    """Return the dataclass that `to_plain` turned into this data, also after it was written as JSON.

    Raises
    ------
    ValueError
        If a key is unknown or missing, or a value is of another type.
    """
    try:
        return _CONVERTER.structure(data, cls)
    except Exception as error:  # cattrs passes on whatever a hook or a dataclass raises
        raise ValueError(f"this is no {cls.__name__} ({error!r})") from error


def _as_it_is(value: Any, cls: type) -> Any:
    """Return a number or text unchanged: an int in a float field stays an int, so it is written as before."""
    if type(value) not in _WRITTEN_AS[cls]:
        raise ValueError(f"{value!r} is no {cls.__name__}")
    return value


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook(StrEnum, lambda value, cls: cls(value))
    for cls in _WRITTEN_AS:
        converter.register_structure_hook(cls, _as_it_is)
    converter.register_unstructure_hook(Measured, Measured.to_data)
    converter.register_structure_hook(Measured, lambda data, _: Measured.from_data(data))
    # Sheets that were filed before these fields existed do not have them.
    later = override(omit_if_default=True)
    write = make_dict_unstructure_fn(Verdict, converter, raised=later, provisional=later, claimed=later)
    converter.register_unstructure_hook(Verdict, write)
    return converter


_CONVERTER: Final = _converter()
