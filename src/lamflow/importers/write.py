"""From another program's file to a workflow file of lamflow."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lamflow.errors import InputError, Problem
from lamflow.importers.dpgen2 import import_dpgen2
from lamflow.importers.notes import Imported
from lamflow.importers.pfd import import_pfd

FORMATS: dict[str, Callable[[Path], Imported]] = {"dpgen2": import_dpgen2, "pfd": import_pfd}
"""What can be imported, by name."""
_PATHS = ("structures", "path", "model", "teacher", "test")


def import_file(program: str, file: Path, folder: Path) -> Imported:
    """Import a file; paths are rewritten for a workflow file in `folder`.

    Raises
    ------
    InputError
        There is no such program, or the file is not an input of it.
    """
    if program not in FORMATS:
        what = f"{program!r} can't be imported; there are {', '.join(FORMATS)}"
        raise InputError(Problem("", "FORMAT", what))
    found = FORMATS[program](file)
    config = _moved(found.config, file.absolute().parent, folder.absolute())
    return Imported(config, found.warnings)


def to_yaml(imported: Imported, program: str, file: Path) -> str:
    """Write a workflow file, with the warnings as comments at its head."""
    lines = [f"# From {file.name} by lamflow import {program}. What to look at:"]
    lines += [f"#  - {warning}" for warning in imported.warnings] or ["#  - nothing"]
    text = yaml.safe_dump(
        imported.config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )
    return "\n".join([*lines, text])


def _moved(node: Any, old: Path, new: Path) -> Any:
    """Rewrite the values of keys that are paths: relative below `new`, else absolute."""
    if not isinstance(node, Mapping):
        return [_moved(item, old, new) for item in node] if isinstance(node, list) else node
    changed: dict[str, Any] = {}
    for key, value in node.items():
        if key in _PATHS and isinstance(value, str):
            changed[key] = _path(value, old, new)
        elif key in _PATHS and isinstance(value, list):
            changed[key] = [_path(item, old, new) if isinstance(item, str) else item
                            for item in value]  # fmt: skip
        else:
            changed[key] = _moved(value, old, new)
    return changed


def _path(text: str, old: Path, new: Path) -> str:
    if "/" not in text and "." not in text and not (old / text).exists():
        return text  # a preset's name
    path = Path(os.path.normpath(old / Path(text).expanduser()))
    return path.relative_to(new).as_posix() if path.is_relative_to(new) else str(path)
