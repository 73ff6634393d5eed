import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lamflow.explore.relax import Relax, RelaxSettings


def test_the_last_frame_is_the_known_lattice():
    """EMT copper: a = 3.5898 Å."""
    start = bulk("Cu", a=3.7, cubic=True)
    relax = Relax(RelaxSettings(cell=True, force_eV_per_A=1e-3))
    found = relax.explore(start, EMT(), np.random.default_rng(0))
    assert found.steps[0] == 0
    assert np.linalg.det(found.frames.cells[-1]) ** (1 / 3) == pytest.approx(3.5898, abs=2e-3)
    assert found.energies[-1] < found.energies[0]
