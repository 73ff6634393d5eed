"""Harmonic vibrations of a crystal, with phonopy (``pip install phonopy``)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

_DISPLACEMENT = 0.01  # Å
_MESH = (12, 12, 12)
_NOISE = 0.05  # THz; acoustic modes at Γ are zero but for rounding


@dataclass(frozen=True, eq=False)
class Phonons:
    """Vibrations on a mesh of wave vectors.

    Attributes
    ----------
    frequencies
        (nq, nbands) THz; imaginary ones are negative.
    heat_capacity
        At constant volume and `temperature`, J/(mol K) per mole of atoms.
    temperature
        K.
    """

    frequencies: FloatArray
    heat_capacity: float
    temperature: float

    @property
    def is_stable(self) -> bool:
        """Whether no mode is imaginary, but for the noise of the acoustic ones at Γ."""
        return bool(self.frequencies.min() > -_NOISE)


def phonons(
    atoms: "Atoms",
    calculator: Any,
    supercell: tuple[int, int, int],
    *,
    temperature: float = 300.0,
    displacement: float = _DISPLACEMENT,
) -> Phonons:
    """Compute force constants by finite displacements and diagonalize on a 12×12×12 mesh.

    Parameters
    ----------
    atoms
        Primitive or conventional cell, relaxed.
    calculator
        ASE calculator.
    supercell
        Repetitions for the force constants; twice the model's cutoff wide is exact.
    temperature
        For the heat capacity, K.
    displacement
        Of one atom at a time, Å.

    Raises
    ------
    InputError
        phonopy is not installed.

    Notes
    -----
    A. Togo et al., J. Phys.: Condens. Matter 35, 353001 (2023).
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError:
        raise InputError("phonons need phonopy; pip install phonopy") from None

    cell = PhonopyAtoms(
        symbols=list(atoms.symbols), cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )  # fmt: skip
    model = Phonopy(cell, supercell_matrix=np.diag(supercell))
    model.generate_displacements(distance=displacement)
    model.forces = [_forces(one, calculator) for one in model.supercells_with_displacements]
    model.produce_force_constants()
    model.symmetrize_force_constants()
    model.run_mesh(_MESH, is_gamma_center=True)
    model.run_thermal_properties(temperatures=[temperature])
    capacity = float(model.get_thermal_properties_dict()["heat_capacity"][0])
    return Phonons(
        np.asarray(model.get_mesh_dict()["frequencies"]), capacity / len(model.primitive),
        temperature,
    )  # fmt: skip


def _forces(cell: Any, calculator: Any) -> FloatArray:
    from ase import Atoms as Build

    atoms = Build(
        list(cell.symbols), cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True
    )
    atoms.calc = calculator
    return np.asarray(atoms.get_forces())
