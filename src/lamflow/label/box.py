"""Boxes for molecules in codes that need a cell."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

_STEP_A = 2.0
_MARGIN_A = 0.5  # a flat molecule has no extent: it must not be just where the box jumps


def put_in_box(atoms: "Atoms", vacuum_A: float) -> None:  # noqa: N803
    """Set a rectangular cell around a molecule and move it, as a whole, to the middle.

    The sides are rounded up to whole 2 Å: a box that followed each small move of an atom would
    change the basis with it, and the energy would no longer be the one of the forces.

    Parameters
    ----------
    atoms
        The molecule; changed in place.
    vacuum_A
        Least vacuum on each side, Å.
    """
    extent = np.ptp(atoms.positions, axis=0) + 2 * vacuum_A + _MARGIN_A
    atoms.set_cell(_STEP_A * np.ceil(extent / _STEP_A))
    atoms.center()
