"""Frames as points in the space of a model's own descriptor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lamflow.data.frames import FloatArray, System
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import translate_types


class DescriptorSpace:
    """Maps frames to points: the mean descriptor of each element's atoms, one after the other.

    Two frames are near if the atoms of each element have alike surroundings, as the model sees
    them. Elements that a frame lacks give zeros.

    Parameters
    ----------
    model
        Checkpoint or frozen model of DeePMD-kit.
    elements
        The elements that may occur; the model must know them.
    head
        Which head of a multi-task checkpoint.

    Raises
    ------
    InputError
        There is no such file.
    """

    def __init__(self, model: Path, elements: Sequence[str], head: str | None = None) -> None:
        if not model.is_file():
            raise InputError(Problem(str(model), "", "there is no model file here"))
        from deepmd.infer import DeepPot

        self._potential = DeepPot(str(model), head=head)
        self._type_map = tuple(self._potential.get_type_map())
        self._elements = tuple(elements)

    def points(self, system: System) -> FloatArray:
        """Points of all frames, (nframes, nelements · width of the descriptor)."""
        types = translate_types(system, self._type_map)
        nframes, natoms = system.nframes, system.natoms
        cells = None if system.cells is None else system.cells.reshape(nframes, 9)
        described = self._potential.eval_descriptor(
            system.coords.reshape(nframes, natoms * 3), cells, types, mixed_type=True
        )
        numbers = [self._type_map.index(symbol) for symbol in self._elements]
        return mean_by_type(np.asarray(described, dtype=np.float64), types, numbers)


def mean_by_type(described: FloatArray, types: np.ndarray, numbers: Sequence[int]) -> FloatArray:
    """Average atoms of each type, (nframes, len(numbers) · width).

    Parameters
    ----------
    described
        (nframes, natoms, width), a vector for each atom.
    types
        (nframes, natoms).
    numbers
        The types to average over, in this order; zeros where a frame has none.
    """
    parts = []
    for number in numbers:
        mask = types == number
        total = np.einsum("fa,faw->fw", mask.astype(np.float64), described)
        parts.append(total / np.maximum(mask.sum(axis=1), 1)[:, None])
    return np.concatenate(parts, axis=1)
