import numpy as np
import pytest
from ase.build import bulk

from lamflow.label.kpoints import gamma_mesh


def test_the_two_pi_is_in():
    """VASP's KSPACING = 0.3 gives 7×7×7 for silicon's primitive cell, not 2×2×2."""
    assert gamma_mesh(bulk("Si", a=5.43).cell.array, 0.3) == (7, 7, 7)


def test_long_axes_get_fewer_points():
    assert gamma_mesh(np.diag([2.0, 4.0, 50.0]), 0.5) == (7, 4, 1)


@pytest.mark.parametrize("noise", [-1e-12, 0, 1e-12])
def test_rounding_does_not_change_the_mesh(noise):
    assert gamma_mesh(np.eye(3) * (2 * np.pi + noise), 0.25) == (4, 4, 4)


def test_the_mesh_does_not_depend_on_the_orientation():
    rng = np.random.default_rng(0)
    cell = rng.normal(0, 3, (3, 3)) + np.eye(3) * 5
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    assert gamma_mesh(cell, 0.4) == gamma_mesh(cell @ turn, 0.4)
