import numpy as np
import pytest

from lamflow.data.checks.model_check import ModelCheck, check_labels
from lamflow.data.frames import System

N = 60


def _check(system: System) -> ModelCheck:
    frames = [system.take([index]) for index in range(system.nframes)]
    distrusted = np.zeros((system.nframes, 3), dtype=bool)
    return check_labels(range(system.nframes), distrusted, frames, seed=0)


def test_right_labels_are_left_alone(crystal) -> None:
    result = _check(crystal(N))
    assert result.findings == []
    assert result.faults == []


def _negate(system: System) -> None:
    system.forces[9] *= -1


def _zero(system: System) -> None:
    system.forces[9] = 0


def _hartree_bohr(system: System) -> None:
    system.forces[9] /= 51.4221


def _shuffle(system: System) -> None:
    system.forces[9] = system.forces[9][::-1]


def _noise(system: System) -> None:
    noise = np.random.default_rng(0).normal(size=(12, 3))
    scale = np.sqrt(np.mean(system.forces**2))
    system.forces[9] += scale * (noise - noise.mean(axis=0))


def _shift(system: System) -> None:
    system.energies[9] += 12 * 0.1


def _negate_virial(system: System) -> None:
    system.virials[9] *= -1


def _kbar(system: System) -> None:
    system.virials[9] *= 1602.1766 / np.linalg.det(system.cells[9])


FAULTS = {
    _negate: "F_SIGN", _zero: "F_ZERO", _hartree_bohr: "F_UNIT", _shuffle: "F_WRONG",
    _noise: "F_WRONG", _shift: "E_WRONG", _negate_virial: "V_SIGN", _kbar: "V_UNIT",
}  # fmt: skip


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_wrong_label_is_found_and_named(spoil, crystal) -> None:
    system = crystal(N)
    spoil(system)
    assert [(f.frame, f.code) for f in _check(system).findings] == [(9, FAULTS[spoil])]


def test_labels_of_another_frame(crystal) -> None:
    system = crystal(N)
    for array in (system.energies, system.forces, system.virials):
        array[9] = array[30]
    codes = {(f.frame, f.code) for f in _check(system).findings}
    assert (9, "F_WRONG") in codes
    assert {frame for frame, _ in codes} == {9}


def test_a_quarter_of_wrong_labels_does_not_spoil_the_rest(crystal) -> None:
    system = crystal(N)
    wrong = np.arange(0, N, 4)
    system.forces[wrong] = system.forces[np.roll(wrong, 1)]
    found = {f.frame for f in _check(system).findings}
    assert found == set(wrong.tolist())


def test_a_hard_frame_stays(crystal) -> None:
    """A compressed frame with true labels: far from the others, but not wrong."""
    from tests.unit.data.checks.conftest import lennard_jones

    system = crystal(N)
    system.coords[9] *= 0.9
    system.cells[9] *= 0.9
    energy, system.forces[9], system.virials[9] = lennard_jones(system.coords[9], system.cells[9])
    system.energies[9] = energy - 36.0
    assert _check(system).findings == []


def test_another_order_of_virial_components_is_found(crystal) -> None:
    system = crystal(N)
    swapped = system.virials.copy()
    swapped[:, 0, 2], swapped[:, 1, 2] = system.virials[:, 1, 2], system.virials[:, 0, 2]
    swapped[:, 2, 0], swapped[:, 2, 1] = swapped[:, 0, 2], swapped[:, 1, 2]
    system.virials[:] = swapped
    result = _check(system)
    assert [fault.code for fault in result.faults] == ["VIRIAL_ORDER"]
    assert "all Cu frames hold xy, yz, xz" in result.faults[0].what
    assert result.findings == []


def test_random_forces_are_not_judged(crystal) -> None:
    system = crystal(N)
    system.forces[:] = np.random.default_rng(99).normal(size=system.forces.shape)
    result = _check(system)
    assert result.findings == []
    assert "were not judged" in result.note


def test_too_few_frames(crystal) -> None:
    assert "too few" in _check(crystal(5)).note


@pytest.mark.parametrize(
    ("factor", "unit"), [(1 / 12, "energy per atom"), (1 / 27.211386, "Hartree")]
)
def test_energies_that_are_all_in_another_unit(factor: float, unit: str, crystal) -> None:
    system = crystal(N)
    system.energies[:] *= factor
    result = _check(system)
    assert [fault.code for fault in result.faults] == ["ENERGY_UNIT"]
    assert unit in result.faults[0].what
    assert result.findings == []


def test_a_system_with_another_energy_reference(crystal) -> None:
    main, other = crystal(N), crystal(15, seed=1, name="other")
    other.energies[:] += 12 * 1.7
    frames = [main.take([i]) for i in range(N)] + [other.take([i]) for i in range(15)]
    distrusted = np.zeros((N + 15, 3), dtype=bool)
    (fault,) = check_labels(range(N + 15), distrusted, frames, seed=0).faults
    assert (fault.system, fault.code) == ("other", "ENERGY_REFERENCE")
    assert float(fault.repair.split()[1]) == pytest.approx(1.7, abs=0.02)


def test_many_features_and_few_frames_do_not_crash(crystal) -> None:
    from dataclasses import replace

    system = crystal(24)
    types = np.tile(np.arange(12) % 4, (24, 1))
    system = replace(system, type_map=("Cu", "Ni", "Pd", "Ag"), types=types)
    assert "24 frames" in _check(system).note
