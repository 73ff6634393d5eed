"""Measure each frame once: the few numbers that all rules need."""

from collections.abc import Iterator
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
    for index in range(system.nframes):
        used = np.unique(system.types[index])
        elements = tuple(system.type_map[t] for t in used)
        chemistry = table.setdefault("-".join(elements), Chemistry(elements))
        chemistry.frames.append(first + index)
        chemistry.systems.append(source)
        chemistry.compositions.append(composition(system, index))
        for name, value in _numbers(system, index):
            chemistry.columns[name].append(value)
        broken = int(chemistry.columns["broken"][-1])
        closest, point = _geometry(
            system, index, np.searchsorted(used, system.types[index]), broken
        )
        chemistry.closest.append(closest)
        chemistry.points.append(point)


def broken_bits(system: System, index: int) -> int:
    """Return which arrays of a frame are not finite, and whether its cell is flat, as bits."""
    arrays = {
        BAD_ENERGY: system.energies, BAD_FORCE: system.forces, BAD_VIRIAL: system.virials,
        BAD_COORD: system.coords, BAD_CELL: system.cells,
    }  # fmt: skip
    bits = sum(
        bit for bit, array in arrays.items()
        if array is not None and not np.isfinite(array[index]).all()
    )  # fmt: skip
    if system.cells is not None and not bits & BAD_CELL:
        flat = abs(float(np.linalg.det(system.cells[index]))) < _FLAT_CELL_A3
        bits |= BAD_CELL if flat else 0
    return bits


def _numbers(system: System, index: int) -> Iterator[tuple[str, float]]:
    natoms = system.natoms
    yield "natoms", float(natoms)
    bits = broken_bits(system, index)
    yield "broken", float(bits)
    determinant = 0.0
    if system.cells is not None and not bits & BAD_CELL:
        determinant = float(np.linalg.det(system.cells[index]))
    yield "handedness", float(np.sign(determinant))
    yield "volume", abs(determinant) / natoms if determinant else np.nan
    usable = system.energies is not None and not bits & BAD_ENERGY
    yield "energy", float(system.energies[index]) / natoms if usable else np.nan  # type: ignore[index]
    rms = largest = net = np.nan
    if system.forces is not None and not bits & BAD_FORCE:
        forces = system.forces[index]
        rms = float(np.sqrt(np.mean(forces**2)))
        largest = float(np.linalg.norm(forces, axis=1).max())
        net = float(np.linalg.norm(forces.sum(axis=0)))
    yield "force_rms", rms
    yield "force_max", largest
    yield "force_net", net
    virial = np.nan
    if system.virials is not None and not bits & BAD_VIRIAL:
        virial = float(np.sqrt(np.mean(system.virials[index] ** 2))) / natoms
    yield "virial_rms", virial
    yield "gap", np.nan if bits & (BAD_COORD | BAD_CELL) else _gap(system, index)


def _gap(system: System, index: int) -> float:
    """Smallest over the lattice directions of the widest empty layer, Å; NaN without a cell."""
    if system.cells is None:
        return np.nan
    cell = system.cells[index]
    places = np.sort((system.coords[index] @ np.linalg.inv(cell)) % 1.0, axis=0)
    steps = np.diff(np.vstack([places, places[:1] + 1.0]), axis=0).max(axis=0)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return float((steps * heights).min())


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
