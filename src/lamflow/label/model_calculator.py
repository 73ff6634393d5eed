"""An ASE calculator around a `lamflow.evaluate.predictor.Predictor`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ase.calculators.calculator import Calculator, all_changes

from lamflow.evaluate.predictor import Predictor
from lamflow.label.atoms import from_atoms

if TYPE_CHECKING:
    from ase import Atoms


class ModelCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and, of periodic frames, stress by a model."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self._predictor = predictor

    def calculate(
        self,
        atoms: "Atoms | None" = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Predict; InputError if the model does not know an element."""
        from ase.stress import full_3x3_to_voigt_6_stress

        super().calculate(atoms, properties, system_changes)
        system = from_atoms(self.atoms, tuple(sorted(set(self.atoms.symbols))))
        prediction = self._predictor.predict(system)
        energy = float(prediction.energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": prediction.forces[0]}
        if system.periodic:
            stress = -prediction.virials[0] / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress((stress + stress.T) / 2)
