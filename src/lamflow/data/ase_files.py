"""Read extxyz, and every other file that ASE reads, frame by frame."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.frames import FloatArray, System
from lamflow.data.source import ordered_labels
from lamflow.errors import InputError, Problem

# Names under which public extxyz files carry labels, in the order of preference. ASE itself moves
# energy, forces and stress into a calculator; the rest stays in Atoms.info and Atoms.arrays.
ENERGY_KEYS = ("energy", "free_energy", "Energy", "total_energy", "dft_energy", "REF_energy")
FORCE_KEYS = ("forces", "force", "Forces", "dft_forces", "REF_forces")
STRESS_KEYS = ("stress", "Stress", "dft_stress", "REF_stress")
VIRIAL_KEYS = ("virial", "virials", "dft_virial", "REF_virial")


@dataclass(frozen=True)
class Frame:
    """One frame as arrays; see `System` for shapes and units."""

    symbols: tuple[str, ...]
    coords: FloatArray
    cell: FloatArray | None
    labels: dict[str, FloatArray]
    index: int

    @property
    def key(self) -> tuple[int, bool, tuple[str, ...]]:
        """Frames with the same key fit into one System."""
        return len(self.symbols), self.cell is not None, ordered_labels(self.labels)


@dataclass(frozen=True)
class AseFile:
    """A file that ASE reads. Build it with `open_ase`, which scans it once."""

    path: Path
    name: str
    ase_format: str | None
    nframes: int
    elements: tuple[str, ...]
    labels: tuple[str, ...]

    def chunks(self, size: int) -> Iterator[System]:
        """Give all frames, at most `size` at a time, those of one shape together."""
        waiting: dict[Any, list[Frame]] = {}
        for frame in iter_frames(self.path, self.ase_format):
            group = waiting.setdefault(frame.key, [])
            group.append(frame)
            if sum(map(len, waiting.values())) >= size:
                largest = max(waiting, key=lambda key: len(waiting[key]))
                yield stack_frames(self.name, self.elements, waiting.pop(largest))
        for group in waiting.values():
            yield stack_frames(self.name, self.elements, group)


def open_ase(path: Path, name: str, ase_format: str | None = None) -> AseFile:
    """Scan a file once: count frames, elements and labels.

    Parameters
    ----------
    path
        The file.
    name
        What to call it in `System.name`.
    ase_format
        ASE's name of the format; None lets ASE find out.

    Raises
    ------
    InputError
        If ASE cannot read it, or it has no frames.
    """
    from lamflow.data.elements import sorted_symbols

    count, symbols, labels = 0, set[str](), set[str]()
    for frame in iter_frames(path, ase_format):
        count += 1
        symbols.update(frame.symbols)
        labels.update(frame.labels)
    if not count:
        raise InputError(Problem(str(path), "", "has 0 frames"))
    return AseFile(path, name, ase_format, count, sorted_symbols(symbols), ordered_labels(labels))


def iter_frames(path: Path, ase_format: str | None) -> Iterator[Frame]:
    """Give the frames of a file one by one; a frame that cannot be read is an InputError."""
    from ase.io import iread

    if not path.is_file():
        raise InputError(Problem(str(path), "", "no such file"))
    if not path.stat().st_size:
        raise InputError(Problem(str(path), "", "file is empty"))
    _check_unpacked(path)
    if ase_format == "extxyz":
        _check_counts(path)
    if ase_format == "db":
        _check_database(path)
    index = 0
    try:
        for index, atoms in enumerate(iread(str(path), index=":", format=ase_format)):
            yield _frame(atoms, index, path)
    except InputError:
        raise
    # ASE's readers raise whatever they stumble over (ValueError, KeyError, ImportError, ...).
    except Exception as error:
        what = f"ASE cannot read it near frame {index} ({type(error).__name__}: {error})"
        raise InputError(Problem(str(path), "", f"{what}; name its format with `fmt`")) from None


_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")


def _check_unpacked(path: Path) -> None:
    """Refuse packed files: what they hold may be far larger than the disk or the memory."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_PACKED):
        what = "is a packed file or an archive; unpack it, and give what is in it"
        raise InputError(Problem(str(path), "", what))


def _check_counts(path: Path) -> None:
    """Refuse a frame that claims more atoms than the file can hold: ASE would read on for hours."""
    size = path.stat().st_size
    with path.open("rb") as file:
        index = 0
        while line := file.readline():
            try:
                natoms = int(line)
            except ValueError:
                return  # for ASE to judge
            if natoms > size - file.tell():
                what = f"claims {natoms} atoms, more than the file can hold"
                raise InputError(Problem(str(path), f"frame {index}", what))
            for _ in range(natoms + 1):
                file.readline()
            index += 1


def _check_database(path: Path) -> None:
    """Refuse a database that is not ASE's: ASE would write its tables into it."""
    import sqlite3

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("select count(*) from systems").fetchone()
    except sqlite3.Error as error:
        raise InputError(Problem(str(path), "", f"is not a database of ASE ({error})")) from None


def stack_frames(name: str, type_map: tuple[str, ...], frames: list[Frame]) -> System:
    """Put frames of one key into one System whose types index `type_map`."""
    position = {symbol: index for index, symbol in enumerate(type_map)}
    labels = {key: np.stack([frame.labels[key] for frame in frames]) for key in frames[0].labels}
    cells = [frame.cell for frame in frames if frame.cell is not None]
    return System(
        name=name,
        type_map=type_map,
        types=np.array([[position[s] for s in frame.symbols] for frame in frames], dtype=np.int64),
        coords=np.stack([frame.coords for frame in frames]),
        cells=np.stack(cells) if cells else None,
        energies=labels.get("energy"),
        forces=labels.get("force"),
        virials=labels.get("virial"),
        origins=np.array([frame.index for frame in frames], dtype=np.int64),
    )


def _frame(atoms: Any, index: int, path: Path) -> Frame:
    symbols = tuple(atoms.get_chemical_symbols())
    where = f"frame {index}"
    if not symbols:
        raise InputError(Problem(str(path), where, "has no atoms"))
    if "X" in symbols:
        raise InputError(Problem(str(path), where, "has an atom of no known element (X)"))
    cell = None
    if atoms.pbc.any():
        cell = np.array(atoms.cell.array, dtype=np.float64)
        if not cell.any(axis=1).all():
            what = f"pbc is {atoms.pbc.tolist()} but a lattice vector is missing"
            raise InputError(Problem(str(path), where, what))
    try:
        labels = _labels(atoms, cell)
    except (ValueError, TypeError) as error:
        raise InputError(Problem(str(path), where, f"labels are not usable: {error}")) from None
    return Frame(symbols, np.array(atoms.positions, dtype=np.float64), cell, labels, index)


def _labels(atoms: Any, cell: FloatArray | None) -> dict[str, FloatArray]:
    known = dict(atoms.info) | dict(atoms.arrays)
    if atoms.calc is not None:
        known |= {key: value for key, value in atoms.calc.results.items() if value is not None}
    labels: dict[str, FloatArray] = {}
    if (energy := _first(known, ENERGY_KEYS)) is not None:
        labels["energy"] = energy.reshape(())
    if (force := _first(known, FORCE_KEYS)) is not None:
        labels["force"] = force.reshape(len(atoms), 3)
    if cell is None:
        return labels
    if (virial := _first(known, VIRIAL_KEYS)) is not None:
        labels["virial"] = virial.reshape(3, 3)
    elif (stress := _first(known, STRESS_KEYS)) is not None:
        labels["virial"] = -abs(float(np.linalg.det(cell))) * _tensor(stress)
    return labels


def _first(known: dict[str, Any], keys: tuple[str, ...]) -> FloatArray | None:
    for key in keys:
        if key in known:
            return np.array(known[key], dtype=np.float64)
    return None


def _tensor(stress: FloatArray) -> FloatArray:
    """Return stress as 3×3; six numbers are in ASE's order xx yy zz yz xz xy."""
    if stress.size != 6:
        return stress.reshape(3, 3)
    xx, yy, zz, yz, xz, xy = stress.ravel()
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
