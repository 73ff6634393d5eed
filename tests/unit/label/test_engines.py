"""The conformance suite on every labeller whose engine is installed."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk, molecule

from lamflow.errors import InputError
from lamflow.label.protocol import UnconvergedError
from lamflow.label.read import label_atoms
from lamflow.label.registry import LABELLERS
from lamflow.testing.labeller import LabellerConformance


def needs(module):
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


def h2(length):
    return Atoms("H2", [[0, 0, 0], [0, 0, length]])


# Exact potential curve of H2 (Kołos and Wolniewicz, J. Chem. Phys. 43, 2429 (1965)):
# -1.17447 Ha at 0.74 Å and -1.1474 Ha at 1.00 Å.
H2_STRETCH_EV = 0.74


class TestEmt(LabellerConformance):
    crystal = bulk("Cu", cubic=True)
    molecule = molecule("H2O")
    # the cohesive energy to which EMT was fitted; ASE's EMT counts from the bulk
    energy_change = (Atoms("Cu"), bulk("Cu"), -3.51, 0.05)
    unknown_element = "Si"
    strain = 1e-4

    def make_labeller(self):
        return LABELLERS.build("emt", {})

    def make_unconverged(self):
        return None


@needs("tblite")
class TestTblite(LabellerConformance):
    crystal = bulk("Si", cubic=True)
    molecule = molecule("H2O")
    energy_change = (h2(0.74), h2(1.0), H2_STRETCH_EV, 0.4)  # GFN2 itself is that far off

    def make_labeller(self):
        return LABELLERS.build("tblite", {"accuracy": 0.01})

    def make_unconverged(self):
        return LABELLERS.build("tblite", {"max_cycles": 2})


@needs("gpaw")
@pytest.mark.slow
class TestGpaw(LabellerConformance):
    crystal = bulk("Al")
    molecule = h2(0.8)
    energy_change = (h2(0.74), h2(1.0), H2_STRETCH_EV, 0.15)
    force_tolerance_eV_per_A = 5e-3  # noqa: N815
    settings = {"cutoff_eV": 300.0, "kpoint_spacing_per_A": 0.7, "vacuum_A": 3.0}  # noqa: RUF012

    def make_labeller(self):
        return LABELLERS.build("gpaw", {**self.settings, "density_error": 1e-6})

    def make_unconverged(self):
        return LABELLERS.build("gpaw", {**self.settings, "max_cycles": 3})

    def test_a_charged_crystal_is_refused(self):
        with pytest.raises(InputError, match="charge is for molecules"):
            LABELLERS.build("gpaw", {"charge": 1}).check(["Al"], True)

    def test_a_log_without_proof_is_no_label(self, tmp_path):
        (tmp_path / "engine.log").write_text("SCF iterations\n", encoding="utf-8")
        with pytest.raises(UnconvergedError, match="no line that says"):
            self.make_labeller().evidence(None, tmp_path)


@needs("gpaw")
@pytest.mark.slow
def test_metals_get_the_free_energy(tmp_path):
    """Only it is what the forces derive from; the one extrapolated to 0 K is 50 meV off here."""
    labeller = LABELLERS.build(
        "gpaw", {"cutoff_eV": 250.0, "kpoint_spacing_per_A": 0.7, "smearing_eV": 0.2}
    )
    label = label_atoms(labeller, bulk("Al"), tmp_path)
    log = (tmp_path / "engine.log").read_text(encoding="utf-8")
    energies = {
        name: float(line.split()[-1])
        for line in log.splitlines()
        for name in ("Free energy:", "Extrapolated:")
        if name in line
    }
    assert label.energy == pytest.approx(energies["Free energy:"], abs=1e-5)
    assert abs(label.energy - energies["Extrapolated:"]) > 0.01


PSEUDO = Path("/usr/share/espresso/pseudo")  # Debian's quantum-espresso-data
needs_espresso = pytest.mark.skipif(
    shutil.which("pw.x") is None or not PSEUDO.is_dir(),
    reason="quantum-espresso and quantum-espresso-data are not installed",
)
ESPRESSO = {
    "pseudopotentials": {"Al": "Al.pz-vbc.UPF", "H": "H.pbe-kjpaw.UPF"},
    "pseudopotential_folder": str(PSEUDO),
    "cutoff_eV": 500.0,
    "density_cutoff_eV": 2000.0,
    "kpoint_spacing_per_A": 0.7,
    "vacuum_A": 3.0,
}


@needs_espresso
@pytest.mark.slow
class TestEspresso(LabellerConformance):
    crystal = bulk("Al")
    molecule = h2(0.8)
    energy_change = (h2(0.74), h2(1.0), H2_STRETCH_EV, 0.2)
    virial_tolerance_eV = 0.03  # noqa: N815 - the number of plane waves changes with the cell

    def make_labeller(self):
        return LABELLERS.build("espresso", ESPRESSO)

    def make_unconverged(self):
        return LABELLERS.build("espresso", {**ESPRESSO, "max_cycles": 2})

    def test_words_of_success_are_no_evidence(self, tmp_path):
        """What pw.x 6.7 prints with scf_must_converge=.false., after 3 cycles."""
        (tmp_path / "espresso.pwo").write_text(
            "scf convergence threshold =      1.0E-09\n"
            "estimated scf accuracy    <       0.00012169 Ry\n"
            "convergence has been achieved in   3 iterations\n   JOB DONE.\n"
        )
        with pytest.raises(UnconvergedError, match=r"0\.00012169 Ry, limit 1e-09 Ry"):
            self.make_labeller().evidence(None, tmp_path)

    def test_a_file_with_another_checksum_is_refused(self):
        labeller = LABELLERS.build("espresso", {**ESPRESSO, "sha256": {"Al": "0" * 64}})
        with pytest.raises(InputError, match="is not the file that sha256 names"):
            labeller.check(["Al"], True)


def test_espresso_takes_no_raw_input():
    with pytest.raises(InputError, match="scf_must_converge"):
        LABELLERS.build("espresso", {**ESPRESSO, "scf_must_converge": False})


def test_espresso_tells_how_to_install_it():
    labeller = LABELLERS.build("espresso", {**ESPRESSO, "command": ["no-such-pw.x"]})
    with pytest.raises(InputError, match="apt-get install quantum-espresso"):
        labeller.check(["Al"], True)


CP2K = {"cutoff_eV": 4000.0, "kpoint_spacing_per_A": 3.0, "vacuum_A": 2.0}
needs_cp2k = pytest.mark.skipif(
    shutil.which("cp2k.psmp") is None or not Path("/usr/share/cp2k").is_dir(),
    reason="cp2k and cp2k-data are not installed",
)


@needs_cp2k
@pytest.mark.slow
class TestCp2k(LabellerConformance):
    # squeezed helium: the cheapest thing with forces and pressure
    crystal = Atoms("He2", [[0, 0, 0], [1.5, 0.4, 0.2]], cell=[[3, 0, 0], [0.5, 3, 0], [0, 0.3, 3]],
                    pbc=True)  # fmt: skip
    # 1.09 eV in this basis, whatever the box; the unit is what is tested
    energy_change = (h2(0.74), h2(1.0), H2_STRETCH_EV, 0.4)
    force_tolerance_eV_per_A = 5e-3  # noqa: N815 - the grid is not infinitely fine

    def make_labeller(self):
        return LABELLERS.build("cp2k", CP2K)

    def make_unconverged(self):
        return LABELLERS.build("cp2k", {**CP2K, "max_cycles": 2})

    def test_a_missing_basis_names_its_file(self):
        with pytest.raises(InputError, match=r"BASIS_MOLOPT: label\.cp2k\.basis: has no NO-SUCH"):
            LABELLERS.build("cp2k", {"basis": "NO-SUCH"}).check(["H"], True)


@needs("pyscf")
@pytest.mark.slow
class TestPyscf(LabellerConformance):
    molecule = molecule("H2O")
    energy_change = (h2(0.74), h2(1.0), H2_STRETCH_EV, 0.2)  # the small basis
    unknown_element = "Pu"

    def make_labeller(self):
        return LABELLERS.build("pyscf", {"basis": "def2-svp", "grid_level": 3})

    def make_unconverged(self):
        return LABELLERS.build("pyscf", {"basis": "def2-svp", "max_cycles": 2})


@needs("pyscf")
class TestPyscfRefuses:
    """Before anything runs."""

    def test_crystals_because_its_stress_is_wrong(self):
        with pytest.raises(InputError, match="molecules only; take gpaw"):
            LABELLERS.build("pyscf", {}).check(["Si"], True)

    def test_unknown_functionals(self):
        with pytest.raises(InputError, match="does not know 'pbee'"):
            LABELLERS.build("pyscf", {"functional": "pbee"}).check(["H"], False)

    def test_a_spin_that_the_electrons_do_not_allow(self, tmp_path):
        labeller = LABELLERS.build("pyscf", {"basis": "sto-3g", "unpaired_electrons": 1})
        with pytest.raises(InputError, match="unpaired_electrons"):
            label_atoms(labeller, h2(0.74), tmp_path)
