"""Names of what is registered: ``openlam/dpa2-small@7``, ``openlam/dpa2-small@latest``."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from lamflow.config.base import NAME_PATTERN, is_name
from lamflow.errors import InputError, Problem

Kind = Literal["model", "dataset"]
LATEST = "latest"
_SCHEME = "registry:"
_MOST_PARTS = 4
_REFERENCE = re.compile(r"(?P<name>[^@\s]+)@(?P<at>[^@/\s]+)")


@dataclass(frozen=True)
class Reference:
    """One version of a model or dataset, by number or by tag.

    Attributes
    ----------
    name
        Such as ``openlam/dpa2-small``.
    at
        A version number or a tag.
    """

    name: str
    at: int | str = LATEST

    def __str__(self) -> str:
        return f"{self.name}@{self.at}"


def check_name(name: str) -> str:
    """Return `name` if it can be registered; InputError if not."""
    parts = name.split("/")
    if len(parts) > _MOST_PARTS or not all(is_name(part) for part in parts):
        what = (
            f"can't be a name: write 1 to {_MOST_PARTS} parts with '/' between them, such as "
            f"openlam/dpa2-small; each must match {NAME_PATTERN}"
        )
        raise InputError(Problem(repr(name), "", what))
    return name


def check_tag(tag: str) -> str:
    """Return `tag` if it can be one; InputError if not. A number can't: it names a version."""
    if tag.isdecimal() or not is_name(tag):
        what = f"can't be a tag: it must match {NAME_PATTERN} and not be a number"
        raise InputError(Problem(repr(tag), "", what))
    return tag


def parse_reference(text: str) -> Reference:
    """Read ``name``, ``name@version`` or ``name@tag``, maybe after ``registry:``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    name, found, at = text.removeprefix(_SCHEME).partition("@")
    check_name(name)
    if not found:
        return Reference(name)
    if at.isdecimal():
        if int(at) < 1:
            raise InputError(Problem(text, "", "has no such version; they count from 1"))
        return Reference(name, int(at))
    return Reference(name, check_tag(at))


def is_reference(text: str) -> bool:
    """Whether `text` is meant for the registry and is not a path."""
    if text.startswith(_SCHEME):
        return True
    found = _REFERENCE.fullmatch(text)
    return found is not None and all(is_name(part) for part in found["name"].split("/"))


def _registrable(name: str) -> str:
    try:
        return check_name(name)
    except InputError as error:
        raise PydanticCustomError("name", "{what}", {"what": str(error)}) from None


ReleaseName = Annotated[str, AfterValidator(_registrable)]
"""A name in the registry, for pydantic models."""
