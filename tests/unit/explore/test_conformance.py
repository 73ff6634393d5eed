from ase.build import bulk, molecule

from lamflow.explore.md import Md, MdSettings
from lamflow.explore.perturb import Perturb, PerturbSettings
from lamflow.explore.relax import Relax, RelaxSettings
from lamflow.testing.explorer import ExplorerConformance

COPPER = bulk("Cu", cubic=True)
N2 = molecule("N2")


def squeezed(atoms):
    atoms = atoms.copy()
    atoms.positions[0] += 0.2
    return atoms


def md(**ensemble):
    return Md(MdSettings(steps=30, temperature_K=300.0, timestep_fs=2.0, ensemble=ensemble))


class TestNve(ExplorerConformance):
    crystal, molecule = COPPER, N2

    def make_explorer(self):
        return md(ensemble="nve")


class TestLangevin(ExplorerConformance):
    crystal, molecule = COPPER, N2

    def make_explorer(self):
        return md(ensemble="nvt-langevin", friction_per_fs=0.02)


class TestBussi(ExplorerConformance):
    crystal, molecule = COPPER, N2

    def make_explorer(self):
        return md(ensemble="nvt-bussi")


class TestNpt(ExplorerConformance):
    crystal = COPPER

    def make_explorer(self):
        return md(ensemble="npt", pressure_GPa=1.0)


class TestNptIsotropic(ExplorerConformance):
    crystal = COPPER

    def make_explorer(self):
        return md(ensemble="npt-isotropic", pressure_GPa=1.0)


class TestPerturb(ExplorerConformance):
    crystal, molecule = COPPER, N2

    def make_explorer(self):
        return Perturb(PerturbSettings(frames=5, rattle_A=0.05))


class TestRelax(ExplorerConformance):
    crystal, molecule = squeezed(COPPER), squeezed(N2)
    random = False

    def make_explorer(self):
        return Relax(RelaxSettings(steps=20, save_every=3, force_eV_per_A=1e-6))
