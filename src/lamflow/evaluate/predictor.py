"""Energies, forces and virials that a model predicts for frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.errors import InputError, Problem


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about the frames of a `System`.

    Attributes
    ----------
    energies
        (nframes,) eV, total.
    forces
        (nframes, natoms, 3) eV/Å.
    virials
        (nframes, 3, 3) eV, −dE/dε; meaningless for frames without a cell.
    """

    energies: FloatArray
    forces: FloatArray
    virials: FloatArray


class Predictor(Protocol):
    """Predicts what DFT would say."""

    @property
    def type_map(self) -> tuple[str, ...]:
        """Chemical symbols that the model knows."""

    def predict(self, system: System) -> Prediction:
        """Predict for every frame; InputError if an element is not in `type_map`."""


class DeepmdPredictor:
    """Predicts with a DeePMD-kit model.

    Parameters
    ----------
    model
        Checkpoint (``.pt``) or frozen model (``.pth``).
    head
        Which head of a multi-task checkpoint.

    Raises
    ------
    InputError
        There is no such file, or the checkpoint has no such head.
    """

    def __init__(self, model: Path, head: str | None = None) -> None:
        if not model.is_file():
            raise InputError(Problem(str(model), "", "there is no model file here"))
        from deepmd.infer import DeepPot

        try:
            self._potential = DeepPot(str(model), head=head)
        except AssertionError as error:
            raise InputError(Problem(str(model), "head", str(error))) from error
        self._type_map = tuple(self._potential.get_type_map())

    @property
    def type_map(self) -> tuple[str, ...]:
        """Chemical symbols that the model knows."""
        return self._type_map

    def predict(self, system: System) -> Prediction:
        """Predict for every frame; as many frames at a time as memory holds."""
        types = translate_types(system, self._type_map)
        nframes, natoms = system.nframes, system.natoms
        cells = None if system.cells is None else system.cells.reshape(nframes, 9)
        energies, forces, virials = self._potential.eval(
            system.coords.reshape(nframes, natoms * 3), cells, types, mixed_type=True
        )[:3]
        return Prediction(
            np.asarray(energies, dtype=np.float64).reshape(nframes),
            np.asarray(forces, dtype=np.float64).reshape(nframes, natoms, 3),
            np.asarray(virials, dtype=np.float64).reshape(nframes, 3, 3),
        )


def translate_types(system: System, type_map: Sequence[str]) -> IntArray:
    """Indices into another `type_map`, (nframes, natoms); InputError if an element is missing."""
    table = np.array(
        [type_map.index(s) if s in type_map else -1 for s in system.type_map], dtype=np.int64
    )
    types = table[system.types]
    if (types < 0).any():
        unknown = sorted({system.type_map[i] for i in np.unique(system.types[types < 0])})
        raise InputError(
            Problem(
                system.name,
                "",
                f"the model does not know {', '.join(unknown)}; it knows {', '.join(type_map)}",
            )
        )
    return types
