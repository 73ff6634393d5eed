"""Read deepmd/npy and deepmd/npy/mixed system folders through numpy memory maps.

Own reader, and not dpdata's: frames keep their index in the source, and memory stays flat in
the number of frames. The format is that of DeePMD-kit's "System" documentation page: one folder
with ``type.raw``, ``type_map.raw``, ``nopbc`` and ``set.*/{coord,box,energy,force,virial}.npy``;
the mixed form adds ``set.*/real_atom_types.npy``.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.elements import unknown_symbols
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.errors import InputError, Problem

MIXED_TYPES = "real_atom_types"
_KNOWN = frozenset({"coord", "box", "energy", "force", "virial", MIXED_TYPES})


@dataclass(frozen=True)
class NpySystem:
    """One system folder. Build it with `open_npy`, which checks every file's header."""

    folder: Path
    name: str
    sets: tuple[Path, ...]
    lengths: tuple[int, ...]
    type_map: tuple[str, ...]
    types: IntArray
    mixed: bool
    periodic: bool
    labels: tuple[str, ...]
    elements: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def nframes(self) -> int:
        """Number of frames in all sets."""
        return sum(self.lengths)

    @property
    def natoms(self) -> int:
        """Atoms per frame."""
        return len(self.types)

    def chunks(self, size: int) -> Iterator[System]:
        """Give all frames in order, at most `size` at a time, as float64."""
        first = 0
        for folder, length in zip(self.sets, self.lengths, strict=True):
            maps = self.maps(folder)
            for start in range(0, length, size):
                stop = min(start + size, length)
                yield self.read(maps, start, stop, first)
            first += length

    def maps(self, folder: Path) -> dict[str, NDArray[Any]]:
        """Memory-map the arrays of one set."""
        names = ["coord", *self.labels, *self.others]
        names += ["box"] if self.periodic else []
        names += [MIXED_TYPES] if self.mixed else []
        return {name: open_npy_array(folder / f"{name}.npy") for name in names}

    def read(self, maps: dict[str, NDArray[Any]], start: int, stop: int, first: int) -> System:
        """Read frames `start` to `stop` of a set whose first frame is number `first`."""
        count = stop - start

        def read(name: str, *shape: int) -> FloatArray | None:
            if name not in maps:
                return None
            return np.array(maps[name][start:stop], dtype=np.float64).reshape(count, *shape)

        def read_rows(name: str) -> FloatArray:
            return np.array(maps[name][start:stop], dtype=np.float64).reshape(count, -1)

        if self.mixed:
            types = np.array(maps[MIXED_TYPES][start:stop], dtype=np.int64)
        else:
            types = np.tile(self.types, (count, 1))
        coords = read("coord", self.natoms, 3)
        assert coords is not None  # noqa: S101  open_npy has seen coord.npy in every set
        return System(
            name=self.name,
            type_map=self.type_map,
            types=types.reshape(count, self.natoms),
            coords=coords,
            cells=read("box", 3, 3),
            energies=read("energy"),
            forces=read("force", self.natoms, 3),
            virials=read("virial", 3, 3),
            origins=np.arange(first + start, first + stop, dtype=np.int64),
            others={name: read_rows(name) for name in self.others},
        )


def is_npy_system(folder: Path) -> bool:
    """Whether a folder has the marks of a deepmd/npy system."""
    return (folder / "type.raw").is_file() or any(folder.glob("set.*/coord.npy"))


def find_npy_systems(root: Path) -> list[Path]:
    """Return the system folders at or below `root`, sorted.

    Symbolic links are followed; a folder that was seen already (a loop) is not entered again.
    """
    found, seen = [], set()
    for folder, below, _ in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        if is_npy_system(Path(folder)):
            found.append(Path(folder))
            below.clear()
    return sorted(found)


def open_npy_array(path: Path) -> NDArray[Any]:
    """Memory-map one .npy file.

    Raises
    ------
    InputError
        If the file is missing, truncated, not .npy (an archive, say), or holds Python objects.
    """
    _check_regular(path)
    try:
        # Not np.load: that would unpack an archive that is named .npy.
        array = np.lib.format.open_memmap(path, mode="r")
    except (
        OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError,
        RecursionError, TokenError,
    ) as error:  # fmt: skip
        what = f"not a readable .npy file ({error}); write it again with numpy.save"
        raise InputError(Problem(str(path), "", what)) from None
    if array.dtype.kind not in "fiu":
        what = f"holds {array.dtype}, numbers are expected"
        raise InputError(Problem(str(path), "", what))
    return array


def _check_regular(path: Path) -> None:
    """Refuse what is missing, and what is no file: a pipe would be waited for without end."""
    if not os.path.lexists(path):
        raise InputError(Problem(str(path), "", "file is missing"))
    if not path.is_file():
        raise InputError(
            Problem(str(path), "", "is no regular file (a folder, pipe or broken link)")
        )


def open_npy(folder: Path, name: str, type_map: Sequence[str] | None = None) -> NpySystem:
    """Open one system folder and check that its files fit together.

    Parameters
    ----------
    folder
        The folder with ``type.raw``.
    name
        What to call it in `System.name`.
    type_map
        Meaning of the integers in ``type.raw`` if the folder has no ``type_map.raw``.

    Raises
    ------
    InputError
        With every problem that was found.
    """
    symbols = _read_type_map(folder, type_map)
    types = _read_types(folder)
    sets = tuple(sorted(path for path in folder.glob("set.*") if path.is_dir()))
    if not sets:
        raise InputError(Problem(str(folder), "", "no set.* folder: the system has no frames"))
    periodic = not (folder / "nopbc").exists()
    mixed = (sets[0] / f"{MIXED_TYPES}.npy").exists()
    if periodic and not (sets[0] / "box.npy").exists():
        what = "box.npy is missing: add it, or an empty file `nopbc` if the system is not periodic"
        raise InputError(Problem(str(sets[0] / "box.npy"), "", what))
    labels = tuple(
        name for name in ("energy", "force", "virial") if os.path.lexists(sets[0] / f"{name}.npy")
    )
    lengths = tuple(
        _check_set(path, len(types), labels, periodic=periodic, mixed=mixed) for path in sets
    )
    if not sum(lengths):
        raise InputError(Problem(str(folder), "", "the system has 0 frames"))
    used = _used_types(sets, mixed) if mixed else np.unique(types)
    if used[0] < 0 or used[-1] >= len(symbols):
        what = f"types run from {used[0]} to {used[-1]}, but type_map has {len(symbols)} elements"
        raise InputError(Problem(str(folder), "type.raw", what))
    elements = tuple(symbols[index] for index in used)
    return NpySystem(
        folder, name, sets, lengths, symbols, types, mixed, periodic, labels, elements,
        _others(sets, lengths),
    )  # fmt: skip


def _others(sets: Sequence[Path], lengths: Sequence[int]) -> tuple[str, ...]:
    """Names of further arrays of one row for each frame, in all sets: labels of other tasks."""
    found = {path.stem for path in sets[0].glob("*.npy")} - _KNOWN
    return tuple(
        sorted(
            name
            for name in found
            if all(
                _has_rows(folder / f"{name}.npy", length)
                for folder, length in zip(sets, lengths, strict=True)
            )
        )
    )


def _has_rows(path: Path, nframes: int) -> bool:
    try:
        array = open_npy_array(path)
    except InputError:
        return False
    return array.dtype.kind == "f" and array.ndim > 0 and len(array) == nframes > 0


def _read_type_map(folder: Path, given: Sequence[str] | None) -> tuple[str, ...]:
    path = folder / "type_map.raw"
    if path.is_file():
        try:
            symbols = tuple(path.read_text(encoding="utf-8").split())
        except UnicodeDecodeError:
            raise InputError(Problem(str(path), "", "is not a text file")) from None
    elif given is not None:
        symbols = tuple(given)
    else:
        what = "file is missing, so the elements are unknown; add it or give type_map"
        raise InputError(Problem(str(path), "", what))
    if unknown := unknown_symbols(symbols):
        raise InputError(Problem(str(path), "", f"no such element: {', '.join(unknown)}"))
    if len(set(symbols)) != len(symbols) or not symbols:
        raise InputError(Problem(str(path), "", f"empty or repeated elements: {list(symbols)}"))
    return symbols


def _read_types(folder: Path) -> IntArray:
    path = folder / "type.raw"
    _check_regular(path)
    try:
        types = np.array([int(word) for word in path.read_text().split()], dtype=np.int64)
    except (ValueError, OverflowError):
        raise InputError(Problem(str(path), "", "integers are expected")) from None
    if not types.size:
        raise InputError(Problem(str(path), "", "is empty: the system has no atoms"))
    return types


def _check_set(
    folder: Path, natoms: int, labels: Sequence[str], *, periodic: bool, mixed: bool
) -> int:
    """Return the number of frames of one set; raise every problem of its files."""
    widths = {"coord": 3 * natoms, "energy": 1, "force": 3 * natoms, "virial": 9, "box": 9}
    widths[MIXED_TYPES] = natoms
    names = ["coord", *labels, *(["box"] if periodic else []), *([MIXED_TYPES] if mixed else [])]
    problems: list[Problem] = []
    nframes = None
    for name in names:
        path = folder / f"{name}.npy"
        try:
            array = open_npy_array(path)
        except InputError as error:
            problems += error.problems
            continue
        nframes = len(array) if nframes is None and array.ndim else nframes
        if array.ndim == 0 or array.size != (nframes or 0) * widths[name]:
            what = f"shape {array.shape} does not fit {nframes} frames of {natoms} atoms"
            problems.append(Problem(str(path), "", f"{what}; expected {(nframes, widths[name])}"))
        elif name == MIXED_TYPES and array.dtype.kind not in "iu":
            problems.append(Problem(str(path), "", f"holds {array.dtype}, integers are expected"))
    if problems or nframes is None:
        raise InputError(*problems)
    return nframes


def _used_types(sets: Sequence[Path], mixed: bool) -> IntArray:
    used = [np.unique(open_npy_array(path / f"{MIXED_TYPES}.npy")) for path in sets]
    return np.unique(np.concatenate(used)).astype(np.int64)
