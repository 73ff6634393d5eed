"""Effective-medium theory: not DFT, but instantaneous; for tests and demonstrations."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lamflow.config.base import StrictModel
from lamflow.errors import InputError, Problem

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.emt import EMT


class EmtSettings(StrictModel):
    """EMT has nothing to set."""


class Emt:
    """Labels with ASE's EMT (Jacobsen, Stoltze, Nørskov, Surf. Sci. 366, 394 (1996))."""

    settings_type: ClassVar[type[StrictModel]] = EmtSettings
    frames_per_process: ClassVar[int] = 200

    def __init__(self, settings: EmtSettings) -> None:
        self.settings = settings

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse elements without EMT parameters."""
        from ase.calculators.emt import parameters

        unknown = sorted(set(elements) - set(parameters))
        if unknown:
            known = ", ".join(parameters)
            raise InputError(
                Problem("", "label.emt", f"EMT does not know {', '.join(unknown)}; only {known}")
            )

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """EMT's parameters come with ASE."""
        from ase import __version__

        return {"engine": "emt", "ase": __version__}

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> "EMT":
        """Make ASE's calculator."""
        from ase.calculators.emt import EMT

        return EMT()

    def evidence(self, calculator: Any, folder: Path) -> str:
        """EMT solves nothing that could fail to converge."""
        return "closed form"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """EMT's errors are what they are."""
        return error
