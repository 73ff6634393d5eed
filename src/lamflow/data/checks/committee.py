"""A cross-validated committee of linear models for the frames of one set of elements.

Frames are dealt into K folds. Every pair of folds that is left out gives one member; a frame is
predicted by the K − 1 members that have not seen its fold. Their mean is the prediction, their
spread says how sure they are. All members come from one Gram matrix per fold, so that a
committee costs little more than one model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lamflow.data.checks.basis import Features
from lamflow.data.checks.robust import trimmed_rms
from lamflow.data.frames import FloatArray, IntArray
from lamflow.errors import RunError

ENERGY, FORCE, VIRIAL = 0, 1, 2
FOLDS = 5
_RIDGES = (1e-8, 1e-6, 1e-4)
# Above this size products are taken in single precision, which halves the time; the ridge then
# has to stay above the rounding.
_LARGE = 600
# What an energy error and a virial error weigh against a force error: an error in the force on
# an atom, times these lengths (Å), is about the error in the energy per atom and in the virial.
_ENERGY_A = 0.05
_VIRIAL_A = 2.0


@dataclass(frozen=True)
class Sample:
    """One frame: features, labels (None where missing) and atoms of each element."""

    features: Features
    counts: FloatArray
    energy: float | None
    forces: FloatArray | None
    virial: FloatArray | None

    @property
    def natoms(self) -> int:
        """Number of atoms."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Guess:
    """Prediction for one frame, and the spread (standard deviation) of the members.

    Energy per atom in eV; forces (natoms * 3,) eV/Å; virial (9,) eV. Spreads of forces and virial
    are root mean squares over components.
    """

    energy: float
    forces: FloatArray
    virial: FloatArray
    energy_spread: float
    force_spread: float
    virial_spread: float


class Committee:
    """K-fold committee; call `fit` with the labels to trust, then `guess`.

    Parameters
    ----------
    samples
        All frames that may be trained on.
    folds
        (nframes,) fold of each frame, 0 to K − 1.
    """

    def __init__(self, samples: Sequence[Sample], folds: IntArray) -> None:
        self._samples = samples
        self._folds = folds
        self._elements = len(samples[0].counts)
        squares = np.mean([np.square(s.features.forces).mean(axis=0) for s in samples], axis=0)
        scale = np.sqrt(squares.astype(np.float64))
        # Features that never change any force (absent neighbours) keep out of the way.
        self._scale = np.where(scale > 1e-6 * scale.max(), scale, np.inf)
        self.force_scale = trimmed_rms(
            np.array([_rms(s.forces) for s in samples if s.forces is not None])
        )
        self._floor = max(0.3 * self.force_scale, 1e-6)
        self._atoms = float(np.mean([s.natoms for s in samples]))
        self._references = _references(samples)
        size = len(scale) + self._elements
        count = int(folds.max()) + 1
        self._large = size > _LARGE
        self._gram = np.zeros((count, size, size))
        self._right = np.zeros((count, size))
        self._held: NDArray[np.bool_] = np.zeros((len(samples), 3), dtype=np.bool_)
        self._members: dict[tuple[int, ...], FloatArray] = {}
        self._ridge: float | None = None

    def fit(self, trusted: NDArray[np.bool_], *, single: bool = False) -> None:
        """Train all members on the trusted labels.

        Parameters
        ----------
        trusted
            (nframes, 3) whether to use each frame's energy, forces and virial.
        single
            One member per fold only: no spread, half of the work.
        """
        for index, kind in zip(*np.nonzero(trusted != self._held), strict=True):
            rows, right = self._rows(self._samples[index], int(kind))
            sign = 1.0 if trusted[index, kind] else -1.0
            fold = self._folds[index]
            short = rows.astype(np.float32) if self._large else rows
            self._gram[fold] += sign * (short.T @ short)
            self._right[fold] += sign * (rows.T @ right)
        self._held = trusted.copy()
        if self._ridge is None:
            self._ridge = self._best_ridge(trusted)
        without = combinations(range(len(self._gram)), 1 if single else 2)
        self._members = {folds: self._solve(folds, self._ridge) for folds in without}

    def novelty(self, samples: Sequence[Sample], folds: IntArray) -> FloatArray:
        """Return how far each frame is from what the committee was trained on, (nframes,).

        The variance of the predicted energy per atom of Bayesian linear regression (the leverage
        of the frame's features among those of the other folds), relative to the median frame.
        Members that were trained on much the same frames may agree and yet all be wrong outside
        of them; this number then is large.
        """
        result = np.zeros(len(samples))
        for fold in np.unique(folds):
            factor = self._factor([int(fold)], self._ridge or _RIDGES[0])
            mine = np.flatnonzero(folds == fold)
            rows = [
                self._pad(s.features.energy[None], s.counts[None], 1 / s.natoms)[0]
                for s in (samples[int(index)] for index in mine)
            ]
            table = np.array(rows).T
            result[mine] = (table * scipy.linalg.cho_solve(factor, table)).sum(axis=0)
        return result / max(float(np.median(result)), 1e-300)

    def replace_labels(self, samples: Sequence[Sample]) -> None:
        """Take other energies and virials; only forces may have been fitted so far."""
        if self._held[:, [ENERGY, VIRIAL]].any():
            raise ValueError("energies or virials have been fitted already")
        self._samples = samples
        self._references = _references(samples)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Labels that it is trained on, (nframes, 3)."""
        return self._held

    def guess(self, sample: Sample, fold: int) -> Guess:
        """Predict a frame with the members that have not seen `fold`."""
        stack = np.stack([w for without, w in self._members.items() if fold in without], axis=1)
        return self._predict(sample, stack)

    def _predict(self, sample: Sample, members: FloatArray) -> Guess:
        weights = members[: -self._elements] / self._scale[:, None]
        natoms = sample.natoms
        energies = sample.features.energy @ weights
        energies = (energies + sample.counts / self._atoms @ members[-self._elements :]) / natoms
        forces = sample.features.forces @ weights
        virials = sample.features.virial @ weights
        return Guess(
            float(energies.mean()) + float(sample.counts @ self._references) / natoms,
            forces.mean(axis=1),
            virials.mean(axis=1),
            float(energies.std()),
            float(np.sqrt(forces.var(axis=1).mean())),
            float(np.sqrt(virials.var(axis=1).mean())),
        )

    def _rows(self, sample: Sample, kind: int) -> tuple[FloatArray, FloatArray]:
        """Return weighted equations for one label: matrix (rows, size) and right side.

        Large labels weigh less, so that no single frame decides however wrong it is.
        """
        natoms, floor = sample.natoms, self._floor
        if kind == ENERGY:
            assert sample.energy is not None  # noqa: S101  trusted labels exist
            excess = sample.energy - float(sample.counts @ self._references)
            weight = 1 / np.hypot(_ENERGY_A * floor * natoms, 0.03 * excess)
            return self._pad(sample.features.energy[None], sample.counts[None], weight), np.array(
                [weight * excess]
            )
        label = sample.forces if kind == FORCE else sample.virial
        assert label is not None  # noqa: S101  trusted labels exist
        rows = sample.features.forces if kind == FORCE else sample.features.virial
        if kind == FORCE:
            weight = 1 / np.hypot(floor, 0.5 * _rms(label))
        else:
            weight = 1 / np.hypot(_VIRIAL_A * floor * np.sqrt(natoms), 0.3 * _rms(label))
        none = np.zeros((len(rows), self._elements))
        return self._pad(rows, none, weight), weight * label.ravel()

    def _pad(self, rows: FloatArray, counts: FloatArray, weight: float) -> FloatArray:
        return np.asarray(weight * np.hstack([rows / self._scale, counts / self._atoms]))

    def _normal(self, without: Sequence[int], ridge: float) -> FloatArray:
        """Return the regularised Gram matrix of the other folds."""
        kept = [fold for fold in range(len(self._gram)) if fold not in without]
        gram: FloatArray = self._gram[kept].sum(axis=0)
        gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / len(gram) + 1e-12
        return gram

    def _factor(self, without: Sequence[int], ridge: float) -> tuple[FloatArray, bool]:
        """Return the Cholesky factor; a matrix that is singular by rounding gets a larger ridge."""
        for larger in (1.0, 1e2, 1e4, 1e6):
            try:
                factor: tuple[FloatArray, bool] = scipy.linalg.cho_factor(
                    self._normal(without, ridge * larger)
                )
            except np.linalg.LinAlgError:
                continue
            return factor
        raise RunError(
            "the features of these frames make no usable model; set `checks.model: false`"
        )

    def _solve(self, without: Sequence[int], ridge: float) -> FloatArray:
        kept = [fold for fold in range(len(self._gram)) if fold not in without]
        right = self._right[kept].sum(axis=0)
        return np.asarray(scipy.linalg.cho_solve(self._factor(without, ridge), right))

    def _best_ridge(self, trusted: NDArray[np.bool_]) -> float:
        """Choose the ridge with the smallest median error of held-out forces."""
        kind = FORCE if trusted[:, FORCE].any() else ENERGY
        ridges = [ridge for ridge in _RIDGES if ridge >= 1e-6 or not self._large]
        return min(ridges, key=lambda ridge: float(np.median(list(self._held_out(ridge, kind)))))

    def _held_out(self, ridge: float, kind: int) -> Iterator[float]:
        for fold in range(len(self._gram)):
            member = self._solve([fold], ridge)[:, None]
            for index in np.flatnonzero((self._folds == fold) & self._held[:, kind]):
                sample = self._samples[int(index)]
                guess = self._predict(sample, member)
                if kind == FORCE and sample.forces is not None:
                    error = _rms(guess.forces - sample.forces.ravel())
                    yield error / np.hypot(self._floor, _rms(sample.forces))
                elif sample.energy is not None:
                    yield abs(guess.energy - sample.energy / sample.natoms)


def deal(count: int, seed: int) -> IntArray:
    """Deal `count` frames into folds at random, (count,)."""
    order = np.random.default_rng(seed).permutation(count)
    return np.asarray(order % min(FOLDS, count), dtype=np.int64)


def _references(samples: Sequence[Sample]) -> FloatArray:
    """Energy per element that fits the median energy of each composition, (nelements,) eV.

    Totals of different compositions differ by far more than what a model learns of them.
    """
    known = [s for s in samples if s.energy is not None]
    if not known:
        return np.zeros(len(samples[0].counts))
    counts, group = np.unique([s.counts for s in known], axis=0, return_inverse=True)
    energies = np.array([s.energy for s in known], dtype=np.float64)
    middle = np.array([np.median(energies[group.ravel() == g]) for g in range(len(counts))])
    atoms = counts.sum(axis=1)
    mean = float(np.median(middle / atoms))
    rows = counts / atoms[:, None]
    return np.asarray(np.linalg.lstsq(rows, middle / atoms - mean, rcond=1e-8)[0] + mean)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
