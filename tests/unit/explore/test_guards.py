import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from lamflow.explore.guards import Guards, GuardSettings, closest_pair
from lamflow.explore.md import Md, MdSettings


def broken(start, change, **settings):
    """Stop of `start` after `change`, with the wished guards only."""
    off = dict.fromkeys(
        ("highest_temperature_K", "energy_spike_eV_per_atom", "closest", "longest_bond",
         "volume_factor")
    )  # fmt: skip
    start.calc = EMT()
    guards = Guards(GuardSettings(**{**off, **settings}), start)
    assert guards.check(start, 0, distances=True) is None
    change(start)
    return guards.check(start, 40, distances=True)


def test_distance_names_both_atoms():
    def change(atoms):
        atoms.positions[3] = atoms.positions[1] + [0.5, 0, 0]

    stop = broken(bulk("Cu", cubic=True), change, closest=0.5)
    assert (stop.guard, stop.step, stop.atoms) == ("distance", 40, (1, 3))
    assert stop.message == (
        "step 40, atoms 1 (Cu), 3 (Cu): 0.50 Å apart, limit 0.5 of the covalent radii's sum"
    )


def test_distances_are_those_to_the_nearest_image():
    atoms = Atoms("Cu2", [[0.1, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10], pbc=True)
    assert closest_pair(atoms, 0.5)[:2] in {(0, 1), (1, 0)}
    assert closest_pair(atoms, 0.5)[2] == pytest.approx(0.3)
    assert closest_pair(Atoms("Cu", cell=[0.9, 9, 9], pbc=True), 0.5)[:2] == (0, 0)


def test_a_lost_bond_names_its_ends():
    def change(atoms):
        atoms.positions[2] += [0, 0, -3]

    stop = broken(molecule("H2O"), change, longest_bond=2.0)
    assert (stop.guard, set(stop.atoms)) == ("bond", {0, 2})
    assert "0.97 Å at the start" in stop.message


def test_crystals_have_no_bonds_to_lose():
    def change(atoms):
        atoms.positions[0] += 1.2

    assert broken(bulk("Cu", cubic=True), change, longest_bond=1.01) is None


def test_temperature_names_the_fastest_atom():
    def change(atoms):
        atoms.set_velocities([[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]])

    stop = broken(bulk("Cu", cubic=True), change, highest_temperature_K=1000.0)
    assert (stop.guard, stop.atoms) == ("temperature", (2,))
    assert "limit 1000 K" in stop.message


def test_energy_names_the_atom_with_the_largest_force():
    def change(atoms):
        atoms.positions[1, 0] += 1.5

    stop = broken(bulk("Cu", cubic=True), change, energy_spike_eV_per_atom=0.5)
    assert (stop.guard, len(stop.atoms)) == ("energy", 1)
    assert "eV/atom since the start" in stop.message


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_volume_in_both_directions(factor):
    def change(atoms):
        atoms.set_cell(atoms.cell * factor, scale_atoms=True)

    stop = broken(bulk("Cu", cubic=True), change, volume_factor=2.0)
    assert stop.guard == "volume"
    assert stop.message.startswith("step 40: volume is ")


def test_positions_that_are_not_finite():
    stop = broken(bulk("Cu", cubic=True), lambda a: a.positions.__setitem__((2, 1), np.nan))
    assert (stop.guard, stop.atoms) == ("not_finite", (2,))


def test_md_stops_at_a_guard_and_keeps_what_was_before():
    """Two atoms that fly at each other: EMT's repulsion comes after the guard."""
    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 3.0]])

    class Attraction(EMT):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            axis = self.atoms.positions[1] - self.atoms.positions[0]
            pull = 5 * axis / np.linalg.norm(axis)
            self.results["forces"] = np.array([pull, -pull])

    settings = MdSettings(steps=500, temperature_K=1.0, save_every=7, ensemble={"ensemble": "nve"},
                          guards=GuardSettings(highest_temperature_K=None,
                                                energy_spike_eV_per_atom=None))  # fmt: skip
    found = Md(settings).explore(atoms, Attraction(), np.random.default_rng(0))
    assert found.stop is not None
    assert found.stop.guard == "distance"
    assert found.stop.atoms in {(0, 1), (1, 0)}
    assert found.steps[-1] < found.stop.step
    assert found.stop.step - found.steps[-1] <= 10
    distances = np.linalg.norm(found.frames.coords[:, 1] - found.frames.coords[:, 0], axis=1)
    assert (distances > 0.5 * 2 * 0.71).all()


def test_a_start_that_breaks_a_guard_gives_no_frames():
    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 0.3]])
    settings = MdSettings(steps=5, temperature_K=1.0)
    found = Md(settings).explore(atoms, EMT(), np.random.default_rng(0))
    assert found.stop is not None
    assert found.frames.nframes == 0
    assert found.frames.natoms == 2
