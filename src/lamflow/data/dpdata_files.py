"""Read whatever dpdata reads (VASP, CP2K, ABACUS, QE, deepmd/hdf5, deepmd/lmdb, ...)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.frames import System
from lamflow.data.source import ordered_labels
from lamflow.errors import InputError, Problem


@dataclass(frozen=True)
class DpdataFile:
    """Frames that dpdata has read; they are in memory. Build it with `open_dpdata`."""

    name: str
    held: tuple[System, ...]

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return sum(system.nframes for system in self.held)

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that occur in the frames."""
        from lamflow.data.elements import sorted_symbols

        return sorted_symbols(
            system.type_map[index] for system in self.held for index in np.unique(system.types)
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that at least one frame carries."""
        return ordered_labels(label for system in self.held for label in system.labels)

    def chunks(self, size: int) -> Iterator[System]:
        """Give all frames in order, at most `size` at a time."""
        for system in self.held:
            for start in range(0, system.nframes, size):
                yield system.take(np.arange(start, min(start + size, system.nframes)))


def open_dpdata(path: Path, name: str, fmt: str) -> DpdataFile:
    """Read a file or folder with dpdata.

    Parameters
    ----------
    path
        The file or folder.
    name
        What to call it in `System.name`.
    fmt
        dpdata's name of the format, for example ``vasp/outcar``.

    Raises
    ------
    InputError
        If dpdata does not know the format, cannot read the file, or finds no frames.
    """
    known = known_formats()
    if fmt not in known:
        import difflib

        near = difflib.get_close_matches(fmt, sorted(known), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(Problem(str(path), "fmt", f"unknown format '{fmt}'{hint}"))
    data = _load(path, fmt)
    held, first = [], 0
    for one in data:
        held.append(_system(one, name, first))
        first += held[-1].nframes
    if not first:
        raise InputError(Problem(str(path), "", f"dpdata finds 0 frames as {fmt}"))
    source = DpdataFile(name, tuple(held))
    from lamflow.data.elements import unknown_symbols

    if unknown := unknown_symbols(source.elements):
        raise InputError(Problem(str(path), "", f"no such element: {', '.join(unknown)}"))
    return source


def known_formats() -> set[str]:
    """Names of the formats that dpdata reads."""
    from dpdata.format import Format

    return set(Format.get_formats())


def _load(path: Path, fmt: str) -> list[Any]:
    import dpdata

    text, errors = str(path), []
    several = fmt in {"deepmd/hdf5", "deepmd/lmdb"}
    for labeled in (True, False):
        try:
            if several:
                systems = dpdata.MultiSystems()
                systems.load_systems_from_file(text, fmt=fmt, labeled=labeled)
                return [one for one in systems if len(one)]
            load = dpdata.LabeledSystem if labeled else dpdata.System
            return [load(text, fmt=fmt)]
        # dpdata's readers raise whatever they stumble over.
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    raise InputError(Problem(str(path), "", f"dpdata cannot read it as {fmt} ({errors[0]})"))


def _system(one: Any, name: str, first: int) -> System:
    data = one.data
    count = len(data["coords"])
    types = np.tile(np.asarray(data["atom_types"], dtype=np.int64), (count, 1))

    def label(key: str) -> Any:
        return np.asarray(data[key], dtype=np.float64) if key in data else None

    energies = label("energies")
    return System(
        name=name,
        type_map=tuple(data["atom_names"]),
        types=types,
        coords=np.asarray(data["coords"], dtype=np.float64),
        cells=None if one.nopbc else np.asarray(data["cells"], dtype=np.float64),
        energies=None if energies is None else energies.reshape(count),
        forces=label("forces"),
        virials=label("virials"),
        origins=np.arange(first, first + count, dtype=np.int64),
    )
