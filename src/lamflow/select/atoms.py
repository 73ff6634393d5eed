"""Atoms as points in the space of a model's own descriptor, and how far new ones are from known."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import translate_types

WIDTH = 128
"""Coordinates that are kept of a descriptor."""
FRAME_WIDTH = 64
"""Coordinates of a frame."""
NEIGHBOURS = 5
_ATOMS_AT_ONCE = 4000
_ROWS_AT_ONCE = 2000


class AtomSpace:
    """Gives the descriptor of every atom.

    Descriptors can be thousands of numbers long; they are projected on `WIDTH` fixed random
    directions, which keeps distances to about 12 % and hides no direction.

    Parameters
    ----------
    model
        Checkpoint or frozen model of DeePMD-kit.
    head
        Which head of a multi-task checkpoint.

    Raises
    ------
    InputError
        There is no such file.

    Notes
    -----
    Source of the projection: Johnson & Lindenstrauss, Contemp. Math. 26, 189 (1984).
    """

    def __init__(self, model: Path, head: str | None = None) -> None:
        if not model.is_file():
            raise InputError(Problem(str(model), "", "there is no model file here"))
        from deepmd.infer import DeepPot

        self._potential = DeepPot(str(model), head=head)
        self._type_map = tuple(self._potential.get_type_map())

    def points(self, system: System) -> FloatArray:
        """Points of all atoms, (nframes, natoms, at most `WIDTH`), in the descriptor's unit."""
        step = max(1, _ATOMS_AT_ONCE // system.natoms)
        frames = np.arange(system.nframes)
        parts = [self._some(system.take(frames[first : first + step])) for first in frames[::step]]
        return np.concatenate(parts)

    def _some(self, system: System) -> FloatArray:
        types = translate_types(system, self._type_map)
        nframes, natoms = system.nframes, system.natoms
        cells = None if system.cells is None else system.cells.reshape(nframes, 9)
        described = self._potential.eval_descriptor(
            system.coords.reshape(nframes, natoms * 3), cells, types, mixed_type=True
        )
        table: FloatArray = np.asarray(described, dtype=np.float64)
        return projected(table.reshape(nframes, natoms, -1))


def projected(points: FloatArray) -> FloatArray:
    """Project the last axis on `WIDTH` directions, if it is longer than that."""
    width = points.shape[-1]
    return points if width <= WIDTH else np.asarray(points @ _directions(width, WIDTH, 0))


@cache
def _directions(width: int, kept: int, seed: int) -> FloatArray:
    """Random directions (width, kept) that keep distances on average."""
    drawn = np.random.default_rng(seed).standard_normal((width, kept))
    return np.asarray(drawn / np.sqrt(kept))


def frame_points(points: FloatArray, numbers: IntArray) -> FloatArray:
    """Frames as points, (nframes, `FRAME_WIDTH`).

    The mean point of each element's atoms, each element turned into random directions of its own,
    and added up: frames are near if the atoms of each element have alike surroundings.

    Parameters
    ----------
    points
        (nframes, natoms, width).
    numbers
        (nframes, natoms) atomic numbers.
    """
    found = np.zeros((len(points), FRAME_WIDTH))
    for number in np.unique(numbers):
        mask = (numbers == number).astype(np.float64)
        total = np.einsum("fa,faw->fw", mask, points)
        mean = total / np.maximum(mask.sum(axis=1), 1)[:, None]
        found += mean @ _directions(points.shape[-1], FRAME_WIDTH, int(number))
    return found


class KnownAtoms:
    """A sample of the atoms that a model was trained on, by element.

    Parameters
    ----------
    points
        Atomic number to (natoms, width) points.
    neighbours
        How many of the nearest known atoms a distance is averaged over.
    """

    def __init__(self, points: dict[int, FloatArray], neighbours: int = NEIGHBOURS) -> None:
        self._points = points
        self._neighbours = neighbours

    @classmethod
    def sample(
        cls,
        described: Iterable[tuple[FloatArray, IntArray]],
        rng: np.random.Generator,
        *,
        most: int = 4000,
        neighbours: int = NEIGHBOURS,
    ) -> "KnownAtoms":
        """Keep at most `most` random atoms of each element, streaming.

        Parameters
        ----------
        described
            Points (nframes, natoms, width) and atomic numbers (nframes, natoms) of frames.
        """
        kept: dict[int, tuple[FloatArray, FloatArray]] = {}
        for points, numbers in described:
            for number in np.unique(numbers):
                mine = points[numbers == number]
                key, rows = rng.random(len(mine)), mine
                if int(number) in kept:
                    key = np.concatenate([kept[int(number)][0], key])
                    rows = np.concatenate([kept[int(number)][1], rows])
                chosen = np.sort(np.argsort(key, kind="stable")[:most])
                kept[int(number)] = key[chosen], rows[chosen]
        return cls({number: rows for number, (_, rows) in kept.items()}, neighbours)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Atomic numbers of the known elements."""
        return tuple(sorted(self._points))

    def distances(self, points: FloatArray, numbers: IntArray) -> FloatArray:
        """Mean distance of each atom to the nearest known ones of its element.

        Parameters
        ----------
        points
            (nframes, natoms, width).
        numbers
            (nframes, natoms) atomic numbers.

        Returns
        -------
        (nframes, natoms), in the descriptor's unit; NaN where the element is not known.
        """
        found = np.full(numbers.shape, np.nan)
        for number, known in self._points.items():
            mask = numbers == number
            if mask.any():
                found[mask] = np.concatenate(list(_nearest(points[mask], known, self._neighbours)))
        return found


def _nearest(points: FloatArray, known: FloatArray, neighbours: int) -> Iterator[FloatArray]:
    count = min(neighbours, len(known))
    lengths = np.square(known).sum(axis=1)
    for first in range(0, len(points), _ROWS_AT_ONCE):
        rows = points[first : first + _ROWS_AT_ONCE]
        squares = np.square(rows).sum(axis=1)[:, None] + lengths - 2 * rows @ known.T
        nearest = np.partition(squares, count - 1, axis=1)[:, :count]
        yield np.sqrt(np.maximum(nearest, 0)).mean(axis=1)


def worst_mean(values: FloatArray, numbers: IntArray, elements: Sequence[int]) -> FloatArray:
    """One number for the atoms of each element: the fourth root of the mean fourth power.

    A plain mean drowns one odd atom among many; a maximum grows with the size of the cell, so that
    large cells could not be compared with small ones.

    Parameters
    ----------
    values
        (nframes, natoms).
    numbers
        (nframes, natoms) atomic numbers.
    elements
        Atomic numbers of the columns.

    Returns
    -------
    (nframes, nelements); NaN where a frame has no such atom.
    """
    found = np.full((len(values), len(elements)), np.nan)
    for column, number in enumerate(elements):
        mask = numbers == number
        count = mask.sum(axis=1)
        total = np.where(mask, values**4, 0.0).sum(axis=1)
        has = count > 0
        found[has, column] = (total[has] / count[has]) ** 0.25
    return found
