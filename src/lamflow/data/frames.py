"""Frames of atoms and their labels, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class System:
    """Frames with one number of atoms, one periodicity and one set of labels.

    Attributes
    ----------
    name
        Folder (or file and group) that the frames came from, relative to its dataset, POSIX.
    type_map
        Chemical symbols; `types` are indices into it.
    types
        (nframes, natoms), each frame may have its own composition.
    coords
        (nframes, natoms, 3) Å.
    cells
        (nframes, 3, 3) Å, lattice vectors as rows; None if not periodic.
    energies
        (nframes,) eV, total; None if unlabelled.
    forces
        (nframes, natoms, 3) eV/Å or None.
    virials
        (nframes, 3, 3) eV, −V·stress = −dE/dε, or None.
    origins
        (nframes,) index of each frame in the source named `name`.
    others
        Further labels by the name of their file, (nframes, ...) in units of their own: properties,
        densities of states, magnetic moments.
    """

    name: str
    type_map: tuple[str, ...]
    types: IntArray
    coords: FloatArray
    cells: FloatArray | None
    energies: FloatArray | None
    forces: FloatArray | None
    virials: FloatArray | None
    origins: IntArray
    others: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return int(self.coords.shape[0])

    @property
    def natoms(self) -> int:
        """Atoms per frame."""
        return int(self.coords.shape[1])

    @property
    def periodic(self) -> bool:
        """Whether the frames have a cell."""
        return self.cells is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """Which of energy, force and virial the frames carry."""
        named = {"energy": self.energies, "force": self.forces, "virial": self.virials}
        return tuple(name for name, array in named.items() if array is not None)

    def take(self, frames: Sequence[int] | IntArray | NDArray[np.bool_]) -> "System":
        """Return the frames that an index or mask array names, in that order."""
        picked: dict[str, Any] = {
            field: None if getattr(self, field) is None else getattr(self, field)[frames]
            for field in (
                "types", "coords", "cells", "energies", "forces", "virials", "origins",
            )
        }  # fmt: skip
        others = {name: array[frames] for name, array in self.others.items()}
        return replace(self, **picked, others=others)

    def counts(self) -> IntArray:
        """Count atoms of each element: (nframes, len(type_map))."""
        table = np.zeros((self.nframes, len(self.type_map)), dtype=np.int64)
        for index in range(len(self.type_map)):
            table[:, index] = (self.types == index).sum(axis=1)
        return table
