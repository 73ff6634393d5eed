"""The demonstration that comes with lamflow: workflow files and the data beside them."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.files import new_folder


def copy_demo(kind: str, file: Path) -> None:
    """Copy a kind's workflow file to `file` and its data to ``data/`` beside it.

    Raises
    ------
    InputError
        There is no demonstration of this kind, or something is in the way.
    """
    package = files("lamflow.workflows")
    if not (package / f"{kind}.yaml").is_file():
        raise InputError(Problem("", "KIND", f"there is no demonstration of {kind!r}"))
    target = file.parent / "data"
    if target.exists():
        raise InputError(Problem(str(target), "", "exists; choose a new folder with -o"))
    with as_file(package / "data") as data, new_folder(target) as folder:
        shutil.copytree(data, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py"))
    with as_file(package / f"{kind}.yaml") as source:
        shutil.copy2(source, file)
