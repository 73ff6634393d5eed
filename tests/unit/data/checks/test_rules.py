from dataclasses import replace

import numpy as np
import pytest

from lamflow.data.checks.measure import Chemistry, measure
from lamflow.data.checks.rules import all_rules
from lamflow.data.frames import System


def _check(system: System) -> dict[int, set[str]]:
    table: dict[str, Chemistry] = {}
    measure(system, 0, 0, table)
    found: dict[int, set[str]] = {}
    for chemistry in table.values():
        for rule in all_rules():
            for finding in rule(chemistry):
                assert finding.code in rule.codes
                found.setdefault(finding.frame, set()).add(finding.code)
    return found


def test_a_good_set_has_no_findings(crystal) -> None:
    assert _check(crystal()) == {}


def _nan_energy(system: System) -> None:
    system.energies[7] = np.nan


def _inf_force(system: System) -> None:
    system.forces[7, 3, 1] = np.inf


def _nan_coordinate(system: System) -> None:
    system.coords[7, 3, 1] = np.nan


def _flat_cell(system: System) -> None:
    system.cells[7, 2] = 0


def _left_handed(system: System) -> None:
    system.cells[7] = system.cells[7][[1, 0, 2]]


def _overlap(system: System) -> None:
    system.coords[7, 0] = system.coords[7, 1] + [0.4, 0, 0]


def _large_cell(system: System) -> None:
    system.cells[7] *= 1.35


def _exploded(system: System) -> None:
    system.forces[7, 3] *= 300 / np.linalg.norm(system.forces[7, 3])


def _drift(system: System) -> None:
    system.forces[7] += [0.3, 0.1, 0.2]


def _hartree(system: System) -> None:
    system.energies[7] /= 27.211386


def _kcal(system: System) -> None:
    system.energies[7] *= 23.060548


def _per_atom(system: System) -> None:
    system.energies[7] /= 12


FAULTS = {
    _nan_energy: "NAN", _inf_force: "NAN", _nan_coordinate: "NAN", _flat_cell: "CELL_ZERO",
    _left_handed: "CELL_LEFT", _overlap: "OVERLAP", _large_cell: "CELL_SCALE",
    _exploded: "F_EXPLODE", _drift: "NET_FORCE", _hartree: "E_UNIT", _kcal: "E_UNIT",
    _per_atom: "E_UNIT",
}  # fmt: skip


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_fault_is_found_and_nothing_else(spoil, crystal) -> None:
    system = crystal()
    spoil(system)
    assert _check(system) == {7: {FAULTS[spoil]}}


def test_bohr_coordinates_of_a_molecule(crystal) -> None:
    system = replace(crystal(), cells=None, virials=None)
    system.coords[7] /= 0.529177
    assert _check(system) == {7: {"STRETCHED"}}


def test_the_repair_of_a_unit_is_named(crystal) -> None:
    system = crystal()
    _hartree(system)
    table: dict[str, Chemistry] = {}
    measure(system, 0, 0, table)
    (finding,) = [f for rule in all_rules() for f in rule(table["Cu"])]
    assert finding.repair == "energy * 27.2114"
    assert "read as Hartree" in finding.what


def test_a_set_with_net_forces_everywhere_is_left_alone(crystal) -> None:
    system = crystal()
    system.forces[:] += np.random.default_rng(0).normal(scale=0.1, size=(60, 1, 3))
    assert _check(system) == {}


def test_short_bonds_with_large_forces_survive(crystal) -> None:
    system = crystal()
    system.coords[7, 0] = system.coords[7, 1] + [1.2, 0, 0]
    direction = np.array([100.0, 0, 0])
    system.forces[7, 0] += direction
    system.forces[7, 1] -= direction
    assert _check(system) == {}
