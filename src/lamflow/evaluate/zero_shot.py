"""What a pretrained model knows of new data before it has learnt from them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.data.references import Baseline, References, fit_references
from lamflow.errors import InputError, Problem
from lamflow.evaluate.errors import head_errors
from lamflow.evaluate.predictor import Prediction, Predictor

_FEWEST = 3
_ROUNDS = 30
_DEPENDENT = 1e-6
_EXACT = 1e-7  # eV/atom


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


def refit_residuals(
    counts: IntArray, missing: FloatArray, compositions: Sequence[str]
) -> FloatArray:
    """Return what refitted reference energies do not explain, (nframes,) eV/atom.

    Each half of the frames gets the references of the other half, so that no frame explains
    itself; frames of wild energy do not bend the references of the others.

    Parameters
    ----------
    counts
        (nframes, nelements) atoms of each element.
    missing
        (nframes,) eV, true energy less the model's; NaN without a label.
    compositions
        (nframes,) formulas. The halves hold the same compositions as far as they can; a frame
        whose energy the other half does not fix gets NaN.
    """
    residuals = np.full(len(missing), np.nan)
    half = _halves(np.isfinite(missing), compositions)
    if not all((half == side).sum() > _FEWEST for side in (0, 1)):
        return residuals
    atoms = np.maximum(counts.sum(axis=1), 1)
    for side in (0, 1):
        others = half == 1 - side
        mine = (half == side) & _spanned(counts, counts[others])
        fit = _robust_fit(counts[others], missing[others])
        residuals[mine] = (missing[mine] - counts[mine] @ fit) / atoms[mine]
    return residuals


def _halves(usable: NDArray[np.bool_], compositions: Sequence[str]) -> IntArray:
    """0 or 1 for each frame, in turn within each composition; -1 for those that don't count."""
    half = np.full(len(usable), -1, dtype=np.int64)
    groups: dict[str, list[int]] = {}
    for index in np.flatnonzero(usable).tolist():
        groups.setdefault(compositions[index], []).append(index)
    for number, members in enumerate(groups.values()):
        half[members] = (np.arange(len(members)) + number) % 2
    return half


def _spanned(counts: IntArray, basis: IntArray) -> NDArray[np.bool_]:
    """Whether the energy of each row is fixed by the energies of the rows of `basis`."""
    rows = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    known = np.unique(basis, axis=0)
    _, spread, axes = np.linalg.svd(known / known.sum(axis=1, keepdims=True), full_matrices=False)
    axes = axes[spread > _DEPENDENT * spread[0]]
    off = rows - rows @ axes.T @ axes
    return np.asarray(np.abs(off).max(axis=1) < _DEPENDENT)


def _robust_fit(counts: IntArray, missing: FloatArray) -> FloatArray:
    """Energies per element, (nelements,) eV: of least absolute deviation per atom.

    Source: iteratively reweighted least squares, Schlossmacher, J. Am. Stat. Assoc. 68, 857 (1973).
    """
    atoms = np.maximum(counts.sum(axis=1), 1)
    rows, target = counts / atoms[:, None], missing / atoms
    # What is left free by the compositions stays near the usual energy per atom.
    usual = float(np.median(target))
    energies = np.full(rows.shape[1], usual)
    for _ in range(_ROUNDS):
        weight = 1 / np.sqrt(np.maximum(np.abs(target - rows @ energies), _EXACT))
        found = np.linalg.lstsq(rows * weight[:, None], (target - usual) * weight, rcond=1e-10)
        energies = found[0] + usual
    return energies
