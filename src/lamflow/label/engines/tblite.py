"""Extended tight binding (GFN1/GFN2-xTB) by tblite: semi-empirical, for laptops and CI."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from lamflow.config.base import Integer, Number, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.label.installed import package_version
from lamflow.label.protocol import UnconvergedError

if TYPE_CHECKING:
    from ase import Atoms

_HEAVIEST = 86  # Rn; both methods have parameters up to it
_GENTLE_DAMPING, _DAMPING = 0.1, 0.4
_GENTLE_CYCLES = 4


class TbliteSettings(StrictModel):
    """Settings of tblite."""

    method: Literal["GFN1-xTB", "GFN2-xTB"] = "GFN2-xTB"
    """Parametrisation."""
    electronic_temperature_K: Number = Field(default=300.0, gt=0)  # noqa: N815
    """Temperature of the Fermi distribution of the electrons, K."""
    accuracy: Number = Field(default=0.1, gt=0)
    """Thresholds of the SCF relative to tblite's own; smaller is stricter."""
    max_cycles: Integer = Field(default=250, ge=1)
    """SCF cycles at most."""
    charge: Integer = 0
    """Total charge, e."""
    unpaired_electrons: Integer | None = Field(default=None, ge=0)
    """Number of unpaired electrons; null: as few as the number of electrons allows."""


class Tblite:
    """Labels with tblite (Bannwarth et al., WIREs Comput. Mol. Sci. 11, e1493 (2021)).

    Periodic frames are sampled at the Gamma point only: use cells of 10 Å or more.
    """

    settings_type: ClassVar[type[StrictModel]] = TbliteSettings
    frames_per_process: ClassVar[int] = 20

    def __init__(self, settings: TbliteSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse elements without parameters."""
        from ase.data import atomic_numbers

        _version()
        unknown = [e for e in elements if not 0 < atomic_numbers.get(e, 0) <= _HEAVIEST]
        if unknown:
            raise InputError(
                Problem("", "label.tblite", f"xTB does not know {', '.join(unknown)}; only H to Rn")
            )

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Parameters come with tblite."""
        return {"engine": "tblite", "version": _version(), **self.settings.model_dump(mode="json")}

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make tblite's own ASE calculator."""
        from tblite.ase import TBLite

        unpaired = self.settings.unpaired_electrons
        return TBLite(
            method=self.settings.method,
            accuracy=self.settings.accuracy,
            electronic_temperature=self.settings.electronic_temperature_K,
            max_iterations=self.settings.max_cycles * (_GENTLE_CYCLES if gentle else 1),
            mixer_damping=_GENTLE_DAMPING if gentle else _DAMPING,
            charge=self.settings.charge,
            multiplicity=None if unpaired is None else unpaired + 1,
        )

    def evidence(self, calculator: Any, folder: Path) -> str:
        """Tblite raises if the SCF does not converge, and has results only if it did."""
        if "energy" not in calculator.results:
            raise UnconvergedError("tblite gave no energy")
        return "tblite ended its SCF below its thresholds"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """Tell an unconverged SCF from other errors."""
        if "not converged" in str(error):
            return UnconvergedError(str(error))
        return error


def _version() -> str:
    return package_version("tblite", "tblite", "pip install 'tblite==0.8.0'")
