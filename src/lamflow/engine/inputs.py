"""The user's files as inputs of a graph."""

from pathlib import Path

from lamflow.config.location import is_remote
from lamflow.engine.graph import Source
from lamflow.errors import InputError, Problem


def source_of(location: str) -> Source:
    """Take a file or folder by its content.

    Raises
    ------
    InputError
        It lies in an object store, which this version reads only when it is synchronised.
    """
    if is_remote(location):
        raise InputError(Problem(location, "", "s3:// inputs are not read yet"))
    return Source.local(Path(location))
