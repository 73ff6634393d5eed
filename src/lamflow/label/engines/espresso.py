"""Plane-wave DFT by Quantum ESPRESSO's pw.x, with the user's own pseudopotentials."""

import re
import shlex
from collections.abc import Sequence
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

_OUTPUT = "espresso.pwo"
_THRESHOLD = re.compile(r"scf convergence threshold\s*=\s*(\S+)")
_ACCURACY = re.compile(r"estimated scf accuracy\s*<\s*(\S+) Ry")
_FAILED = "convergence NOT achieved"
_GENTLE_BETA, _BETA = 0.2, 0.7
_GENTLE_CYCLES = 3


class EspressoSettings(StrictModel):
    """Settings of pw.x; the functional is that of the pseudopotentials."""

    pseudopotentials: dict[str, str]
    """Element to the name of its UPF file."""
    pseudopotential_folder: AbsolutePath
    """Where these files are."""
    sha256: dict[str, str] = Field(default={})
    """Element to the SHA-256 that its file must have; those left out are not checked."""
    command: tuple[str, ...] = ("pw.x",)
    """The program, such as [mpirun, -np, "4", pw.x]; no shell is involved."""
    cutoff_eV: Number = Field(default=600.0, ge=100)  # noqa: N815
    """Kinetic energy cutoff of the wave functions, eV."""
    density_cutoff_eV: Number | None = Field(default=None, ge=400)  # noqa: N815
    """Cutoff of the density, eV; null: 8 times that of the wave functions, enough for
    ultrasoft and PAW."""
    kpoint_spacing_per_A: Number = Field(default=0.25, gt=0)  # noqa: N815
    """Largest distance between k-points of periodic frames, 1/Å with the 2π (VASP's KSPACING)."""
    smearing_eV: Number = Field(default=0.1, gt=0)  # noqa: N815
    """Width of the Fermi-Dirac distribution of the electrons in periodic frames, eV."""
    magnetic_moments: dict[str, Number] = Field(default={})
    """First guess of the magnetic moment of each element, μB; empty: not spin-polarised."""
    vacuum_A: Number = Field(default=4.0, ge=3)  # noqa: N815
    """Least vacuum on each side of a molecule, Å; its box is rounded up to whole 2 Å."""
    energy_error_Ry: Number = Field(default=1e-9, gt=0, le=1e-5)  # noqa: N815
    """The SCF ends when its estimated error is smaller, Ry."""
    max_cycles: Integer = Field(default=100, ge=1)
    """SCF cycles at most."""


class Espresso:
    """Labels with Quantum ESPRESSO (Giannozzi et al., J. Chem. Phys. 152, 154105 (2020))."""

    settings_type: ClassVar[type[StrictModel]] = EspressoSettings
    frames_per_process: ClassVar[int] = 1

    def __init__(self, settings: EspressoSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse a missing program, and elements without their pseudopotential."""
        _program(self.settings)
        problems = []
        for element in elements:
            name = self.settings.pseudopotentials.get(element)
            path = self.settings.pseudopotential_folder / str(name)
            key = f"label.espresso.pseudopotentials.{element}"
            if name is None:
                problems.append(Problem("", key, f"give the UPF file for {element}"))
            elif not path.is_file():
                problems.append(Problem(str(path), key, "there is no such file"))
            elif sha256_file(path) != self.settings.sha256.get(element, sha256_file(path)):
                problems.append(Problem(str(path), key, "is not the file that sha256 names"))
        if problems:
            raise InputError(*problems)

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Settings without paths, and the hashes of program and pseudopotentials."""
        folder, names = self.settings.pseudopotential_folder, self.settings.pseudopotentials
        paths = {"pseudopotentials", "pseudopotential_folder", "sha256", "command"}
        return {
            "engine": "espresso",
            "program": sha256_file(_program(self.settings)),
            "pseudopotentials": {e: sha256_file(folder / names[e]) for e in elements},
            **self.settings.model_dump(mode="json", exclude=paths),
        }

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make ASE's calculator; molecules are put in the middle of a box."""
        from ase.calculators.espresso import Espresso as AseEspresso
        from ase.calculators.espresso import EspressoProfile

        settings = self.settings
        (folder / ENGINE_LOG).symlink_to(_OUTPUT)
        if settings.magnetic_moments:
            guess = [settings.magnetic_moments.get(symbol, 0.0) for symbol in atoms.symbols]
            atoms.set_initial_magnetic_moments(guess)
        mesh: tuple[int, int, int] | None = None
        if atoms.pbc.any():
            mesh = gamma_mesh(atoms.cell.array, settings.kpoint_spacing_per_A)
        else:
            put_in_box(atoms, settings.vacuum_A)
        return AseEspresso(
            profile=EspressoProfile(
                command=shlex.join(settings.command), pseudo_dir=settings.pseudopotential_folder
            ),
            directory=folder,
            input_data=self._input(folder, periodic=mesh is not None, gentle=gentle),
            pseudopotentials=settings.pseudopotentials,
            kpts=mesh,
            koffset=(0, 0, 0),
        )

    def _input(self, folder: Path, *, periodic: bool, gentle: bool) -> dict[str, Any]:
        from ase.units import Ry

        settings = self.settings
        density_eV = settings.density_cutoff_eV or 8 * settings.cutoff_eV  # noqa: N806
        system: dict[str, Any] = {
            "ecutwfc": settings.cutoff_eV / Ry,
            "ecutrho": density_eV / Ry,
        }
        if periodic:
            system |= {"occupations": "smearing", "smearing": "fermi-dirac"}
            system["degauss"] = settings.smearing_eV / Ry
        return {
            "control": {
                "tprnfor": True,
                "tstress": periodic,
                "disk_io": "none",
                "outdir": str(folder),
            },
            "system": system,
            "electrons": {
                "conv_thr": settings.energy_error_Ry,
                "electron_maxstep": settings.max_cycles * (_GENTLE_CYCLES if gentle else 1),
                "mixing_beta": _GENTLE_BETA if gentle else _BETA,
                "scf_must_converge": True,  # else pw.x says that it converged when it did not
            },
        }

    def evidence(self, calculator: Any, folder: Path) -> str:
        """Compare the last estimated error with its limit: pw.x's own words can't be trusted."""
        log = _read(folder)
        threshold, accuracies = _THRESHOLD.search(log), _ACCURACY.findall(log)
        if "JOB DONE" not in log or _FAILED in log or threshold is None or not accuracies:
            raise UnconvergedError(f"{_OUTPUT} does not show that the SCF converged")
        limit, last = float(threshold[1].replace("D", "E")), float(accuracies[-1])
        if last > limit:
            raise UnconvergedError(f"estimated SCF error {last:g} Ry, limit {limit:g} Ry")
        return f"pw.x: estimated SCF error {last:g} Ry, limit {limit:g} Ry"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """Tell an unconverged SCF from other errors."""
        if _FAILED in _read(folder):
            return UnconvergedError(f"pw.x: {_FAILED} in {self.settings.max_cycles} cycles or more")
        return error


def _read(folder: Path) -> str:
    path = folder / _OUTPUT
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _program(settings: EspressoSettings) -> Path:
    return find_program(settings.command, "espresso", "apt-get install quantum-espresso")
