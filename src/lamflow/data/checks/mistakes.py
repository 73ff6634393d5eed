"""Known mistakes that people and scripts make with labels, as hypotheses to test.

A label that a known mistake explains needs less evidence than one that is merely far off: two
hypotheses are compared, as written against as corrected.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from lamflow.data.checks.committee import Guess, Sample
from lamflow.data.checks.robust import trimmed_rms
from lamflow.data.checks.rules import HARTREE_EV, energy_units
from lamflow.data.frames import FloatArray, IntArray

BOHR_A = 0.529177211
KBAR_A3 = 1602.1766
"""kbar Å³ per eV."""
_HARTREE_BOHR = HARTREE_EV / BOHR_A
_EXPLAINED = 0.5
_ORDER_CORRELATION = 0.6
_GOES_TOGETHER = 0.8
_SCALE_OFF, _SCALE_ON = 0.7, 0.25
_GROUP = 5
_OFF_DIAGONAL = ((0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Mistake:
    """A mistake that explains a label: its code, in words, and what repairs it."""

    code: str
    what: str
    repair: str


def force_mistake(sample: Sample, guess: Guess) -> Mistake | None:
    """Return the mistake that explains the forces, if one does."""
    if sample.forces is None:
        return None
    label = sample.forces.ravel()
    error = _rms(label - guess.forces)
    if not label.any() and error > 0:
        return Mistake("F_ZERO", "all forces are exactly zero", "")
    for code, what, factor in (
        ("F_SIGN", "gradients in place of forces (opposite sign)", -1.0),
        ("F_UNIT", "forces in Hartree/Bohr", _HARTREE_BOHR),
        ("F_UNIT", "forces in Rydberg/Bohr", _HARTREE_BOHR / 2),
        ("F_UNIT", "forces in Hartree/Å", HARTREE_EV),
        ("F_UNIT", "forces in kcal/mol/Å", 1 / 23.060548),
    ):
        if _rms(label * factor - guess.forces) < _EXPLAINED * error:
            return Mistake(code, what, f"forces * {factor:.6g}")
    return None


def virial_mistake(sample: Sample, guess: Guess, volume: float) -> Mistake | None:
    """Return the mistake that explains the virial, if one does; `volume` in Å³."""
    if sample.virial is None:
        return None
    label = sample.virial.ravel()
    error = _rms(label - guess.virial)
    for code, what, factor in (
        ("V_SIGN", "virial of opposite sign", -1.0),
        ("V_UNIT", "stress in kbar in place of the virial", volume / KBAR_A3),
        ("V_UNIT", "stress in kbar of opposite sign in place of the virial", -volume / KBAR_A3),
        ("V_UNIT", "stress in eV/Å³ in place of the virial", -volume),
        ("V_UNIT", "stress in GPa in place of the virial", -volume / KBAR_A3 * 10),
    ):
        if _rms(label * factor - guess.virial) < _EXPLAINED * error:
            return Mistake(code, what, f"virial * {factor:.6g}")
    return None


def energy_mistake(sample: Sample, guess: Guess, tolerance: float) -> Mistake | None:
    """Return the mistake that explains the energy; `tolerance` in eV per atom."""
    if sample.energy is None:
        return None
    mean = sample.energy / sample.natoms
    for unit, factor in energy_units(sample.natoms):
        if abs(mean * factor - guess.energy) < tolerance:
            return Mistake("E_UNIT", f"energy in {unit}", f"energy * {factor:.6g}")
    return None


def energy_scale(samples: list[Sample], guesses: list[Guess]) -> tuple[str, FloatArray] | None:
    """Find out whether all energies are in another unit than the forces.

    The energy differences between frames of one composition have to be those that the forces
    imply (their line integral, which a committee trained on forces alone predicts).

    Parameters
    ----------
    samples
        Frames with energies.
    guesses
        Predictions of a committee that was trained on forces alone.

    Returns
    -------
    tuple or None
        Name of the unit and the factor of each frame, or None if energies fit the forces.
    """
    natoms = np.array([sample.natoms for sample in samples])
    label = np.array([np.nan if s.energy is None else s.energy for s in samples])
    predicted = np.array([g.energy for g in guesses]) * natoms
    groups = np.unique([s.counts for s in samples], axis=0, return_inverse=True)[1].ravel()
    as_is = _slope(label, predicted, groups)
    if as_is is None or abs(as_is) < _SCALE_OFF:
        return None
    factors = {unit: np.array([dict(energy_units(n))[unit] for n in natoms])
               for unit, _ in energy_units(1.0)}  # fmt: skip
    slopes = {unit: _slope(label * factor, predicted, groups)
              for unit, factor in factors.items()}  # fmt: skip
    known = {unit: abs(slope) for unit, slope in slopes.items() if slope is not None}
    best = min(known, key=lambda unit: known[unit], default=None)
    return None if best is None or known[best] > _SCALE_ON else (best, factors[best])


def _slope(label: FloatArray, predicted: FloatArray, groups: IntArray) -> float | None:
    """Logarithm of label over prediction of energy differences; None if they do not go together."""
    pairs: list[tuple[FloatArray, FloatArray]] = []
    for group in np.unique(groups):
        mine = (groups == group) & np.isfinite(label)
        if mine.sum() >= _GROUP:
            pairs.append((label[mine] - np.median(label[mine]),
                          predicted[mine] - np.median(predicted[mine])))  # fmt: skip
    if not pairs:
        return None
    left, right = (_bounded(np.concatenate(side)) for side in zip(*pairs, strict=True))
    product = float((left * right).sum())
    sizes = float(np.linalg.norm(left) * np.linalg.norm(right))
    if not sizes or product / sizes < _GOES_TOGETHER:
        return None
    return float(np.log(np.linalg.norm(left) / np.linalg.norm(right)))


def virial_orders() -> Iterator[tuple[tuple[int, int, int], float]]:
    """Give all orders of the components xy, xz, yz, with both signs."""
    for sign in (1.0, -1.0):
        for xy, xz, yz in permutations(range(3)):
            yield (xy, xz, yz), sign


def reorder(virial: FloatArray, order: tuple[int, int, int], sign: float) -> FloatArray:
    """Return a virial, (9,), whose components xy, xz, yz are taken from others."""
    old = virial.reshape(3, 3)
    new = old.copy()
    for (row, column), source in zip(_OFF_DIAGONAL, order, strict=True):
        value = old[_OFF_DIAGONAL[source]]
        new[row, column] = new[column, row] = value
    return sign * new.ravel()


def virial_order(
    samples: list[Sample], guesses: list[Guess]
) -> tuple[tuple[int, int, int], float] | None:
    """Find out whether the components of all virials are in another order or sign.

    Codes and scripts differ in the order of the six components (VASP: xx yy zz xy yz zx; Voigt:
    xx yy zz yz xz xy). The order whose shear components correlate best with what the forces say
    is the right one.

    Parameters
    ----------
    samples
        Frames with virials.
    guesses
        Predictions of a committee that was trained on forces alone.

    Returns
    -------
    tuple or None
        Order and sign that `reorder` takes, or None if virials are as they should be.
    """
    pairs = [(s.virial, g.virial) for s, g in zip(samples, guesses, strict=True)
             if s.virial is not None and np.isfinite(s.virial).all()]  # fmt: skip
    if len(pairs) < 10:
        return None
    places = [3 * row + column for row, column in _OFF_DIAGONAL]
    predicted = _bounded(np.array([guess[places] for _, guess in pairs]))

    def correlation(order: tuple[int, int, int], sign: float) -> float:
        label = _bounded(np.array([reorder(virial, order, sign)[places] for virial, _ in pairs]))
        return float(
            (label * predicted).sum() / (np.linalg.norm(label) * np.linalg.norm(predicted) + 1e-30)
        )

    best = max(virial_orders(), key=lambda one: correlation(*one))
    as_is = correlation((0, 1, 2), 1.0)
    if best == ((0, 1, 2), 1.0) or correlation(*best) < max(_ORDER_CORRELATION, as_is + 0.3):
        return None
    return best


def _bounded(table: FloatArray) -> FloatArray:
    """Clip at twice the trimmed size of all components, so that no frame decides alone."""
    width = 2 * trimmed_rms(table.ravel()) + 1e-9
    return np.clip(table, -width, width)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
