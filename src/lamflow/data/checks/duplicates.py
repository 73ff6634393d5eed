"""Frames that occur twice, also if they were shifted, turned, renumbered or slightly moved."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.spatial import cKDTree

from lamflow.data.checks.findings import Finding
from lamflow.data.checks.measure import Chemistry
from lamflow.data.fingerprint import CUTOFF_A, neighbour_pairs
from lamflow.data.frames import FloatArray, IntArray, System

SAME_A = 5e-4
"""Root mean square change of the sorted pair distances below which frames are the same, Å."""
_CANDIDATE = 1e-3
_NEIGHBOURS = 16
_SAME_UNLABELLED_A = 1e-5
_SAME_ENERGY_EV = 1e-4
_SAME_FORCE = 1e-3
_SAME_DIRECTION = 1e-4

ReadFrame = Callable[[int], System]


def find_duplicates(chemistry: Chemistry, read: ReadFrame) -> Iterator[Finding]:
    """Give every frame that repeats an earlier one of the same composition.

    Fingerprints propose (a KD-tree, near-linear in frames), sorted pair distances of each pair of
    elements decide: they are the same for all ways to write down one structure, and move by at
    most twice as much as the atoms. Frames that are near but carry other energies or forces (the
    end of a relaxation) are not the same. Periodic copies that are turned are DUP_TURNED: sets of
    strained cells hold such symmetry equivalents on purpose.

    Parameters
    ----------
    chemistry
        Measured frames of one set of elements.
    read
        Returns one frame, as a System of one frame, by its number.
    """
    names = np.array(chemistry.compositions)
    points = np.array(chemistry.points)
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        mine = mine[np.isfinite(points[mine]).all(axis=1)]
        if len(mine) > 1:
            yield from _in_composition(chemistry, mine, points[mine], read)


def _in_composition(
    chemistry: Chemistry, mine: IntArray, points: FloatArray, read: ReadFrame
) -> Iterator[Finding]:
    reach = _CANDIDATE * max(1.0, float(np.median(np.linalg.norm(points, axis=1))))
    count = min(_NEIGHBOURS + 1, len(mine))
    distance, index = cKDTree(points).query(points, k=count, distance_upper_bound=reach)
    lists: dict[int, tuple[System, FloatArray]] = {}

    def known(position: int) -> tuple[System, FloatArray]:
        if position not in lists:
            system = read(chemistry.frames[mine[position]])
            lists[position] = (system, sorted_distances(system))
        return lists[position]

    for position in range(len(mine)):
        near = index[position][np.isfinite(distance[position])]
        copies = []
        for other in sorted(int(one) for one in near if one < position):
            change = _change(known(position), known(other))
            if change is not None:
                copies.append((_turned(known(position)[0], known(other)[0]), other, change))
        if copies:
            turned, other, change = min(copies)
            yield _finding(chemistry, mine[position], mine[other], change, turned)


def _finding(chemistry: Chemistry, index: int, other: int, change: float, turned: bool) -> Finding:
    how = "turned, " if turned else ""
    what = (
        f"the same structure and labels as frame number {chemistry.frames[other]} of the dataset "
        f"({how}distances differ by {change:.1e} Å)"
    )
    code = "DUP_TURNED" if turned else "DUP"
    return Finding(chemistry.frames[index], code, change, SAME_A, what)


def _turned(one: System, other: System) -> bool:
    """Whether periodic frames are the same only after a rotation."""
    if one.cells is None or other.cells is None:
        return False
    first, second = _orientation(one), _orientation(other)
    return bool(np.abs(first - second).max() > _SAME_DIRECTION * float(np.trace(first)))


def _orientation(system: System) -> FloatArray:
    """Weighted mean direction of all pairs as a tensor, (3, 3); turns with the frame."""
    pairs = neighbour_pairs(system.coords[0], None if system.cells is None else system.cells[0])
    units = pairs.vectors / pairs.distances[:, None]
    weight = 0.5 * (np.cos(np.pi * pairs.distances / CUTOFF_A) + 1)
    # The short pairs tell directions best, and a sum over whole shells of neighbours little.
    tensor: FloatArray = (units * (weight / pairs.distances)[:, None]).T @ units
    return tensor


def sorted_distances(system: System) -> FloatArray:
    """Return all pair distances within the cutoff of a one-frame system, sorted by elements.

    Returns
    -------
    FloatArray
        (npairs, 2): code of the pair of elements, distance Å.
    """
    types = system.types[0]
    pairs = neighbour_pairs(system.coords[0], None if system.cells is None else system.cells[0])
    low = np.minimum(types[pairs.first], types[pairs.second])
    high = np.maximum(types[pairs.first], types[pairs.second])
    code = low * len(system.type_map) + high
    order = np.lexsort((pairs.distances, code))
    return np.stack([code[order].astype(np.float64), pairs.distances[order]], axis=1)


def _change(one: tuple[System, FloatArray], other: tuple[System, FloatArray]) -> float | None:
    """Root mean square change of the distances, Å; None if these are not the same frame."""
    (first, left), (second, right) = one, other
    if not _same_labels(first, second):
        return None
    # Pairs that cross the cutoff, at the far end of each list, are not compared.
    total = count = 0.0
    for code in np.union1d(left[:, 0], right[:, 0]):
        a, b = left[left[:, 0] == code, 1], right[right[:, 0] == code, 1]
        if abs(len(a) - len(b)) > 2 + 0.02 * len(a):
            return None
        shared = min(len(a), len(b))
        total += float(((a[:shared] - b[:shared]) ** 2).sum())
        count += shared
    change = float(np.sqrt(total / count)) if count else 0.0
    # Without labels that agree, only rounding may differ.
    return change if change < (SAME_A if first.labels else _SAME_UNLABELLED_A) else None


def _same_labels(first: System, second: System) -> bool:
    if first.labels != second.labels:
        return False
    if first.energies is not None and second.energies is not None:
        gap = abs(float(first.energies[0] - second.energies[0]))
        # NaN: a copy of a frame with a broken label is a copy all the same.
        if np.isfinite(gap) and gap > _SAME_ENERGY_EV:
            return False
    if first.forces is not None and second.forces is not None:
        sizes = [np.sort(np.linalg.norm(one.forces[0], axis=1)) for one in (first, second)]  # type: ignore[index]
        gaps = np.abs(sizes[0] - sizes[1])
        return not bool((gaps > _SAME_FORCE).any())
    return True
