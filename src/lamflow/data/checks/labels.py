"""Find wrong labels with a committee, and tell wrong from hard.

A label is *wrong* if it disagrees strongly with what the other frames say while the committee
agrees with itself. Where the committee disagrees with itself a frame is *hard* or new: such
frames are the most valuable ones, and stay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamflow.data.checks.committee import ENERGY, FORCE, VIRIAL, Committee, Guess, Sample
from lamflow.data.checks.robust import trimmed_rms
from lamflow.data.frames import FloatArray, IntArray

ROUNDS = 5
_KEPT = 0.7
_LIMIT = 4.0
_USEFUL = 0.5
_COMPOSITION = 5
# Limits of error over expected error, and sizes below which an error does no harm: forces and
# virials relative to their own size, energies per atom as force scale times a length in Å.
_FORCE_LIMIT, _FORCE_EFFECT = 3.5, 0.4
_ENERGY_LIMIT, _ENERGY_EFFECT_A = 6.0, 0.06
# ... or, if the committee knows the forces badly, this length times their relative error.
_ENERGY_DOUBT_A = 0.5
_VIRIAL_LIMIT, _VIRIAL_EFFECT = 4.5, 0.2


@dataclass
class Errors:
    """Errors of a committee on frames, and what errors to expect.

    Attributes
    ----------
    force, virial
        (nframes,) root mean square error divided by the size of the predicted quantity (with a
        floor), no unit; NaN without a label.
    energy
        (nframes,) label minus prediction, eV per atom.
    force_spread, virial_spread, energy_spread
        (nframes,) disagreement of the members in the same units.
    strong
        (nframes,) whether forces (label or prediction) are above the floor.
    of_label
        (nframes,) root mean square force error divided by the size of the label.
    novelty
        (nframes,) variance that is due to where a frame lies, relative to the median frame.
    """

    force: FloatArray
    virial: FloatArray
    energy: FloatArray
    force_spread: FloatArray
    virial_spread: FloatArray
    energy_spread: FloatArray
    strong: NDArray[np.bool_]
    of_label: FloatArray
    novelty: FloatArray


@dataclass(frozen=True)
class Expected:
    """Error that is usual for a label where the committee agrees, and per unit of spread."""

    usual: float
    per_spread: float

    def of(self, spread: FloatArray, novelty: FloatArray) -> FloatArray:
        """Return the error to expect at a committee spread, in the same unit.

        A standard deviation grows as the root of the variance; frames that are nearer than the
        median one get no discount.
        """
        return np.hypot(self.usual, self.per_spread * spread) * np.sqrt(np.maximum(novelty, 1.0))


@dataclass(frozen=True)
class Verdict:
    """What the committee says about all frames.

    Attributes
    ----------
    wrong
        (nframes, 3) whether energy, forces, virial are wrong.
    scores
        (nframes, 3) error over expected error.
    errors
        The errors.
    useful
        Whether the committee has learnt the forces (and is believed at all).
    quality
        Median relative force error of frames with strong forces.
    guesses
        What the committee predicts.
    """

    wrong: NDArray[np.bool_]
    scores: FloatArray
    errors: Errors
    useful: bool
    quality: float
    guesses: list[Guess]


def judge(
    committee: Committee, samples: list[Sample], folds: IntArray, trusted: NDArray[np.bool_]
) -> Verdict:
    """Train on what fits together, step by step, and judge all frames by it.

    Starts from all trusted labels, keeps the 70 % whose forces fit best, fits again, and so on
    (concentration steps of least trimmed squares, Rousseeuw & Van Driessen, Data Min. Knowl.
    Discov. 12, 29 (2006)); at last everything that fits is used.

    Parameters
    ----------
    committee
        The committee of these frames; it is trained here.
    samples
        Frames of one set of elements.
    folds
        (nframes,) fold of each.
    trusted
        (nframes, 3) labels that no rule has rejected: energy, forces, virial.
    """
    use = trusted.copy()
    for step in range(ROUNDS):
        last = step == ROUNDS - 1
        committee.fit(use, single=not last)
        errors = measure_errors(committee, samples, guess_all(committee, samples, folds))
        use = _reweight(errors, trusted) if last else _concentrate(errors, trusted)
    committee.fit(use)
    guesses = guess_all(committee, samples, folds)
    errors = measure_errors(committee, samples, guesses)
    errors.novelty = committee.novelty(samples, folds)
    _forget_unknown_compositions(errors, samples, use)
    return _verdict(errors, trusted, use, committee.force_scale, guesses)


def _forget_unknown_compositions(
    errors: Errors, samples: list[Sample], use: NDArray[np.bool_]
) -> None:
    """Make the energy error NaN where no energies of the composition were trained on.

    Forces say nothing about the energy of one composition against another.
    """
    counts = np.array([sample.counts for sample in samples])
    group = np.unique(counts, axis=0, return_inverse=True)[1].ravel()
    known = np.bincount(group, weights=use[:, ENERGY], minlength=int(group.max()) + 1)
    errors.energy[known[group] < _COMPOSITION] = np.nan


def guess_all(committee: Committee, samples: list[Sample], folds: IntArray) -> list[Guess]:
    """Predict every sample with the members that have not seen it."""
    return [committee.guess(s, int(f)) for s, f in zip(samples, folds, strict=True)]


def measure_errors(committee: Committee, samples: list[Sample], guesses: list[Guess]) -> Errors:
    """Return the committee's errors on all samples."""
    scale = committee.force_scale
    virials = np.array([
        _rms(s.virial) / np.sqrt(s.natoms) for s in samples if s.virial is not None
    ])  # fmt: skip
    floor = 0.3 * trimmed_rms(virials) if len(virials) else 1.0
    table = np.array([
        _frame_errors(s, g, 0.3 * scale, floor) for s, g in zip(samples, guesses, strict=True)
    ])  # fmt: skip
    force, virial, energy, force_spread, virial_spread, energy_spread, strong, of_label = table.T
    return Errors(
        force, virial, energy, force_spread, virial_spread, energy_spread,
        strong.astype(np.bool_), of_label, np.ones(len(samples)),
    )  # fmt: skip


def _frame_errors(sample: Sample, guess: Guess, floor: float, virial_floor: float) -> list[float]:
    predicted = _rms(guess.forces)
    size = float(np.hypot(predicted, floor)) or 1.0
    force = virial = energy = of_label = np.nan
    strong = predicted > floor
    if sample.forces is not None:
        error = _rms(guess.forces - sample.forces.ravel())
        force, of_label = error / size, error / max(_rms(sample.forces), floor, 1e-9)
        strong = strong or _rms(sample.forces) > floor
    root = np.sqrt(sample.natoms)
    virial_size = float(np.hypot(_rms(guess.virial) / root, virial_floor)) or 1.0
    if sample.virial is not None:
        virial = _rms(guess.virial - sample.virial.ravel()) / root / virial_size
    if sample.energy is not None:
        energy = sample.energy / sample.natoms - guess.energy
    return [
        force, virial, energy, guess.force_spread / size,
        guess.virial_spread / root / virial_size, guess.energy_spread, float(strong), of_label,
    ]  # fmt: skip


def _concentrate(errors: Errors, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the frames whose labels fit best, kind by kind."""
    use = trusted.copy()
    for kind, error, among in (
        (FORCE, errors.force, errors.strong),
        (ENERGY, np.abs(errors.energy), np.ones_like(errors.strong)),
        (VIRIAL, errors.virial, np.ones_like(errors.strong)),
    ):
        mine = trusted[:, kind] & among
        if mine.any():
            use[:, kind] &= ~mine | (error <= np.quantile(error[mine], _KEPT))
    # A frame whose forces do not fit has labels of another frame, or another structure's.
    use[:, [ENERGY, VIRIAL]] &= (use[:, FORCE] | ~trusted[:, FORCE])[:, None]
    return use


def _reweight(errors: Errors, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Use everything that is not clearly out of line."""
    use = trusted.copy()
    for kind, error, spread, among in _kinds(errors, trusted):
        expected = expect(error, spread, among)
        with np.errstate(invalid="ignore"):
            use[:, kind] &= error <= _LIMIT * expected.of(spread, errors.novelty)
    use[:, [ENERGY, VIRIAL]] &= (use[:, FORCE] | ~trusted[:, FORCE])[:, None]
    return use


def _kinds(
    errors: Errors, trusted: NDArray[np.bool_]
) -> list[tuple[int, FloatArray, FloatArray, NDArray[np.bool_]]]:
    return [
        (FORCE, errors.force, errors.force_spread, trusted[:, FORCE] & errors.strong),
        (ENERGY, np.abs(errors.energy), errors.energy_spread, trusted[:, ENERGY]),
        (VIRIAL, errors.virial, errors.virial_spread, trusted[:, VIRIAL]),
    ]


def expect(error: FloatArray, spread: FloatArray, among: NDArray[np.bool_]) -> Expected:
    """Calibrate errors against committee spreads with medians.

    `usual` is the median error; `per_spread` the median ratio of error to spread in the half of
    the frames where the committee disagrees most.
    """
    mine = among & np.isfinite(error)
    if not mine.any():
        return Expected(np.inf, 0.0)
    usual = float(np.median(error[mine]))
    unsure = mine & (spread >= np.median(spread[mine])) & (spread > 0)
    ratio = float(np.median(error[unsure] / spread[unsure])) if unsure.any() else 0.0
    return Expected(usual, ratio)


def _verdict(
    errors: Errors,
    trusted: NDArray[np.bool_],
    use: NDArray[np.bool_],
    force_scale: float,
    guesses: list[Guess],
) -> Verdict:
    count = len(errors.force)
    scores = np.full((count, 3), np.nan)
    wrong = np.zeros((count, 3), dtype=np.bool_)
    effects = {
        FORCE: (_FORCE_LIMIT, _FORCE_EFFECT),
        ENERGY: (_ENERGY_LIMIT, _ENERGY_EFFECT_A * force_scale),
        VIRIAL: (_VIRIAL_LIMIT, _VIRIAL_EFFECT),
    }
    quality = np.nan
    for kind, error, spread, _ in _kinds(errors, trusted):
        among = use[:, kind] & (errors.strong if kind == FORCE else True)
        expected = expect(error, spread, among)
        if kind == FORCE:
            quality = expect(errors.of_label, spread, among).usual
        limit, effect = effects[kind]
        if kind == ENERGY and np.isfinite(quality):
            effect = max(effect, _ENERGY_DOUBT_A * quality * force_scale)
        with np.errstate(invalid="ignore"):
            scores[:, kind] = error / expected.of(spread, errors.novelty)
            wrong[:, kind] = (scores[:, kind] > limit) & (error > effect)
    useful = bool(quality < _USEFUL)
    return Verdict(wrong & useful, scores, errors, useful, quality, guesses)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
