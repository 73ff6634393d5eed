"""Plane-wave DFT (PBE, PAW) by GPAW: periodic frames, and molecules in a box."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lamflow.children import ENGINE_LOG
from lamflow.config.base import Integer, Number, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.files import sha256_file
from lamflow.label.box import put_in_box
from lamflow.label.installed import package_version
from lamflow.label.kpoints import gamma_mesh
from lamflow.label.protocol import UnconvergedError

if TYPE_CHECKING:
    from ase import Atoms

_CONVERGED = re.compile(r"^Converged in (\d+) steps", re.MULTILINE)
_GENTLE_MIXER = {"backend": "pulay", "beta": 0.02, "nmaxold": 5, "weight": 100.0}
_GENTLE_CYCLES = 3
_INSTALL = "pip install 'gpaw==26.7.0' 'gpaw-data==1.2.1' with GPAW_CONFIG as in docs/labellers.md"


class GpawSettings(StrictModel):
    """Settings of GPAW."""

    functional: Literal["PBE"] = "PBE"
    """Exchange-correlation functional; the PAW datasets of gpaw-data are for PBE."""
    cutoff_eV: Number = Field(default=600.0, ge=200)  # noqa: N815
    """Kinetic energy cutoff of the plane waves, eV; at least 600 eV with O, N or F."""
    kpoint_spacing_per_A: Number = Field(default=0.25, gt=0)  # noqa: N815
    """Largest distance between k-points of periodic frames, 1/Å with the 2π (VASP's KSPACING)."""
    smearing_eV: Number = Field(default=0.1, gt=0)  # noqa: N815
    """Width of the Fermi-Dirac distribution of the electrons in periodic frames, eV."""
    magnetic_moments: dict[str, Number] = Field(default={})
    """First guess of the magnetic moment of each element, μB; empty: not spin-polarised."""
    charge: Integer = 0
    """Total charge of molecules, e."""
    vacuum_A: Number = Field(default=4.0, ge=3)  # noqa: N815
    """Least vacuum on each side of a molecule, Å; its box is rounded up to whole 2 Å, so that
    small moves do not change the basis."""
    density_error: Number = Field(default=1e-5, gt=0, le=1e-3)
    """The SCF ends when the density changes by less, electrons per valence electron."""
    max_cycles: Integer = Field(default=200, ge=1)
    """SCF cycles at most."""


class Gpaw:
    """Labels with GPAW (Mortensen et al., J. Chem. Phys. 160, 092503 (2024))."""

    settings_type: ClassVar[type[StrictModel]] = GpawSettings
    frames_per_process: ClassVar[int] = 1

    def __init__(self, settings: GpawSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse elements without PAW dataset, and charged crystals."""
        _version()
        unknown = [element for element in elements if _dataset(element) is None]
        problems = []
        if unknown:
            problems.append(f"gpaw-data has no PAW dataset for {', '.join(unknown)}")
        if periodic and self.settings.charge:
            problems.append("charge is for molecules; a charged crystal has no defined energy")
        if problems:
            raise InputError(*(Problem("", "label.gpaw", what) for what in problems))

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Settings, version and the PAW datasets' hashes."""
        found = {element: _dataset(element) for element in elements}
        return {
            "engine": "gpaw",
            "version": _version(),
            "paw": {e: sha256_file(path) for e, path in found.items() if path is not None},
            **self.settings.model_dump(mode="json"),
        }

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make GPAW's own ASE calculator; molecules are put in the middle of a box."""
        from gpaw import GPAW

        settings = self.settings
        options: dict[str, Any] = {
            "mode": {"name": "pw", "ecut": settings.cutoff_eV},
            "xc": settings.functional,
            "maxiter": settings.max_cycles * (_GENTLE_CYCLES if gentle else 1),
            "convergence": {"density": settings.density_error},
            "txt": str(folder / ENGINE_LOG),
        }
        if gentle:
            options["mixer"] = _GENTLE_MIXER
        if settings.magnetic_moments:
            guess = [settings.magnetic_moments.get(symbol, 0.0) for symbol in atoms.symbols]
            atoms.set_initial_magnetic_moments(guess)
        if atoms.pbc.any():
            mesh = gamma_mesh(atoms.cell.array, settings.kpoint_spacing_per_A)
            options["kpts"] = {"size": mesh, "gamma": True}
            options["occupations"] = {"name": "fermi-dirac", "width": settings.smearing_eV}
        else:
            put_in_box(atoms, settings.vacuum_A)
            options["charge"] = settings.charge
        return GPAW(**options)

    def evidence(self, calculator: Any, folder: Path) -> str:
        """GPAW's log has a line that says so."""
        found = _CONVERGED.search((folder / ENGINE_LOG).read_text(encoding="utf-8"))
        if found is None:
            raise UnconvergedError(f"{ENGINE_LOG} has no line that says 'Converged in ... steps'")
        return f"GPAW converged in {found[1]} cycles"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """Tell an unconverged SCF and a missing dataset from other errors."""
        from gpaw import KohnShamConvergenceError

        if isinstance(error, KohnShamConvergenceError):
            return UnconvergedError(str(error) or "GPAW's SCF did not converge")
        if isinstance(error, FileNotFoundError) and "PAW dataset" in str(error):
            return InputError(Problem("", "label.gpaw", str(error).splitlines()[0]))
        return error


def _version() -> str:
    return package_version("gpaw", "gpaw", _INSTALL)


def _dataset(element: str) -> Path | None:
    from gpaw.setup_data import search_for_file

    try:
        name, _ = search_for_file(f"{element}.PBE")
    except FileNotFoundError:
        return None
    return Path(name)
