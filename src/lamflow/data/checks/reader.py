"""Single frames of a dataset by number."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.deepmd_npy import NpySystem
from lamflow.data.frames import System
from lamflow.data.source import Source, retyped

_OPEN_FILES = 8


class FrameReader:
    """Reads frames by their number in the order in which a dataset streams.

    deepmd/npy is read from memory maps; files of other formats have no index, so the file that
    was used last is held in memory.

    Parameters
    ----------
    dataset
        The dataset.
    places
        Source and index in the source of each frame.
    """

    def __init__(self, dataset: Dataset, places: Sequence[tuple[int, int]]) -> None:
        self._dataset = dataset
        self._places = places
        self._held = lru_cache(maxsize=1)(self._all_frames)
        self._maps = lru_cache(maxsize=_OPEN_FILES)(self._open_maps)

    def __call__(self, number: int) -> System:
        """Return one frame as a System of one frame."""
        source, origin = self._places[number]
        if isinstance(self._dataset.sources[source], NpySystem):
            frame = self._maps(source)(origin)
        else:
            frame = self._held(source)[origin]
        return retyped(frame, self._dataset.type_map)

    def _open_maps(self, source: int) -> "_NpyFrames":
        one = self._dataset.sources[source]
        assert isinstance(one, NpySystem)  # noqa: S101  checked by the caller
        return _NpyFrames(one)

    def _all_frames(self, source: int) -> dict[int, System]:
        one: Source = self._dataset.sources[source]
        return {
            int(origin): system.take([index])
            for system in one.chunks(1000)
            for index, origin in enumerate(system.origins)
        }


class _NpyFrames:
    """One system folder, frame by frame."""

    def __init__(self, system: NpySystem) -> None:
        self._system = system
        self._ends = np.cumsum(system.lengths)
        self._maps = [system.maps(folder) for folder in system.sets]

    def __call__(self, frame: int) -> System:
        part = int(np.searchsorted(self._ends, frame, side="right"))
        start = int(self._ends[part]) - self._system.lengths[part]
        return self._system.read(self._maps[part], frame - start, frame - start + 1, start)
