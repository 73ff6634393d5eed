"""An ASE calculator around a PySCF mean field of a molecule."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ase.calculators.calculator import Calculator, all_changes
from ase.units import Bohr, Hartree

from lamflow.label.protocol import UnconvergedError

if TYPE_CHECKING:
    from ase import Atoms

    from lamflow.label.engines.pyscf import PyscfSettings


class PyscfCalculator(Calculator):  # type: ignore[misc]
    """Energy and forces of a molecule by Kohn-Sham DFT.

    Attributes
    ----------
    converged
        PySCF's own flag, None before a calculation.
    cycles
        SCF cycles of the last calculation.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(
        self,
        log: str,
        log_level: int,
        *,
        max_cycle: int,
        level_shift: float,
        settings: "PyscfSettings",
    ) -> None:
        super().__init__()
        self._log = log
        self._log_level = log_level
        self._max_cycle = max_cycle
        self._level_shift = level_shift
        self._settings = settings
        self.converged: bool | None = None
        self.cycles = 0

    def calculate(
        self,
        atoms: "Atoms | None" = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Run the SCF; UnconvergedError if it did not converge, as PySCF itself would go on."""
        super().calculate(atoms, properties, system_changes)
        field = self._mean_field()
        energy = field.kernel()
        self.converged, self.cycles = bool(field.converged), int(field.cycles)
        if not self.converged:
            raise UnconvergedError(f"PySCF's SCF has not converged in {self.cycles} cycles")
        self.results = {"energy": energy * Hartree}
        gradient = field.nuc_grad_method()
        gradient.grid_response = True  # else the forces are no exact derivative of the energy
        self.results["forces"] = -gradient.kernel() * Hartree / Bohr

    def _mean_field(self) -> Any:
        from pyscf import dft, gto

        settings = self._settings
        electrons = int(self.atoms.numbers.sum()) - settings.charge
        spin = settings.unpaired_electrons
        molecule = gto.M(
            atom=list(zip(self.atoms.symbols, self.atoms.positions.tolist(), strict=True)),
            unit="Angstrom",
            basis=settings.basis,
            charge=settings.charge,
            spin=electrons % 2 if spin is None else spin,
            output=self._log,
            verbose=self._log_level,
        )
        field = dft.RKS(molecule) if molecule.spin == 0 else dft.UKS(molecule)
        field.xc = settings.functional
        field.grids.level = settings.grid_level
        field.conv_tol = settings.energy_error_Ha
        field.max_cycle = self._max_cycle
        field.level_shift = self._level_shift
        return field
