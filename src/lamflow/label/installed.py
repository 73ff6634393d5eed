"""Tell whether an engine is installed, and what to type if it is not."""

import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lamflow.errors import InputError, Problem


def package_version(package: str, engine: str, hint: str) -> str:
    """Return the version of a Python package.

    Parameters
    ----------
    package
        Its name in the package index.
    engine
        The labeller that needs it.
    hint
        What to do if it is missing.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InputError(
            Problem("", f"label.{engine}", f"{package} is not installed; {hint}")
        ) from error


def find_program(command: Sequence[str], engine: str, debian: str) -> Path:
    """Return the file of a program, which is the last word of its command.

    Parameters
    ----------
    command
        The program, perhaps with a launcher and its options before it.
    engine
        The labeller that needs it.
    debian
        What to type on Debian if it is missing.

    Raises
    ------
    InputError
        If the launcher or the program is not installed.
    """
    for word in (command[0], command[-1]):
        if shutil.which(word) is None:
            what = f"{word} is not installed; on Debian: {debian}"
            raise InputError(Problem("", f"label.{engine}.command", what))
    return Path(str(shutil.which(command[-1]))).resolve()
