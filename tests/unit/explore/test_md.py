import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.harmonic import SpringCalculator
from ase.calculators.lj import LennardJones

from lamflow.errors import InputError
from lamflow.explore.md import Md, MdSettings


def explore(start, calculator=None, seed=1, **settings):
    explorer = Md(MdSettings(**settings))
    return explorer.explore(start, calculator or EMT(), np.random.default_rng(seed))


def argon():
    atoms = bulk("Ar", "fcc", a=5.26, cubic=True) * (2, 2, 2)
    return atoms, LennardJones(sigma=3.405, epsilon=0.0103, rc=7.5, smooth=True)


def total_energies(found, natoms):
    return found.energies + 1.5 * natoms * units.kB * found.temperatures


def test_nve_keeps_the_total_energy():
    atoms, calculator = argon()
    found = explore(atoms, calculator, steps=400, temperature_K=80.0, timestep_fs=5.0,
                    save_every=5, ensemble={"ensemble": "nve"})  # fmt: skip
    total = total_energies(found, len(atoms))
    kinetic = total - found.energies
    assert kinetic.std() > 0.01  # energy goes to and fro
    assert np.abs(total - total[0]).max() < 0.02 * kinetic.std()


def test_nve_error_is_of_second_order_in_the_time_step():
    def wobble(timestep_fs):
        atoms, calculator = argon()
        steps = round(400 / timestep_fs)
        found = explore(atoms, calculator, steps=steps, temperature_K=80.0, save_every=1,
                        timestep_fs=timestep_fs, ensemble={"ensemble": "nve"})  # fmt: skip
        return total_energies(found, len(atoms)).std()

    assert wobble(10.0) / wobble(5.0) == pytest.approx(4, rel=0.35)


def einstein_crystal():
    """Atoms on springs: as cheap as a calculator can be, and its thermodynamics are known."""
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.set_masses(np.linspace(20, 100, len(atoms)))  # equal atoms would swing in step for ever
    return atoms, SpringCalculator(atoms.positions.copy(), k=3.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ensemble", "moving"),
    [
        ({"ensemble": "nvt-langevin", "friction_per_fs": 0.02}, 3 * 32),
        ({"ensemble": "nvt-bussi", "thermostat_fs": 40.0}, 3 * 32 - 3),
    ],
)
def test_nvt_temperatures_are_distributed_as_in_the_canonical_ensemble(ensemble, moving):
    """<T> is T0 and var(T)/T0² is 2/f, with f degrees of freedom; T is counted with 3N."""
    atoms, calculator = einstein_crystal()
    found = explore(atoms, calculator, steps=6000, temperature_K=400.0, timestep_fs=4.0,
                    ensemble=ensemble)  # fmt: skip
    temperatures = found.temperatures[100:] * 3 * len(atoms) / moving
    assert temperatures.mean() == pytest.approx(400, rel=0.03)
    assert temperatures.var() / 400**2 == pytest.approx(2 / moving, rel=0.35)


def test_a_ramp_follows_its_target():
    atoms, calculator = einstein_crystal()
    for ensemble in ({"ensemble": "nvt-langevin", "friction_per_fs": 0.1},
                     {"ensemble": "nvt-bussi", "thermostat_fs": 10.0}):  # fmt: skip
        found = explore(atoms, calculator, steps=400, temperature_K=100.0, end_temperature_K=900.0,
                        timestep_fs=4.0, save_every=1, ensemble=ensemble)  # fmt: skip
        quarters = found.temperatures[1:].reshape(4, 100).mean(axis=1)
        assert (np.diff(quarters) > 100).all()
        assert quarters[-1] == pytest.approx(800, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npt", "npt-isotropic"])
def test_npt_settles_at_the_equilibrium_volume_under_pressure(kind):
    """EMT copper has a bulk modulus of about 134 GPa: 5 GPa take about 3.4 % of the volume."""
    atoms = bulk("Cu", a=3.59, cubic=True)
    volumes = []
    for pressure in (0.0, 5.0):
        found = explore(atoms, steps=2000, temperature_K=50.0, timestep_fs=4.0,
                        save_every=2, ensemble={"ensemble": kind, "pressure_GPa": pressure,
                                  "barostat_fs": 400.0})  # fmt: skip
        volumes.append(np.linalg.det(found.frames.cells[100:]).mean())
    assert volumes[1] / volumes[0] - 1 == pytest.approx(-5 / (134 + 2.5 * 5), rel=0.25)
    shapes = found.frames.cells / np.linalg.norm(found.frames.cells, axis=2)[:, :1, None]
    moved = np.abs(shapes - shapes[0]).max()
    assert moved < 1e-9 if kind == "npt-isotropic" else moved > 1e-3


def test_a_pair_of_atoms_gets_its_whole_temperature():
    """Removing the centre of mass' motion each step would halve it."""
    start = molecule("N2")
    calculator = SpringCalculator(start.positions.copy(), k=3.0)
    found = explore(start, calculator, steps=4000, temperature_K=300.0, save_every=2,
                    ensemble={"ensemble": "nvt-langevin", "friction_per_fs": 0.1})  # fmt: skip
    assert found.temperatures[200:].mean() == pytest.approx(300, rel=0.15)


def test_frames_are_the_start_every_few_steps_and_the_end():
    found = explore(bulk("Cu", cubic=True), steps=25, temperature_K=300.0, save_every=10)
    assert found.steps.tolist() == [0, 10, 20, 25]
    np.testing.assert_array_equal(found.frames.coords[0], bulk("Cu", cubic=True).positions)


def test_energies_are_those_of_the_frames():
    found = explore(bulk("Cu", cubic=True), steps=20, temperature_K=300.0)
    atoms = bulk("Cu", cubic=True)
    atoms.positions = found.frames.coords[-1]
    atoms.calc = EMT()
    assert found.energies[-1] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)


def test_a_molecule_has_no_pressure():
    with pytest.raises(InputError, match="no pressure"):
        explore(molecule("N2"), steps=5, temperature_K=300.0,
                ensemble={"ensemble": "npt-isotropic"})  # fmt: skip


def test_only_nvt_can_be_ramped():
    with pytest.raises(InputError, match="only NVT"):
        explore(bulk("Cu"), steps=5, temperature_K=300.0, end_temperature_K=500.0,
                ensemble={"ensemble": "nve"})  # fmt: skip


def test_one_atom_can_move():
    found = explore(Atoms("Cu", cell=[10, 10, 10], pbc=True), steps=5, temperature_K=300.0)
    assert found.stop is None
