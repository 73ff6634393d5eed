"""What an importer gives back, and how it reads a file without losing anything silently."""

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lamflow.config.base import NAME_LENGTH, is_name
from lamflow.errors import InputError, Problem

_COMMENT = "_"
_MASS_TOLERANCE = 0.05


@dataclass(frozen=True)
class Imported:
    """A configuration made of another program's input.

    Attributes
    ----------
    config
        Plain data of a workflow file; paths are as in the input, relative to its folder.
    warnings
        What could not be carried over, what it means here, and mistakes of the input.
    """

    config: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass
class Input:
    """A file to import, with the warnings so far.

    Attributes
    ----------
    file
        The file.
    data
        What is in it.
    warnings
        Said so far.
    """

    file: Path
    data: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> "Input":
        """Read a JSON file; a key that is there twice is warned of.

        Raises
        ------
        InputError
            There is no file, or it is not a JSON object.
        """
        twice: list[str] = []

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            names = [name for name, _ in items if not name.startswith(_COMMENT)]
            twice.extend(name for name in set(names) if names.count(name) > 1)
            return dict(items)

        try:
            data = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=pairs)
        except OSError as error:
            raise InputError(Problem(str(file), "", f"can't be read: {error.strerror}")) from error
        except json.JSONDecodeError as error:
            where = f"{file}:{error.lineno}"
            raise InputError(Problem(where, "", f"not JSON: {error.msg}")) from error
        except ValueError as error:
            raise InputError(Problem(str(file), "", f"not JSON: {error}")) from error
        if not isinstance(data, dict):
            raise InputError(Problem(str(file), "", "holds no JSON object"))
        found = cls(file, data)
        for name in sorted(set(twice)):
            found.warn(name, "is given twice; the last one counts, as there")
        return found

    def warn(self, key: str, what: str) -> None:
        """Note something that the user must know."""
        self.warnings.append(f"{key}: {what}" if key else what)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value at a dotted key."""
        value: Any = self.data
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default
            value = value[part]
        return default if value is None else value

    def section(self, key: str) -> dict[str, Any]:
        """Return the object at a dotted key, {} if there is none.

        Raises
        ------
        InputError
            There is something else.
        """
        value = self.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be an object {...}")
        return {name: item for name, item in value.items() if not name.startswith(_COMMENT)}

    def number(self, key: str, default: float | int) -> Any:
        """Return the number at a dotted key.

        Raises
        ------
        InputError
            There is something else.
        """
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"{value!r} is no number")
        return value

    def error(self, key: str, what: str) -> InputError:
        """Make the error of a key."""
        return InputError(Problem(str(self.file), key, what))

    def leave_out(self, key: str, known: Iterable[str], reasons: Mapping[str, str]) -> None:
        """Warn of each entry of a section that is not carried over.

        Parameters
        ----------
        key
            The section; "" for the whole file.
        known
            Entries that the importer has used.
        reasons
            Entries of the other program's schema that it has not, and why.
        """
        used = set(known)
        section = self.section(key) if key else self.data
        for name in section:
            if name in used or name.startswith(_COMMENT):
                continue
            where = f"{key}.{name}" if key else name
            if name in reasons:
                self.warn(where, reasons[name])
                continue
            near = get_close_matches(name, [*used, *reasons], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            self.warn(where, f"unknown key, not carried over{hint}")

    def paths(self, key: str, prefix: str | None) -> list[str]:
        """Return the paths at a dotted key, patterns expanded, relative to the file's folder."""
        value = self.get(key, [])
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.error(key, "must be a path or a list of paths")
        found = []
        for name in names:
            path = os.path.normpath(os.path.join(prefix or "", name))  # noqa: PTH118
            if not glob.has_magic(path):
                found.append(path)
                continue
            matches = sorted(glob.glob(path, root_dir=self.file.parent))  # noqa: PTH207
            if not matches:
                self.warn(key, f"nothing matches {path}; it is left out")
            found += matches
        return found


def check_masses(source: Input, elements: list[str], masses: Any, key: str) -> None:
    """Warn of masses that are not those of the elements; lamflow takes ASE's."""
    from ase.data import atomic_masses, atomic_numbers

    if masses in (None, "auto") or not isinstance(masses, list):
        return
    if len(masses) != len(elements):
        source.warn(key, f"has {len(masses)} masses for {len(elements)} elements; ASE's are used")
    for symbol, mass in zip(elements, masses, strict=False):
        if symbol not in atomic_numbers or not isinstance(mass, int | float):
            continue
        true = float(atomic_masses[atomic_numbers[symbol]])
        if abs(mass - true) > _MASS_TOLERANCE * true:
            source.warn(
                key,
                f"{symbol} has mass {mass:g} and weighs {true:.3f}: with it all times in MD are "
                "wrong. lamflow takes masses from ASE; isotopes are not carried over",
            )


def to_name(text: str, taken: Iterable[str] = ()) -> str:
    """Make a name of a path or word, unlike those in `taken`."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[-(NAME_LENGTH - 4) :].strip("-")
    name = words if is_name(words) else "data"
    number, found = 2, name
    while found in set(taken):
        found = f"{name}-{number}"
        number += 1
    return found
