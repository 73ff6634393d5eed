from dataclasses import replace

import numpy as np
import pytest

from lamflow.evaluate.details import Details, composition
from lamflow.evaluate.predictor import Prediction
from lamflow.testing.trainer import emt_system

ZERO = np.zeros(1)


def wrong(system, force=0.0, energy=0.0):
    """What a model says that is wrong by `force` on all gold atoms, and by `energy` per frame."""
    off = np.zeros_like(system.forces)
    off[system.types == system.type_map.index("Au")] = force
    return Prediction(system.energies + energy, system.forces + off, system.virials)


def test_errors_are_where_they_were_put():
    details, system = Details(), emt_system(3, seed=2, elements=("Cu", "Au"))
    details.add(system, wrong(system, force=0.1, energy=-8 * 0.003), ZERO)
    gold, copper = details.elements()
    assert (gold["element"], copper["element"]) == ("Au", "Cu")
    assert gold["force_rmse_meV_per_A"] == pytest.approx(100.0)
    assert copper["force_rmse_meV_per_A"] == pytest.approx(0.0, abs=1e-9)
    assert gold["energy_rmse_meV_per_atom"] == pytest.approx(3.0)
    assert gold["atoms"] + copper["atoms"] == 3 * 8
    assert copper["frames"] == 3


def test_worst_frames_come_first_and_are_few():
    details, system = Details(worst=2), emt_system(5, seed=2, elements=("Cu", "Au"))
    energies = system.energies + 8 * np.array([0.001, -0.005, 0.002, 0.003, 0.0])
    forces = system.forces.copy()
    forces[3, 1, 2] += 0.4
    for frames in ([0, 1], [2, 3, 4]):
        said = Prediction(energies[frames], forces[frames], system.virials[frames])
        details.add(system.take(np.array(frames)), said, ZERO)
    worst = details.worst()
    assert [row["frame"] for row in worst["energy"]] == [1, 3]
    assert worst["energy"][0]["energy_meV_per_atom"] == pytest.approx(-5.0)
    assert worst["force"][0]["frame"] == 3
    assert worst["force"][0]["force_max_meV_per_A"] == pytest.approx(400.0)


def test_what_is_not_finite_is_worst_and_is_null():
    details, system = Details(worst=1), emt_system(3, seed=2)
    energies = system.energies.copy()
    energies[1] = np.nan
    details.add(system, Prediction(energies, system.forces, system.virials), ZERO)
    (row,) = details.worst()["energy"]
    assert (row["frame"], row["energy_meV_per_atom"]) == (1, None)


def test_frames_without_a_label():
    details, system = Details(), replace(emt_system(2, seed=1), forces=None)
    details.add(system, wrong(emt_system(2, seed=1)) if "Au" in system.type_map else
                Prediction(system.energies, np.zeros((2, 8, 3)), system.virials), ZERO)  # fmt: skip
    assert "force" not in details.worst()
    assert details.elements()[0]["force_rmse_meV_per_A"] is None


def test_composition():
    assert composition(emt_system(1, seed=1, elements=("Au", "Cu")), 0) == "Au5Cu3"
