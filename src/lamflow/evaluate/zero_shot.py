"""What a pretrained model knows of new data before it has learnt from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from lamflow.data.frames import IntArray, System
from lamflow.data.references import Baseline, References, fit_references
from lamflow.errors import InputError, Problem
from lamflow.evaluate.errors import head_errors
from lamflow.evaluate.predictor import Prediction, Predictor


class ShiftedPredictor:
    """A model with an energy added for each atom, by its element.

    Another functional, pseudopotential or reference state moves total energies by eV per atom and
    leaves forces as they are. Energies of two sources can be compared only after that is taken out.
    """

    def __init__(self, predictor: Predictor, shift: References) -> None:
        self._predictor = predictor
        self.shift = shift

    @property
    def type_map(self) -> tuple[str, ...]:
        """Chemical symbols that the model knows."""
        return self._predictor.type_map

    def predict(self, system: System) -> Prediction:
        """Predict for every frame, energies shifted."""
        says = self._predictor.predict(system)
        return Prediction(says.energies + self.shift.of(system), says.forces, says.virials)


def refit_references(predictor: Predictor, labelled: Iterable[System]) -> ShiftedPredictor:
    """Fit what is missing in a model's energies to one energy for each element.

    Parameters
    ----------
    predictor
        The pretrained model.
    labelled
        A few labelled frames of the new data, apart from those to be tested on.

    Raises
    ------
    InputError
        No frame has an energy, or an element that the model does not know.
    """
    elements = predictor.type_map
    counts, missing = [], []
    for system in labelled:
        if system.energies is not None:
            counts.append(_counts(system, elements))
            missing.append(system.energies - predictor.predict(system).energies)
    if not counts:
        raise InputError(Problem("", "", "no frame has an energy to refit the references to"))
    fit = fit_references(np.concatenate(counts), np.concatenate(missing), elements)
    return ShiftedPredictor(predictor, fit)


def zero_shot_errors(
    predictor: Predictor, labelled: Iterable[System], test: Iterable[System], baseline: Baseline
) -> dict[str, Any]:
    """Measure a pretrained model on new data, its elements' reference energies refitted.

    Parameters
    ----------
    predictor
        A head of the pretrained model.
    labelled
        Frames to refit the references to, such as the downstream training set.
    test
        Other frames.
    baseline
        Fitted to `labelled`: what a model without any knowledge would say.

    Returns
    -------
    dict
        As `lamflow.evaluate.errors.head_errors`.
    """
    return head_errors(refit_references(predictor, labelled), test, baseline)


def _counts(system: System, elements: tuple[str, ...]) -> IntArray:
    """Atoms of each of `elements`, (nframes, nelements)."""
    table = np.zeros((system.nframes, len(elements)), dtype=np.int64)
    own = system.counts()
    for column, symbol in enumerate(system.type_map):
        if symbol in elements:
            table[:, elements.index(symbol)] = own[:, column]
    return table
