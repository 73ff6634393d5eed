"""Energies of vacancies and surfaces."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.evaluate.properties.bulk import relaxed

if TYPE_CHECKING:
    from ase import Atoms

_FMAX = 0.01  # eV/Å


def vacancy_energy(
    atoms: "Atoms",
    calculator: Any,
    index: int = 0,
    *,
    chemical_potential: float | None = None,
    relax: bool = True,
) -> float:
    """Return the formation energy of a vacancy at constant volume, eV.

    E(N−1) − E(N) + μ, with μ the energy of the atom where it goes to.

    Parameters
    ----------
    atoms
        Perfect supercell, relaxed; large enough that the vacancy does not see its images.
    calculator
        ASE calculator.
    index
        Which atom is taken out.
    chemical_potential
        μ, eV; default: the energy per atom of the crystal, right for an element.
    relax
        Whether the atoms around the vacancy relax.

    Notes
    -----
    C. Freysoldt et al., Rev. Mod. Phys. 86, 253 (2014), Eq. (1).
    """
    perfect = atoms.copy()
    perfect.calc = calculator
    energy = float(perfect.get_potential_energy())
    broken = atoms.copy()
    del broken[index]
    broken.calc = calculator
    if relax:
        broken = relaxed(broken, calculator, cell=False, fmax=_FMAX)
    potential = energy / len(atoms) if chemical_potential is None else chemical_potential
    return float(broken.get_potential_energy()) - energy + potential


def surface_energy(
    slab: "Atoms", calculator: Any, bulk_energy: float, *, relax: bool = True
) -> float:
    """Return the energy of a slab's surfaces, J/m².

    Parameters
    ----------
    slab
        Two equal surfaces, normal to its third cell vector, of an element or a compound in whole
        formula units.
    calculator
        ASE calculator.
    bulk_energy
        Energy per atom of the crystal, eV.
    relax
        Whether the atoms relax; the cell does not.

    Notes
    -----
    R. Tran et al., Sci. Data 3, 160080 (2016), Eq. (1).
    """
    from ase.units import J, m

    copy = slab.copy()
    copy.calc = calculator
    if relax:
        copy = relaxed(copy, calculator, cell=False, fmax=_FMAX)
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    excess = float(copy.get_potential_energy()) - len(slab) * bulk_energy
    return excess / (2 * area) / float(J / m**2)
