"""One notion of a dataset, whatever format it lies in.

`Dataset.open` finds the systems or files below a path and checks their headers; `systems` then
streams the frames. A source is never written to.
"""

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamflow.data.ase_files import open_ase
from lamflow.data.deepmd_npy import NpySystem, find_npy_systems, is_npy_system, open_npy
from lamflow.data.dpdata_files import open_dpdata
from lamflow.data.elements import sorted_symbols, unknown_symbols
from lamflow.data.frames import System
from lamflow.data.jarvis_files import FORMAT as JARVIS
from lamflow.data.jarvis_files import open_jarvis
from lamflow.data.source import Source, ordered_labels, retyped
from lamflow.errors import InputError, Problem

NPY = "deepmd/npy"
NPY_MIXED = "deepmd/npy/mixed"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# File names that ASE does not read, or not with all labels.
_OTHER_NAMES = {
    "OUTCAR*": "vasp/outcar",
    "*.hdf5": "deepmd/hdf5",
    "*.h5": "deepmd/hdf5",
    "running_scf.log": "abacus/scf",
    "id_prop.json": JARVIS,
}
_ASE_NAMES = {
    "*.extxyz": "extxyz",
    "*.xyz": "extxyz",
    "*.traj": "traj",
    "*.db": "db",
    "vasprun*.xml": "vasp-xml",
    "*.cif": "cif",
    "POSCAR*": "vasp",
    "CONTCAR*": "vasp",
    "*.xsf": "xsf",
}


@dataclass(frozen=True)
class Dataset:
    """Systems or files of one format; build it with `Dataset.open`.

    Attributes
    ----------
    path
        What was opened.
    fmt
        Its format: a name of dpdata, ``extxyz``, or ``ase`` for others that ASE reads.
    sources
        The system folders or files, sorted by name.
    type_map
        Elements that the types of all yielded systems index.
    faults
        Systems that cannot be read, by name, with what is wrong; only if opened tolerantly.
    """

    path: Path
    fmt: str
    sources: tuple[Source, ...]
    type_map: tuple[str, ...]
    faults: dict[str, InputError]

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        fmt: str | None = None,
        type_map: Sequence[str] | None = None,
        tolerant: bool = False,
    ) -> "Dataset":
        """Find the frames at or below `path`.

        Parameters
        ----------
        path
            A file, a system folder, or a folder that has such below it.
        fmt
            The format; None finds it from the content.
        type_map
            Order of the elements in what `systems` yields (default: those that occur, by
            atomic number); also the meaning of types where a deepmd folder names none.
        tolerant
            Keep unreadable systems in `faults` and go on, as long as one can be read.

        Raises
        ------
        InputError
            If the path is missing, has no frames, or (unless tolerant) anything in it is
            unreadable; carries every problem that was found.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(Problem(str(path), "", "no such file or folder"))
        if type_map is not None and (unknown := unknown_symbols(type_map)):
            raise InputError(Problem(str(path), "type_map", f"no such element: {unknown}"))
        openers, fmt = _openers(path, fmt, type_map)
        sources: list[Source] = []
        faults: dict[str, InputError] = {}
        for name, opener in openers.items():
            try:
                sources.append(opener())
            except InputError as error:
                faults[name] = error
        if (faults and not tolerant) or not sources:
            raise InputError(*(p for error in faults.values() for p in error.problems))
        if fmt == NPY and any(isinstance(one, NpySystem) and one.mixed for one in sources):
            fmt = NPY_MIXED
        return cls(path, fmt, tuple(sources), _type_map(path, sources, type_map), faults)

    @property
    def nframes(self) -> int:
        """Number of readable frames."""
        return sum(source.nframes for source in self.sources)

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that occur, by atomic number."""
        return sorted_symbols(symbol for source in self.sources for symbol in source.elements)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that at least one frame carries, of energy, force and virial."""
        return ordered_labels(label for source in self.sources for label in source.labels)

    @property
    def others(self) -> tuple[str, ...]:
        """Names of further labels that at least one frame carries (see `System.others`)."""
        found = {n for one in self.sources if isinstance(one, NpySystem) for n in one.others}
        return tuple(sorted(found))

    def systems(self, chunk: int = 1000) -> Iterator[System]:
        """Stream all frames, source by source, at most `chunk` at a time, on one type_map."""
        for source in self.sources:
            for system in source.chunks(chunk):
                yield retyped(system, self.type_map)


def _openers(
    path: Path, fmt: str | None, type_map: Sequence[str] | None
) -> tuple[dict[str, Callable[[], Source]], str]:
    """Return what opens each source, by name, and the format."""
    if fmt in (None, NPY, NPY_MIXED) and path.is_dir():
        found = find_npy_systems(path)
        if found:
            return {
                _name(folder, path): _npy_opener(folder, path, type_map) for folder in found
            }, NPY
    if fmt in (NPY, NPY_MIXED):
        what = "no deepmd/npy system (a folder with type.raw and set.*) at or below it"
        raise InputError(Problem(str(path), "", what))
    files = _data_files(path) if path.is_dir() and fmt is None else [path]
    if not files:
        what = "no data that lamflow knows at or below it; name the format with `fmt`"
        raise InputError(Problem(str(path), "", what))
    found_fmt = fmt or _guess(files[0])
    return {_name(file, path): _file_opener(file, path, fmt) for file in files}, found_fmt


def _name(path: Path, root: Path) -> str:
    if path == root:
        return "." if path.is_dir() else path.name
    return path.relative_to(root).as_posix()


def _npy_opener(folder: Path, root: Path, type_map: Sequence[str] | None) -> Callable[[], Source]:
    return lambda: open_npy(folder, _name(folder, root), type_map)


def _file_opener(file: Path, root: Path, fmt: str | None) -> Callable[[], Source]:
    def opener() -> Source:
        chosen = fmt or _guess(file)
        name = _name(file, root)
        if chosen == "ase":
            return open_ase(file, name)
        if chosen == JARVIS:
            return open_jarvis(file, name)
        if chosen in set(_ASE_NAMES.values()) or _is_ase_only(chosen):
            return open_ase(file, name, chosen)
        return open_dpdata(file, name, chosen)

    return opener


def _is_ase_only(fmt: str) -> bool:
    """Whether ASE knows a format of this name; dpdata's names have a slash."""
    from ase.io.formats import ioformats

    return "/" not in fmt and fmt in ioformats


def _data_files(folder: Path) -> list[Path]:
    from lamflow.files import list_files

    patterns = [*_OTHER_NAMES, *_ASE_NAMES]
    return [
        path
        for path in list_files(folder)
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
    ]


def _guess(file: Path) -> str:
    """Return the format of one file from its first bytes and its name."""
    if file.is_file():
        with file.open("rb") as stream:
            if stream.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC:
                return "deepmd/hdf5"
    for names in (_OTHER_NAMES, _ASE_NAMES):
        for pattern, fmt in names.items():
            if fnmatch.fnmatch(file.name, pattern):
                return fmt
    if file.suffix == ".lmdb":
        return "deepmd/lmdb"
    return "ase"


def _type_map(
    path: Path, sources: Sequence[Source], wanted: Sequence[str] | None
) -> tuple[str, ...]:
    elements = sorted_symbols(symbol for source in sources for symbol in source.elements)
    if wanted is None:
        return elements
    missing = [symbol for symbol in elements if symbol not in wanted]
    if missing:
        what = f"lacks {', '.join(missing)}, which occurs in the data; add it"
        raise InputError(Problem(str(path), "type_map", what))
    return tuple(wanted)


__all__ = ["NPY", "NPY_MIXED", "Dataset", "is_npy_system"]
