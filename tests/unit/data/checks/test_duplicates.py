from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lamflow.data.checks.duplicates import find_duplicates
from lamflow.data.checks.measure import Chemistry, measure
from lamflow.data.frames import System


def _find(system: System) -> dict[int, str]:
    table: dict[str, Chemistry] = {}
    measure(system, 0, 0, table)
    return {f.frame: f.code for f in find_duplicates(table["Cu"], lambda n: system.take([n]))}


def _copy(system: System) -> None:
    for array in (system.coords, system.cells, system.energies, system.forces, system.virials):
        array[40] = array[11]


def test_no_false_alarm(crystal) -> None:
    assert _find(crystal()) == {}


def test_shifted_renumbered_jittered_copies(crystal) -> None:
    system = crystal()
    rng = np.random.default_rng(1)
    _copy(system)
    order = rng.permutation(12)
    system.coords[40] = (
        system.coords[40][order] + 1.3 + rng.integers(-1, 2, (12, 3)) @ system.cells[40]
    )
    system.coords[40] += rng.normal(scale=1e-4, size=(12, 3))
    system.forces[40] = system.forces[40][order]
    assert _find(system) == {40: "DUP"}


def test_turned_copies_are_told_apart(crystal) -> None:
    system = crystal()
    _copy(system)
    turn = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    system.coords[40] = system.coords[40] @ turn.T
    system.cells[40] = system.cells[40] @ turn.T
    system.forces[40] = system.forces[40] @ turn.T
    assert _find(system) == {40: "DUP_TURNED"}


def test_turned_molecules_are_plain_duplicates(crystal) -> None:
    system = crystal()
    _copy(system)
    turn = Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    system.coords[40] = system.coords[40] @ turn.T
    system.forces[40] = system.forces[40] @ turn.T
    assert _find(replace(system, cells=None, virials=None)) == {40: "DUP"}


@pytest.mark.parametrize("change", ["energies", "forces"])
def test_other_labels_make_another_frame(change: str, crystal) -> None:
    system = crystal()
    _copy(system)
    getattr(system, change)[40] *= 1.01
    assert _find(system) == {}


def test_near_frames_of_a_relaxation_stay(crystal) -> None:
    system = crystal()
    _copy(system)
    system.coords[40] += np.random.default_rng(0).normal(scale=5e-3, size=(12, 3))
    assert _find(system) == {}
