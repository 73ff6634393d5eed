"""Vibrations of copper by EMT."""

import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import J, kB, mol

from lamflow.errors import InputError
from lamflow.evaluate.properties.bulk import relaxed
from lamflow.evaluate.properties.phonons import Phonons, phonons


def test_copper() -> None:
    """Cv(300 K) 23.37 J/(mol K), a little below 3R; three bands; no imaginary mode."""
    pytest.importorskip("phonopy")
    found = phonons(relaxed(bulk("Cu"), EMT()), EMT(), (4, 4, 4))
    assert found.frequencies.shape[1] == 3
    assert found.is_stable
    assert found.heat_capacity == pytest.approx(23.37, abs=0.05)
    assert found.heat_capacity < 3 * kB * mol / J
    assert 5.0 < found.frequencies.max() < 9.0


def test_an_imaginary_mode_is_no_stability() -> None:
    assert not Phonons(np.array([[-1.0, 2.0, 3.0]]), 1.0, 300.0).is_stable
    assert Phonons(np.array([[-0.01, 2.0, 3.0]]), 1.0, 300.0).is_stable


def test_missing_phonopy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonopy", None)
    with pytest.raises(InputError, match="pip install phonopy"):
        phonons(bulk("Cu"), EMT(), (2, 2, 2))
