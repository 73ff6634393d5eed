"""Fingerprints of frames that do not change with how a frame is written down.

Two frames that differ by a translation, a rotation, whole lattice vectors, the choice of cell
vectors or the order of atoms of one element have the same fingerprint.
"""

import hashlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from lamflow.data.frames import FloatArray, IntArray, System

CUTOFF_A = 6.0
_BINS = 24
_DIMENSIONS = 24


@dataclass(frozen=True)
class Pairs:
    """Pairs of atoms of one frame that are closer than a cutoff, each pair once.

    Attributes
    ----------
    first, second
        (npairs,) indices of the atoms.
    vectors
        (npairs, 3) Å, from first to second.
    distances
        (npairs,) Å.
    """

    first: IntArray
    second: IntArray
    vectors: FloatArray
    distances: FloatArray


def neighbour_pairs(coords: FloatArray, cell: FloatArray | None, cutoff: float = CUTOFF_A) -> Pairs:
    """Find all pairs closer than `cutoff` Å, under periodic boundaries if there is a cell.

    Parameters
    ----------
    coords
        (natoms, 3) Å, finite.
    cell
        (3, 3) Å, finite and not singular, or None.
    cutoff
        Å.

    Notes
    -----
    Source: cell lists, as the library vesin (Fraux et al.) implements them.
    """
    finder = _finder(cutoff)
    box = np.zeros((3, 3)) if cell is None else cell
    i, j, vectors, distances = finder.compute(coords, box, cell is not None, "ijDd")
    return Pairs(i.astype(np.int64), j.astype(np.int64), vectors, distances)


@cache
def _finder(cutoff: float) -> Any:
    """Keep one neighbour list per cutoff: it reuses its memory."""
    return _vesin().NeighborList(cutoff=cutoff, full_list=False, n_threads=1)


@cache
def _vesin() -> ModuleType:
    """Import vesin without torch, which it would import where it is installed (400 MB, seconds)."""
    if "torch" in sys.modules:
        return importlib.import_module("vesin")
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("vesin")
    finally:
        del sys.modules["torch"]


def fingerprint(pairs: Pairs, numbers: IntArray) -> FloatArray:
    """Return the fingerprint of one frame, (24,), no unit.

    A smooth histogram of pair distances per pair of elements, per atom, projected on 24 fixed
    random directions. Comparable only between frames of one composition.

    Parameters
    ----------
    pairs
        All pairs within `CUTOFF_A`.
    numbers
        (natoms,) an integer per element that means the same in all frames.

    Notes
    -----
    Sources: radial distribution fingerprints, Oganov & Valle, J. Chem. Phys. 130, 104504 (2009);
    projection that keeps distances, Johnson & Lindenstrauss, Contemp. Math. 26, 189 (1984).
    """
    low = np.minimum(numbers[pairs.first], numbers[pairs.second])
    high = np.maximum(numbers[pairs.first], numbers[pairs.second])
    kinds, kind = np.unique(low * 1000 + high, return_inverse=True)
    # Smooth to zero at the cutoff: a pair that crosses it must not make a jump. For the same
    # reason each pair is shared between the two bins that it lies between.
    weight = 0.5 * (np.cos(np.pi * pairs.distances / CUTOFF_A) + 1) / len(numbers)
    place = pairs.distances / CUTOFF_A * (_BINS - 1)
    left = place.astype(np.int64)
    share = place - left
    bins = kind * (_BINS + 1) + left
    size = len(kinds) * (_BINS + 1)
    table = np.bincount(bins, weight * (1 - share), size) + np.bincount(
        bins + 1, weight * share, size
    )
    result = np.zeros(_DIMENSIONS)
    for histogram, code in zip(table.reshape(-1, _BINS + 1), kinds, strict=True):
        result += histogram[:_BINS] @ _projection(int(code))
    return result


def fingerprints(system: System) -> Iterator[tuple[str, FloatArray]]:
    """Give composition and fingerprint of each frame; NaN where the frame is not usable."""
    table = _numbers(system)
    for index in range(system.nframes):
        numbers = table[system.types[index]]
        cell = None if system.cells is None else system.cells[index]
        coords = system.coords[index]
        usable = bool(np.isfinite(coords).all()) and (cell is None or _usable_cell(cell))
        name = composition(system, index)
        yield name, fingerprint(neighbour_pairs(coords, cell), numbers) if usable else unusable()


def unusable() -> FloatArray:
    """Return the fingerprint of a frame that has none."""
    return np.full(_DIMENSIONS, np.nan)


def composition(system: System, index: int) -> str:
    """Return the formula of a frame and whether it is periodic, for example ``O2Ti1`` ."""
    types, counts = np.unique(system.types[index], return_counts=True)
    parts = sorted(f"{system.type_map[t]}{n}" for t, n in zip(types, counts, strict=True))
    return "".join(parts) + ("" if system.periodic else " (molecule)")


def _usable_cell(cell: FloatArray) -> bool:
    return bool(np.isfinite(cell).all()) and abs(float(np.linalg.det(cell))) > 1e-3


def _numbers(system: System) -> IntArray:
    from ase.data import atomic_numbers

    return np.array([atomic_numbers[symbol] for symbol in system.type_map], dtype=np.int64)


_projections: dict[int, FloatArray] = {}


def _projection(code: int) -> FloatArray:
    """Return (bins, dimensions) random directions that depend on the element pair alone."""
    if code not in _projections:
        seed = int.from_bytes(hashlib.sha256(str(code).encode()).digest()[:8], "big")
        generator = np.random.default_rng(seed)
        directions = generator.standard_normal((_BINS, _DIMENSIONS))
        _projections[code] = directions / np.sqrt(_DIMENSIONS)
    return _projections[code]
