"""Speed and memory of cleaning: frames per second per core, peak memory against frames.

    python benchmarks/cleaning.py [frames ...]      default: 10000 100000

Repeats frames of 50 atoms with jitter, written to a scratch folder, and runs the rule checks
(without the committee) on one core. Peak memory is that of the process after importing, measured
for each number of frames in a process of its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lamflow.data.checks.settings import CheckSettings
from lamflow.data.curate import curate_dataset
from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter

NATOMS = 50
CHUNK = 1000


def jittered(first: int, count: int) -> System:
    """Frames of a rock-salt-like solid of two elements, displaced at random."""
    rng = np.random.default_rng(first)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    base = grid[:NATOMS] * 2.1
    coords = base + rng.normal(scale=0.1, size=(count, NATOMS, 3))
    forces = rng.normal(size=coords.shape)
    return System(
        name="synthetic", type_map=("O", "Mg"),
        types=np.tile(grid[:NATOMS].sum(axis=1) % 2, (count, 1)),
        coords=coords, cells=np.tile(np.eye(3) * 8.4, (count, 1, 1)),
        energies=rng.normal(-300, 0.5, count), forces=forces - forces.mean(axis=1, keepdims=True),
        virials=None, origins=np.arange(first, first + count),
    )  # fmt: skip


def measure(frames: int) -> dict[str, float]:
    """Clean one synthetic dataset; return its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with DatasetWriter(folder / "raw") as writer:
            for first in range(0, frames, CHUNK):
                writer.add(jittered(first, min(CHUNK, frames - first)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, cpu = time.perf_counter(), time.process_time()
        done = curate_dataset(
            folder / "raw", folder / "good", folder / "bad", CheckSettings(model=False), seed=1
        )
        return {
            "frames": frames,
            "kept": done.kept,
            "frames_per_cpu_second": round(frames / (time.process_time() - cpu)),
            "wall_s": round(time.perf_counter() - start, 1),
            "memory_before_MB": round(before / 1024),
            "peak_memory_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    for frames in [int(word) for word in sys.argv[1:]] or [10_000, 100_000]:
        command = [sys.executable, __file__, "--one", str(frames)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


if __name__ == "__main__":
    main()
