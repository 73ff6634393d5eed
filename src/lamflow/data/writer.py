"""Write frames as canonical deepmd/npy/mixed, streaming, whole or not at all."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import System
from lamflow.errors import InputError, Problem
from lamflow.files import new_folder

SET_FRAMES = 5000


class NpyAppender:
    """A .npy file that grows along its first axis.

    numpy pads the header of a .npy file so that it can be rewritten in place with a longer first
    axis (numpy.lib.format, "GROWTH_AXIS_MAX_DIGITS"); the data never have to fit into memory.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self._path = path
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._length = 0
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, self._header())

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows, each of the shape given at the start."""
        data = np.ascontiguousarray(rows, dtype=self._dtype).reshape(len(rows), *self._shape)
        with self._path.open("ab") as file:
            file.write(data.tobytes())
        self._length += len(data)

    def close(self) -> None:
        """Write the true length into the header."""
        with self._path.open("r+b") as file:
            np.lib.format.write_array_header_1_0(file, self._header())

    def _header(self) -> dict[str, Any]:
        shape = (self._length, *self._shape)
        return {"descr": self._dtype.str, "fortran_order": False, "shape": shape}


class _SystemFolder:
    """One system folder that is being written: frames of one shape."""

    def __init__(self, folder: Path, system: System, small: str) -> None:
        self._folder = folder
        self._periodic = system.periodic
        self._labels = system.labels
        self._others = {name: int(array[0].size) for name, array in system.others.items()}
        self._natoms = system.natoms
        self._float = small
        self._open: dict[str, NpyAppender] = {}
        self._in_set = 0
        self._sets = 0
        self.nframes = 0
        folder.mkdir()
        (folder / "type.raw").write_text("0\n" * system.natoms)
        if not system.periodic:
            (folder / "nopbc").touch()

    def add(self, system: System) -> None:
        """Append all frames of a system of the same shape."""
        start = 0
        while start < system.nframes:
            if not self._open or self._in_set == SET_FRAMES:
                self._next_set()
            stop = min(system.nframes, start + SET_FRAMES - self._in_set)
            self._append(system.take(np.arange(start, stop)))
            start = stop

    def close(self, type_map: Sequence[str]) -> None:
        """Finish the open set and name the elements."""
        for appender in self._open.values():
            appender.close()
        (self._folder / "type_map.raw").write_text("\n".join(type_map) + "\n")

    def _next_set(self) -> None:
        for appender in self._open.values():
            appender.close()
        folder = self._folder / f"set.{self._sets:03d}"
        folder.mkdir()
        self._sets += 1
        self._in_set = 0
        width = 3 * self._natoms
        kinds: dict[str, tuple[tuple[int, ...], str]] = {
            "real_atom_types": ((self._natoms,), "<i4"),
            "coord": ((width,), self._float),
            "box": ((9,), "<f8"),
            "energy": ((), "<f8"),
            "force": ((width,), self._float),
            "virial": ((9,), "<f8"),
        }
        wanted = {"real_atom_types", "coord", *self._labels, *(["box"] if self._periodic else [])}
        self._open = {
            name: NpyAppender(folder / f"{name}.npy", *kinds[name])
            for name in kinds
            if name in wanted
        }
        self._open |= {
            name: NpyAppender(folder / f"{name}.npy", (size,), "<f8")
            for name, size in self._others.items()
        }

    def _append(self, system: System) -> None:
        arrays: dict[str, NDArray[Any] | None] = {
            "real_atom_types": system.types,
            "coord": system.coords,
            "box": system.cells,
            "energy": system.energies,
            "force": system.forces,
            "virial": system.virials,
            **system.others,
        }
        for name, appender in self._open.items():
            array = arrays[name]
            assert array is not None  # noqa: S101  frames of one folder have the same labels
            appender.append(array)
        self._in_set += system.nframes
        self.nframes += system.nframes


class DatasetWriter:
    """Collect frames into a dataset folder that appears whole when the block ends.

    ``with DatasetWriter(folder) as writer: writer.add(system)``. Frames with one number of atoms,
    periodicity and set of labels share a system folder, for example ``n027_ef_nopbc`` (e energy,
    f force, v virial; other labels by name and size). ``frames.tsv`` tells where each frame came
    from.

    Parameters
    ----------
    folder
        The dataset's folder; replaced if it exists.
    type_map
        Elements that `type_map.raw` names first; others follow in the order of their appearance.
    single
        Keep coordinates and forces as float32 (half the size; energies, cells and virials stay
        float64).
    """

    def __init__(
        self, folder: Path, type_map: Sequence[str] | None = None, *, single: bool = False
    ) -> None:
        self._target = folder
        self._type_map = list(type_map or ())
        self._float = "<f4" if single else "<f8"
        self._systems: dict[str, _SystemFolder] = {}
        self._whole: AbstractContextManager[Path] | None = None
        self._folder = folder

    def __enter__(self) -> "DatasetWriter":
        self._whole = new_folder(self._target)
        self._folder = self._whole.__enter__()
        self._table = (self._folder / "frames.tsv").open("w", encoding="utf-8")
        self._table.write("system\tindex\torigin_system\torigin_index\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._whole is not None  # noqa: S101  set by __enter__
        self._table.close()
        try:
            if error is None:
                self._finish()
        except BaseException as failure:
            self._whole.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._whole.__exit__(kind, error, trace)

    @property
    def nframes(self) -> int:
        """Number of frames added so far."""
        return sum(system.nframes for system in self._systems.values())

    @property
    def staging(self) -> Path:
        """Folder, inside the block only, where more files of the dataset may be put."""
        return self._folder

    def add(self, system: System) -> None:
        """Append all frames of `system`; a system of 0 frames adds nothing."""
        if not system.nframes:
            return
        name = system_name(system)
        if name not in self._systems:
            self._systems[name] = _SystemFolder(self._folder / name, system, self._float)
        writer = self._systems[name]
        for offset, origin in enumerate(system.origins):
            self._table.write(f"{name}\t{writer.nframes + offset}\t{system.name}\t{origin}\n")
        writer.add(self._on_own_types(system))

    def _on_own_types(self, system: System) -> System:
        from dataclasses import replace

        new = [symbol for symbol in system.type_map if symbol not in self._type_map]
        self._type_map += new
        table = np.array([self._type_map.index(s) for s in system.type_map], dtype=np.int64)
        return replace(system, type_map=tuple(self._type_map), types=table[system.types])

    def _finish(self) -> None:
        if not self._systems:
            raise InputError(Problem(str(self._target), "", "no frames to write"))
        for system in self._systems.values():
            system.close(self._type_map)


def system_name(system: System) -> str:
    """Name of the folder that holds frames of this shape."""
    letters = "".join(label[0] for label in system.labels)
    others = [f"{name}{array[0].size}" for name, array in sorted(system.others.items())]
    parts = [f"n{system.natoms:03d}", letters, *others, "" if system.periodic else "nopbc"]
    return "_".join(part for part in parts if part)
