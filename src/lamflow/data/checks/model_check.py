"""Check the labels of one set of elements with a committee, and name what is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lamflow.data.checks.basis import Features, LocalBasis
from lamflow.data.checks.committee import ENERGY, FORCE, VIRIAL, Committee, Sample, deal
from lamflow.data.checks.findings import Finding, SystemFault
from lamflow.data.checks.labels import Verdict, guess_all, judge, measure_errors
from lamflow.data.checks.mistakes import (
    Mistake,
    energy_mistake,
    energy_scale,
    force_mistake,
    reorder,
    virial_mistake,
    virial_order,
)
from lamflow.data.checks.robust import spread
from lamflow.data.checks.systems import MOST
from lamflow.data.fingerprint import neighbour_pairs
from lamflow.data.frames import FloatArray, IntArray, System

FEWEST = 20
_HINT = 1.6
_FEW = 5
_MISFIT = 0.6
_SUSPICIOUS = 0.3
_REPAIRED = 0.5
_WORST_ATOMS = 8
_CONSTANT = 0.05
_NAMES = {ENERGY: "E_WRONG", FORCE: "F_WRONG", VIRIAL: "V_WRONG"}


@dataclass(frozen=True)
class ModelCheck:
    """Result of the check for one set of elements.

    Attributes
    ----------
    findings
        What is wrong with single frames.
    faults
        What is wrong with all frames of the set, or of one of its systems.
    note
        How well the committee knows the set, in words, for the report.
    """

    findings: list[Finding]
    faults: list[SystemFault]
    note: str


def check_labels(
    numbers: Sequence[int],
    distrusted: NDArray[np.bool_],
    frames: Sequence[System],
    seed: int,
) -> ModelCheck:
    """Check the labels of frames of one set of elements.

    Parameters
    ----------
    numbers
        Numbers of the frames whose geometry no rule has rejected.
    distrusted
        (nframes, 3) energies, forces, virials that a rule doubts: judged, but not learnt from.
    frames
        The frames, each as a System of one frame.
    seed
        For dealing frames into folds.
    """
    if len(numbers) < FEWEST:
        return ModelCheck([], [], f"{len(numbers)} frames, too few for a model")
    samples = make_samples(frames)
    present = _present(samples)
    trusted = ~distrusted & present
    if trusted[:, FORCE].sum() < FEWEST:
        return ModelCheck([], [], "no forces to learn from")
    folds = deal(len(samples), seed)
    committee = Committee(samples, folds)
    samples, faults = _straighten(committee, samples, folds, trusted, _symbols(frames))
    verdict = judge(committee, samples, folds, trusted)
    note = f"median relative force error {verdict.quality:.2f} in {len(samples)} frames"
    if not verdict.useful:
        return ModelCheck([], faults, f"{note}: too large to tell, labels were not judged")
    volumes = [1.0 if f.cells is None else abs(float(np.linalg.det(f.cells[0]))) for f in frames]
    findings = list(_findings(numbers, samples, verdict, volumes, present))
    findings += _swapped_types(numbers, frames, committee, folds, verdict)
    faults += _offsets(frames, verdict, present)
    faults += _exchanged_elements(frames, samples, committee, folds)
    return ModelCheck(findings, faults, note)


def _swapped_types(
    numbers: Sequence[int],
    frames: Sequence[System],
    committee: Committee,
    folds: IntArray,
    verdict: Verdict,
) -> Iterator[Finding]:
    """Find frames in which two atoms have each other's element.

    Such a frame is far from all others, so that the committee disagrees. It is told from a hard
    one by a test: with two atoms of different elements exchanged its forces fit as well as others.
    """
    symbols = _symbols(frames)
    basis = LocalBasis(len(symbols))
    names = np.array([frame.name for frame in frames])
    for index in map(int, np.flatnonzero(verdict.errors.force > _MISFIT)):
        of_system = np.nanmedian(verdict.errors.force[names == names[index]])
        if verdict.wrong[index, FORCE] or of_system > _MISFIT:
            continue
        best: tuple[float, tuple[int, int]] = (np.inf, (0, 0))
        for pair in _suspects(frames[index], verdict, index):
            swapped = frames[index].types.copy()
            swapped[0, list(pair)] = swapped[0, list(pair[::-1])]
            sample = [_sample(replace(frames[index], types=swapped), symbols, basis)]
            guesses = guess_all(committee, sample, folds[[index]])
            best = min(best, (float(measure_errors(committee, sample, guesses).force[0]), pair))
        before = float(verdict.errors.force[index])
        if best[0] < min(3 * verdict.quality, _REPAIRED * before, _SUSPICIOUS):
            what = (
                f"forces are off by {before:.0%} of their size; with the elements of atoms "
                f"{best[1][0]} and {best[1][1]} exchanged by {best[0]:.0%}"
            )
            yield Finding(numbers[index], "TYPE_SWAP", before, best[0], what)


def _suspects(frame: System, verdict: Verdict, index: int) -> Iterator[tuple[int, int]]:
    """Pairs of atoms of different elements whose forces are off most."""
    if frame.forces is None:
        return
    error = verdict.guesses[index].forces.reshape(-1, 3) - frame.forces[0]
    worst = np.argsort(-np.linalg.norm(error, axis=1))[:_WORST_ATOMS]
    for one, other in combinations(sorted(int(atom) for atom in worst), 2):
        if frame.types[0, one] != frame.types[0, other]:
            yield one, other


def _offsets(
    frames: Sequence[System], verdict: Verdict, present: NDArray[np.bool_]
) -> Iterator[SystemFault]:
    """Find systems whose energies are all off by one constant: another energy reference."""
    names = np.array([frame.name for frame in frames])
    for name in np.unique(names):
        mine = np.flatnonzero((names == name) & present[:, ENERGY])
        if len(mine) < _FEW or verdict.wrong[mine, ENERGY].mean() <= MOST:
            continue
        offset, width = spread(verdict.errors.energy[mine])
        if width < _CONSTANT * abs(offset):
            what = (
                f"energies are off by a constant {offset:+.4f} ± {width:.4f} eV per atom: other "
                f"energy references (pseudopotentials, code or functional)"
            )
            yield SystemFault(str(name), "ENERGY_REFERENCE", what,
                              f"subtract {offset:.6g} eV per atom")  # fmt: skip


def _exchanged_elements(
    frames: Sequence[System], samples: list[Sample], committee: Committee, folds: IntArray
) -> Iterator[SystemFault]:
    """Find systems whose elements are named wrongly: exchanging two makes their forces fit.

    Such a system does not contradict the others, its surroundings just do not occur in them. So
    it is left out of the training first.
    """
    names = np.array([frame.name for frame in frames])
    symbols = _symbols(frames)
    held = committee.held.copy()
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        if not _FEW <= len(mine) <= len(frames) // 2:
            continue
        committee.fit(held & (names != name)[:, None], single=True)
        chosen = mine[:_FEW]
        left_out = [samples[int(index)] for index in chosen]
        guesses = guess_all(committee, left_out, folds[chosen])
        before = float(np.nanmedian(measure_errors(committee, left_out, guesses).force))
        if not before > _SUSPICIOUS:
            continue
        found = {
            pair: _exchanged_error(frames, chosen, pair, committee, folds)
            for pair in combinations(symbols, 2)
        }
        best = min(found, key=lambda pair: found[pair], default=None)
        if best is not None and found[best] < min(_REPAIRED * before, _SUSPICIOUS):
            what = (
                f"forces are off by {before:.0%}; with {best[0]} and {best[1]} exchanged by "
                f"{found[best]:.0%}: the type map names them in the wrong order"
            )
            yield SystemFault(str(name), "TYPE_MAP", what, f"exchange {best[0]} and {best[1]}")


def _exchanged_error(
    frames: Sequence[System],
    chosen: IntArray,
    pair: tuple[str, str],
    committee: Committee,
    folds: IntArray,
) -> float:
    swap = {pair[0]: pair[1], pair[1]: pair[0]}
    renamed = [
        replace(frames[i], type_map=tuple(swap.get(s, s) for s in frames[i].type_map))
        for i in chosen
    ]
    symbols = _symbols(frames)
    basis = LocalBasis(len(symbols))
    samples = [_sample(frame, symbols, basis) for frame in renamed]
    guesses = guess_all(committee, samples, folds[chosen])
    return float(np.nanmedian(measure_errors(committee, samples, guesses).force))


def _symbols(frames: Sequence[System]) -> list[str]:
    return sorted({f.type_map[t] for f in frames for t in np.unique(f.types[0])})


def make_samples(frames: Sequence[System]) -> list[Sample]:
    """Compute the features of frames of one set of elements."""
    symbols = _symbols(frames)
    basis = LocalBasis(len(symbols))
    return [_sample(frame, symbols, basis) for frame in frames]


def _sample(frame: System, symbols: Sequence[str], basis: LocalBasis) -> Sample:
    table = np.array([symbols.index(s) if s in symbols else -1 for s in frame.type_map])
    types = table[frame.types[0]]
    cell = None if frame.cells is None else frame.cells[0]
    pairs = neighbour_pairs(frame.coords[0], cell, LocalBasis.PAIR_CUTOFF_A)
    full = basis.features(types, pairs)
    # Half of the memory; seven digits are more than the labels have.
    features = Features(full.energy, full.forces.astype(np.float32), full.virial)
    energy = _finite(frame.energies)
    virial = _finite(frame.virials)
    return Sample(
        features,
        np.bincount(types, minlength=len(symbols)).astype(np.float64),
        None if energy is None else float(energy),
        _finite(frame.forces),
        None if virial is None else virial.ravel(),
    )


def _finite(labels: FloatArray | None) -> FloatArray | None:
    """Return the label of a one-frame array, or None if it is not a number."""
    return None if labels is None or not np.isfinite(labels).all() else labels[0]


def _present(samples: Sequence[Sample]) -> NDArray[np.bool_]:
    kinds = [(s.energy is not None, s.forces is not None, s.virial is not None) for s in samples]
    return np.array(kinds, dtype=np.bool_)


def _straighten(
    committee: Committee,
    samples: list[Sample],
    folds: IntArray,
    trusted: NDArray[np.bool_],
    symbols: Sequence[str],
) -> tuple[list[Sample], list[SystemFault]]:
    """Put energies and virials right that are all wrong in one way, for the judging only.

    A committee that is trained on forces alone says what they should be.
    """
    forces_only = trusted.copy()
    forces_only[:, [ENERGY, VIRIAL]] = False
    committee.fit(forces_only, single=True)
    guesses = guess_all(committee, samples, folds)
    faults, straight = [], samples
    if (order := virial_order(samples, guesses)) is not None:
        names = np.array(["xy", "xz", "yz"])
        what = (
            f"virial components {', '.join(names)} of all {'-'.join(symbols)} frames hold "
            f"{', '.join(names[list(order[0])])}"
            f"{' with the opposite sign' if order[1] < 0 else ''}: they follow another order"
        )
        faults.append(SystemFault("", "VIRIAL_ORDER", what, "reorder the virial's components"))
        straight = [
            s if s.virial is None else replace(s, virial=reorder(s.virial, *order))
            for s in straight
        ]
    if (scale := energy_scale(samples, guesses)) is not None:
        what = (
            f"energy differences of all {'-'.join(symbols)} frames fit their forces only if read "
            f"as {scale[0]}"
        )
        faults.append(SystemFault("", "ENERGY_UNIT", what, f"convert from {scale[0]}"))
        straight = [
            s if s.energy is None else replace(s, energy=s.energy * factor)
            for s, factor in zip(straight, scale[1], strict=True)
        ]
    if faults:
        committee.replace_labels(straight)
    return straight, faults


def _findings(
    numbers: Sequence[int],
    samples: list[Sample],
    verdict: Verdict,
    volumes: Sequence[float],
    present: NDArray[np.bool_],
) -> Iterator[Finding]:
    for index, number in enumerate(numbers):
        for kind in (ENERGY, FORCE, VIRIAL):
            if not present[index, kind]:
                continue
            score = float(verdict.scores[index, kind])
            wrong = bool(verdict.wrong[index, kind])
            if not wrong and not score > _HINT:
                continue
            mistake = _mistake(samples[index], verdict, index, kind, volumes[index])
            if wrong or mistake is not None:
                yield _finding(number, verdict, index, kind, mistake)


def _mistake(
    sample: Sample, verdict: Verdict, index: int, kind: int, volume: float
) -> Mistake | None:
    guess = verdict.guesses[index]
    if kind == FORCE:
        if not verdict.errors.strong[index]:
            return None
        return force_mistake(sample, guess)
    if kind == VIRIAL:
        return virial_mistake(sample, guess, volume)
    return energy_mistake(sample, guess, 0.1 * abs(float(verdict.errors.energy[index])))


def _finding(
    number: int, verdict: Verdict, index: int, kind: int, mistake: Mistake | None
) -> Finding:
    score = float(verdict.scores[index, kind])
    errors = verdict.errors
    told = {
        ENERGY: f"energy is off by {errors.energy[index]:+.3f} eV per atom",
        FORCE: f"forces are off by {errors.force[index]:.0%} of their size",
        VIRIAL: f"virial is off by {errors.virial[index]:.0%} of its size",
    }[kind]
    sure = {
        ENERGY: f"{errors.energy_spread[index]:.3f} eV per atom",
        FORCE: f"{errors.force_spread[index]:.0%}",
        VIRIAL: f"{errors.virial_spread[index]:.0%}",
    }[kind]
    what = f"{told} where models trained on the other frames agree within {sure}"
    if mistake is None:
        return Finding(number, _NAMES[kind], score, None, what)
    return Finding(number, mistake.code, score, None, f"{mistake.what}: {what}", mistake.repair)
