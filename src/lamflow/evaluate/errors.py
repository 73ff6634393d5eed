"""Errors of a model against DFT, streamed over a dataset, beside a baseline."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import FloatArray, System
from lamflow.data.references import Baseline
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import Prediction, Predictor
from lamflow.progress import Progress, silent

_MILLI = 1000.0
_PARITY_POINTS = 5000


@dataclass
class Moments:
    """Sums over numbers seen so far: the RMSE and MAE need no more memory than these."""

    count: int = 0
    squares: float = 0.0
    absolutes: float = 0.0

    def add(self, errors: FloatArray) -> None:
        """Take more errors into account."""
        self.count += errors.size
        self.squares += float(np.square(errors).sum())
        self.absolutes += float(np.abs(errors).sum())

    def rms(self) -> float | None:
        """Root mean square; None if nothing was seen."""
        return float(np.sqrt(self.squares / self.count)) if self.count else None

    def mean(self) -> float | None:
        """Mean absolute value; None if nothing was seen."""
        return self.absolutes / self.count if self.count else None

    def rmse(self) -> float | None:
        """Root mean square times 1000 (eV to meV); None if nothing was seen."""
        return _MILLI * float(np.sqrt(self.squares / self.count)) if self.count else None

    def mae(self) -> float | None:
        """Mean absolute value times 1000 (eV to meV); None if nothing was seen."""
        return _MILLI * self.absolutes / self.count if self.count else None


@dataclass
class _Errors:
    energy: Moments = field(default_factory=Moments)
    force: Moments = field(default_factory=Moments)
    virial: Moments = field(default_factory=Moments)

    def add(self, system: System, prediction: Prediction) -> None:
        if system.energies is not None:
            self.energy.add((prediction.energies - system.energies) / system.natoms)
        if system.forces is not None:
            self.force.add(prediction.forces - system.forces)
        if system.virials is not None:
            self.virial.add((prediction.virials - system.virials) / system.natoms)

    def as_dict(self) -> dict[str, float | None]:
        return {
            "energy_rmse_meV_per_atom": self.energy.rmse(),
            "energy_mae_meV_per_atom": self.energy.mae(),
            "force_rmse_meV_per_A": self.force.rmse(),
            "force_mae_meV_per_A": self.force.mae(),
            "virial_rmse_meV_per_atom": self.virial.rmse(),
        }


class Observer(Protocol):
    """Looks at each prediction beside its reference."""

    def add(self, system: System, prediction: Prediction, zero: FloatArray) -> None:
        """Look at the frames of one system; energies are counted from `zero`, (nframes,) eV."""


class Parity:
    """A reproducible sample of reference against prediction, small enough to plot.

    Parameters
    ----------
    rng
        Decides which points are kept (reservoir sampling: Vitter, ACM TOMS 11, 37, 1985).
    points
        At most so many of each quantity.
    """

    def __init__(self, rng: np.random.Generator, points: int = _PARITY_POINTS) -> None:
        self._rng = rng
        self._points = points
        self._kept: dict[str, list[NDArray[np.float64]]] = {}

    def add(self, system: System, prediction: Prediction, zero: FloatArray) -> None:
        """Offer the frames of one system; energies are counted from `zero`, (nframes,) eV."""
        natoms = system.natoms
        if system.energies is not None:
            reference, predicted = system.energies - zero, prediction.energies - zero
            self._offer("energy", reference / natoms, predicted / natoms)
        if system.forces is not None:
            self._offer("force", system.forces, prediction.forces)
        if system.virials is not None:
            self._offer("virial", system.virials / natoms, prediction.virials / natoms)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """``energy`` (eV/atom), ``force`` (eV/Å), ``virial`` (eV/atom): (n, 2) DFT and model.

        Energies are those above the baseline, so that frames of unlike composition can be
        compared.
        """
        return {
            name: np.concatenate(rows)[:, :2].astype(np.float32)
            for name, rows in self._kept.items()
        }

    def _offer(self, name: str, reference: FloatArray, predicted: FloatArray) -> None:
        # Each point gets a random key; those with the smallest keys stay. Same as a reservoir.
        keys = self._rng.random(reference.size)
        rows = np.column_stack([reference.ravel(), predicted.ravel(), keys])
        merged = np.concatenate([*self._kept.get(name, []), rows])
        if len(merged) > self._points:
            merged = merged[np.argsort(merged[:, 2], kind="stable")[: self._points]]
        self._kept[name] = [merged]


def head_errors(
    predictor: Predictor,
    test: Iterable[System],
    baseline: Baseline,
    *,
    parity: Observer | None = None,
    details: Observer | None = None,
    progress: Progress = silent,
    nframes: int = 0,
) -> dict[str, Any]:
    """Measure a model on a test set, and the baseline on the same frames.

    Energies are compared per atom, forces and virials per component; every component of every
    frame counts the same.

    Parameters
    ----------
    predictor
        The model.
    test
        Labelled systems; a label that a system lacks is left out.
    baseline
        Mean energy per element, fitted to the training set, and no forces: the least to beat.
    parity
        Gets the points for a parity plot, if given.
    details
        Gets the same, such as `lamflow.evaluate.details.Details`.
    progress, nframes
        Told frames done of `nframes` after each system.

    Returns
    -------
    dict
        ``frames``, the errors of `lamflow.evaluate.table.ERROR_KEYS` in meV, meV/atom and meV/Å
        (None where there is no such label), and ``baseline`` with the same errors.

    Raises
    ------
    InputError
        There are no frames, or an element that the model does not know.
    """
    model, base, frames = _Errors(), _Errors(), 0
    for system in test:
        prediction = predictor.predict(system)
        model.add(system, prediction)
        least = _baseline_prediction(baseline, system)
        base.add(system, least)
        for observer in (parity, details):
            if observer is not None:
                observer.add(system, prediction, least.energies)
        frames += system.nframes
        progress(frames, max(nframes, frames), {})
    if frames == 0:
        raise InputError(Problem("", "", "there are no frames to test the model on"))
    return {"frames": frames, **model.as_dict(), "baseline": base.as_dict()}


def _baseline_prediction(baseline: Baseline, system: System) -> Prediction:
    return Prediction(baseline.energies(system), baseline.forces(system), baseline.virials(system))
