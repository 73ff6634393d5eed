"""Read ``id_prop.json``, the training files of ALIGNN and JARVIS-tools.

A list of entries with ``atoms`` (``lattice_mat``, ``coords``, ``elements``, ``cartesian``),
``total_energy`` eV, ``forces`` eV/Å and ``stresses`` in kbar as VASP writes them: xx yy zz xy yz
zx, positive under compression.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.ase_files import Frame, stack_frames
from lamflow.data.elements import sorted_symbols, unknown_symbols
from lamflow.data.frames import FloatArray, System
from lamflow.data.source import ordered_labels
from lamflow.errors import InputError, Problem

FORMAT = "jarvis/id_prop"
_KBAR_A3 = 1602.1766


@dataclass(frozen=True)
class JarvisFile:
    """Entries of an id_prop.json; they are in memory. Build it with `open_jarvis`."""

    name: str
    frames: tuple[Frame, ...]

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return len(self.frames)

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that occur."""
        return sorted_symbols(symbol for frame in self.frames for symbol in frame.symbols)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that at least one frame carries."""
        return ordered_labels(label for frame in self.frames for label in frame.labels)

    def chunks(self, size: int) -> Iterator[System]:
        """Give all frames, those of one shape together, at most `size` at a time."""
        groups: dict[Any, list[Frame]] = {}
        for frame in self.frames:
            groups.setdefault(frame.key, []).append(frame)
        for group in groups.values():
            for start in range(0, len(group), size):
                yield stack_frames(self.name, self.elements, group[start : start + size])


def open_jarvis(path: Path, name: str) -> JarvisFile:
    """Read an id_prop.json.

    Raises
    ------
    InputError
        If it is no such file, or an entry is not complete.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), "", f"not readable as JSON ({error})")) from None
    if not isinstance(entries, list) or not entries:
        raise InputError(Problem(str(path), "", "a list of at least one entry is expected"))
    frames = []
    for index, entry in enumerate(entries):
        try:
            frames.append(_frame(entry, index))
        except (KeyError, TypeError, ValueError) as error:
            what = f"not usable ({type(error).__name__}: {error})"
            raise InputError(Problem(str(path), f"entry {index}", what)) from None
    source = JarvisFile(name, tuple(frames))
    if unknown := unknown_symbols(source.elements):
        raise InputError(Problem(str(path), "", f"no such element: {', '.join(unknown)}"))
    return source


def _frame(entry: Mapping[str, Any], index: int) -> Frame:
    atoms = entry["atoms"]
    symbols = tuple(str(symbol).strip() for symbol in atoms["elements"])
    cell = np.array(atoms["lattice_mat"], dtype=np.float64).reshape(3, 3)
    coords = np.array(atoms["coords"], dtype=np.float64).reshape(len(symbols), 3)
    if not atoms.get("cartesian"):
        coords = coords @ cell
    labels: dict[str, FloatArray] = {}
    if "total_energy" in entry:
        labels["energy"] = np.array(entry["total_energy"], dtype=np.float64).reshape(())
    if "forces" in entry:
        labels["force"] = np.array(entry["forces"], dtype=np.float64).reshape(len(symbols), 3)
    if "stresses" in entry:
        labels["virial"] = _virial(np.array(entry["stresses"], dtype=np.float64), cell)
    return Frame(symbols, coords, cell, labels, index)


def _virial(stresses: FloatArray, cell: FloatArray) -> FloatArray:
    if stresses.size == 9:
        tensor = stresses.reshape(3, 3)
    else:
        xx, yy, zz, xy, yz, zx = stresses.ravel()
        tensor = np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
    return np.asarray(tensor * abs(float(np.linalg.det(cell))) / _KBAR_A3)
