"""How fast a committee looks at frames: in batches as selection does, and frame by frame.

``python benchmarks/selection.py DATASET MODEL MODEL [MODEL ...]``; models are frozen (``.pth``).
Prints frames per second both ways, and the peak memory as the same frames are streamed more often.
"""

import resource
import sys
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.select.deviation import committee_deviation, force_deviation
from lamflow.select.known import fingerprint_table

CHUNK = 200
SINGLE_FRAMES = 50
REPEATS = (1, 4, 16)


def stream(dataset: Dataset, times: int) -> Iterator[System]:
    for _ in repeat(None, times):
        yield from dataset.systems(CHUNK)


def batched(members: list[DeepmdPredictor], dataset: Dataset, times: int) -> float:
    """Frames per second of deviations and fingerprints, as `lamflow.learn.pick` streams them."""
    started, frames = time.perf_counter(), 0
    for system, _ in committee_deviation(members, stream(dataset, times)):
        fingerprint_table([system])
        frames += system.nframes
    return frames / (time.perf_counter() - started)


def frame_by_frame(members: list[DeepmdPredictor], dataset: Dataset) -> float:
    """Frames per second if each member is called for each frame through ASE."""
    from lamflow.label.atoms import to_atoms
    from lamflow.label.model_calculator import ModelCalculator

    calculators = [ModelCalculator(member) for member in members]
    system = next(dataset.systems(SINGLE_FRAMES))
    started = time.perf_counter()
    for frame in range(system.nframes):
        atoms = to_atoms(system, frame)
        forces = []
        for calculator in calculators:
            atoms.calc = calculator
            forces.append(atoms.get_forces())
        force_deviation(np.stack(forces)[:, None])
    return system.nframes / (time.perf_counter() - started)


def main() -> None:
    dataset = Dataset.open(Path(sys.argv[1]))
    members = [DeepmdPredictor(Path(model)) for model in sys.argv[2:]]
    for _ in range(2):  # TorchScript compiles on the first calls of each shape
        batched(members, dataset, 1)
        frame_by_frame(members, dataset)
    single = frame_by_frame(members, dataset)
    print(f"{len(members)} members, frame by frame: {single:.1f} frames/s")
    for times in REPEATS:
        speed = batched(members, dataset, times)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{times * dataset.nframes} frames batched: {speed:.1f} frames/s "
            f"({speed / single:.1f} times), peak memory {peak:.0f} MB"
        )


if __name__ == "__main__":
    main()
