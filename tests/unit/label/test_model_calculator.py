import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from lamflow.evaluate.predictor import Prediction
from lamflow.label.atoms import to_atoms
from lamflow.label.model_calculator import ModelCalculator


class EmtPredictor:
    """EMT as if it were a model."""

    type_map = ("Cu", "N", "O", "H")

    def predict(self, system):
        frames = [to_atoms(system, frame) for frame in range(system.nframes)]
        for atoms in frames:
            atoms.calc = EMT()
        virials = [
            -a.get_volume() * a.get_stress(voigt=False) if system.periodic else np.full((3, 3), 9e9)
            for a in frames
        ]
        return Prediction(
            np.array([a.get_potential_energy() for a in frames]),
            np.array([a.get_forces() for a in frames]),
            np.array(virials),
        )


@pytest.fixture
def copper():
    atoms = bulk("Cu", a=3.5, cubic=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def test_it_is_the_predictor_in_ases_signs_and_units(copper):
    copper.calc = EMT()
    energy, forces, stress = (
        copper.get_potential_energy(), copper.get_forces(), copper.get_stress()
    )  # fmt: skip
    copper.calc = ModelCalculator(EmtPredictor())
    assert copper.get_potential_energy() == pytest.approx(energy)
    np.testing.assert_allclose(copper.get_forces(), forces, atol=1e-12)
    np.testing.assert_allclose(copper.get_stress(), stress, atol=1e-12)


def test_a_molecule_has_no_stress():
    atoms = molecule("N2")
    atoms.calc = ModelCalculator(EmtPredictor())
    atoms.get_forces()
    assert "stress" not in atoms.calc.results
