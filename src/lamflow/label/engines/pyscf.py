"""Gaussian-basis DFT by PySCF, for molecules."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from lamflow.children import ENGINE_LOG
from lamflow.config.base import Integer, Number, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.label.installed import package_version
from lamflow.label.protocol import UnconvergedError

if TYPE_CHECKING:
    from ase import Atoms

_GENTLE_CYCLES = 3
_GENTLE_LEVEL_SHIFT = 0.25  # Hartree
_LOG_LEVEL = 4


class PyscfSettings(StrictModel):
    """Settings of PySCF."""

    functional: str = "pbe"
    """Exchange-correlation functional by its name in libxc, such as pbe or wb97x-v."""
    basis: str = "def2-tzvpp"
    """Basis set; smaller ones are far off: the force on O in water is wrong by 0.5 eV/Å in SVP."""
    charge: Integer = 0
    """Total charge, e."""
    unpaired_electrons: Integer | None = Field(default=None, ge=0)
    """Number of unpaired electrons (2S); null: as few as the number of electrons allows."""
    grid_level: Integer = Field(default=4, ge=0, le=9)
    """Fineness of the integration grid."""
    energy_error_Ha: Number = Field(default=1e-9, gt=0, le=1e-5)  # noqa: N815
    """The SCF ends when the energy changes by less, Hartree."""
    max_cycles: Integer = Field(default=60, ge=1)
    """SCF cycles at most."""


class Pyscf:
    """Labels with PySCF (Sun et al., J. Chem. Phys. 153, 024109 (2020)).

    Not for periodic frames: the stress of PySCF's own calculator is wrong, and its periodic code
    is slow.
    """

    settings_type: ClassVar[type[StrictModel]] = PyscfSettings
    frames_per_process: ClassVar[int] = 1

    def __init__(self, settings: PyscfSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse crystals, unknown functionals, and elements that the basis set lacks."""
        _version()
        from pyscf import dft, gto
        from pyscf.lib.exceptions import BasisNotFoundError

        problems = []
        if periodic:
            problems.append("pyscf labels molecules only; take gpaw for periodic frames")
        try:
            dft.libxc.parse_xc(self.settings.functional)
        except (KeyError, ValueError):
            problems.append(f"functional: libxc does not know {self.settings.functional!r}")
        try:
            for element in elements:
                gto.basis.load(self.settings.basis, element)
        except BasisNotFoundError as error:
            problems.append(f"basis: {error}")
        if problems:
            raise InputError(*(Problem("", "label.pyscf", what) for what in problems))

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Basis sets come with PySCF."""
        return {"engine": "pyscf", "version": _version(), **self.settings.model_dump(mode="json")}

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make a calculator for molecules."""
        from lamflow.label.engines.pyscf_calculator import PyscfCalculator

        return PyscfCalculator(
            str(folder / ENGINE_LOG),
            _LOG_LEVEL,
            max_cycle=self.settings.max_cycles * (_GENTLE_CYCLES if gentle else 1),
            level_shift=_GENTLE_LEVEL_SHIFT if gentle else 0.0,
            settings=self.settings,
        )

    def evidence(self, calculator: Any, folder: Path) -> str:
        """PySCF computes forces of an unconverged field without a word: look at its flag."""
        if calculator.converged is not True:
            raise UnconvergedError(f"PySCF's SCF has not converged in {calculator.cycles} cycles")
        return f"PySCF converged in {calculator.cycles} cycles"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """A spin that the number of electrons does not allow is the user's input."""
        if isinstance(error, RuntimeError) and "spin" in str(error):
            return InputError(Problem("", "label.pyscf.unpaired_electrons", str(error)))
        return error


def _version() -> str:
    return package_version("pyscf", "pyscf", "pip install 'pyscf==2.14.0'")
