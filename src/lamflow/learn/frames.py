"""Folders of frames that may hold none, and reading structures."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import IntArray, System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem

_FRAMES = "frames"
_CHUNK = 200


def write_frames(folder: Path, systems: Iterable[System]) -> int:
    """Write frames below `folder`, in the dataset ``frames/`` if there are any; count them."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [system for system in systems if system.nframes]
    if not kept:
        return 0
    with DatasetWriter(folder / _FRAMES) as writer:
        for system in kept:
            writer.add(system)
    return writer.nframes


def stream_frames(folder: Path) -> Iterable[System]:
    """Stream the frames that `write_frames` wrote below `folder`."""
    if (folder / _FRAMES).is_dir():
        yield from Dataset.open(folder / _FRAMES).systems(_CHUNK)


def read_structures(paths: Mapping[str, Path]) -> dict[str, System]:
    """Read starting frames without their labels, by ``NAME`` or, of several, ``NAME-2``.

    Raises
    ------
    InputError
        There are no frames at a path, or a coordinate is not finite.
    """
    found: dict[str, System] = {}
    for name, path in paths.items():
        number = 0
        for system in Dataset.open(path).systems(_CHUNK):
            if not np.isfinite(system.coords).all():
                raise InputError(Problem(str(path), "structures", "a coordinate is not finite"))
            bare = replace(system, energies=None, forces=None, virials=None)
            for frame in range(system.nframes):
                number += 1
                key = name if number == 1 else f"{name}-{number}"
                found[key] = bare.take(np.array([frame]))
    if not found:
        raise InputError(Problem("", "structures", "there are no frames in them"))
    return found


def take_frames(systems: Iterable[System], indices: IntArray) -> list[System]:
    """Take the frames that `indices` count through all systems, in the systems' order."""
    wanted = np.sort(indices)
    taken, first = [], 0
    for system in systems:
        mine = wanted[(wanted >= first) & (wanted < first + system.nframes)] - first
        if len(mine):
            taken.append(system.take(mine))
        first += system.nframes
    return taken
