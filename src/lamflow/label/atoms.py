"""Frames as ASE atoms. Cells are taken as they are: nothing is rotated, wrapped or sorted."""

from typing import TYPE_CHECKING

import numpy as np

from lamflow.data.frames import System

if TYPE_CHECKING:
    from ase import Atoms


def to_atoms(system: System, frame: int) -> "Atoms":
    """Make ASE atoms of one frame; periodic in three directions or in none."""
    from ase import Atoms

    return Atoms(
        symbols=[system.type_map[index] for index in system.types[frame]],
        positions=system.coords[frame],
        cell=None if system.cells is None else system.cells[frame],
        pbc=system.periodic,
    )


def from_atoms(atoms: "Atoms", type_map: tuple[str, ...], name: str = "atoms") -> System:
    """Make an unlabelled system of one frame; mixed boundaries count as periodic."""
    cells = np.asarray(atoms.cell.array, dtype=np.float64)[None] if atoms.pbc.any() else None
    index = {symbol: position for position, symbol in enumerate(type_map)}
    return System(
        name=name,
        type_map=type_map,
        types=np.array([[index[symbol] for symbol in atoms.symbols]], dtype=np.int64),
        coords=np.asarray(atoms.positions, dtype=np.float64)[None].copy(),
        cells=cells,
        energies=None,
        forces=None,
        virials=None,
        origins=np.zeros(1, dtype=np.int64),
    )
