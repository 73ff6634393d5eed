"""What a model, its committee and its descriptor say about frames, frame by frame.

Only numbers of each frame and element are kept, not coordinates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.fingerprint import composition
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.evaluate.predictor import Predictor
from lamflow.evaluate.zero_shot import refit_residuals
from lamflow.progress import Progress, silent
from lamflow.select.atoms import FRAME_WIDTH, AtomSpace, KnownAtoms, frame_points, worst_mean
from lamflow.select.deviation import force_deviation

SIGNALS = ("error", "relative", "energy", "deviation", "distance")
"""Names of the tables of a `Survey`. The first three need labels."""

_TUPLES = ("places", "compositions")


@dataclass(frozen=True, eq=False)
class Survey:
    """Frames as a model sees them; NaN where something could not be measured.

    Attributes
    ----------
    symbols
        Elements, the columns of the tables.
    places
        System and index in it of each frame.
    compositions
        (nframes,) formulas, see `lamflow.data.fingerprint.composition`.
    counts
        (nframes, nelements) atoms.
    foreign
        (nframes,) whether a frame has an element that the model does not know; such frames are
        not shown to the model.
    error
        (nframes, nelements) eV/Å, force error of the model, see `lamflow.select.atoms.worst_mean`.
    relative
        The same over the root mean square force on the element in these data; no unit. A model
        that predicts no force at all has about 1.
    energy
        (nframes, 1) eV/atom, energy error after the elements' reference energies were refitted.
    deviation
        (nframes, nelements) eV/Å, disagreement of the committee about forces.
    distance
        (nframes, nelements) from the nearest known atoms, in the descriptor's unit.
    points
        (nframes, `FRAME_WIDTH`), see `lamflow.select.atoms.frame_points`, single precision.
    force_squares, force_error_squares
        (nframes,) mean square force component and force error component, (eV/Å)².
    """

    symbols: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    compositions: tuple[str, ...]
    counts: IntArray
    foreign: NDArray[np.bool_]
    error: FloatArray
    relative: FloatArray
    energy: FloatArray
    deviation: FloatArray
    distance: FloatArray
    points: NDArray[np.float32]
    force_squares: FloatArray
    force_error_squares: FloatArray

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return len(self.places)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(nframes,) whether an error could be measured."""
        return np.asarray(
            np.isfinite(self.error).any(axis=1) | np.isfinite(self.energy).any(axis=1)
        )

    @classmethod
    def join(cls, parts: Sequence["Survey"]) -> "Survey":
        """Put surveys of the same elements behind each other."""
        joined: dict[str, Any] = {"symbols": parts[0].symbols}
        for name in vars(parts[0]):
            values = [getattr(part, name) for part in parts]
            if name in _TUPLES:
                joined[name] = tuple(item for value in values for item in value)
            elif name != "symbols":
                joined[name] = np.concatenate(values)
        return cls(**joined)

    def whole(self, signal: str) -> FloatArray:
        """A signal over all atoms of each frame, (nframes,), with its unit; NaN if not measured."""
        table: FloatArray = getattr(self, signal)
        if signal == "energy":
            return table[:, 0]
        weights = np.where(np.isfinite(table), self.counts, 0)
        total = (np.nan_to_num(table) ** 4 * weights).sum(axis=1)
        atoms = weights.sum(axis=1)
        return np.where(atoms > 0, (total / np.maximum(atoms, 1)) ** 0.25, np.nan)


@dataclass
class _Rows:
    """The tables of some frames, before they are joined."""

    counts: IntArray
    foreign: NDArray[np.bool_]
    error: FloatArray
    deviation: FloatArray
    distance: FloatArray
    points: FloatArray
    missing_energy: FloatArray
    square: FloatArray
    force_squares: FloatArray
    force_error_squares: FloatArray


def survey(
    members: Sequence[Predictor],
    space: AtomSpace,
    known: KnownAtoms,
    systems: Iterable[System],
    symbols: Sequence[str],
    *,
    nframes: int = 0,
    progress: Progress = silent,
) -> Survey:
    """Ask models about all frames, streaming.

    Parameters
    ----------
    members
        One model, or a committee; errors are those of the first.
    space, known
        The first model's descriptor and the atoms that it was trained on.
    systems
        Frames in chunks, with or without labels.
    symbols
        Elements that may occur; the columns of the tables.
    nframes, progress
        Told frames done of `nframes`.
    """
    places: list[tuple[str, int]] = []
    formulas: list[str] = []
    parts: list[_Rows] = []
    for system in systems:
        parts.append(_rows(members, space, known, system, symbols))
        places += [(system.name, int(origin)) for origin in system.origins]
        formulas += [composition(system, index) for index in range(system.nframes)]
        progress(len(places), max(nframes, len(places)), {})
    rows = _joined(parts, len(symbols))
    labelled = np.isfinite(rows.square)
    weights = np.where(labelled, rows.counts, 0)
    total = (np.where(labelled, rows.square, 0.0) * weights).sum(axis=0)
    rms = np.sqrt(total / np.maximum(weights.sum(axis=0), 1))
    return Survey(
        symbols=tuple(symbols),
        places=tuple(places),
        compositions=tuple(formulas),
        counts=rows.counts,
        foreign=rows.foreign,
        error=rows.error,
        relative=rows.error / np.maximum(rms, np.finfo(float).tiny),
        energy=np.abs(refit_residuals(rows.counts, rows.missing_energy, formulas))[:, None],
        deviation=rows.deviation,
        distance=rows.distance,
        points=rows.points.astype(np.float32),
        force_squares=rows.force_squares,
        force_error_squares=rows.force_error_squares,
    )


def _rows(
    members: Sequence[Predictor],
    space: AtomSpace,
    known: KnownAtoms,
    system: System,
    symbols: Sequence[str],
) -> _Rows:
    accepted = set(members[0].type_map)
    strange = np.array([symbol not in accepted for symbol in system.type_map], dtype=np.bool_)
    foreign: NDArray[np.bool_] = np.asarray(strange[system.types].any(axis=1))
    rows = _blank(system, symbols, foreign)
    if foreign.all():
        return rows
    usable = np.flatnonzero(~foreign)
    asked = system.take(usable)
    numbers = numbers_of(asked)
    columns = atomic_numbers_of(symbols)
    predictions = [member.predict(asked) for member in members]
    points = space.points(asked)
    rows.distance[usable] = worst_mean(known.distances(points, numbers), numbers, columns)
    rows.points[usable] = frame_points(points, numbers)
    if len(members) > 1:
        spread = force_deviation(np.stack([one.forces for one in predictions]))
        rows.deviation[usable] = worst_mean(spread, numbers, columns)
    if asked.forces is not None:
        wrong = predictions[0].forces - asked.forces
        length = np.linalg.norm(wrong, axis=-1)
        rows.error[usable] = worst_mean(length, numbers, columns)
        rows.force_error_squares[usable] = np.square(wrong).mean(axis=(1, 2))
    if asked.energies is not None:
        rows.missing_energy[usable] = asked.energies - predictions[0].energies
    return rows


def _blank(system: System, symbols: Sequence[str], foreign: NDArray[np.bool_]) -> _Rows:
    """What is known without a model."""
    shape = (system.nframes, len(symbols))
    columns = [list(symbols).index(symbol) for symbol in system.type_map]
    counts = np.zeros(shape, dtype=np.int64)
    counts[:, columns] = system.counts()
    square, whole = np.full(shape, np.nan), np.full(system.nframes, np.nan)
    if system.forces is not None:
        each = np.square(system.forces).sum(axis=-1)
        whole = np.square(system.forces).mean(axis=(1, 2))
        for index, column in enumerate(columns):
            mask = system.types == index
            has = mask.any(axis=1)
            square[has, column] = (each * mask).sum(axis=1)[has] / mask.sum(axis=1)[has]
    return _Rows(
        counts=counts,
        foreign=foreign,
        error=np.full(shape, np.nan),
        deviation=np.full(shape, np.nan),
        distance=np.full(shape, np.nan),
        points=np.full((system.nframes, FRAME_WIDTH), np.nan),
        missing_energy=np.full(system.nframes, np.nan),
        square=square,
        force_squares=whole,
        force_error_squares=np.full(system.nframes, np.nan),
    )


def _joined(parts: Sequence[_Rows], width: int) -> _Rows:
    if not parts:
        empty, table = np.empty(0), np.empty((0, width))
        return _Rows(
            table.astype(np.int64), empty.astype(np.bool_), table, table, table,
            np.empty((0, FRAME_WIDTH)), empty, table, empty, empty,
        )  # fmt: skip
    names = list(vars(parts[0]))
    return _Rows(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def numbers_of(system: System) -> IntArray:
    """Atomic numbers of all atoms, (nframes, natoms)."""
    return np.array(atomic_numbers_of(system.type_map), dtype=np.int64)[system.types]


def atomic_numbers_of(symbols: Sequence[str]) -> list[int]:
    """Atomic numbers of chemical symbols."""
    from ase.data import atomic_numbers

    return [atomic_numbers[symbol] for symbol in symbols]
