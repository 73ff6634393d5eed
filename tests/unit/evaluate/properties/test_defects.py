"""Defects whose energies are counts of bonds."""

import numpy as np
import pytest
from ase.build import bulk, fcc100, fcc111
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.units import J, m

from lamflow.evaluate.properties.bulk import relaxed
from lamflow.evaluate.properties.defects import surface_energy, vacancy_energy

NEAREST = 2.0
LATTICE = NEAREST * np.sqrt(2)


def bonds() -> LennardJones:
    """Only nearest neighbours see each other."""
    return LennardJones(sigma=NEAREST / 2 ** (1 / 6), epsilon=0.1, rc=1.2 * NEAREST)


def bond_energy() -> float:
    atoms = bulk("Ar", "fcc", a=LATTICE)
    atoms.calc = bonds()
    return float(atoms.get_potential_energy() / 6)


def test_a_vacancy_of_pair_forces_costs_six_bonds() -> None:
    """Twelve bonds break, and the atom finds six elsewhere: the energy of cohesion, unrelaxed."""
    atoms = bulk("Ar", "fcc", a=LATTICE, cubic=True).repeat(3)
    found = vacancy_energy(atoms, bonds(), relax=False)
    assert found == pytest.approx(-6 * bond_energy(), rel=1e-9)
    assert vacancy_energy(atoms, bonds(), chemical_potential=0.0, relax=False) == pytest.approx(
        -12 * bond_energy(), rel=1e-9
    )


@pytest.mark.parametrize(("build", "broken"), [(fcc111, 3), (fcc100, 4)])
def test_a_surface_of_pair_forces_costs_half_its_bonds(build, broken: int) -> None:
    """Each atom of the surface lacks 3 of 12 neighbours on (111), 4 on (100)."""
    slab = build("Ar", size=(2, 2, 6), a=LATTICE, vacuum=8.0, periodic=True)
    area = {3: np.sqrt(3) / 2 * NEAREST**2, 4: NEAREST**2}[broken]
    expected = -broken / 2 * bond_energy() / area / (J / m**2)
    found = surface_energy(slab, bonds(), 6 * bond_energy(), relax=False)
    assert found == pytest.approx(expected, rel=1e-9)


def test_relaxation_lowers_the_energy_of_defects_in_copper() -> None:
    copper = relaxed(bulk("Cu", cubic=True), EMT())
    atoms = copper.repeat(2)
    free, clamped = (vacancy_energy(atoms, EMT(), relax=relax) for relax in (True, False))
    assert 0.8 < free < clamped < 1.5
    slab = fcc111("Cu", size=(1, 1, 6), a=copper.cell.lengths()[0], vacuum=8.0, periodic=True)
    energy = copper.get_potential_energy() / 4
    free, clamped = (surface_energy(slab, EMT(), energy, relax=relax) for relax in (True, False))
    assert 0.5 < free < clamped < 1.5
