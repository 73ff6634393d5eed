"""Read a label from an ASE calculator, and refuse what can't be one."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.label.protocol import ImplausibleError, Label, Labeller

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


def label_atoms(
    labeller: Labeller,
    atoms: "Atoms",
    folder: Path,
    *,
    gentle: bool = False,
    largest_net_force_eV_per_A: float = 0.1,  # noqa: N803
) -> Label:
    """Label one frame, in this process.

    Raises
    ------
    UnconvergedError
        If there is no proof of convergence.
    ImplausibleError
        If a number is not finite, or the forces do not sum to about zero.
    Exception
        Whatever else the engine raises, such as that it has no stress for a periodic frame.
    """
    periodic = bool(atoms.pbc.any())
    try:
        boxed = atoms.copy()
        calculator = labeller.calculator(boxed, folder, gentle=gentle)
        energy, forces, virial = _compute(boxed, calculator, periodic=periodic)
        evidence = labeller.evidence(calculator, folder)
    except Exception as error:
        explained = labeller.explain(error, folder)
        if explained is error:
            raise
        raise explained from error
    _check(energy, forces, virial, largest_net_force_eV_per_A)
    return Label(energy, forces, virial, evidence)


def _compute(
    atoms: "Atoms", calculator: "BaseCalculator", *, periodic: bool
) -> tuple[float, FloatArray, FloatArray | None]:
    atoms.calc = calculator
    # Only the free energy has the forces as its derivative when electrons are smeared.
    consistent = "free_energy" in calculator.implemented_properties
    energy = float(atoms.get_potential_energy(force_consistent=consistent))
    forces = np.array(atoms.get_forces(apply_constraint=False), dtype=np.float64)
    if not periodic:
        return energy, forces, None
    stress = np.array(atoms.get_stress(voigt=False, apply_constraint=False), dtype=np.float64)
    return energy, forces, -atoms.get_volume() * stress


def _check(
    energy: float, forces: FloatArray, virial: FloatArray | None, largest_net_force: float
) -> None:
    arrays = {"energy": np.array(energy), "forces": forces, "virial": virial}
    for name, array in arrays.items():
        if array is not None and not np.isfinite(array).all():
            raise ImplausibleError(f"{name} not finite")
    net = float(np.linalg.norm(forces.sum(axis=0)))
    if net > largest_net_force:
        raise ImplausibleError(
            f"the forces sum to {net:.3f} eV/Å, more than {largest_net_force:g} eV/Å"
        )
