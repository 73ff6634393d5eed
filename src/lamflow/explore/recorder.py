"""Collect the frames of a trajectory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lamflow.data.frames import FloatArray, System
from lamflow.explore.protocol import Stop, Trajectory

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class _Kept:
    step: int
    symbols: tuple[str, ...]
    coords: FloatArray
    cell: FloatArray
    energy: float
    temperature: float


class Recorder:
    """Keeps copies of frames of one number of atoms and one periodicity."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def keep(
        self, atoms: "Atoms", step: int, energy: float = np.nan, temperature: float = np.nan
    ) -> None:
        """Keep a frame, unless the one of this step is kept already."""
        if self._kept and self._kept[-1].step == step:
            return
        self._kept.append(
            _Kept(step, tuple(atoms.symbols), atoms.positions.copy(), atoms.cell.array.copy(),
                  energy, temperature)
        )  # fmt: skip

    def trajectory(self, start: "Atoms", elements: Sequence[str], stop: Stop | None) -> Trajectory:
        """Make a trajectory of what was kept.

        Parameters
        ----------
        start
            Gives the number of atoms and the periodicity if nothing was kept.
        elements
            The type map.
        stop
            Why it ended early.
        """
        index = {symbol: position for position, symbol in enumerate(elements)}
        kept = self._kept
        natoms = len(kept[0].coords) if kept else len(start)
        frames = System(
            name="explored",
            type_map=tuple(elements),
            types=np.array([[index[s] for s in k.symbols] for k in kept], dtype=np.int64).reshape(
                len(kept), natoms
            ),
            coords=np.array([k.coords for k in kept]).reshape(len(kept), natoms, 3),
            cells=np.array([k.cell for k in kept]).reshape(len(kept), 3, 3)
            if start.pbc.any()
            else None,
            energies=None,
            forces=None,
            virials=None,
            origins=np.array([k.step for k in kept], dtype=np.int64),
        )
        return Trajectory(
            frames,
            np.array([k.energy for k in kept], dtype=np.float64),
            np.array([k.temperature for k in kept], dtype=np.float64),
            stop,
        )
