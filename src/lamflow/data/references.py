"""Energy references per element, fitted to total energies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, System


@dataclass(frozen=True)
class References:
    """Energy of an atom of each element, so that their sum explains most of the total energy.

    Attributes
    ----------
    elements
        Chemical symbols.
    energies
        (nelements,) eV per atom.
    rank
        Rank of the composition matrix; less than its occurring elements if they are not
        independent.
    underdetermined
        Elements whose energy the data do not fix (only sums with others are fixed), and elements
        that do not occur, which get 0.
    """

    elements: tuple[str, ...]
    energies: FloatArray
    rank: int
    underdetermined: tuple[str, ...]

    def of(self, system: System) -> FloatArray:
        """Return the reference energy of each frame, (nframes,) eV."""
        position = {symbol: index for index, symbol in enumerate(self.elements)}
        table = np.array([self.energies[position[s]] if s in position else 0.0
                          for s in system.type_map])  # fmt: skip
        return np.asarray(table[system.types].sum(axis=1), dtype=np.float64)


def fit_references(
    counts: NDArray[np.int64] | FloatArray,
    energies: FloatArray,
    elements: Sequence[str] | None = None,
) -> References:
    """Fit one energy per element to total energies by least squares.

    The minimum-norm solution is taken where the compositions do not fix every element, after the
    mean energy per atom is removed, so that free directions stay near the mean energy per atom.

    Parameters
    ----------
    counts
        (nframes, nelements) atoms of each element.
    energies
        (nframes,) eV.
    elements
        Names of the columns; default: their numbers.

    Notes
    -----
    Source: the energy bias of DeePMD-kit (Wang et al., Comput. Phys. Commun. 228, 178 (2018)),
    linear regression of energies on composition. Solved by numpy's SVD in float64: totals near
    1e4 eV with differences of 1e-3 eV lose their meaning in float32.
    """
    matrix = np.asarray(counts, dtype=np.float64)
    target = np.asarray(energies, dtype=np.float64)
    names = tuple(elements) if elements is not None else tuple(map(str, range(matrix.shape[1])))
    atoms = matrix.sum(axis=1)
    # Mean energy per atom, taken first: only what differs between elements remains to be fitted.
    mean = float(target.sum() / atoms.sum())
    # Rows per atom, so that a large cell counts as much as a small one.
    rows = matrix / atoms[:, None]
    _, singular, right = np.linalg.svd(rows.T @ rows)
    cutoff = singular.max() * len(names) * np.finfo(np.float64).eps * 10
    rank = int((singular > cutoff).sum())
    solution = np.linalg.lstsq(rows, target / atoms - mean, rcond=1e-10)[0] + mean
    free = right[rank:]
    occurs = matrix.sum(axis=0) > 0
    unsure = (np.abs(free) > 1e-6).any(axis=0) | ~occurs
    solution[~occurs] = 0.0
    underdetermined = tuple(name for name, bad in zip(names, unsure, strict=True) if bad)
    return References(names, solution, rank, underdetermined)


def dataset_references(dataset: Dataset) -> References:
    """Fit references to all frames of a dataset that have a finite energy, streaming."""
    return system_references(dataset.systems(), dataset.type_map)


def system_references(systems: Iterable[System], type_map: tuple[str, ...]) -> References:
    """Fit references to all frames that have a finite energy.

    Each frame enters as one row; memory grows with frames × elements.

    Parameters
    ----------
    systems
        All with the same `type_map`.
    type_map
        Chemical symbols.
    """
    counts, energies = [], []
    for system in systems:
        if system.energies is not None:
            finite = np.isfinite(system.energies)
            counts.append(system.counts()[finite])
            energies.append(system.energies[finite])
    if not sum(map(len, energies)):
        return References(type_map, np.zeros(len(type_map)), 0, type_map)
    return fit_references(np.concatenate(counts), np.concatenate(energies), type_map)


@dataclass(frozen=True)
class Baseline:
    """The simplest prediction: mean energy per element, zero force.

    What a model has to beat to have learnt anything.
    """

    references: References

    def energies(self, system: System) -> FloatArray:
        """Return the energy of each frame, (nframes,) eV."""
        return self.references.of(system)

    def forces(self, system: System) -> FloatArray:
        """Return zero forces, (nframes, natoms, 3) eV/Å."""
        return np.zeros_like(system.coords)

    def virials(self, system: System) -> FloatArray:
        """Return zero virials, (nframes, 3, 3) eV."""
        return np.zeros((system.nframes, 3, 3))
