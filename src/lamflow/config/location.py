"""Where data lies: a local path or an ``s3://bucket/key``, as a config names it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from lamflow.errors import InputError

S3_SCHEME = "s3://"
_ENVIRONMENT = re.compile(r"\$\{env:([^}]*)\}")
_BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


class TakesEnvironment:
    """Marks a field in whose value ``${env:NAME}`` is replaced."""


def is_remote(location: str) -> bool:
    """Whether `location` is in an object store and not on this machine."""
    return location.startswith(S3_SCHEME)


def uses_environment(text: str) -> bool:
    """Whether `text` holds a ``${env:NAME}``."""
    return "${env:" in text


def _fail(message: str, **values: str) -> PydanticCustomError:
    return PydanticCustomError("location", message, values)


def _expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace each ``${env:NAME}``; a name that isn't set is an error."""
    for name in _ENVIRONMENT.findall(text):
        if not environment.get(name):
            raise _fail(
                "environment variable '{name}' is not set; export it before the command",
                name=name,
            )
    return _ENVIRONMENT.sub(lambda match: environment[match[1]], text)


def _local(text: str, folder: Path) -> str:
    """Return `text` as an absolute path; a relative one may not climb out of `folder`."""
    if Path(text).is_absolute():
        return os.path.normpath(text)
    absolute = os.path.normpath(folder / text)
    if not Path(absolute).is_relative_to(folder):
        raise _fail(
            "'{text}' leaves the folder of the config file, and relative paths stay inside it; "
            "write the absolute path {absolute} if that is what you mean",
            text=text,
            absolute=absolute,
        )
    return absolute


def _expand_home(text: str) -> str:
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise _fail("'{text}' names the home of a user that is not known", text=text) from error


def _remote(text: str) -> str:
    """Check an S3 address; a slash at its end is dropped."""
    from lamflow.store.open import split_s3

    try:
        bucket, key = split_s3(text)
    except InputError as error:
        raise _fail("{what}", what=str(error)) from error
    if not key or not _BUCKET.fullmatch(bucket):
        raise _fail("'{text}' is no S3 address; write s3://bucket/prefix", text=text)
    return f"{S3_SCHEME}{bucket}/{key}"


def resolve(text: str, info: ValidationInfo) -> str:
    """Make a location absolute, given the folder in pydantic's validation context."""
    context = info.context or {}
    text = _expand(text, context.get("environment", {}))
    if not text or "\0" in text:
        raise _fail("is empty; give a path or s3://bucket/prefix")
    if is_remote(text):
        return _remote(text)
    if "://" in text:
        raise _fail("'{text}' is neither a path nor s3://bucket/prefix", text=text)
    folder = context.get("folder")
    return text if folder is None else _local(_expand_home(text), folder)


Location = Annotated[str, AfterValidator(resolve), TakesEnvironment()]
"""A path or S3 address; the loader makes relative paths absolute."""
