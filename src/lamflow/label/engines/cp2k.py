"""DFT with Gaussians and plane waves by CP2K."""

import os
import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from lamflow.children import ENGINE_LOG
from lamflow.config.base import Integer, Number, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.files import sha256_file
from lamflow.label.box import put_in_box
from lamflow.label.installed import find_program
from lamflow.label.kpoints import gamma_mesh
from lamflow.label.paths import AbsolutePath
from lamflow.label.protocol import UnconvergedError

if TYPE_CHECKING:
    from ase import Atoms

_LABEL = "engine"
_CONVERGED = re.compile(r"\*\*\* SCF run converged in\s+(\d+) steps \*\*\*")
_FAILED = "SCF run NOT converged"
_GENTLE_ALPHA, _ALPHA = 0.1, 0.4
_GENTLE_CYCLES = 3


class Cp2kSettings(StrictModel):
    """Settings of CP2K."""

    functional: str = "PBE"
    """Exchange-correlation functional by CP2K's name."""
    basis: str = "DZVP-MOLOPT-SR-GTH"
    """Basis set of all elements. The default is there for nearly all of them, but rough: stretching
    H2 from 0.74 to 1.00 Å takes 1.09 eV in it, 0.66 eV in TZV2P-MOLOPT-GTH, 0.74 eV exactly."""
    basis_file: str = "BASIS_MOLOPT"
    """File with the basis sets, in the data folder."""
    pseudopotential: str = "GTH-PBE"
    """Family of pseudopotentials."""
    pseudopotential_file: str = "GTH_POTENTIALS"
    """File with the pseudopotentials, in the data folder."""
    data_folder: AbsolutePath = Path("/usr/share/cp2k")
    """Where these files are; Debian's cp2k-data puts them there."""
    command: tuple[str, ...] = ("cp2k.psmp",)
    """The program, such as [mpirun, -np, "4", cp2k.psmp]; its words are quoted for the shell
    through which ASE starts it."""
    cutoff_eV: Number = Field(default=5400.0, ge=1000)  # noqa: N815
    """Cutoff of the finest density grid, eV (5400 eV are 400 Ry)."""
    kpoint_spacing_per_A: Number = Field(default=0.25, gt=0)  # noqa: N815
    """Largest distance between k-points of periodic frames, 1/Å with the 2π; meshes are odd."""
    smearing_eV: Number = Field(default=0.1, gt=0)  # noqa: N815
    """Width kT of the Fermi-Dirac distribution of the electrons in periodic frames, eV."""
    empty_orbitals: Integer = Field(default=10, ge=1)
    """Orbitals above the occupied ones, for the smearing."""
    unpaired_electrons: Integer | None = Field(default=None, ge=0)
    """Number of unpaired electrons; null: not spin-polarised."""
    vacuum_A: Number = Field(default=4.0, ge=2)  # noqa: N815
    """Least vacuum on each side of a molecule, Å; its box is rounded up to whole 2 Å."""
    scf_error: Number = Field(default=1e-7, gt=0, le=1e-5)
    """The SCF ends when its error is smaller (EPS_SCF)."""
    max_cycles: Integer = Field(default=100, ge=1)
    """SCF cycles at most."""


class Cp2k:
    """Labels with CP2K (Kühne et al., J. Chem. Phys. 152, 194103 (2020))."""

    settings_type: ClassVar[type[StrictModel]] = Cp2kSettings
    frames_per_process: ClassVar[int] = 1

    def __init__(self, settings: Cp2kSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse a missing program, and elements without basis set or pseudopotential."""
        settings = self.settings
        _program(settings)
        problems = []
        for file, family, key in (
            (settings.basis_file, settings.basis, "basis"),
            (settings.pseudopotential_file, settings.pseudopotential, "pseudopotential"),
        ):
            path = settings.data_folder / file
            if not path.is_file():
                what = "there is no such file; on Debian: apt-get install cp2k-data"
                problems.append(Problem(str(path), f"label.cp2k.{key}_file", what))
                continue
            missing = [e for e in elements if (e, family) not in _entries(path)]
            if missing:
                what = f"has no {family} for {', '.join(missing)}"
                problems.append(Problem(str(path), f"label.cp2k.{key}", what))
        if problems:
            raise InputError(*problems)

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Settings without paths, and the hashes of the program and its data."""
        settings = self.settings
        files = (settings.basis_file, settings.pseudopotential_file)
        return {
            "engine": "cp2k",
            "program": sha256_file(_program(settings)),
            "data": [sha256_file(settings.data_folder / file) for file in files],
            **settings.model_dump(mode="json", exclude={"data_folder", "command"}),
        }

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make ASE's calculator, which runs CP2K's shell; molecules are put in a box."""
        from ase.calculators.cp2k import CP2K

        settings = self.settings
        os.environ["CP2K_DATA_DIR"] = str(settings.data_folder)
        (folder / ENGINE_LOG).symlink_to(f"{_LABEL}.out")
        mesh = (1, 1, 1)
        periodic = bool(atoms.pbc.any())
        if periodic:
            mesh = gamma_mesh(atoms.cell.array, settings.kpoint_spacing_per_A)
        else:
            put_in_box(atoms, settings.vacuum_A)
            atoms.pbc = True
        unpaired = settings.unpaired_electrons
        return CP2K(
            command=shlex.join([*settings.command, "-s"]),
            directory=str(folder),
            label=_LABEL,
            basis_set=settings.basis,
            basis_set_file=settings.basis_file,
            pseudo_potential=settings.pseudopotential,
            potential_file=settings.pseudopotential_file,
            xc=settings.functional,
            cutoff=settings.cutoff_eV,
            max_scf=settings.max_cycles * (_GENTLE_CYCLES if gentle else 1),
            stress_tensor=periodic,
            uks=unpaired is not None,
            multiplicity=0 if unpaired is None else unpaired + 1,  # 0: CP2K's lowest
            print_level="MEDIUM",
            poisson_solver=None,
            inp=self._input(mesh, periodic=periodic, gentle=gentle),
        )

    def _input(self, mesh: tuple[int, int, int], *, periodic: bool, gentle: bool) -> str:
        """What ASE has no keyword for. MACDONALD meshes have Gamma in them if they are odd."""
        from ase.units import kB

        settings = self.settings
        odd = [count | 1 for count in mesh]
        lines = ["&FORCE_EVAL", "&DFT"]
        if odd != [1, 1, 1]:
            lines += ["&KPOINTS", f"SCHEME MACDONALD {odd[0]} {odd[1]} {odd[2]} 0.0 0.0 0.0",
                      "&END KPOINTS"]  # fmt: skip
        lines += ["&SCF", f"EPS_SCF {settings.scf_error:g}"]
        if periodic:
            lines += [
                f"ADDED_MOS {settings.empty_orbitals}",
                "&SMEAR ON",
                "METHOD FERMI_DIRAC",
                f"ELECTRONIC_TEMPERATURE [K] {settings.smearing_eV / kB:.3f}",
                "&END SMEAR",
            ]
        alpha = _GENTLE_ALPHA if gentle else _ALPHA
        lines += ["&MIXING", "METHOD BROYDEN_MIXING", f"ALPHA {alpha:g}", "&END MIXING"]
        return "\n".join([*lines, "&END SCF", "&END DFT", "&END FORCE_EVAL"])

    def evidence(self, calculator: Any, folder: Path) -> str:
        """CP2K gives energies of unconverged fields as if nothing were: its output must say so."""
        calculator.close()  # so that the output is all there
        log = _read(folder)
        found = _CONVERGED.findall(log)
        if _FAILED in log or not found:
            raise UnconvergedError("CP2K's output does not say that the SCF run converged")
        return f"CP2K converged in {found[-1]} cycles"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """Tell an unconverged SCF from other errors."""
        if _FAILED in _read(folder):
            return UnconvergedError(f"CP2K: {_FAILED}")
        return error


def _read(folder: Path) -> str:
    path = folder / f"{_LABEL}.out"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


@cache
def _entries(path: Path) -> frozenset[tuple[str, str]]:
    """Pairs of element and name in one of CP2K's data files; names stand on the element's line."""
    found: set[tuple[str, str]] = set()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0].isalpha():
            found.update((words[0], name) for name in words[1:])
    return frozenset(found)


def _program(settings: Cp2kSettings) -> Path:
    return find_program(settings.command, "cp2k", "apt-get install cp2k cp2k-data")
