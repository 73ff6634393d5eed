"""Where the errors are: which elements, which frames."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import FloatArray, System
from lamflow.evaluate.errors import Moments
from lamflow.evaluate.predictor import Prediction

_MILLI = 1000.0
_WORST = 10


class Details:
    """Errors by element, and the frames with the largest errors.

    Parameters
    ----------
    worst
        How many frames to keep for each quantity; memory does not grow with the frames seen.
    """

    def __init__(self, worst: int = _WORST) -> None:
        self._worst = worst
        self._force: dict[str, Moments] = defaultdict(Moments)
        self._energy: dict[str, Moments] = defaultdict(Moments)
        self._frames: dict[str, list[tuple[float, int, dict[str, Any]]]] = defaultdict(list)
        self._number = count()  # breaks ties, so that rows are never compared

    def add(self, system: System, prediction: Prediction, zero: FloatArray) -> None:
        """Look at the frames of one system; see `lamflow.evaluate.errors.Observer`."""
        energy = force = None
        if system.energies is not None:
            energy = (prediction.energies - system.energies) / system.natoms
        if system.forces is not None:
            force = prediction.forces - system.forces
        for index, symbol in enumerate(system.type_map):
            atoms = system.types == index
            if not atoms.any():
                continue
            if force is not None:
                self._force[symbol].add(force[atoms])
            if energy is not None:
                self._energy[symbol].add(energy[atoms.any(axis=1)])
        self._keep(system, energy, force)

    def elements(self) -> list[dict[str, Any]]:
        """Errors by element, the worst force first.

        ``element``; ``force_rmse_meV_per_A`` and ``force_mae_meV_per_A`` of its atoms; ``atoms``
        with a force; ``energy_rmse_meV_per_atom`` over the ``frames`` that hold it.
        """
        rows = [
            {
                "element": symbol,
                "force_rmse_meV_per_A": self._force[symbol].rmse(),
                "force_mae_meV_per_A": self._force[symbol].mae(),
                "atoms": self._force[symbol].count // 3,
                "energy_rmse_meV_per_atom": self._energy[symbol].rmse(),
                "frames": self._energy[symbol].count,
            }
            for symbol in sorted({*self._force, *self._energy})
        ]
        return sorted(rows, key=lambda row: -(row["force_rmse_meV_per_A"] or 0.0))

    def worst(self) -> dict[str, list[dict[str, Any]]]:
        """Frames with the largest errors by ``force`` (of one atom) and ``energy``, worst first.

        Each has its ``system``, ``frame`` in it, ``composition``, and its errors in meV/Å and
        meV/atom; null is an error that is not finite, or has no label.
        """
        return {
            quantity: [row for _, _, row in sorted(rows, key=lambda item: item[:2], reverse=True)]
            for quantity, rows in self._frames.items()
        }

    def _keep(self, system: System, energy: FloatArray | None, force: FloatArray | None) -> None:
        largest = None if force is None else np.linalg.norm(force, axis=2).max(axis=1)
        ranks = {"force": largest, "energy": None if energy is None else np.abs(energy)}
        for quantity, values in ranks.items():
            if values is None:
                continue
            for frame in _largest(values, self._worst):
                row = {
                    "system": system.name,
                    "frame": int(system.origins[frame]),
                    "composition": composition(system, frame),
                    "force_max_meV_per_A": _milli(largest, frame),
                    "energy_meV_per_atom": _milli(energy, frame),
                }
                rank = float(values[frame]) if np.isfinite(values[frame]) else np.inf
                entry = (rank, -next(self._number), row)
                heap = self._frames[quantity]
                heapq.heappush(heap, entry)
                if len(heap) > self._worst:
                    heapq.heappop(heap)


def composition(system: System, frame: int) -> str:
    """Write the formula of a frame, such as ``C2H6O``, elements in the order of the type map."""
    return "".join(_formula(system.type_map, system.types[frame]))


def _formula(type_map: tuple[str, ...], types: NDArray[np.int64]) -> Iterator[str]:
    for index, number in zip(*np.unique(types, return_counts=True), strict=True):
        yield f"{type_map[index]}{number if number > 1 else ''}"


def _largest(values: FloatArray, number: int) -> NDArray[np.intp]:
    """Indices of the largest values; one that is not finite is larger than all."""
    shown = np.where(np.isfinite(values), values, np.inf)
    return np.argsort(shown)[::-1][:number]


def _milli(values: FloatArray | None, frame: int) -> float | None:
    if values is None or not np.isfinite(values[frame]):
        return None
    return _MILLI * float(values[frame])
