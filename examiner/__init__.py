"""The platform: releases, grades, explains and exports a course of notebooks."""

from functools import cache
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "tinytorch-examiner"


@cache
def version() -> str:
    """Return the version of examiner that is installed."""
    return metadata.version(DISTRIBUTION)
