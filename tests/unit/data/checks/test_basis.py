import numpy as np
import pytest

from lamflow.data.checks.basis import LocalBasis
from lamflow.data.fingerprint import neighbour_pairs

STEP = 1e-5


@pytest.mark.parametrize("nelements", [1, 2, 4])
def test_forces_and_virial_are_the_derivatives_of_the_energy(nelements: int) -> None:
    rng = np.random.default_rng(nelements)
    types = np.arange(5) % nelements
    coords = rng.random((5, 3)) * 3
    cell = np.eye(3) * 5 + rng.random((3, 3)) * 0.2
    basis = LocalBasis(nelements)
    weights = rng.standard_normal(basis.size)

    def energy(x: np.ndarray, c: np.ndarray) -> float:
        return float(basis.features(types, neighbour_pairs(x, c)).energy @ weights)

    features = basis.features(types, neighbour_pairs(coords, cell))
    forces = (features.forces @ weights).reshape(5, 3)
    virial = (features.virial @ weights).reshape(3, 3)
    for atom, axis in ((0, 0), (2, 1), (4, 2)):
        move = np.zeros((5, 3))
        move[atom, axis] = STEP
        slope = (energy(coords + move, cell) - energy(coords - move, cell)) / (2 * STEP)
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-5, abs=1e-5)
    for row, column in ((0, 0), (0, 1), (2, 1)):
        strain = np.zeros((3, 3))
        strain[row, column] = STEP
        plus, minus = np.eye(3) + strain, np.eye(3) - strain
        slope = (energy(coords @ plus, cell @ plus) - energy(coords @ minus, cell @ minus)) / (
            2 * STEP
        )
        assert virial[row, column] == pytest.approx(-slope, rel=1e-4, abs=1e-4)


def test_net_force_of_every_feature_is_zero() -> None:
    coords = np.random.default_rng(0).random((6, 3)) * 4
    features = LocalBasis(2).features(np.arange(6) % 2, neighbour_pairs(coords, np.eye(3) * 6))
    np.testing.assert_allclose(features.forces.reshape(6, 3, -1).sum(axis=0), 0, atol=1e-9)


def test_a_lone_atom_has_no_features() -> None:
    features = LocalBasis(1).features(
        np.zeros(1, dtype=int), neighbour_pairs(np.zeros((1, 3)), None)
    )
    assert not features.energy.any()
    assert features.forces.shape == (3, LocalBasis(1).size)
