"""What every reader gives: one place that frames come from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from lamflow.data.frames import System

LABELS = ("energy", "force", "virial")


class Source(Protocol):
    """A system folder, a file, or a group of frames in memory.

    Errors found while reading are `lamflow.errors.InputError`.
    """

    @property
    def name(self) -> str:
        """Where it lies, relative to its dataset's path, POSIX; "." for the path itself."""

    @property
    def nframes(self) -> int:
        """Number of frames."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that occur in the frames."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that at least one frame carries."""

    def chunks(self, size: int) -> Iterator[System]:
        """Give all frames in order, at most `size` at a time; origins count from 0."""


def ordered_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels in the order energy, force, virial."""
    found = set(names)
    return tuple(name for name in LABELS if name in found)


def retyped(system: System, type_map: Sequence[str]) -> System:
    """Return the same frames with types that index `type_map`.

    Every element that occurs must be in `type_map`.
    """
    wanted = tuple(type_map)
    if system.type_map == wanted:
        return system
    position = {symbol: index for index, symbol in enumerate(wanted)}
    table = np.array([position.get(symbol, -1) for symbol in system.type_map], dtype=np.int64)
    types = table[system.types]
    if types.size and types.min() < 0:
        missing = sorted(set(system.type_map) - set(wanted))
        raise ValueError(f"{system.name}: elements outside of the type map: {missing}")
    return replace(system, type_map=wanted, types=types)
