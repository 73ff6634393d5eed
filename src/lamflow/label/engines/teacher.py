"""A trained model as the labeller: for distillation, and to try a loop without DFT."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lamflow.config.base import StrictModel
from lamflow.errors import InputError, Problem
from lamflow.files import sha256_file
from lamflow.label.installed import package_version
from lamflow.label.paths import AbsolutePath

if TYPE_CHECKING:
    from ase import Atoms

    from lamflow.evaluate.predictor import DeepmdPredictor


class TeacherSettings(StrictModel):
    """Which model labels."""

    model: AbsolutePath
    """A DeePMD-kit checkpoint or frozen model."""
    head: str | None = None
    """Which head of a multi-task model."""


class Teacher:
    """Labels with a DeePMD-kit model."""

    settings_type: ClassVar[type[StrictModel]] = TeacherSettings
    frames_per_process: ClassVar[int] = 500

    def __init__(self, settings: TeacherSettings) -> None:
        self.settings = settings

    @cached_property
    def _predictor(self) -> "DeepmdPredictor":
        from lamflow.evaluate.predictor import DeepmdPredictor

        return DeepmdPredictor(self.settings.model, self.settings.head)

    @cached_property
    def _sha256(self) -> str:
        return sha256_file(self.settings.model)

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse elements that the model does not know."""
        known = self._predictor.type_map
        unknown = [element for element in elements if element not in known]
        if unknown:
            what = f"the model does not know {', '.join(unknown)}; it knows {', '.join(known)}"
            raise InputError(Problem(str(self.settings.model), "label.teacher", what))

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """The model's content and head; its path does not matter."""
        return {
            "engine": "teacher",
            "deepmd-kit": package_version("deepmd-kit", "teacher", "pip install deepmd-kit"),
            "model": self._sha256,
            "head": self.settings.head,
        }

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> Any:
        """Make a calculator; the model is loaded once per process."""
        from lamflow.label.model_calculator import ModelCalculator

        return ModelCalculator(self._predictor)

    def evidence(self, calculator: Any, folder: Path) -> str:
        """A model solves nothing that could fail to converge."""
        return "closed form"

    def explain(self, error: Exception, folder: Path) -> Exception:
        """The model's errors are what they are."""
        return error
