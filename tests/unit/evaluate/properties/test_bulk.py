"""Crystals with known answers: Lennard-Jones lattice sums and copper by EMT."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.units import GPa

from lamflow.errors import RunError
from lamflow.evaluate.properties.bulk import (
    cohesive_energy,
    elastic_tensor,
    equation_of_state,
    relaxed,
)

# Lattice sums of fcc over r^-12 and r^-6 in units of the neighbour distance.
# N. W. Ashcroft and N. D. Mermin, Solid State Physics (1976), Table 20.2.
A12, A6 = 12.13188, 14.45392
NEAREST = (2 * A12 / A6) ** (1 / 6)
ENERGY = -(A6**2) / (2 * A12)
EPSILON, SIGMA = 0.0104, 3.4


@pytest.fixture(scope="module")
def copper() -> Atoms:
    return relaxed(bulk("Cu"), EMT())


def argon() -> tuple[Atoms, LennardJones]:
    calculator = LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=9 * SIGMA, smooth=False)
    return bulk("Ar", "fcc", a=NEAREST * SIGMA * np.sqrt(2)), calculator


def lj_bulk_modulus() -> float:
    """B = r²U''/9v at the minimum, GPa, from the lattice sums."""
    second = 2 * EPSILON * (156 * A12 / NEAREST**14 - 42 * A6 / NEAREST**8) / SIGMA**2
    radius = NEAREST * SIGMA
    return float(second * radius**2 / (9 * radius**3 / np.sqrt(2)) / GPa)


def test_equation_of_state_of_lennard_jones() -> None:
    """Energy, volume and bulk modulus are lattice sums (a cutoff of 9 σ costs 0.4 %)."""
    found = equation_of_state(*argon())
    assert found.energy == pytest.approx(ENERGY * EPSILON, rel=0.01)
    assert found.volume == pytest.approx((NEAREST * SIGMA) ** 3 / np.sqrt(2), rel=0.005)
    assert found.bulk_modulus == pytest.approx(lj_bulk_modulus(), rel=0.015)


def test_copper_by_emt(copper: Atoms) -> None:
    """a₀ 3.5898 Å; C₁₁ 172.6, C₁₂ 115.4, C₄₄ 89.9, B 134.5 GPa."""
    assert copper.cell.lengths()[0] * np.sqrt(2) == pytest.approx(3.5898, abs=1e-3)
    tensor = elastic_tensor(copper, EMT(), relax_atoms=False)
    cubic = np.zeros((6, 6))
    cubic[:3, :3] = 115.4
    cubic[np.diag_indices(6)] = [172.6] * 3 + [89.9] * 3
    np.testing.assert_allclose(tensor, cubic, atol=1.0)
    found = equation_of_state(copper, EMT())
    assert found.bulk_modulus == pytest.approx((172.6 + 2 * 115.4) / 3, rel=0.01)
    assert found.volume == pytest.approx(3.5898**3 / 4, rel=1e-3)


def test_elastic_constants_obey_cauchy_for_pair_forces() -> None:
    """Central forces: C₁₂ = C₄₄ in a cubic crystal without stress."""
    atoms, calculator = argon()
    tensor = elastic_tensor(atoms, calculator, relax_atoms=False)
    assert tensor[0, 1] == pytest.approx(tensor[3, 3], rel=0.01)
    bulk_modulus = (tensor[0, 0] + 2 * tensor[0, 1]) / 3
    assert bulk_modulus == pytest.approx(lj_bulk_modulus(), rel=0.015)


def test_cohesive_energy_of_pairs() -> None:
    atoms, calculator = argon()
    found = cohesive_energy(atoms, calculator, isolated={"Ar": 0.0})
    assert found == pytest.approx(-ENERGY * EPSILON, rel=0.01)


def test_cohesive_energy_of_copper(copper: Atoms) -> None:
    """EMT's energies count from its own crystals: fcc copper has about 0."""
    alone = Atoms("Cu", cell=np.eye(3) * 20, pbc=True)
    alone.calc = EMT()
    assert cohesive_energy(copper, EMT()) == pytest.approx(
        alone.get_potential_energy() - copper.get_potential_energy()
    )
    assert cohesive_energy(copper, EMT()) == pytest.approx(3.51, abs=0.02)


def test_atoms_that_can_move_soften_a_crystal() -> None:
    """Relaxed constants are never above clamped ones: hcp has free coordinates under strain."""
    atoms = relaxed(bulk("Cu", "hcp", a=2.54, c=4.15), EMT())
    clamped = elastic_tensor(atoms, EMT(), relax_atoms=False)
    free = elastic_tensor(atoms, EMT())
    assert np.linalg.eigvalsh(clamped - free).min() > -0.5
    assert clamped[5, 5] - free[5, 5] > 1.0


def test_no_minimum_is_told(copper: Atoms) -> None:
    far = copper.copy()
    far.set_cell(copper.cell * 1.3, scale_atoms=True)
    with pytest.raises(RunError, match=r"no minimum between|can't be fitted"):
        equation_of_state(far, EMT())
    with pytest.raises(RunError, match="not relaxed below"):
        relaxed(far, EMT(), steps=1)


def test_the_given_atoms_stay_as_they_are(copper: Atoms) -> None:
    before = copper.copy()
    elastic_tensor(copper, EMT(), relax_atoms=False)
    equation_of_state(copper, EMT())
    assert copper == before
