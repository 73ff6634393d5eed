"""Measure each frame once: the few numbers that all rules need."""

from dataclasses import dataclass, field

import numpy as np

from lamflow.data.fingerprint import composition, fingerprint, neighbour_pairs, unusable
from lamflow.data.frames import FloatArray, IntArray, System

BAD_ENERGY, BAD_FORCE, BAD_VIRIAL, BAD_COORD, BAD_CELL = 1, 2, 4, 8, 16
_COLUMNS = (
    "natoms", "broken", "handedness", "volume", "energy", "force_rms", "force_max", "force_net",
    "virial_rms", "gap",
)  # fmt: skip
_FLAT_CELL_A3 = 1e-3


@dataclass
class Chemistry:
    """Frames of one set of elements: the population that a frame is compared with.

    Attributes
    ----------
    elements
        Chemical symbols, sorted by atomic number.
    frames
        Number of each frame in the order in which the dataset streams.
    systems
        Index of the source of each frame.
    compositions
        Formula of each frame.
    columns
        One value per frame: natoms; broken (bits of what is not finite or flat); handedness (sign
        of the cell's determinant); volume Å³ per atom; energy eV per atom; force_rms, force_max
        eV/Å; force_net, |ΣF|, eV/Å; virial_rms eV per atom; gap Å, the smallest over the three
        lattice directions of the widest layer without atoms.
    closest
        Per frame the shortest distance of each pair of elements, (npairs,) Å, infinite if the
        pair does not come near.
    points
        Per frame its fingerprint.
    """

    elements: tuple[str, ...]
    frames: list[int] = field(default_factory=list)
    systems: list[int] = field(default_factory=list)
    compositions: list[str] = field(default_factory=list)
    columns: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})
    closest: list[FloatArray] = field(default_factory=list)
    points: list[FloatArray] = field(default_factory=list)

    def column(self, name: str) -> FloatArray:
        """Return one column as an array, (nframes,)."""
        return np.array(self.columns[name])

    def radii_sums(self) -> FloatArray:
        """Sum of the covalent radii of each pair of elements, (npairs,) Å.

        Source: Cordero et al., Dalton Trans. 2832 (2008), as tabulated in ASE.
        """
        from ase.data import atomic_numbers, covalent_radii

        radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in self.elements])
        first, second = np.triu_indices(len(self.elements))
        return np.asarray(radii[first] + radii[second])

    def pair_name(self, index: int) -> str:
        """Name of a pair of elements, such as ``Ti-O``."""
        first, second = np.triu_indices(len(self.elements))
        return f"{self.elements[first[index]]}-{self.elements[second[index]]}"


def measure(system: System, source: int, first: int, table: dict[str, Chemistry]) -> None:
    """Add all frames of `system` to the table.

    Parameters
    ----------
    system
        The frames.
    source
        Index of their source in the dataset.
    first
        Number of the first of them in the order in which the dataset streams.
    table
        Chemistry by its elements joined with dashes; grown as needed.
    """
    columns = _columns(system)
    for index in range(system.nframes):
        used = np.unique(system.types[index])
        elements = tuple(system.type_map[t] for t in used)
        chemistry = table.setdefault("-".join(elements), Chemistry(elements))
        chemistry.frames.append(first + index)
        chemistry.systems.append(source)
        chemistry.compositions.append(composition(system, index))
        for name, values in columns.items():
            chemistry.columns[name].append(float(values[index]))
        kinds = np.searchsorted(used, system.types[index])
        closest, point = _geometry(system, index, kinds, int(columns["broken"][index]))
        chemistry.closest.append(closest)
        chemistry.points.append(point)


def broken_bits(system: System) -> IntArray:
    """Return which arrays of each frame are not finite, and whether its cell is flat, as bits."""
    bits = np.zeros(system.nframes, dtype=np.int64)
    arrays = {
        BAD_ENERGY: system.energies, BAD_FORCE: system.forces, BAD_VIRIAL: system.virials,
        BAD_COORD: system.coords, BAD_CELL: system.cells,
    }  # fmt: skip
    for bit, array in arrays.items():
        if array is not None:
            # NaN is not below anything; what is beyond all physics (eV, Å) counts as infinite.
            finite = (np.abs(array.reshape(system.nframes, -1)) < 1e12).all(axis=1)
            bits[np.logical_not(finite)] |= bit
    if system.cells is not None:
        usable = np.flatnonzero(bits & BAD_CELL == 0)
        flat = np.abs(np.linalg.det(system.cells[usable])) < _FLAT_CELL_A3
        bits[usable[flat]] |= BAD_CELL
    return bits


def _columns(system: System) -> dict[str, FloatArray]:
    """Return what `Chemistry.columns` holds, for all frames; NaN where it is not known."""
    bits = broken_bits(system)
    columns = {name: np.full(system.nframes, np.nan) for name in _COLUMNS}
    columns["natoms"][:] = system.natoms
    columns["broken"][:] = bits
    columns["handedness"][:] = 0
    if system.cells is not None:
        usable = np.flatnonzero(bits & BAD_CELL == 0)
        determinant = np.linalg.det(system.cells[usable])
        columns["handedness"][usable] = np.sign(determinant)
        columns["volume"][usable] = np.abs(determinant) / system.natoms
        usable = np.flatnonzero(bits & (BAD_CELL | BAD_COORD) == 0)
        columns["gap"][usable] = _gaps(system.coords[usable], system.cells[usable])
    if system.energies is not None:
        usable = np.flatnonzero(bits & BAD_ENERGY == 0)
        columns["energy"][usable] = system.energies[usable] / system.natoms
    if system.forces is not None:
        usable = np.flatnonzero(bits & BAD_FORCE == 0)
        forces = system.forces[usable]
        columns["force_rms"][usable] = np.sqrt(np.mean(forces**2, axis=(1, 2)))
        columns["force_max"][usable] = np.linalg.norm(forces, axis=2).max(axis=1)
        columns["force_net"][usable] = np.linalg.norm(forces.sum(axis=1), axis=1)
    if system.virials is not None:
        usable = np.flatnonzero(bits & BAD_VIRIAL == 0)
        rms = np.sqrt(np.mean(system.virials[usable] ** 2, axis=(1, 2)))
        columns["virial_rms"][usable] = rms / system.natoms
    return columns


def _gaps(coords: FloatArray, cells: FloatArray) -> FloatArray:
    """Smallest over the lattice directions of the widest empty layer, (nframes,) Å."""
    inverse = np.linalg.inv(cells)
    places = np.sort((coords @ inverse) % 1.0, axis=1)
    ends = np.concatenate([places, places[:, :1] + 1.0], axis=1)
    widest = np.diff(ends, axis=1).max(axis=1)
    heights = 1.0 / np.linalg.norm(inverse, axis=1)
    return np.asarray((widest * heights).min(axis=1))


def _geometry(
    system: System, index: int, kinds: IntArray, broken: int
) -> tuple[FloatArray, FloatArray]:
    nelements = int(kinds.max()) + 1
    closest = np.full(nelements * (nelements + 1) // 2, np.inf)
    cell = None if system.cells is None else system.cells[index]
    coords = system.coords[index]
    if broken & (BAD_COORD | BAD_CELL):
        return closest, unusable()
    pairs = neighbour_pairs(coords, cell)
    low = np.minimum(kinds[pairs.first], kinds[pairs.second])
    high = np.maximum(kinds[pairs.first], kinds[pairs.second])
    # Place of (low, high) in the upper triangle, row by row.
    place = low * nelements - low * (low - 1) // 2 + high - low
    np.minimum.at(closest, place, pairs.distances)
    return closest, fingerprint(pairs, kinds)
